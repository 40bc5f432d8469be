%% The choice of the engine: the decision as a table, and this VM beside a NIF that crashes, hangs,
%% lies, does not load, is of another release, or is healthy.
-module(signal_port_backend_SUITE).
-compile([export_all, nowarn_export_all]).

-define(NIF, libsignal_protocol_nif).
-define(MODULES, [libsignal_protocol_nif, signal_nif]).
-define(CHILD_TIMEOUT, 15_000).

all() ->
    [{group, decision}, {group, child}, {group, auto}, {group, probe}, {group, nif},
     {group, port}].

groups() ->
    [{decision, [decision_follows_the_table, empty_code_path_is_none, drop_in_is_recognized,
                 installed_nif_is_found_and_not_loaded]},
     {child, [crashing_nif_kills_the_child, hanging_child_ends_with_the_vm]},
     {auto, [crashing_nif_is_not_used, crashing_nif_is_logged_once,
             crashing_nif_is_tried_in_a_child,
             hanging_nif_is_not_used, hanging_nif_costs_start_timeout,
             hanging_nif_leaves_no_message, lying_nif_is_not_used, raising_nif_is_not_used,
             unloadable_nif_is_not_used, nif_without_a_function_is_not_used,
             nif_of_another_release_is_not_used, nif_without_a_module_is_not_used,
             port_is_used_without_nif, port_is_used_with_drop_in, missing_nif_is_not_logged,
             healthy_nif_is_used, healthy_nif_is_used_by_a_vm_that_has_loaded_little,
             printing_nif_is_used, nif_without_app_file_is_used]},
     {probe, [probed_nif_is_used, null_terminated_nif_is_explained]},
     {nif, [healthy_nif_answers, healthy_nif_starts_no_worker, healthy_nif_is_not_logged,
            worker_handles_what_the_nif_lacks, worker_handles_static_sessions,
            nif_holds_a_conversation, workers_end_with_the_application, crashing_nif_is_reported,
            hanging_nif_is_reported, lying_nif_is_reported, missing_nif_is_reported,
            drop_in_is_reported, failed_start_leaves_nothing]},
     {port, [crashing_nif_is_not_touched, healthy_nif_is_not_loaded]}].

%% On ARM64 auto is the port, and no NIF is looked at. The table has that row.
init_per_group(auto, Config) ->
    case erlang:system_info(system_architecture) of
        "aarch64" ++ _ -> {skip, "with auto no NIF is tried on ARM64"};
        "arm64" ++ _ -> {skip, "with auto no NIF is tried on ARM64"};
        _ -> Config
    end;
init_per_group(_, Config) ->
    Config.

end_per_group(_, Config) ->
    Config.

