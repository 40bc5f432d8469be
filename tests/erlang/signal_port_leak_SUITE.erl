%% The hunt for planted secrets, on the ways that signal_port_secrets_SUITE does not go: batches, calls in flight, telemetry,
%% stray messages, every process of ours, and what the Python side writes to standard error. Search and secrets are that
%% suite's.
-module(signal_port_leak_SUITE).
-compile([export_all, nowarn_export_all]).

-define(HUNT, signal_port_secrets_SUITE).

all() ->
    [a_batch_that_loses_its_worker_tells_nothing, a_batch_of_a_wrong_type_tells_nothing,
     a_request_of_a_wrong_type_tells_nothing, a_request_that_loses_its_worker_tells_nothing,
     a_killed_carrier_tells_nothing, handlers_of_telemetry_are_told_nothing, handlers_are_told_nothing_of_losses,
     the_nifs_badarg_tells_nothing, stray_messages_tell_nothing, our_processes_tell_nothing,
     a_supervisor_above_tells_nothing, a_true_worker_writes_nothing_to_standard_error].

init_per_testcase(Case, Config) ->
    ?HUNT:init_per_testcase(Case, Config).

end_per_testcase(Case, Config) ->
    ?HUNT:end_per_testcase(Case, Config),
    whereis(telemetry_handler_table) =:= undefined orelse apply(telemetry, stop, []),
    _ = code:delete(telemetry),
    code:purge(telemetry).

%% --- Batches, and calls in flight ---

a_batch_that_loses_its_worker_tells_nothing(Config) ->
    start("exits_on_call.py"),
    crashed(fun() -> [{ok, _} | _] = signal_port:batch(calls(Config)) end),
    tells_nothing(Config).

