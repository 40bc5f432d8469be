%% Planted secrets leak into no log, report or process information, whatever fails.
-module(signal_port_secrets_SUITE).
-compile([export_all, nowarn_export_all]).

-define(SECRETS, 100).  % bytes; a request with secrets is longer, a stand-in's notice is shorter

all() ->
    [{group, search}, {group, losses}, {group, types}, {group, processes}].

groups() ->
    [{search, [search_finds_planted_secrets]},
     {losses, [killed_worker_leaks_nothing, crashing_caller_leaks_nothing,
               invalid_reply_leaks_nothing, exiting_worker_leaks_nothing,
               killed_worker_process_leaks_nothing, killed_pool_leaks_nothing,
               stalled_worker_leaks_nothing]},
     {types, [call_of_wrong_type_leaks_nothing, batch_of_wrong_type_leaks_nothing,
              request_of_wrong_type_leaks_nothing]},
     {processes, [status_has_no_message_and_no_log, status_leaks_nothing,
                  half_a_reply_leaks_nothing, mailbox_leaks_nothing,
                  debug_log_leaks_no_request, info_leaks_nothing, carrier_leaks_nothing,
                  killed_carrier_leaks_nothing, failing_carrier_leaks_nothing]}].

init_per_testcase(_, Config) ->
    signal_port_search:set_up(Config).

end_per_testcase(_, Config) ->
    signal_port_search:clean_up(Config).

%% --- Losses and wrong types ---

search_finds_planted_secrets(Config) ->
    Secret = proplists:get_value(secret, Config),
    [{Form, true} = {Form, signal_port_search:finds(Secret, unicode:characters_to_binary(Text))}
     || {Form, Text} <- [{bytes, [<<"x">>, signal_port_search:printed({crash, [Secret]})]},
                         {list, signal_port_search:printed(binary_to_list(Secret))},
                         {hex, binary:encode_hex(Secret)},
                         {part, signal_port_search:printed(binary:part(Secret, 20, 30))},
                         {lower, string:lowercase(binary_to_list(binary:encode_hex(Secret)))},
                         {base64, base64:encode(Secret)}]],
    true = signal_port_search:finds(Secret, <<"raw", Secret/binary, "raw">>),
    Another = signal_port_search:printed({<<"another">>, rand:bytes(64)}),
    false = signal_port_search:finds(Secret, Another).

killed_worker_leaks_nothing(Config) ->
    start("hangs.py", []),
    Callers = callers(Config),
    [OsPid] = signal_port_stage:os_pids(),
    "" = signal_port_stage:signal("KILL", OsPid),
    signal_port_stage:until(fun() -> signal_port_stage:restarts() > 0 end),
    end_all(Callers),
    signal_port_search:finds_nothing(Config).

crashing_caller_leaks_nothing(Config) ->
    start("exits_on_call.py", []),
    [Secret, _, Plain] = signal_port_search:secrets(Config),
    signal_port_search:crashed(fun() -> {ok, _} = signal_port:sign_data(Secret, Plain) end),
    signal_port_search:finds_nothing(Config).

call_of_wrong_type_leaks_nothing(Config) ->
    start("honest.py", []),
    [Secret, Session, Plain] = signal_port_search:secrets(Config),
    [signal_port_search:crashed(fun() -> apply(signal_port, Op, Args) end)
     || {Op, Args} <- [{sign_data, [Secret, not_a_binary]},
                       {sign_data, [binary_to_list(Secret), Plain]},
                       {encrypt, [Session, [Plain]]}, {decrypt, [Session, undefined]},
                       {decrypt, [[Session], Plain]}, {generate_pre_key, [Secret]},
                       {dr_encrypt_prekey, [Session, Plain, {1, 2, 3, Secret}]},
                       {hkdf_sha256, [Secret, Session, Plain, <<"42">>]},
                       {sha256, [<<Secret/binary, 1:1>>]},
                       {dr_init, [Secret, Session, Plain, Secret, 1 bsl 40]}]],
    signal_port_search:finds_nothing(Config).

