%% The choice of the engine: the decision as a table, and what becomes of this VM beside a NIF that crashes, hangs,
%% lies, cannot be loaded, is another, or is well. The sick one is compiled from C; the others are stand-ins in Erlang.
-module(signal_port_backend_SUITE).
-compile([export_all, nowarn_export_all]).

-define(NIF, libsignal_protocol_nif).
-define(MODULES, [libsignal_protocol_nif, signal_nif]).
-define(CHILD_TIMEOUT, 15_000).

all() ->
    [decides_by_the_table,
     {group, auto}, {group, nif}, {group, port},
     nothing_installed_is_seen, the_drop_in_is_seen, an_installed_nif_is_seen_and_not_loaded,
     the_crashing_nif_kills_who_loads_it, the_hanging_nif_ends_with_the_vm].

groups() ->
    [{auto, [the_crashing_nif_is_not_taken, the_crashing_nif_is_told_once, the_crashing_nif_was_tried_in_a_child,
             the_hanging_nif_is_not_taken, the_hanging_nif_costs_no_more_than_start_timeout,
             the_hanging_nif_leaves_nothing_to_a_supervisor, the_lying_nif_is_not_taken,
             the_raising_nif_is_not_taken, the_unloadable_nif_is_not_taken, the_nif_without_a_function_is_not_taken,
             another_release_is_not_taken, half_a_nif_is_not_taken, without_a_nif_the_port_answers,
             beside_the_drop_in_the_port_answers, no_nif_is_told_to_nobody, the_healthy_nif_is_taken,
             a_chatty_nif_is_taken, a_nif_without_an_app_file_is_taken]},
     {nif, [the_healthy_nif_answers, the_healthy_nif_starts_no_worker, the_healthy_nif_is_told_to_nobody,
            a_worker_answers_what_the_nif_lacks, a_static_session_beside_the_nif, a_conversation_with_the_nif,
            workers_beside_the_nif_end_with_the_application, says_that_the_nif_crashes, says_that_the_nif_hangs,
            says_that_the_nif_lies, says_that_there_is_no_nif, says_that_there_is_only_the_drop_in,
            a_failed_start_leaves_nothing]},
     {port, [beside_the_crashing_nif_nothing_is_touched, beside_the_healthy_nif_nothing_is_loaded]}].

