%% Workers behind a Unix domain socket: a real `signal-port serve', servers that misbehave, and what
%% happens to calls while workers, connections and the server itself are killed.
-module(signal_port_socket_SUITE).
-compile([export_all, nowarn_export_all]).

-define(STALL_TIMEOUT, 500).  % milliseconds
-define(CALLERS, 24).

all() ->
    [{group, answers}, {group, start}, {group, loss}, {group, peers}].

groups() ->
    [{answers, [recorded_calls_return_what_the_nif_returned, long_message_arrives_whole,
                many_callers_get_their_own_answers, nif_stays_unloaded,
                worker_has_no_os_process_of_this_vm]},
     {start, [missing_socket_fails_with_a_sentence, unserved_socket_fails_with_a_sentence,
              full_server_fails_with_its_sentence,
              optional_worker_starts_without_server_and_comes_back]},
     {loss, [killed_workers_lose_no_call, killed_server_loses_no_call_that_waits,
             stopped_worker_is_left_after_stall_timeout, stop_ends_all_connections]},
     {peers, [silent_server_is_not_ready, http_server_is_invalid_data,
              half_a_frame_is_not_ready, other_protocol_is_told,
              closing_server_is_told, peer_that_never_reads_is_left]}].

init_per_suite(Config) ->
    %% The path of a socket has at most 107 bytes, and a test's own folder may have more.
    Folder = string:trim(os:cmd("mktemp -d")),
    [{folder, Folder} | Config].

end_per_suite(Config) ->
    os:cmd("rm -r " ++ proplists:get_value(folder, Config)).

init_per_testcase(Case, Config) ->
    signal_port_stage:stop(),
    Folder = proplists:get_value(folder, Config),
    Number = erlang:phash2(Case, 1_000_000),
    Path = filename:join(Folder, integer_to_list(Number) ++ ".sock"),
    [{path, Path} | Config].

end_per_testcase(_, _) ->
    signal_port_stage:stop().

%% --- Answers ---

recorded_calls_return_what_the_nif_returned(Config) ->
    with_server(Config, [], fun(_) ->
        ok = start(Config, [{pool_size, 2}]),
        signal_port_SUITE:recorded_calls_return_what_the_nif_returned(Config)
    end).

long_message_arrives_whole(Config) ->
    with_server(Config, [], fun(_) ->
        ok = start(Config, [{pool_size, 1}]),
        Message = binary:copy(<<"sixteen bytes...">>, 1024 * 1024),
        {ok, Ciphertext, Tag} =
            signal_port:aes_gcm_encrypt(<<1:256>>, <<2:96>>, Message, <<>>, 16),
        {ok, Message} = signal_port:aes_gcm_decrypt(<<1:256>>, <<2:96>>, Ciphertext, <<>>, Tag,
                                                    byte_size(Message))
    end).

many_callers_get_their_own_answers(Config) ->
    with_server(Config, [], fun(_) ->
        ok = start(Config, [{pool_size, 2}]),
        [] = [Wrong || Wrong <- signal_port_stage:in_parallel(200, fun round_trip/1), Wrong =/= ok]
    end).

round_trip(Number) ->
    Data = <<Number:64>>,
    lists:foreach(fun(_) ->
        {ok, Ciphertext, Tag} = signal_port:aes_gcm_encrypt(<<1:256>>, <<2:96>>, Data, <<>>, 16),
        {ok, Data} = signal_port:aes_gcm_decrypt(<<1:256>>, <<2:96>>, Ciphertext, <<>>, Tag, 8)
    end, lists:seq(1, 20)).

nif_stays_unloaded(Config) ->
    Ebin = hd(signal_port_stage:paths(?MODULE)),
    with_server(Config, [], fun(_) ->
        {ok, Vm, _} = peer:start_link(#{connection => standard_io, args => ["-pa", Ebin]}),
        ok = peer:call(Vm, application, load, [signal_port]),
        ok = peer:call(Vm, application, set_env, [signal_port, socket, path(Config)]),
        {ok, _} = peer:call(Vm, application, ensure_all_started, [signal_port]),
        {ok, _} = peer:call(Vm, signal_port, sha256, [<<"abc">>]),
        Nifs = [crypto, ssl, socket, asn1rt_nif],
        [] = [Module || Module <- Nifs, peer:call(Vm, code, is_loaded, [Module]) =/= false],
        peer:stop(Vm)
    end).

worker_has_no_os_process_of_this_vm(Config) ->
    with_server(Config, [], fun(_) ->
        ok = start(Config, [{pool_size, 2}]),
        signal_port_stage:until(fun() ->
            [#{os_pid := undefined, state := ready}, #{os_pid := undefined, state := ready}] =
                signal_port_stage:workers()
        end)
    end).

%% --- Start ---

missing_socket_fails_with_a_sentence(Config) ->
    Expected = "no connection to " ++ path(Config) ++ " (no such file or directory): start "
        "'signal-port serve --socket ",
    true = lists:prefix(Expected, refused(Config, [])).

unserved_socket_fails_with_a_sentence(Config) ->
    {ok, Listener} = gen_tcp:listen(0, [{ifaddr, {local, path(Config)}}]),
    ok = gen_tcp:close(Listener),
    true = contains(refused(Config, []), "(connection refused)").

full_server_fails_with_its_sentence(Config) ->
    with_server(Config, ["--max-workers", "1"], fun(_) ->
        ok = start(Config, [{pool_size, 2}]),
        signal_port_stage:until(fun() ->
            [_] = [Reason || #{last_reason := Reason} <- signal_port_stage:workers(),
                             is_list(Reason), contains(Reason, "max-workers")]
        end),
        {ok, _} = signal_port:sha256(<<"abc">>)
    end).

optional_worker_starts_without_server_and_comes_back(Config) ->
    ok = start(Config, [{pool_size, 1}, {start_without_worker, true}, {call_timeout, 60_000}]),
    signal_port_stage:until(fun() -> {error, unavailable} = signal_port:sha256(<<"abc">>) end),
    with_server(Config, [], fun(_) ->
        signal_port_stage:until(fun() -> {ok, _} = signal_port:sha256(<<"abc">>) end)
    end).

%% --- Loss ---

killed_workers_lose_no_call(Config) ->
    with_server(Config, [], fun(Server) ->
        ok = start(Config, [{pool_size, 2}]),
        kill_during_calls(fun() -> kill_one(children(Server)) end)
    end).

%% The server is killed together with its workers, and started again.
killed_server_loses_no_call_that_waits(Config) ->
    First = start_server(Config, []),
    ok = start(Config, [{pool_size, 2}, {call_timeout, 60_000}]),
    Callers = spawn_callers(),
    signal_port_stage:until(fun() -> signal_port_stage:calls() > 100 end),
    Workers = children(First),
    _ = signal_port_stage:signal("KILL", First),
    signal_port_stage:until_gone([First | Workers]),
    Second = start_server(Config, []),
    Before = signal_port_stage:calls(),
    signal_port_stage:until(fun() -> signal_port_stage:calls() > Before + 100 end),
    [] = failures(Callers),
    stop_server(Second).

stopped_worker_is_left_after_stall_timeout(Config) ->
    with_server(Config, [], fun(Server) ->
        ok = start(Config, [{pool_size, 1}, {stall_timeout, ?STALL_TIMEOUT}]),
        [Worker] = signal_port_stage:until(fun() -> [_] = children(Server) end),
        _ = signal_port_stage:signal("STOP", Worker),
        {ok, _} = signal_port:sha256(<<"abc">>),
        "the worker had requests and sent no reply" ++ _ = signal_port_stage:last_reason(),
        signal_port_stage:until_gone([Worker])
    end).

stop_ends_all_connections(Config) ->
    with_server(Config, [], fun(Server) ->
        ok = start(Config, [{pool_size, 2}]),
        Workers = signal_port_stage:until(fun() -> [_, _] = children(Server) end),
        ok = application:stop(signal_port),
        signal_port_stage:until_gone(Workers)
    end).

kill_during_calls(Kill) ->
    Callers = spawn_callers(),
    lists:foreach(fun(_) ->
        Before = signal_port_stage:calls(),
        _ = Kill(),
        signal_port_stage:until(fun() -> signal_port_stage:calls() > Before + 20 end)
    end, lists:seq(1, signal_port_stage:thorough(5, 40))),
    [] = failures(Callers).

kill_one([]) -> none;
kill_one([OsPid | _]) -> signal_port_stage:signal("KILL", OsPid).

spawn_callers() ->
    [spawn_monitor(fun() -> exit({failures, call_until_told([])}) end)
     || _ <- lists:seq(1, ?CALLERS)].

call_until_told(Failures) ->
    receive
        enough -> Failures
    after 0 ->
        case signal_port:sha256(<<"abc">>) of
            {ok, <<16#BA, 16#78, _/binary>>} -> call_until_told(Failures);
            Other -> call_until_told([Other | Failures])
        end
    end.

failures(Callers) ->
    [Pid ! enough || {Pid, _} <- Callers],
    lists:append([receive {'DOWN', Monitor, process, _, {failures, Failures}} -> Failures end
                  || {_, Monitor} <- Callers]).

%% --- Peers that misbehave ---

silent_server_is_not_ready(Config) ->
    with_peer(Config, fun(_) -> ok end, fun() ->
        Sentence = refused(Config, [{start_timeout, 300}]),
        true = contains(Sentence, "was not ready within 300 ms"),
        true = contains(Sentence, path(Config))
    end).

http_server_is_invalid_data(Config) ->
    Http = <<"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n">>,
    with_peer(Config, fun(Socket) -> gen_tcp:send(Socket, Http) end, fun() ->
        "the worker sent invalid protocol data" = refused(Config, [])
    end).

half_a_frame_is_not_ready(Config) ->
    with_peer(Config, fun(Socket) -> gen_tcp:send(Socket, <<100:32, 16#93>>) end, fun() ->
        true = contains(refused(Config, [{start_timeout, 300}]), "was not ready within 300 ms")
    end).

other_protocol_is_told(Config) ->
    Notice = signal_port_frame:pack([<<16#93, 16#A5, "ready", 7, 16#80>>]),
    with_peer(Config, fun(Socket) -> gen_tcp:send(Socket, Notice) end, fun() ->
        "the worker uses version 7 of the protocol" ++ _ = refused(Config, [])
    end).

closing_server_is_told(Config) ->
    with_peer(Config, fun gen_tcp:close/1, fun() ->
        true = contains(refused(Config, []), "closed the connection before its worker was ready")
    end).

%% It gets ready and then reads nothing. The message is longer than any buffer of the system.
peer_that_never_reads_is_left(Config) ->
    Notice = signal_port_frame:pack([<<16#93, 16#A5, "ready", 1, 16#80>>]),
    with_peer(Config, fun(Socket) -> gen_tcp:send(Socket, Notice) end, fun() ->
        ok = start(Config, [{pool_size, 1}, {stall_timeout, ?STALL_TIMEOUT}]),
        {error, unavailable} = signal_port:sha256(<<0:(64 * 1024 * 1024)>>),
        "the worker had requests and sent no reply" ++ _ = signal_port_stage:last_reason()
    end).

%% Serves each connection by a function, and keeps it open.
with_peer(Config, Serve, Test) ->
    {ok, Listener} = gen_tcp:listen(0, [{ifaddr, {local, path(Config)}}, binary, {active, false}]),
    Acceptor = spawn_link(fun() -> accept(Listener, Serve) end),
    try
        Test()
    after
        unlink(Acceptor),
        exit(Acceptor, kill)
    end.

accept(Listener, Serve) ->
    {ok, Socket} = gen_tcp:accept(Listener),
    _ = Serve(Socket),
    accept(Listener, Serve).

%% --- The server ---

with_server(Config, Args, Test) ->
    Server = start_server(Config, Args),
    try
        Test(Server)
    after
        signal_port_stage:stop(),
        stop_server(Server)
    end.

start_server(Config, More) ->
    Args = ["-I", "-B", signal_port_stage:root("signal_port"), "serve", "--socket", path(Config)],
    Port = open_port({spawn_executable, os:find_executable("python3")},
                     [{args, Args ++ More}, {line, 1000}, stderr_to_stdout]),
    {os_pid, OsPid} = erlang:port_info(Port, os_pid),
    signal_port_stage:until(fun() ->
        {ok, Socket} = gen_tcp:connect({local, path(Config)}, 0, [local]),
        ok = gen_tcp:close(Socket)
    end),
    OsPid.

stop_server(OsPid) ->
    _ = signal_port_stage:signal("TERM", OsPid),
    signal_port_stage:until_gone([OsPid]).

children(OsPid) ->
    Children = os:cmd("pgrep -P " ++ integer_to_list(OsPid)),
    [list_to_integer(Child) || Child <- string:lexemes(Children, "\n")].

%% --- The application ---

start(Config, Options) ->
    signal_port_stage:start([{socket, path(Config)} | Options]).

refused(Config, Options) ->
    {error, {Sentence, _}} = start(Config, [{pool_size, 1} | Options]),
    Sentence.

path(Config) ->
    proplists:get_value(path, Config).

contains(Text, Part) ->
    string:find(Text, Part) =/= nomatch.