invalid_reply_leaks_nothing(Config) ->
    start("garbage_reply.py", []),
    Callers = callers(Config),
    signal_port_stage:until(fun() -> not lists:any(fun is_process_alive/1, Callers) end),
    signal_port_search:finds_nothing(Config).

exiting_worker_leaks_nothing(Config) ->
    start("half_a_frame.py", []),
    Callers = callers(Config),
    signal_port_stage:until(fun() -> not lists:any(fun is_process_alive/1, Callers) end),
    signal_port_search:finds_nothing(Config).

killed_worker_process_leaks_nothing(Config) ->
    start("hangs.py", []),
    OsPids = signal_port_stage:os_pids(),
    Callers = callers(Config),
    exit(signal_port_stage:pid(), kill),
    signal_port_stage:until(fun() -> signal_port_stage:restarts() > 0 end),
    signal_port_stage:until_gone(OsPids),
    end_all(Callers),
    signal_port_search:finds_nothing(Config).

killed_pool_leaks_nothing(Config) ->
    start("hangs.py", []),
    OsPids = signal_port_stage:os_pids(),
    Callers = callers(Config),
    Pool = whereis(signal_port_pool),
    exit(Pool, kill),
    signal_port_stage:until(fun() ->
        not lists:member(whereis(signal_port_pool), [Pool, undefined])
    end),
    signal_port_stage:until_gone(OsPids),
    end_all(Callers),
    signal_port_search:finds_nothing(Config).

stalled_worker_leaks_nothing(Config) ->
    start("stops_itself.py", [{stall_timeout, 100}]),
    Callers = callers(Config),
    signal_port_stage:until(fun() -> signal_port_stage:restarts() >= 1 end),
    end_all(Callers),
    signal_port_search:finds_nothing(Config).

status_has_no_message_and_no_log(Config) ->
    Secret = proplists:get_value(secret, Config),
    Status = #{message => Secret, log => [Secret], reason => normal},
    #{message := hidden, log := [], reason := normal} = signal_port_secret:format_status(Status).

status_leaks_nothing(Config) ->
    start("hangs.py", []),
    Callers = callers(Config),
    [signal_port_search:finds_nothing(Config, sys:get_status(Process))
     || Process <- [signal_port_stage:pid(), signal_port_pool, signal_port_worker_sup,
                    signal_port_sup]],
    [signal_port_search:finds_nothing(Config, sys:get_state(Process))
     || Process <- [signal_port_stage:pid(), signal_port_pool]],
    end_all(Callers).

%% The stand-in starts its reply with the request.
half_a_reply_leaks_nothing(Config) ->
    start("hangs_in_a_reply.py", []),
    Callers = callers(Config),
    Worker = signal_port_stage:pid(),
    {links, Links} = process_info(Worker, links),
    [Port] = [Port || Port <- Links, is_port(Port)],
    signal_port_stage:until(fun() ->
        {input, Bytes} = erlang:port_info(Port, input), Bytes > ?SECRETS
    end),
    [signal_port_search:finds_nothing(Config, Asked)
     || Asked <- [sys:get_state(Worker), sys:get_status(Worker)]],
    end_all(Callers),
    signal_port_search:finds_nothing(Config).

%% sys:log/2 shows answers, but no request.
debug_log_leaks_no_request(Config) ->
    start("hangs.py", []),
    Worker = signal_port_stage:pid(),
    ok = sys:log(Worker, true),
    Callers = callers(Config),
    Events = signal_port_stage:until(fun() ->
        {ok, [{in, Message} | _] = Events} = sys:log(Worker, get),
        call = element(1, Message),
        Events
    end),
    signal_port_search:finds_nothing(Config, Events),
    end_all(Callers).

%% A suspended worker has its requests in its mailbox.
mailbox_leaks_nothing(Config) ->
    start("hangs.py", []),
    Worker = signal_port_stage:pid(),
    ok = sys:suspend(Worker),
    Callers = callers(Config),
    signal_port_stage:until(fun() ->
        process_info(Worker, message_queue_len) >= {message_queue_len, 3}
    end),
    [signal_port_search:finds_nothing(Config, process_info(Worker, Item))
     || Item <- [messages, dictionary, backtrace, current_stacktrace, links, monitored_by]],
    ok = sys:resume(Worker),
    end_all(Callers).