init_per_testcase(Case, Config) ->
    ok = logger:add_handler(?MODULE, ?MODULE, #{level => warning, config => self()}),
    signal_port_nifs:set_up(Case, Config).

end_per_testcase(_, Config) ->
    ok = logger:remove_handler(?MODULE),
    signal_port_nifs:clean_up(Config).

%% The log handler: sends warnings of the application and its supervisors to the test.
log(#{meta := #{mfa := {Module, _, _}}, msg := {Format, Args}},
    #{config := Test}) when is_list(Format) ->
    case lists:member(Module, [signal_port_event, supervisor]) of
        true -> Test ! {warned, lists:flatten(io_lib:format(Format, Args))}, ok;
        false -> ok
    end;
log(_, _) ->
    ok.

warnings() ->
    receive {warned, Text} -> [Text | warnings()] after 0 -> [] end.

%% --- The decision ---

decision_follows_the_table(_) ->
    [] = [Row || {Args, Expected} = Row <- rows(),
                 apply(signal_port_backend, decide, Args) =/= Expected].

rows() ->
    [{[Architecture, Wanted, Installed, Outcome], Expected}
     || {Architectures, Wanted, Installeds, Outcomes, Expected} <- table(),
        Architecture <- Architectures, Installed <- Installeds, Outcome <- Outcomes].

table() ->
    Nif = {nif, ["somewhere/ebin"]},
    Healthy = {healthy, [{sha256, signal_nif}]},
    Sick = {sick, "the NIF gave a wrong answer in a child VM"},
    Arm = ["aarch64-unknown-linux-gnu", "aarch64-apple-darwin", "arm64-apple-darwin22.6.0"],
    Other = ["x86_64-pc-linux-gnu", "x86_64-apple-darwin", "riscv64-unknown-linux-gnu", "win32"],
    AllInstalled = [none, drop_in, Nif],
    AllOutcomes = [unknown, Healthy, Sick],
    [{Arm ++ Other, port, AllInstalled, AllOutcomes, {port, "backend is set to port"}},
     {Arm ++ Other, nif, [none], AllOutcomes,
      {error, "signal_port's option backend is nif, but libsignal_protocol_nif is not on the code "
              "path: add it to the release, or set backend to auto"}},
     {Arm ++ Other, nif, [drop_in], AllOutcomes,
      {error, "signal_port's option backend is nif, but the libsignal_protocol_nif on the code "
              "path is signal_port's own drop-in, which has no NIF: set backend to auto"}},
     {Arm ++ Other, nif, [Nif], [unknown], probe},
     {Arm ++ Other, nif, [Nif], [Healthy], {nif, "the NIF passed its test in a child VM"}},
     {Arm ++ Other, nif, [Nif], [Sick],
      {error, "signal_port's option backend is nif, but the NIF gave a wrong answer in a child VM: "
              "set backend to auto or port"}},
     {Arm ++ Other, probe, [none], AllOutcomes, {port, "there is no NIF on the code path"}},
     {Arm ++ Other, probe, [drop_in], AllOutcomes,
      {port, "the libsignal_protocol_nif on the code path is the drop-in"}},
     {Arm ++ Other, probe, [Nif], [unknown], probe},
     {Arm ++ Other, probe, [Nif], [Healthy], {nif, "the NIF passed its test in a child VM"}},
     {Arm ++ Other, probe, [Nif], [Sick], {port, "the NIF gave a wrong answer in a child VM"}},
     {Other, auto, [none], AllOutcomes, {port, "there is no NIF on the code path"}},
     {Other, auto, [drop_in], AllOutcomes,
      {port, "the libsignal_protocol_nif on the code path is the drop-in"}},
     {Other, auto, [Nif], [unknown], probe},
     {Other, auto, [Nif], [Healthy], {nif, "the NIF passed its test in a child VM"}},
     {Other, auto, [Nif], [Sick], {port, "the NIF gave a wrong answer in a child VM"}}
     | [{[Architecture], auto, AllInstalled, AllOutcomes,
         {port, "the port is the default on " ++ hd(string:split(Architecture, "-"))
                ++ "; the option {backend, probe} lets a child VM try the NIF first"}}
        || Architecture <- Arm]].

%% --- What is installed ---

empty_code_path_is_none(_) ->
    none = signal_port_backend:installed().

drop_in_is_recognized(Config) ->
    _ = signal_port_drop_in_SUITE:build(Config),
    drop_in = signal_port_backend:installed().

installed_nif_is_found_and_not_loaded(Config) ->
    Folder = signal_port_nifs:crashing(Config),
    {nif, [Folder]} = signal_port_backend:installed(),
    [false, false] = [code:is_loaded(Module) || Module <- ?MODULES].

%% --- A NIF that crashes ---

crashing_nif_kills_the_child(Config) ->
    Folder = signal_port_nifs:crashing(Config),
    {died, 139, _} = signal_port_child_vm:run(?NIF, init, ["-pa", Folder], ?CHILD_TIMEOUT).

%% The killed VM can do nothing for its child any more.
hanging_child_ends_with_the_vm(Config) ->
    Folder = signal_port_nifs:hanging(Config),
    Args = ["-pa" | signal_port_stage:paths(?MODULE)],
    {ok, Vm, _} = peer:start(#{connection => standard_io, args => Args}),
    Killed = list_to_integer(peer:call(Vm, os, getpid, [])),
    ok = peer:cast(Vm, signal_port_child_vm, run, [?NIF, init, ["-pa", Folder], ?CHILD_TIMEOUT]),
    Hanging = signal_port_stage:until(fun() ->
        {ok, OsPid} = file:read_file(filename:join(Folder, "mark")),
        binary_to_integer(OsPid)
    end),
    try
        true = signal_port_stage:is_alive(Hanging),
        "" = signal_port_stage:signal("KILL", Killed),
        signal_port_stage:until_gone([Hanging])
    after
        signal_port_stage:signal("KILL", Hanging)
    end.

crashing_nif_is_not_used(Config) ->
    _ = signal_port_nifs:crashing(Config),
    uses_the_port("loading the NIF killed a child VM by signal 11 (SIGSEGV)").

crashing_nif_is_logged_once(Config) ->
    _ = signal_port_nifs:crashing(Config),
    ok = start([]),
    {ok, _} = signal_port:sha256(<<"abc">>),
    ["signal_port: calls use the port, because loading the NIF killed a child VM by signal 11 "
     "(SIGSEGV); rebuild the NIF, or set signal_port's option backend to port"] = warnings().

probed_nif_is_used(Config) ->
    _ = signal_port_nifs:healthy(Config),
    ok = signal_port_stage:start([{backend, probe}]),
    #{backend := nif, reason := "the NIF passed its test in a child VM"} = signal_port:info().

null_terminated_nif_is_explained(Config) ->
    _ = signal_port_nifs:null_terminated(Config),
    ok = signal_port_stage:start([{backend, probe}]),
    #{backend := port, reason := Reason} = signal_port:info(),
    "loading the NIF killed a child VM by signal 11 (SIGSEGV); sick_nif.so: null_entry" ++ _ =
        Reason,
    [Warning] = warnings(),
    true = string:find(Warning, Reason) =/= nomatch.

crashing_nif_is_tried_in_a_child(Config) ->
    Folder = signal_port_nifs:crashing(Config),
    ok = start([]),
    true = signal_port_nifs:was_loaded(Folder).

crashing_nif_is_reported(Config) ->
    _ = signal_port_nifs:crashing(Config),
    "signal_port's option backend is nif, but loading the NIF killed a child VM by signal 11 "
    "(SIGSEGV): set backend to auto or port" = fails([{backend, nif}]).

%% The operator chose the port, so there is no warning.
crashing_nif_is_not_touched(Config) ->
    Folder = signal_port_nifs:crashing(Config),
    uses_the_port("backend is set to port", [{backend, port}]),
    false = signal_port_nifs:was_loaded(Folder),
    [] = warnings().

%% --- A NIF that hangs ---

hanging_nif_is_not_used(Config) ->
    _ = signal_port_nifs:hanging(Config),
    uses_the_port("loading the NIF hung a child VM", [{start_timeout, 3000}]).

hanging_nif_costs_start_timeout(Config) ->
    _ = signal_port_nifs:hanging(Config),
    {Took, Choice} = timer:tc(fun() -> chosen([{start_timeout, 3000}]) end),
    {ok, {port, "loading the NIF hung a child VM"}, []} = Choice,
    true = Took >= 3_000_000 andalso Took < 6_000_000.

%% The probe runs in the supervisor's process, which logs unexpected messages.
hanging_nif_leaves_no_message(Config) ->
    _ = signal_port_nifs:hanging(Config),
    Options = [{pool_size, 1}, {start_timeout, 3000}],
    {ok, Supervisor} = supervisor:start_link(?MODULE, [signal_port:child_spec(Options)]),
    [#{state := ready}] = signal_port_stage:workers(),
    [{_, _, supervisor, _}] = supervisor:which_children(Supervisor),
    unlink(Supervisor),
    ok = gen_server:stop(Supervisor),
    ["signal_port: calls use the port, because loading the NIF hung a child VM; rebuild the NIF, "
     "or set signal_port's option backend to port"] = warnings().

%% The callback of the test's supervisor.
init(Children) ->
    {ok, {#{strategy => one_for_one}, Children}}.

hanging_nif_is_reported(Config) ->
    _ = signal_port_nifs:hanging(Config),
    "signal_port's option backend is nif, but loading the NIF hung a child VM: set backend to auto "
    "or port" = fails([{backend, nif}, {start_timeout, 3000}]).

%% --- A NIF with another fault ---

lying_nif_is_not_used(Config) ->
    _ = signal_port_nifs:lying(Config),
    uses_the_port("the NIF gave a wrong answer in a child VM").

lying_nif_is_reported(Config) ->
    _ = signal_port_nifs:lying(Config),
    "signal_port's option backend is nif, but the NIF gave a wrong answer in a child VM: set "
    "backend to auto or port" = fails([{backend, nif}]).

raising_nif_is_not_used(Config) ->
    _ = signal_port_nifs:stand_in(Config, fun(_) -> "erlang:nif_error(not_loaded)" end),
    uses_the_port("the NIF gave a wrong answer in a child VM").

unloadable_nif_is_not_used(Config) ->
    Folder = signal_port_nifs:installed(Config, "unloadable"),
    Forms = ["-export([init/0])", "-on_load(load/0)",
             "load() -> {error, {load_failed, \"no\"}}", "init() -> ok"],
    ok = signal_port_nifs:module(Folder, ?NIF, Forms),
    uses_the_port("libsignal_protocol_nif cannot be loaded (on_load_failure)").

nif_without_a_function_is_not_used(Config) ->
    _ = signal_port_nifs:stand_in(Config, fun signal_port_nifs:over_the_port/1,
                                  signal_port_nifs:operations() -- [{dr_decrypt, 2}]),
    uses_the_port("the NIF lacks dr_decrypt/2, which release 0.3 has").

nif_of_another_release_is_not_used(Config) ->
    signal_port_nifs:app(signal_port_nifs:healthy(Config), "0.2.0"),
    uses_the_port("the NIF is release 0.2.0, but release 0.3 is required").

nif_without_a_module_is_not_used(Config) ->
    Folder = signal_port_nifs:healthy(Config),
    ok = file:delete(filename:join(Folder, "signal_nif.beam")),
    uses_the_port("signal_nif cannot be loaded (nofile)").

%% --- No NIF at all ---

port_is_used_without_nif(_) ->
    uses_the_port("there is no NIF on the code path").

port_is_used_with_drop_in(Config) ->
    _ = signal_port_drop_in_SUITE:build(Config),
    uses_the_port("the libsignal_protocol_nif on the code path is the drop-in").

missing_nif_is_not_logged(_) ->
    ok = start([]),
    [] = warnings().

missing_nif_is_reported(_) ->
    "signal_port's option backend is nif, but libsignal_protocol_nif is not on the code path: add "
    "it to the release, or set backend to auto" = fails([{backend, nif}]).

drop_in_is_reported(Config) ->
    _ = signal_port_drop_in_SUITE:build(Config),
    "signal_port's option backend is nif, but the libsignal_protocol_nif on the code path is "
    "signal_port's own drop-in, which has no NIF: set backend to auto" = fails([{backend, nif}]).

failed_start_leaves_nothing(Config) ->
    _ = signal_port_nifs:crashing(Config),
    Ports = erlang:ports(),
    _ = fails([{backend, nif}]),
    [undefined, undefined] = [whereis(signal_port_sup), ets:whereis(signal_port_table)],
    [] = erlang:ports() -- Ports,
    ok = start([{backend, port}]).

%% --- A healthy NIF ---

healthy_nif_is_used(Config) ->
    _ = signal_port_nifs:healthy(Config),
    ok = start([]),
    #{backend := nif, reason := "the NIF passed its test in a child VM"} = signal_port:info().

%% Such a VM does not know the names of the operations yet.
healthy_nif_is_used_by_a_vm_that_has_loaded_little(Config) ->
    Folder = signal_port_nifs:healthy(Config),
    Args = ["-pa", Folder | signal_port_stage:paths(?MODULE)],
    {ok, Vm, _} = peer:start_link(#{connection => standard_io, args => Args}),
    {ok, {nif, _}, [_ | _]} = peer:call(Vm, signal_port_backend, choose,
                                        [#{backend => probe, start_timeout => ?CHILD_TIMEOUT}],
                                        2 * ?CHILD_TIMEOUT),
    peer:stop(Vm).

printing_nif_is_used(Config) ->
    Folder = signal_port_nifs:healthy(Config),
    Noise = "load() -> io:format(\"loading~n~ts\", [lists:duplicate(1000, $.)]), "
            "io:format(standard_error, \"so\", [])",
    Functions = signal_port_nifs:functions(signal_nif, fun signal_port_nifs:over_the_port/1,
                                           signal_port_nifs:operations()),
    ok = signal_port_nifs:module(Folder, signal_nif, ["-on_load(load/0)", Noise | Functions]),
    ok = start([]),
    #{backend := nif} = signal_port:info().

nif_without_app_file_is_used(Config) ->
    Folder = signal_port_nifs:healthy(Config),
    ok = file:delete(filename:join(Folder, "libsignal_protocol_nif.app")),
    ok = start([]),
    #{backend := nif} = signal_port:info().

healthy_nif_answers(Config) ->
    _ = signal_port_nifs:healthy(Config),
    ok = start([{backend, nif}]),
    #{state := idle, os_pid := undefined, calls := 0} = signal_port_stage:worker(),
    [false, false] = [code:is_loaded(Module) || Module <- ?MODULES],
    is_correct(signal_port:sha256(<<"abc">>)),
    {file, _} = code:is_loaded(signal_nif).

%% init/0 of the stand-in makes no call.
healthy_nif_starts_no_worker(Config) ->
    _ = signal_port_nifs:healthy(Config),
    ok = start([{backend, nif}]),
    ok = signal_port:init(),
    {file, _} = code:is_loaded(?NIF),
    #{state := idle} = signal_port_stage:worker().

healthy_nif_is_not_logged(Config) ->
    _ = signal_port_nifs:healthy(Config),
    ok = start([{backend, nif}]),
    [] = warnings().

worker_handles_what_the_nif_lacks(Config) ->
    _ = signal_port_nifs:healthy(Config),
    ok = start([{backend, nif}]),
    {ok, <<_:42/binary>>} = signal_port:hkdf_sha256(<<1>>, <<>>, <<>>, 42),
    {error, key_agreement_failed} = signal_port:x25519(binary:copy(<<7>>, 32), <<0:256>>),
    #{state := ready, calls := 2} = signal_port_stage:worker(),
    #{backend := nif, versions := #{python := _}} = signal_port:info(),
    [false, false] = [code:is_loaded(Module) || Module <- ?MODULES].

worker_handles_static_sessions(Config) ->
    _ = signal_port_nifs:healthy(Config),
    ok = start([{backend, nif}]),
    {ok, Session} = signal_port:create_session(binary:copy(<<7>>, 32), <<9:8, 0:248>>),
    {ok, Message} = signal_port:encrypt_message(Session, <<"beside">>),
    {ok, <<"beside">>} = signal_port:decrypt_message(Session, Message),
    #{state := ready, calls := 3} = signal_port_stage:worker().

nif_holds_a_conversation(Config) ->
    _ = signal_port_nifs:healthy(Config),
    ok = start([{backend, nif}]),
    ok = signal_port_parties:conversation(),
    {file, _} = code:is_loaded(?NIF).

workers_end_with_the_application(Config) ->
    _ = signal_port_nifs:healthy(Config),
    ok = start([{backend, nif}]),
    {ok, _} = signal_port:hkdf_sha256(<<1>>, <<>>, <<>>, 42),
    OsPids = [_] = signal_port_stage:os_pids(),
    ok = application:stop(signal_port),
    signal_port_stage:until_gone(OsPids).

healthy_nif_is_not_loaded(Config) ->
    _ = signal_port_nifs:healthy(Config),
    uses_the_port("backend is set to port", [{backend, port}]).

%% --- Internals ---

uses_the_port(Reason) ->
    uses_the_port(Reason, []).

uses_the_port(Reason, Options) ->
    ok = start(Options),
    is_correct(signal_port:sha256(<<"abc">>)),
    #{backend := port, reason := Reason, workers := [#{state := ready, calls := 1}]} =
        signal_port:info(),
    [false, false] = [code:is_loaded(Module) || Module <- ?MODULES].

is_correct({ok, Digest}) ->
    <<"BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD">> =
        binary:encode_hex(Digest).

start(Options) ->
    signal_port_stage:start([{pool_size, 1} | Options]).

fails(Options) ->
    {error, {Sentence, {signal_port_app, start, _}}} = start(Options),
    true = io_lib:char_list(Sentence),
    Sentence.

chosen(Options) ->
    {ok, Checked} = signal_port_config:check(Options),
    signal_port_backend:choose(Checked).