%% On ARM64 the choice is made before anything is looked at: what the others see there is the first of the table's rows.
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
    signal_port_stage:stop(),
    forget(),
    Folder = filename:join(proplists:get_value(priv_dir, Config), Case),
    ok = filelib:ensure_path(Folder),
    ok = logger:add_handler(?MODULE, ?MODULE, #{level => warning, config => self()}),
    [{folder, Folder}, {path, code:get_path()} | Config].

end_per_testcase(_, Config) ->
    ok = logger:remove_handler(?MODULE),
    signal_port_stage:stop(),
    true = code:set_path(proplists:get_value(path, Config)),
    forget().

forget() ->
    _ = application:unload(?NIF),
    [begin code:purge(Module), code:delete(Module), code:purge(Module) end || Module <- ?MODULES],
    ok.

%% The handler: the test gets what the application, or a supervisor of it, warns of.
log(#{meta := #{mfa := {Module, _, _}}, msg := {Format, Args}}, #{config := Test}) when is_list(Format) ->
    case lists:member(Module, [signal_port_event, supervisor]) of
        true -> Test ! {warned, lists:flatten(io_lib:format(Format, Args))}, ok;
        false -> ok
    end;
log(_, _) ->
    ok.

warnings() ->
    receive {warned, Text} -> [Text | warnings()] after 0 -> [] end.

%% --- The decision ---

decides_by_the_table(_) ->
    [] = [{Row, Decided} || {Architecture, Wanted, Installed, Outcome, Expected} = Row <- rows(),
                            Decided <- [signal_port_backend:decide(Architecture, Wanted, Installed, Outcome)],
                            Decided =/= Expected].

rows() ->
    [{Architecture, Wanted, Installed, Outcome, Expected}
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
      {error, "signal_port's option backend is nif, but libsignal_protocol_nif is not on the code path: add it to the "
              "release, or set backend to auto"}},
     {Arm ++ Other, nif, [drop_in], AllOutcomes,
      {error, "signal_port's option backend is nif, but the libsignal_protocol_nif on the code path is signal_port's "
              "own drop-in, which has no NIF: set backend to auto"}},
     {Arm ++ Other, nif, [Nif], [unknown], probe},
     {Arm ++ Other, nif, [Nif], [Healthy], {nif, "the NIF passed its test in a child VM"}},
     {Arm ++ Other, nif, [Nif], [Sick],
      {error, "signal_port's option backend is nif, but the NIF gave a wrong answer in a child VM: set backend to auto or "
              "port"}},
     {Other, auto, [none], AllOutcomes, {port, "there is no NIF on the code path"}},
     {Other, auto, [drop_in], AllOutcomes, {port, "the libsignal_protocol_nif on the code path is the drop-in"}},
     {Other, auto, [Nif], [unknown], probe},
     {Other, auto, [Nif], [Healthy], {nif, "the NIF passed its test in a child VM"}},
     {Other, auto, [Nif], [Sick], {port, "the NIF gave a wrong answer in a child VM"}}
     | [{[Architecture], auto, AllInstalled, AllOutcomes,
         {port, "the port is the default on " ++ hd(string:split(Architecture, "-"))}}
        || Architecture <- Arm]].

%% --- What is installed ---

nothing_installed_is_seen(_) ->
    none = signal_port_backend:installed().

the_drop_in_is_seen(Config) ->
    _ = signal_port_drop_in_SUITE:build(Config),
    drop_in = signal_port_backend:installed().

an_installed_nif_is_seen_and_not_loaded(Config) ->
    Folder = crashing(Config),
    {nif, [Folder]} = signal_port_backend:installed(),
    [false, false] = [code:is_loaded(Module) || Module <- ?MODULES].

%% --- A NIF that crashes ---

the_crashing_nif_kills_who_loads_it(Config) ->
    Folder = crashing(Config),
    {died, 139, _} = signal_port_child_vm:run(?NIF, init, ["-pa", Folder], ?CHILD_TIMEOUT).

%% The VM that tries it is killed: it can do nothing for its child any more.
the_hanging_nif_ends_with_the_vm(Config) ->
    Folder = hanging(Config),
    {ok, Vm, _} = peer:start(#{connection => standard_io, args => ["-pa", filename:dirname(code:which(signal_port))]}),
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

the_crashing_nif_is_not_taken(Config) ->
    _ = crashing(Config),
    answers_over_the_port("loading the NIF killed a child VM by signal 11 (SIGSEGV)").

the_crashing_nif_is_told_once(Config) ->
    _ = crashing(Config),
    ok = start([]),
    {ok, _} = signal_port:sha256(<<"abc">>),
    ["signal_port: calls use the port, because loading the NIF killed a child VM by signal 11 (SIGSEGV); rebuild the NIF, or set signal_port's option backend to port"]
        = warnings().

the_crashing_nif_was_tried_in_a_child(Config) ->
    Folder = crashing(Config),
    ok = start([]),
    true = was_tried(Folder).

says_that_the_nif_crashes(Config) ->
    _ = crashing(Config),
    "signal_port's option backend is nif, but loading the NIF killed a child VM by signal 11 (SIGSEGV): set backend to auto "
    "or port" = fails([{backend, nif}]).

%% Nothing to be told: it was wanted so.
beside_the_crashing_nif_nothing_is_touched(Config) ->
    Folder = crashing(Config),
    answers_over_the_port("backend is set to port", [{backend, port}]),
    false = was_tried(Folder),
    [] = warnings().

was_tried(Folder) ->
    filelib:is_file(filename:join(Folder, "mark")).

%% --- A NIF that hangs ---

the_hanging_nif_is_not_taken(Config) ->
    _ = hanging(Config),
    answers_over_the_port("loading the NIF hung a child VM", [{start_timeout, 3000}]).

the_hanging_nif_costs_no_more_than_start_timeout(Config) ->
    _ = hanging(Config),
    {Took, Choice} = timer:tc(fun() -> chosen([{start_timeout, 3000}]) end),
    {ok, {port, "loading the NIF hung a child VM"}, []} = Choice,
    true = Took >= 3_000_000 andalso Took < 6_000_000.

%% The probe runs in the process of the supervisor, which logs what it does not expect.
the_hanging_nif_leaves_nothing_to_a_supervisor(Config) ->
    _ = hanging(Config),
    Options = [{pool_size, 1}, {start_timeout, 3000}],
    {ok, Supervisor} = supervisor:start_link(?MODULE, [signal_port:child_spec(Options)]),
    [#{state := ready}] = signal_port_stage:workers(),
    [{_, _, supervisor, _}] = supervisor:which_children(Supervisor),
    unlink(Supervisor),
    ok = gen_server:stop(Supervisor),
    ["signal_port: calls use the port, because loading the NIF hung a child VM; rebuild the NIF, or set signal_port's option backend to port"] = warnings().

%% The callback of the supervisor above.
init(Children) ->
    {ok, {#{strategy => one_for_one}, Children}}.

says_that_the_nif_hangs(Config) ->
    _ = hanging(Config),
    "signal_port's option backend is nif, but loading the NIF hung a child VM: set backend to auto or port" =
        fails([{backend, nif}, {start_timeout, 3000}]).

%% --- A NIF that is not as it should be ---

the_lying_nif_is_not_taken(Config) ->
    _ = lying(Config),
    answers_over_the_port("the NIF gave a wrong answer in a child VM").

says_that_the_nif_lies(Config) ->
    _ = lying(Config),
    "signal_port's option backend is nif, but the NIF gave a wrong answer in a child VM: set backend to auto or port" =
        fails([{backend, nif}]).

the_raising_nif_is_not_taken(Config) ->
    _ = stand_in(Config, fun(_) -> "erlang:nif_error(not_loaded)" end),
    answers_over_the_port("the NIF gave a wrong answer in a child VM").

the_unloadable_nif_is_not_taken(Config) ->
    Folder = installed(Config, "unloadable"),
    ok = module(Folder, ?NIF, ["-export([init/0])", "-on_load(load/0)", "load() -> {error, {load_failed, \"no\"}}",
                               "init() -> ok"]),
    answers_over_the_port("libsignal_protocol_nif cannot be loaded (on_load_failure)").

the_nif_without_a_function_is_not_taken(Config) ->
    _ = stand_in(Config, fun over_the_port/1, operations() -- [{dr_decrypt, 2}]),
    answers_over_the_port("the NIF lacks dr_decrypt/2, which release 0.3 has").

another_release_is_not_taken(Config) ->
    app(healthy(Config), "0.2.0"),
    answers_over_the_port("the NIF is release 0.2.0, but release 0.3 is required").

half_a_nif_is_not_taken(Config) ->
    Folder = healthy(Config),
    ok = file:delete(filename:join(Folder, "signal_nif.beam")),
    answers_over_the_port("signal_nif cannot be loaded (nofile)").

%% --- No NIF at all ---

without_a_nif_the_port_answers(_) ->
    answers_over_the_port("there is no NIF on the code path").

beside_the_drop_in_the_port_answers(Config) ->
    _ = signal_port_drop_in_SUITE:build(Config),
    answers_over_the_port("the libsignal_protocol_nif on the code path is the drop-in").

no_nif_is_told_to_nobody(_) ->
    ok = start([]),
    [] = warnings().

says_that_there_is_no_nif(_) ->
    "signal_port's option backend is nif, but libsignal_protocol_nif is not on the code path: add it to the release, "
    "or set backend to auto" = fails([{backend, nif}]).

says_that_there_is_only_the_drop_in(Config) ->
    _ = signal_port_drop_in_SUITE:build(Config),
    "signal_port's option backend is nif, but the libsignal_protocol_nif on the code path is signal_port's own "
    "drop-in, which has no NIF: set backend to auto" = fails([{backend, nif}]).

a_failed_start_leaves_nothing(Config) ->
    _ = crashing(Config),
    Ports = erlang:ports(),
    _ = fails([{backend, nif}]),
    [undefined, undefined] = [whereis(signal_port_sup), ets:whereis(signal_port_table)],
    [] = erlang:ports() -- Ports,
    ok = start([{backend, port}]).

%% --- A healthy NIF ---

the_healthy_nif_is_taken(Config) ->
    _ = healthy(Config),
    ok = start([]),
    #{backend := nif, reason := "the NIF passed its test in a child VM"} = signal_port:info().

a_chatty_nif_is_taken(Config) ->
    Folder = healthy(Config),
    Noise = "load() -> io:format(\"loading~n~ts\", [lists:duplicate(1000, $.)]), io:format(standard_error, \"so\", [])",
    ok = module(Folder, signal_nif, ["-on_load(load/0)", Noise
                                      | functions(signal_nif, fun over_the_port/1, operations())]),
    ok = start([]),
    #{backend := nif} = signal_port:info().

a_nif_without_an_app_file_is_taken(Config) ->
    Folder = healthy(Config),
    ok = file:delete(filename:join(Folder, "libsignal_protocol_nif.app")),
    ok = start([]),
    #{backend := nif} = signal_port:info().

the_healthy_nif_answers(Config) ->
    _ = healthy(Config),
    ok = start([{backend, nif}]),
    #{state := idle, os_pid := undefined, calls := 0} = signal_port_stage:worker(),
    [false, false] = [code:is_loaded(Module) || Module <- ?MODULES],
    is_right(signal_port:sha256(<<"abc">>)),
    {file, _} = code:is_loaded(signal_nif).

%% The stand-in's init/0 asks nobody.
the_healthy_nif_starts_no_worker(Config) ->
    _ = healthy(Config),
    ok = start([{backend, nif}]),
    ok = signal_port:init(),
    {file, _} = code:is_loaded(?NIF),
    #{state := idle} = signal_port_stage:worker().

the_healthy_nif_is_told_to_nobody(Config) ->
    _ = healthy(Config),
    ok = start([{backend, nif}]),
    [] = warnings().

a_worker_answers_what_the_nif_lacks(Config) ->
    _ = healthy(Config),
    ok = start([{backend, nif}]),
    {ok, <<_:42/binary>>} = signal_port:hkdf_sha256(<<1>>, <<>>, <<>>, 42),
    {error, key_agreement_failed} = signal_port:x25519(binary:copy(<<7>>, 32), <<0:256>>),
    #{state := ready, calls := 2} = signal_port_stage:worker(),
    #{backend := nif, versions := #{python := _}} = signal_port:info(),
    [false, false] = [code:is_loaded(Module) || Module <- ?MODULES].

a_static_session_beside_the_nif(Config) ->
    _ = healthy(Config),
    ok = start([{backend, nif}]),
    {ok, Session} = signal_port:create_session(binary:copy(<<7>>, 32), <<9:8, 0:248>>),
    {ok, Message} = signal_port:encrypt_message(Session, <<"beside">>),
    {ok, <<"beside">>} = signal_port:decrypt_message(Session, Message),
    #{state := ready, calls := 3} = signal_port_stage:worker().

a_conversation_with_the_nif(Config) ->
    _ = healthy(Config),
    ok = start([{backend, nif}]),
    ok = signal_port_parties:conversation(),
    {file, _} = code:is_loaded(?NIF).

workers_beside_the_nif_end_with_the_application(Config) ->
    _ = healthy(Config),
    ok = start([{backend, nif}]),
    {ok, _} = signal_port:hkdf_sha256(<<1>>, <<>>, <<>>, 42),
    OsPids = [_] = signal_port_stage:os_pids(),
    ok = application:stop(signal_port),
    signal_port_stage:until_gone(OsPids).

beside_the_healthy_nif_nothing_is_loaded(Config) ->
    _ = healthy(Config),
    answers_over_the_port("backend is set to port", [{backend, port}]).

%% --- Internals ---

answers_over_the_port(Reason) ->
    answers_over_the_port(Reason, []).

answers_over_the_port(Reason, Options) ->
    ok = start(Options),
    is_right(signal_port:sha256(<<"abc">>)),
    #{backend := port, reason := Reason, workers := [#{state := ready, calls := 1}]} = signal_port:info(),
    [false, false] = [code:is_loaded(Module) || Module <- ?MODULES].

is_right({ok, Digest}) ->
    <<"BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD">> = binary:encode_hex(Digest).

start(Options) ->
    signal_port_stage:start([{pool_size, 1} | Options]).

fails(Options) ->
    {error, {Sentence, {signal_port_app, start, _}}} = start(Options),
    true = io_lib:char_list(Sentence),
    Sentence.

chosen(Options) ->
    {ok, Checked} = signal_port_config:check(Options),
    signal_port_backend:choose(Checked).

%% --- The NIFs; each is first on the code path when it has been made ---

%% @doc A NIF that dies of a signal when it is loaded.
crashing(Config) ->
    compiled(Config, "crashing", []).

hanging(Config) ->
    compiled(Config, "hanging", ["-DHANG"]).

%% @doc One that answers well: each call goes over the port, which is started where nobody has.
healthy(Config) ->
    Folder = stand_in(Config, fun over_the_port/1),
    app(Folder, "0.3.0"),
    Folder.

lying(Config) ->
    stand_in(Config, fun(_) -> "{ok, <<0:256>>}" end).

compiled(Config, Name, Flags) ->
    Folder = installed(Config, Name),
    Source = signal_port_stage:root("tests/nifs"),
    {ok, _} = compile:file(filename:join(Source, "libsignal_protocol_nif.erl"), [{outdir, Folder}, report]),
    cc(["-shared", "-fPIC", "-I", filename:join(code:root_dir(), "usr/include")] ++ Flags
       ++ ["-o", filename:join(Folder, "sick_nif.so"), filename:join(Source, "sick_nif.c")]),
    Folder.

cc(Args) ->
    Cc = os:find_executable("cc"),
    Cc =/= false orelse ct:fail("there is no C compiler (cc), and this test compiles a NIF: install one"),
    Port = open_port({spawn_executable, Cc}, [{args, Args}, exit_status, stderr_to_stdout]),
    0 =:= exit_status(Port) orelse ct:fail("cc cannot compile tests/nifs/sick_nif.c: see its output above").

exit_status(Port) ->
    receive
        {Port, {data, Said}} -> ct:pal("~ts", [Said]), exit_status(Port);
        {Port, {exit_status, Status}} -> Status
    end.

installed(Config, Name) ->
    Folder = filename:join([proplists:get_value(folder, Config, proplists:get_value(priv_dir, Config)), Name, "ebin"]),
    ok = filelib:ensure_path(Folder),
    true = code:add_patha(Folder),
    Folder.

stand_in(Config, Body) ->
    stand_in(Config, Body, operations()).

stand_in(Config, Body, Operations) ->
    Folder = installed(Config, "stand_in"),
    [ok = module(Folder, Module, functions(Module, Body, Operations)) || Module <- ?MODULES],
    Folder.

%% What the NIF has.
operations() ->
    signal_port_codec:operations() -- [{x25519, 2}, {hkdf_sha256, 4} | static_session()].

static_session() ->
    [{create_session, 2}, {encrypt_message, 2}, {decrypt_message, 2}].

functions(Module, Body, Operations) ->
    {Module, Documented} = lists:keyfind(Module, 1, signal_port_drop_in_SUITE:documented()),
    ["-compile([export_all, nowarn_export_all])"
     | [function(Operation, Arity, Body(Operation))
        || {Operation, Arity} <- Operations, lists:member({Operation, Arity}, Documented)]
        ++ ["call(Operation, Args) -> "
            "_ = whereis(signal_port_sup) =:= undefined andalso begin "
            "application:load(signal_port), application:set_env(signal_port, backend, port), "
            "application:set_env(signal_port, pool_size, 1), application:start(signal_port) end, "
            "signal_port_dispatch:call(signal_port_codec:request(Operation, Args))"]].

function(Operation, Arity, Body) ->
    Args = lists:join(", ", ["A" ++ integer_to_list(Number) || Number <- lists:seq(1, Arity)]),
    lists:flatten(io_lib:format("~s(~s) -> Args = [~s], _ = Args, ~s", [Operation, Args, Args, Body])).

over_the_port(init) -> "ok";
over_the_port(Operation) -> "call(" ++ atom_to_list(Operation) ++ ", Args)".

%% @doc Compiles a module of these forms, each without its last dot.
module(Folder, Name, Forms) ->
    Parsed = [form(Form) || Form <- ["-module(" ++ atom_to_list(Name) ++ ")" | Forms]],
    {ok, Name, Beam} = compile:forms(Parsed, []),
    file:write_file(filename:join(Folder, atom_to_list(Name) ++ ".beam"), Beam).

form(Text) ->
    {ok, Tokens, _} = erl_scan:string(Text ++ "."),
    {ok, Form} = erl_parse:parse_form(Tokens),
    Form.

app(Folder, Version) ->
    App = {application, ?NIF, [{vsn, Version}, {modules, ?MODULES}, {applications, [kernel, stdlib]}]},
    ok = file:write_file(filename:join(Folder, "libsignal_protocol_nif.app"), io_lib:format("~tp.~n", [App])).
