%% Planted secrets do not leak from batches, asynchronous calls, telemetry, any of our processes, or
%% the standard error of the Python side. signal_port_secrets_SUITE has the other ways.
-module(signal_port_leak_SUITE).
-compile([export_all, nowarn_export_all]).

all() ->
    [{group, calls}, {group, telemetry}, {group, processes}].

groups() ->
    [{calls, [lost_worker_of_a_batch_leaks_nothing, batch_of_wrong_type_leaks_nothing,
              request_of_wrong_type_leaks_nothing, lost_worker_of_a_request_leaks_nothing,
              killed_carrier_leaks_nothing, badarg_of_the_nif_leaks_nothing]},
     {telemetry, [telemetry_of_calls_leaks_nothing, telemetry_of_losses_leaks_nothing]},
     {processes, [stray_messages_leak_nothing, all_processes_leak_nothing,
                  supervisor_above_leaks_nothing, standard_error_leaks_nothing]}].

init_per_testcase(_, Config) ->
    signal_port_search:set_up(Config).

end_per_testcase(_, Config) ->
    signal_port_search:clean_up(Config),
    signal_port_telemetry:unload().

%% --- Batches, and calls in flight ---

lost_worker_of_a_batch_leaks_nothing(Config) ->
    start("exits_on_call.py"),
    signal_port_search:crashed(fun() ->
        [{ok, _} | _] = signal_port:batch(signal_port_search:calls(Config))
    end),
    signal_port_search:finds_nothing(Config).

