%% No secret is printed, whatever fails: neither in a log, nor in a report, nor in what the VM tells of a process.
-module(signal_port_secrets_SUITE).
-compile([export_all, nowarn_export_all]).

-define(WINDOW, 8).    % bytes; a shorter piece of a secret may be there by chance
-define(SECRETS, 100). % bytes; a request with secrets has more, the notice of a stand-in less

all() ->
    [the_search_finds_what_is_there, a_worker_killed_in_a_call_tells_nothing, a_crashing_caller_tells_nothing,
     a_caller_with_a_wrong_type_tells_nothing, a_garbage_reply_tells_nothing, a_worker_that_exits_tells_nothing,
     a_killed_worker_process_tells_nothing, a_killed_pool_tells_nothing, a_stalled_worker_tells_nothing,
     status_tells_nothing, half_an_answer_tells_nothing, a_workers_messages_tell_nothing, debugging_tells_no_request,
     info_tells_nothing,
     a_carrier_tells_nothing, a_carrier_that_ends_tells_nothing, a_carrier_that_fails_tells_nothing,
     a_batch_with_a_wrong_type_tells_nothing, a_request_with_a_wrong_type_tells_nothing].

init_per_testcase(_, Config) ->
    ok = signal_port_stage:start([{pool_size, 1}]),
    {ok, {_, Secret}} = signal_port:generate_identity_key_pair(),
    {Session, _} = signal_port_parties:hello(),
    signal_port_stage:stop(),
    Level = maps:get(level, logger:get_primary_config()),
    Table = ets:new(?MODULE, [public, ordered_set]),
    ok = logger:set_primary_config(level, all),
    ok = logger:add_handler(?MODULE, ?MODULE, #{level => all, config => Table}),
    [{secret, Secret}, {session, Session}, {plain, rand:bytes(64)}, {level, Level}, {table, Table} | Config].

end_per_testcase(_, Config) ->
    ok = logger:remove_handler(?MODULE),
    ok = logger:set_primary_config(level, proplists:get_value(level, Config)),
    signal_port_stage:stop().

%% The handler: every event, as a shell would print it and as the default formatter does.
log(Event, #{config := Table}) ->
    Text = [printed(Event), logger_formatter:format(Event, #{})],
    true = ets:insert(Table, {erlang:unique_integer([monotonic]), unicode:characters_to_binary(Text)}),
    ok.

%% --- What fails ---

the_search_finds_what_is_there(Config) ->
    Secret = proplists:get_value(secret, Config),
    [{Form, true} = {Form, shows(Secret, unicode:characters_to_binary(Text))}
     || {Form, Text} <- [{bytes, [<<"x">>, printed({crash, [Secret]})]}, {list, printed(binary_to_list(Secret))},
                         {hex, binary:encode_hex(Secret)}, {part, printed(binary:part(Secret, 20, 30))},
                         {lower, string:lowercase(binary_to_list(binary:encode_hex(Secret)))},
                         {base64, base64:encode(Secret)}]],
    true = shows(Secret, <<"raw", Secret/binary, "raw">>),
    false = shows(Secret, printed({<<"another">>, rand:bytes(64)})).

a_worker_killed_in_a_call_tells_nothing(Config) ->
    start("hangs.py", []),
    Callers = callers(Config),
    [OsPid] = signal_port_stage:os_pids(),
    "" = signal_port_stage:signal("KILL", OsPid),
    signal_port_stage:until(fun() -> signal_port_stage:restarts() > 0 end),
    end_all(Callers),
    tells_nothing(Config).

a_crashing_caller_tells_nothing(Config) ->
    start("exits_on_call.py", []),
    [Secret, _, Plain] = secrets(Config),
    crashed(proc_lib:spawn(fun() -> {ok, _} = signal_port:sign_data(Secret, Plain) end)),
    tells_nothing(Config).

a_caller_with_a_wrong_type_tells_nothing(Config) ->
    start("honest.py", []),
    [Secret, Session, Plain] = secrets(Config),
    [crashed(proc_lib:spawn(fun() -> apply(signal_port, Op, Args) end))
     || {Op, Args} <- [{sign_data, [Secret, not_a_binary]}, {sign_data, [binary_to_list(Secret), Plain]},
                       {encrypt, [Session, [Plain]]}, {decrypt, [Session, undefined]}, {decrypt, [[Session], Plain]},
                       {dr_encrypt_prekey, [Session, Plain, {1, 2, 3, Secret}]}, {generate_pre_key, [Secret]},
                       {hkdf_sha256, [Secret, Session, Plain, <<"42">>]}, {sha256, [<<Secret/binary, 1:1>>]},
                       {dr_init, [Secret, Session, Plain, Secret, 1 bsl 40]}]],
    tells_nothing(Config).

a_garbage_reply_tells_nothing(Config) ->
    start("garbage_reply.py", []),
    Callers = callers(Config),
    signal_port_stage:until(fun() -> not lists:any(fun is_process_alive/1, Callers) end),
    tells_nothing(Config).

a_worker_that_exits_tells_nothing(Config) ->
    start("half_a_frame.py", []),
    Callers = callers(Config),
    signal_port_stage:until(fun() -> not lists:any(fun is_process_alive/1, Callers) end),
    tells_nothing(Config).

a_killed_worker_process_tells_nothing(Config) ->
    start("hangs.py", []),
    OsPids = signal_port_stage:os_pids(),
    Callers = callers(Config),
    exit(signal_port_stage:pid(), kill),
    signal_port_stage:until(fun() -> signal_port_stage:restarts() > 0 end),
    signal_port_stage:until_gone(OsPids),
    end_all(Callers),
    tells_nothing(Config).

a_killed_pool_tells_nothing(Config) ->
    start("hangs.py", []),
    OsPids = signal_port_stage:os_pids(),
    Callers = callers(Config),
    Pool = whereis(signal_port_pool),
    exit(Pool, kill),
    signal_port_stage:until(fun() -> not lists:member(whereis(signal_port_pool), [Pool, undefined]) end),
    signal_port_stage:until_gone(OsPids),
    end_all(Callers),
    tells_nothing(Config).

a_stalled_worker_tells_nothing(Config) ->
    start("stops_itself.py", [{stall_timeout, 100}]),
    Callers = callers(Config),
    signal_port_stage:until(fun() -> signal_port_stage:restarts() >= 1 end),
    end_all(Callers),
    tells_nothing(Config).

status_tells_nothing(Config) ->
    start("hangs.py", []),
    Callers = callers(Config),
    [tells_nothing(Config, sys:get_status(Process))
     || Process <- [signal_port_stage:pid(), signal_port_pool, signal_port_worker_sup, signal_port_sup]],
    [tells_nothing(Config, sys:get_state(Process)) || Process <- [signal_port_stage:pid(), signal_port_pool]],
    end_all(Callers).

%% The stand-in begins its reply with the request.
half_an_answer_tells_nothing(Config) ->
    start("hangs_in_a_reply.py", []),
    Callers = callers(Config),
    Worker = signal_port_stage:pid(),
    {links, Links} = process_info(Worker, links),
    [Port] = [Port || Port <- Links, is_port(Port)],
    signal_port_stage:until(fun() -> {input, Bytes} = erlang:port_info(Port, input), Bytes > ?SECRETS end),
    [tells_nothing(Config, Asked) || Asked <- [sys:get_state(Worker), sys:get_status(Worker)]],
    end_all(Callers),
    tells_nothing(Config).

%% Whoever turns this on sees the answers; a request needs not be seen.
debugging_tells_no_request(Config) ->
    start("hangs.py", []),
    Worker = signal_port_stage:pid(),
    ok = sys:log(Worker, true),
    Callers = callers(Config),
    Events = signal_port_stage:until(fun() ->
        {ok, [{in, Message} | _] = Events} = sys:log(Worker, get),
        call = element(1, Message),
        Events
    end),
    tells_nothing(Config, Events),
    end_all(Callers).

%% A worker that is held up has its requests in its message queue.
a_workers_messages_tell_nothing(Config) ->
    start("hangs.py", []),
    Worker = signal_port_stage:pid(),
    ok = sys:suspend(Worker),
    Callers = callers(Config),
    signal_port_stage:until(fun() -> process_info(Worker, message_queue_len) >= {message_queue_len, 3} end),
    [tells_nothing(Config, process_info(Worker, Item))
     || Item <- [messages, dictionary, backtrace, current_stacktrace, links, monitored_by]],
    ok = sys:resume(Worker),
    end_all(Callers).

info_tells_nothing(Config) ->
    start("hangs.py", []),
    Callers = callers(Config),
    tells_nothing(Config, {signal_port:info(), ets:tab2list(signal_port_table)}),
    end_all(Callers).

%% --- Many at once, and in flight ---

a_carrier_tells_nothing(Config) ->
    start("hangs.py", []),
    Carriers = carriers(Config),
    signal_port_stage:until(fun() -> maps:get(in_flight, signal_port_stage:worker()) =:= length(Carriers) end),
    [tells_nothing(Config, process_info(Carrier, Item))
     || Carrier <- Carriers,
        Item <- [messages, dictionary, backtrace, current_stacktrace, initial_call, links, monitors]],
    end_all(Carriers).

a_carrier_that_ends_tells_nothing(Config) ->
    start("hangs.py", [{call_timeout, 200}]),
    [Killed | Others] = carriers(Config),
    exit(Killed, kill),
    signal_port_stage:until(fun() -> not lists:any(fun is_process_alive/1, Others) end),
    start("exits_on_call.py", []),
    More = carriers(Config),
    signal_port_stage:until(fun() -> not lists:any(fun is_process_alive/1, More) end),
    tells_nothing(Config).

%% As when a NIF refuses its arguments: what fails has them in its stack trace.
a_carrier_that_fails_tells_nothing(Config) ->
    start("honest.py", []),
    Secrets = secrets(Config),
    [begin
         Id = signal_port_async:send(Fails),
         badarg = try signal_port_async:receive_response(Id, 15_000) catch error:Reason -> Reason end
     end || Fails <- [fun() -> error(badarg, Secrets) end, fun() -> error({badmatch, Secrets}) end,
                      fun() -> apply(signal_port_codec, no_function, Secrets) end]],
    tells_nothing(Config).

a_batch_with_a_wrong_type_tells_nothing(Config) ->
    start("honest.py", []),
    [Secret, Session, Plain] = secrets(Config),
    Good = {sign_data, [Secret, Plain]},
    [crashed(proc_lib:spawn(fun() -> signal_port:batch(Calls) end))
     || Calls <- [[Good, {sign_data, [Secret, "text"]}], [Good, {encrypt, [Session]}], [Good, {Session, [Plain]}],
                  [Good, Secret], [Good | Good], Good, Secret, [Secret | Session]]],
    tells_nothing(Config).

a_request_with_a_wrong_type_tells_nothing(Config) ->
    start("honest.py", []),
    [Secret, Session, Plain] = secrets(Config),
    [crashed(proc_lib:spawn(fun() -> signal_port:send_request(Operation, Args) end))
     || {Operation, Args} <- [{sign_data, [Secret, "text"]}, {sign_data, Secret}, {encrypt, [Session | Plain]},
                              {Secret, sign_data}, {[Secret, Plain], sign_data}, {encrypt, {Session, Plain}}]],
    tells_nothing(Config).

%% --- The search ---

secrets(Config) ->
    [proplists:get_value(Name, Config) || Name <- [secret, session, plain]].

tells_nothing(Config) ->
    signal_port_stage:stop(),
    Table = proplists:get_value(table, Config),
    true = ets:info(Table, size) > 0,
    not_shown(Config, iolist_to_binary([Text || {_, Text} <- ets:tab2list(Table)])).

tells_nothing(Config, Term) ->
    not_shown(Config, unicode:characters_to_binary(printed(Term))).

not_shown(Config, Text) ->
    [] = [Name || Name <- [secret, session, plain], shows(proplists:get_value(Name, Config), Text)],
    ok.

printed(Term) ->
    io_lib:format("~p~n~0p~n", [Term, Term]).

%% Whether a text has any piece of the bytes: as they are, as a list of numbers, in hexadecimal or in base 64.
shows(Bytes, Text) ->
    Narrow = binary:replace(iolist_to_binary(Text), [<<"\n">>, <<" ">>], <<>>, [global]),
    lists:any(fun(Piece) ->
        binary:match(iolist_to_binary(Text), Piece) =/= nomatch orelse
            binary:match(Narrow, numbers(Piece)) =/= nomatch orelse
            binary:match(Narrow, binary:encode_hex(Piece)) =/= nomatch orelse
            binary:match(Narrow, string:lowercase(binary:encode_hex(Piece))) =/= nomatch
    end, pieces(Bytes)) orelse binary:match(Narrow, base64:encode(binary:part(Bytes, 0, 24))) =/= nomatch.

%% Pieces of zeros, as a new session has many, are no secret.
pieces(Bytes) ->
    [Piece || From <- lists:seq(0, byte_size(Bytes) - ?WINDOW, ?WINDOW), Piece <- [binary:part(Bytes, From, ?WINDOW)],
              length(lists:usort(binary_to_list(Piece))) > 4].

numbers(Piece) ->
    iolist_to_binary(lists:join(",", [integer_to_list(Byte) || <<Byte>> <= Piece])).

%% --- Internals ---

start(StandIn, Options) ->
    ok = signal_port_stage:start_with(StandIn, [{pool_size, 1}, {stall_timeout, 60_000} | Options]).

%% Three calls with secrets; when this returns one at least is with a worker, or was.
callers(Config) ->
    [Secret, Session, Plain] = secrets(Config),
    Calls = [fun() -> signal_port:sign_data(Secret, Plain) end, fun() -> signal_port:encrypt(Session, Plain) end,
             fun() -> signal_port:decrypt(Session, Plain) end],
    Callers = [proc_lib:spawn(Call) || Call <- Calls],
    signal_port_stage:until(fun() -> not lists:any(fun is_process_alive/1, Callers) orelse has_work() end),
    Callers.

%% The processes behind three requests with secrets; an id names its own.
carriers(Config) ->
    [Secret, Session, Plain] = secrets(Config),
    [Carrier || {Operation, Args} <- [{sign_data, [Secret, Plain]}, {encrypt, [Session, Plain]},
                                      {decrypt, [Session, Plain]}],
                {Carrier, _} <- [signal_port:send_request(Operation, Args)]].

has_work() ->
    maps:get(in_flight, signal_port_stage:worker()) > 0 orelse signal_port_stage:restarts() > 0.

end_all(Callers) ->
    [exit(Caller, kill) || Caller <- Callers].

crashed(Pid) ->
    Monitor = monitor(process, Pid),
    receive {'DOWN', Monitor, process, Pid, Reason} when Reason =/= normal -> ok end.