a_batch_of_a_wrong_type_tells_nothing(Config) ->
    start("honest.py"),
    {Secret, Session, Plain} = secrets(Config),
    [crashed(fun() -> signal_port:batch(Calls) end)
     || Calls <- [{encrypt, [Session, Plain]}, [{encrypt, [Session, Plain]} | {encrypt, [Session, Plain]}], Secret,
                  [Secret], [{Secret, [Plain]}], [{sign_data, Secret}], [{sign_data, [Secret | Plain]}],
                  [{sign_data, [Secret, not_a_binary]}], [{sign_data, [Secret, Plain], 1}],
                  #{sign_data => [Secret, Plain]}]],
    tells_nothing(Config).

a_request_of_a_wrong_type_tells_nothing(Config) ->
    start("honest.py"),
    {Secret, Session, Plain} = secrets(Config),
    [crashed(fun() -> apply(signal_port, send_request, Args) end)
     || Args <- [[encrypt, [Session, [Plain]]], [Secret, []], [sign_data, Secret], [sign_data, [Secret | Plain]],
                 [encrypt, {Session, Plain}], [sign_data, [Secret, Plain, Plain]]]],
    [crashed(fun() -> {reply, _} = signal_port:receive_response(signal_port:send_request(sign_data, [Secret, Plain], T)) end)
     || T <- [soon, Plain, 1.5]],
    tells_nothing(Config).

a_request_that_loses_its_worker_tells_nothing(Config) ->
    start("exits_on_call.py"),
    {Secret, _, Plain} = secrets(Config),
    crashed(fun() -> {reply, {ok, _}} = signal_port:receive_response(signal_port:send_request(sign_data, [Secret, Plain])) end),
    tells_nothing(Config).

a_killed_carrier_tells_nothing(Config) ->
    start("hangs.py"),
    Requests = [signal_port:send_request(Operation, Args) || {Operation, Args} <- calls(Config)],
    signal_port_stage:until(fun() -> maps:get(in_flight, signal_port_stage:worker()) =:= length(Requests) end),
    Carriers = carriers(),
    true = length(Carriers) =:= length(Requests),
    [hidden(Config, Carrier) || Carrier <- Carriers],
    [exit(Carrier, shot) || Carrier <- Carriers],
    [{reply, {error, unavailable}} = signal_port:receive_response(Request) || Request <- Requests],
    tells_nothing(Config).

carriers() ->
    {monitors, Monitors} = process_info(self(), monitors),
    [Pid || {process, Pid} <- Monitors].

%% --- Telemetry ---

handlers_of_telemetry_are_told_nothing(Config) ->
    observed(Config),
    start_true(),
    {Secret, Session, Plain} = secrets(Config),
    _ = [apply(signal_port, Operation, Args) || {Operation, Args} <- calls(Config)],
    _ = signal_port:batch(calls(Config)),
    _ = [signal_port:receive_response(signal_port:send_request(Operation, Args)) || {Operation, Args} <- calls(Config)],
    [badarg = try apply(signal_port, Operation, Args) catch error:badarg -> badarg end
     || {Operation, Args} <- [{sign_data, [Secret, none]}, {encrypt, [Session, [Plain]]}, {sha256, [{Plain}]},
                              {dr_encrypt_prekey, [Session, Plain, {1, 2, 3, Secret}]}]],
    tells_nothing(Config).

handlers_are_told_nothing_of_losses(Config) ->
    observed(Config),
    start("garbage_reply.py"),
    _ = [{error, unavailable} = apply(signal_port, Operation, Args) || {Operation, Args} <- calls(Config)],
    _ = signal_port:batch(calls(Config)),
    tells_nothing(Config).

%% A NIF raises badarg as a built-in function does: with its arguments in the trace.
the_nifs_badarg_tells_nothing(Config) ->
    observed(Config),
    start("honest.py"),
    {Secret, _, Plain} = secrets(Config),
    Nif = signal_port_leak_nif,
    Forms = [{attribute, 1, module, Nif}, {attribute, 1, export, [{sign_data, 2}]},
             {function, 1, sign_data, 2, [{clause, 1, [{var, 1, 'K'}, {var, 1, 'M'}], [],
                 [{call, 1, {remote, 1, {atom, 1, erlang}, {atom, 1, binary_part}}, [{var, 1, 'K'}, {var, 1, 'M'}]}]}]}],
    {ok, Nif, Beam} = compile:forms(Forms, []),
    {module, Nif} = code:load_binary(Nif, "", Beam),
    true = ets:insert(signal_port_table, {{nif, sign_data}, Nif}),
    crashed(fun() -> signal_port:sign_data(Secret, Plain) end),
    crashed(fun() -> signal_port:receive_response(signal_port:send_request(sign_data, [Secret, Plain])) end),
    tells_nothing(Config).

%% Handlers that print all they get, to where the log's events are.
observed(Config) ->
    Source = signal_port_stage:root("tests/telemetry/telemetry.erl"),
    {ok, telemetry, Beam} = compile:file(Source, [binary]),
    {module, telemetry} = code:load_binary(telemetry, Source, Beam),
    ok = telemetry:start(),
    Table = proplists:get_value(table, Config),
    Print = fun(Event, Measurements, Metadata, _) ->
        Text = unicode:characters_to_binary(?HUNT:printed({Event, Measurements, Metadata})),
        ets:insert(Table, {erlang:unique_integer([monotonic]), Text})
    end,
    [ok = telemetry:attach(?MODULE, Event, Print, []) || Event <- signal_port_event_SUITE:names()].

%% --- Processes ---

%% Asked, and sent stray messages, while it holds requests that a full pipe has not taken.
stray_messages_tell_nothing(Config) ->
    start("reads_nothing.py"),
    Worker = signal_port_stage:pid(),
    Filler = spawn(fun() -> signal_port:sha256(binary:copy(<<0>>, 4 bsl 20)) end),
    signal_port_stage:until(fun() -> maps:get(in_flight, signal_port_stage:worker()) =:= 1 end),
    Callers = [spawn(fun() -> apply(signal_port, Operation, Args) end) || {Operation, Args} <- calls(Config)],
    signal_port_stage:until(fun() -> maps:get(in_flight, signal_port_stage:worker()) > length(Callers) end),
    ?HUNT:tells_nothing(Config, sys:get_status(Worker)),
    ?HUNT:tells_nothing(Config, sys:get_state(Worker)),
    [begin
         gen_server:cast(Process, hello),
         Process ! hello,
         Process ! {make_ref(), hello},
         catch gen_server:call(Process, hello, 1000)
     end || Process <- [Worker, whereis(signal_port_pool)]],
    Worker = signal_port_stage:pid(),
    [exit(Pid, kill) || Pid <- [Filler | Callers]],
    tells_nothing(Config).

our_processes_tell_nothing(Config) ->
    start("hangs.py"),
    Requests = [signal_port:send_request(Operation, Args) || {Operation, Args} <- calls(Config)],
    signal_port_stage:until(fun() -> maps:get(in_flight, signal_port_stage:worker()) =:= length(Requests) end),
    Worker = signal_port_stage:pid(),
    {links, Links} = process_info(Worker, links),
    Ours = [Worker | [Pid || Pid <- Links, is_pid(Pid)]] ++ carriers()
        ++ [whereis(Name) || Name <- [signal_port_pool, signal_port_sup]],
    true = length(lists:usort(Ours)) >= 5 + length(Requests),
    [hidden(Config, Pid) || Pid <- lists:usort(Ours)],
    [begin
         ?HUNT:tells_nothing(Config, sys:get_status(Pid)),
         ?HUNT:tells_nothing(Config, sys:get_state(Pid))
     end || Pid <- [Worker, signal_port_pool, signal_port_sup, signal_port_worker_sup]],
    ?HUNT:tells_nothing(Config, [ets:tab2list(Table) || Table <- ets:all(), ets:info(Table, owner) =:= whereis(signal_port_sup)]),
    ?HUNT:tells_nothing(Config, [erlang:port_info(Port) || Port <- erlang:ports()]),
    [exit(Carrier, kill) || Carrier <- carriers()],
    tells_nothing(Config).

%% All that may be asked of a process.
hidden(Config, Pid) ->
    Items = [backtrace, binary, current_function, current_location, current_stacktrace, dictionary, error_handler, group_leader,
             initial_call, links, message_queue_len, messages, monitored_by, monitors, parent, suspending, status],
    ?HUNT:tells_nothing(Config, [catch process_info(Pid, Item) || Item <- Items]).

%% Its reports, as the reports of every supervisor, tell how its child was started and how it ended.
a_supervisor_above_tells_nothing(Config) ->
    signal_port_stage:stop(),
    Options = [{pool_size, 1}, {stall_timeout, 60_000}, {python, signal_port_stage:stand_in("hangs.py")}],
    {ok, Supervisor} = supervisor:start_link(signal_port_fault_SUITE, {1, [signal_port:child_spec(Options)]}),
    unlink(Supervisor),
    Requests = [signal_port:send_request(Operation, Args) || {Operation, Args} <- calls(Config)],
    signal_port_stage:until(fun() -> maps:get(in_flight, signal_port_stage:worker()) =:= length(Requests) end),
    Old = whereis(signal_port_sup),
    exit(Old, kill),
    signal_port_stage:until(fun() -> not lists:member(whereis(signal_port_sup), [Old, undefined]) end),
    [exit(Carrier, kill) || Carrier <- carriers()],
    ok = gen_server:stop(Supervisor),
    tells_nothing(Config).

%% --- Standard error ---

%% In a VM of its own, since a worker's standard error is the VM's. Its requests are refused, forged, cut, and no requests at
%% all; what it says of the last is there, and no secret in it.
a_true_worker_writes_nothing_to_standard_error(Config) ->
    File = filename:join(proplists:get_value(priv_dir, Config), "secrets"),
    ok = file:write_file(File, term_to_binary(secrets(Config))),
    Paths = signal_port_stage:paths(?MODULE),
    Args = ["-noshell", "-pa" | Paths] ++ ["-run", ?MODULE_STRING, "main", File],
    Port = open_port({spawn_executable, os:find_executable("erl")}, [{args, Args}, exit_status, binary, stderr_to_stdout]),
    Output = signal_port_event_SUITE:output(Port),
    {match, Complaints} = re:run(Output, "^signal-port: .*$", [multiline, global, {capture, first, binary}]),
    true = length(Complaints) >= 3,
    ?HUNT:not_shown(Config, Output).

main([File]) ->
    {ok, Bytes} = file:read_file(File),
    {Secret, Session, Plain} = binary_to_term(Bytes),
    ok = logger:set_primary_config(level, all),
    ok = signal_port_stage:start([{pool_size, 1}]),
    [io:format("~p~n", [element(1, apply(signal_port, Operation, Args))])
     || {Operation, Args} <- [{sign_data, [Plain, Secret]}, {decrypt, [Session, Plain]}, {encrypt, [Secret, Plain]},
                              {process_pre_key_bundle, [Secret, <<Plain/binary, Session/binary>>]}]],
    [no_requests(Bad) || Bad <- [[<<16#C1>>, Secret, Session], [<<16#92>>, Plain], [<<16#A5>>, Plain, Secret]]],
    init:stop().

no_requests(Bytes) ->
    [{call, [{Pid, Counters} | _], _, _}] =
        signal_port_stage:until(fun() -> [{call, [_ | _], _, _}] = ets:lookup(signal_port_table, call) end),
    Alias = monitor(process, Pid, [{alias, reply_demonitor}]),
    signal_port_worker:send(Pid, Counters, Alias, infinity, Bytes),
    receive {'DOWN', Alias, process, Pid, _} -> ok end,
    signal_port_stage:until(fun() -> signal_port:init() =:= ok end).

%% --- Internals ---

secrets(Config) ->
    list_to_tuple([proplists:get_value(Name, Config) || Name <- [secret, session, plain]]).

calls(Config) ->
    {Secret, Session, Plain} = secrets(Config),
    [{sign_data, [Secret, Plain]}, {encrypt, [Session, Plain]}, {decrypt, [Session, Plain]},
     {hmac_sha256, [Secret, Plain]}, {aes_gcm_encrypt, [Secret, Plain, Plain, Plain, 16]}].

start(StandIn) ->
    ok = signal_port_stage:start_with(StandIn, [{pool_size, 1}, {stall_timeout, 60_000}]).

start_true() ->
    ok = signal_port_stage:start([{pool_size, 1}]).

crashed(Fun) ->
    Pid = proc_lib:spawn(Fun),
    Monitor = monitor(process, Pid),
    receive {'DOWN', Monitor, process, Pid, Reason} when Reason =/= normal, Reason =/= noproc -> ok end.

tells_nothing(Config) ->
    ?HUNT:tells_nothing(Config).