batch_of_wrong_type_leaks_nothing(Config) ->
    start("honest.py"),
    [Secret, Session, Plain] = signal_port_search:secrets(Config),
    [signal_port_search:crashed(fun() -> signal_port:batch(Calls) end)
     || Calls <- [{encrypt, [Session, Plain]},
                  [{encrypt, [Session, Plain]} | {encrypt, [Session, Plain]}],
                  Secret, [Secret], [{Secret, [Plain]}], [{sign_data, Secret}],
                  [{sign_data, [Secret | Plain]}], [{sign_data, [Secret, not_a_binary]}],
                  [{sign_data, [Secret, Plain], 1}], #{sign_data => [Secret, Plain]}]],
    signal_port_search:finds_nothing(Config).

request_of_wrong_type_leaks_nothing(Config) ->
    start("honest.py"),
    [Secret, Session, Plain] = signal_port_search:secrets(Config),
    [signal_port_search:crashed(fun() -> apply(signal_port, send_request, Args) end)
     || Args <- [[encrypt, [Session, [Plain]]], [Secret, []], [sign_data, Secret],
                 [sign_data, [Secret | Plain]], [encrypt, {Session, Plain}],
                 [sign_data, [Secret, Plain, Plain]]]],
    [signal_port_search:crashed(fun() ->
         signal_port:send_request(sign_data, [Secret, Plain], Timeout)
     end) || Timeout <- [soon, Plain, 1.5]],
    signal_port_search:finds_nothing(Config).

lost_worker_of_a_request_leaks_nothing(Config) ->
    start("exits_on_call.py"),
    [Secret, _, Plain] = signal_port_search:secrets(Config),
    signal_port_search:crashed(fun() ->
        {reply, {ok, _}} =
            signal_port:receive_response(signal_port:send_request(sign_data, [Secret, Plain]))
    end),
    signal_port_search:finds_nothing(Config).

killed_carrier_leaks_nothing(Config) ->
    start("hangs.py"),
    Requests = [signal_port:send_request(Operation, Args)
                || {Operation, Args} <- signal_port_search:calls(Config)],
    signal_port_stage:await_in_flight(length(Requests)),
    Carriers = carriers(),
    true = length(Carriers) =:= length(Requests),
    [hidden(Config, Carrier) || Carrier <- Carriers],
    [exit(Carrier, shot) || Carrier <- Carriers],
    [{reply, {error, unavailable}} = signal_port:receive_response(Request) || Request <- Requests],
    signal_port_search:finds_nothing(Config).

carriers() ->
    {monitors, Monitors} = process_info(self(), monitors),
    [Pid || {process, Pid} <- Monitors].

%% --- Telemetry ---

telemetry_of_calls_leaks_nothing(Config) ->
    observed(Config),
    ok = signal_port_stage:start([{pool_size, 1}]),
    [Secret, Session, Plain] = signal_port_search:secrets(Config),
    _ = [apply(signal_port, Operation, Args)
         || {Operation, Args} <- signal_port_search:calls(Config)],
    _ = signal_port:batch(signal_port_search:calls(Config)),
    _ = [signal_port:receive_response(signal_port:send_request(Operation, Args))
         || {Operation, Args} <- signal_port_search:calls(Config)],
    [badarg = try apply(signal_port, Operation, Args) catch error:badarg -> badarg end
     || {Operation, Args} <- [{sign_data, [Secret, none]}, {encrypt, [Session, [Plain]]},
                              {sha256, [{Plain}]},
                              {dr_encrypt_prekey, [Session, Plain, {1, 2, 3, Secret}]}]],
    signal_port_search:finds_nothing(Config).

telemetry_of_losses_leaks_nothing(Config) ->
    observed(Config),
    start("garbage_reply.py"),
    _ = [{error, unavailable} = apply(signal_port, Operation, Args)
         || {Operation, Args} <- signal_port_search:calls(Config)],
    _ = signal_port:batch(signal_port_search:calls(Config)),
    signal_port_search:finds_nothing(Config).

%% A NIF raises badarg as a BIF does: with its arguments in the stack trace.
badarg_of_the_nif_leaks_nothing(Config) ->
    observed(Config),
    start("honest.py"),
    [Secret, _, Plain] = signal_port_search:secrets(Config),
    Nif = signal_port_leak_nif,
    Forms = [{attribute, 1, module, Nif}, {attribute, 1, export, [{sign_data, 2}]},
             {function, 1, sign_data, 2, [{clause, 1, [{var, 1, 'K'}, {var, 1, 'M'}], [],
                 [{call, 1, {remote, 1, {atom, 1, erlang}, {atom, 1, binary_part}},
                   [{var, 1, 'K'}, {var, 1, 'M'}]}]}]}],
    {ok, Nif, Beam} = compile:forms(Forms, []),
    {module, Nif} = code:load_binary(Nif, "", Beam),
    true = ets:insert(signal_port_table, {{nif, sign_data}, Nif}),
    signal_port_search:crashed(fun() -> signal_port:sign_data(Secret, Plain) end),
    signal_port_search:crashed(fun() ->
        signal_port:receive_response(signal_port:send_request(sign_data, [Secret, Plain]))
    end),
    signal_port_search:finds_nothing(Config).

%% Attaches handlers that print all events to the searched table.
observed(Config) ->
    ok = signal_port_telemetry:start(),
    Print = fun(Event, Measurements, Metadata, Table) ->
        Text = signal_port_search:printed({Event, Measurements, Metadata}),
        signal_port_search:record(Table, Text)
    end,
    ok = signal_port_telemetry:attach_all(?MODULE, Print, proplists:get_value(table, Config)).

%% --- Processes ---

%% The worker holds requests that a full pipe has not accepted.
stray_messages_leak_nothing(Config) ->
    start("reads_nothing.py"),
    Worker = signal_port_stage:pid(),
    Filler = spawn(fun() -> signal_port:sha256(binary:copy(<<0>>, 4 bsl 20)) end),
    signal_port_stage:await_in_flight(1),
    Callers = [spawn(fun() -> apply(signal_port, Operation, Args) end)
               || {Operation, Args} <- signal_port_search:calls(Config)],
    signal_port_stage:await_in_flight(1 + length(Callers)),
    signal_port_search:finds_nothing(Config, sys:get_status(Worker)),
    signal_port_search:finds_nothing(Config, sys:get_state(Worker)),
    [begin
         gen_server:cast(Process, hello),
         Process ! hello,
         Process ! {make_ref(), hello},
         catch gen_server:call(Process, hello, 1000)
     end || Process <- [Worker, whereis(signal_port_pool)]],
    Worker = signal_port_stage:pid(),
    [exit(Pid, kill) || Pid <- [Filler | Callers]],
    signal_port_search:finds_nothing(Config).

all_processes_leak_nothing(Config) ->
    start("hangs.py"),
    Requests = [signal_port:send_request(Operation, Args)
                || {Operation, Args} <- signal_port_search:calls(Config)],
    signal_port_stage:await_in_flight(length(Requests)),
    Worker = signal_port_stage:pid(),
    {links, Links} = process_info(Worker, links),
    Ours = [Worker | [Pid || Pid <- Links, is_pid(Pid)]] ++ carriers()
        ++ [whereis(Name) || Name <- [signal_port_pool, signal_port_sup]],
    true = length(lists:usort(Ours)) >= 5 + length(Requests),
    [hidden(Config, Pid) || Pid <- lists:usort(Ours)],
    [begin
         signal_port_search:finds_nothing(Config, sys:get_status(Pid)),
         signal_port_search:finds_nothing(Config, sys:get_state(Pid))
     end || Pid <- [Worker, signal_port_pool, signal_port_sup, signal_port_worker_sup]],
    Tables = [Table || Table <- ets:all(), ets:info(Table, owner) =:= whereis(signal_port_sup)],
    signal_port_search:finds_nothing(Config, lists:map(fun ets:tab2list/1, Tables)),
    signal_port_search:finds_nothing(Config, [erlang:port_info(Port) || Port <- erlang:ports()]),
    [exit(Carrier, kill) || Carrier <- carriers()],
    signal_port_search:finds_nothing(Config).

%% All items of process_info/2 that could show a secret.
hidden(Config, Pid) ->
    Items = [backtrace, binary, current_function, current_location, current_stacktrace, dictionary,
             error_handler, group_leader, initial_call, links, message_queue_len, messages,
             monitored_by, monitors, parent, suspending, status],
    signal_port_search:finds_nothing(Config, [catch process_info(Pid, Item) || Item <- Items]).

%% A supervisor's reports have the child's start function and its exit reason.
supervisor_above_leaks_nothing(Config) ->
    signal_port_stage:stop(),
    Options = [{pool_size, 1}, {stall_timeout, 60_000},
               {python, signal_port_stage:stand_in("hangs.py")}],
    Children = [signal_port:child_spec(Options)],
    {ok, Supervisor} = supervisor:start_link(signal_port_vm_SUITE, {1, Children}),
    unlink(Supervisor),
    Requests = [signal_port:send_request(Operation, Args)
                || {Operation, Args} <- signal_port_search:calls(Config)],
    signal_port_stage:await_in_flight(length(Requests)),
    Old = whereis(signal_port_sup),
    exit(Old, kill),
    signal_port_stage:until(fun() ->
        not lists:member(whereis(signal_port_sup), [Old, undefined])
    end),
    [exit(Carrier, kill) || Carrier <- carriers()],
    ok = gen_server:stop(Supervisor),
    signal_port_search:finds_nothing(Config).

%% --- Standard error ---

%% In a VM of its own, because the worker shares the VM's standard error. The worker complains of
%% invalid requests, but prints no secret.
standard_error_leaks_nothing(Config) ->
    File = filename:join(proplists:get_value(priv_dir, Config), "secrets"),
    ok = file:write_file(File, term_to_binary(signal_port_search:secrets(Config))),
    Paths = signal_port_stage:paths(?MODULE),
    Args = ["-noshell", "-pa" | Paths] ++ ["-run", ?MODULE_STRING, "main", File],
    Port = open_port({spawn_executable, os:find_executable("erl")},
                     [{args, Args}, exit_status, binary, stderr_to_stdout]),
    Output = signal_port_event_SUITE:output(Port),
    Complaint = "^signal-port: .*$",
    {match, Complaints} = re:run(Output, Complaint, [multiline, global, {capture, first, binary}]),
    true = length(Complaints) >= 3,
    signal_port_search:finds_nothing_in_text(Config, Output).

main([File]) ->
    {ok, Bytes} = file:read_file(File),
    [Secret, Session, Plain] = binary_to_term(Bytes),
    ok = logger:set_primary_config(level, all),
    ok = signal_port_stage:start([{pool_size, 1}]),
    Bundle = <<Plain/binary, Session/binary>>,
    [io:format("~p~n", [element(1, apply(signal_port, Operation, Args))])
     || {Operation, Args} <- [{sign_data, [Plain, Secret]}, {decrypt, [Session, Plain]},
                              {encrypt, [Secret, Plain]},
                              {process_pre_key_bundle, [Secret, Bundle]}]],
    [send_invalid(Invalid) || Invalid <- [[<<16#C1>>, Secret, Session], [<<16#92>>, Plain],
                                          [<<16#A5>>, Plain, Secret]]],
    init:stop().

%% Sends bytes that are no request.
send_invalid(Bytes) ->
    [{Pid, Counters}] = signal_port_stage:until(fun() -> [_] = signal_port_table:workers() end),
    Alias = monitor(process, Pid, [{alias, reply_demonitor}]),
    signal_port_worker:send(Pid, Counters, Alias, infinity, signal_port_secret:hide(Bytes)),
    receive {'DOWN', Alias, process, Pid, _} -> ok end,
    signal_port_stage:until(fun() -> signal_port:init() =:= ok end).

%% --- Internals ---

start(StandIn) ->
    ok = signal_port_stage:start_with(StandIn, [{pool_size, 1}, {stall_timeout, 60_000}]).