info_leaks_nothing(Config) ->
    start("hangs.py", []),
    Callers = callers(Config),
    signal_port_search:finds_nothing(Config, {signal_port:info(), ets:tab2list(signal_port_table)}),
    end_all(Callers).

%% --- Batches and asynchronous calls ---

carrier_leaks_nothing(Config) ->
    start("hangs.py", []),
    Carriers = carriers(Config),
    signal_port_stage:await_in_flight(length(Carriers)),
    [signal_port_search:finds_nothing(Config, process_info(Carrier, Item))
     || Carrier <- Carriers,
        Item <- [messages, dictionary, backtrace, current_stacktrace, initial_call, links,
                 monitors]],
    end_all(Carriers).

killed_carrier_leaks_nothing(Config) ->
    start("hangs.py", [{call_timeout, 200}]),
    [Killed | Others] = carriers(Config),
    exit(Killed, kill),
    signal_port_stage:until(fun() -> not lists:any(fun is_process_alive/1, Others) end),
    start("exits_on_call.py", []),
    More = carriers(Config),
    signal_port_stage:until(fun() -> not lists:any(fun is_process_alive/1, More) end),
    signal_port_search:finds_nothing(Config).

%% As with a NIF that refuses its arguments: the stack trace has them.
failing_carrier_leaks_nothing(Config) ->
    start("honest.py", []),
    Secrets = signal_port_search:secrets(Config),
    [begin
         Id = signal_port_async:send(Fails),
         badarg = try signal_port_async:receive_response(Id, 15_000)
                  catch error:Reason -> Reason
                  end
     end || Fails <- [fun() -> error(badarg, Secrets) end, fun() -> error({badmatch, Secrets}) end,
                      fun() -> apply(signal_port_codec, no_function, Secrets) end]],
    signal_port_search:finds_nothing(Config).

batch_of_wrong_type_leaks_nothing(Config) ->
    start("honest.py", []),
    [Secret, Session, Plain] = signal_port_search:secrets(Config),
    Good = {sign_data, [Secret, Plain]},
    [signal_port_search:crashed(fun() -> signal_port:batch(Calls) end)
     || Calls <- [[Good, {sign_data, [Secret, "text"]}], [Good, {encrypt, [Session]}],
                  [Good, {Session, [Plain]}], [Good, Secret], [Good | Good], Good, Secret,
                  [Secret | Session]]],
    signal_port_search:finds_nothing(Config).

request_of_wrong_type_leaks_nothing(Config) ->
    start("honest.py", []),
    [Secret, Session, Plain] = signal_port_search:secrets(Config),
    [signal_port_search:crashed(fun() -> signal_port:send_request(Operation, Args) end)
     || {Operation, Args} <- [{sign_data, [Secret, "text"]}, {sign_data, Secret},
                              {encrypt, [Session | Plain]}, {Secret, sign_data},
                              {[Secret, Plain], sign_data}, {encrypt, {Session, Plain}}]],
    signal_port_search:finds_nothing(Config).

%% --- Internals ---

start(StandIn, Options) ->
    ok = signal_port_stage:start_with(StandIn, [{pool_size, 1}, {stall_timeout, 60_000} | Options]).

%% Starts three calls with secrets. At least one has reached a worker when this returns.
callers(Config) ->
    Callers = [proc_lib:spawn(signal_port, Operation, Args) || {Operation, Args} <- calls(Config)],
    signal_port_stage:until(fun() ->
        not lists:any(fun is_process_alive/1, Callers) orelse has_work()
    end),
    Callers.

%% The carriers of three requests with secrets. The id of a request names its carrier.
carriers(Config) ->
    [Carrier || {Operation, Args} <- calls(Config),
                {Carrier, _} <- [signal_port:send_request(Operation, Args)]].

calls(Config) ->
    lists:sublist(signal_port_search:calls(Config), 3).

has_work() ->
    signal_port_stage:in_flight() > 0 orelse signal_port_stage:restarts() > 0.

end_all(Callers) ->
    [exit(Caller, kill) || Caller <- Callers].
