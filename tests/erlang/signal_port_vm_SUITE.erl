%% The end of a VM, and of a supervisor above the application: no OS process is left.
-module(signal_port_vm_SUITE).
-compile([export_all, nowarn_export_all]).

-define(PATIENT, 60_000).  % milliseconds; a timeout that no test reaches
-define(ROUNDS, signal_port_stage:thorough(20, 100)).

all() ->
    [{group, vm}, {group, supervisor}].

groups() ->
    [{vm, [killed_vm_leaves_no_worker, killed_vm_leaves_no_busy_worker,
           killed_vm_leaves_no_stopped_worker, stopped_vm_leaves_no_worker]},
     {supervisor, [supervisor_above_restarts_at_once, supervisor_above_restarts_many_times]}].

end_per_testcase(_, _) ->
    signal_port_stage:stop().

%% --- The end of the VM ---

killed_vm_leaves_no_worker(_) ->
    after_the_vm(fun kill_vm/1, fun(_) -> ok end).

killed_vm_leaves_no_busy_worker(_) ->
    after_the_vm(fun kill_vm/1, fun(Vm) -> peer:call(Vm, ?MODULE, make_busy, []) end).

killed_vm_leaves_no_stopped_worker(_) ->
    after_the_vm(fun kill_vm/1, fun(Vm) ->
        [signal_port_stage:signal("STOP", OsPid)
         || OsPid <- peer:call(Vm, signal_port_stage, os_pids, [])]
    end).

stopped_vm_leaves_no_worker(_) ->
    after_the_vm(fun stop_vm/1, fun(Vm) -> peer:call(Vm, ?MODULE, make_busy, []) end).

make_busy() ->
    [spawn(fun Call() -> signal_port:generate_identity_key_pair(), Call() end)
     || _ <- lists:seq(1, 16)],
    signal_port_stage:until(fun() -> signal_port_stage:calls() > 100 end),
    ok.

kill_vm(Vm) ->
    signal_port_stage:kill([list_to_integer(peer:call(Vm, os, getpid, []))]).

stop_vm(Vm) ->
    Monitor = monitor(process, Vm),
    peer:cast(Vm, init, stop, []),
    receive {'DOWN', Monitor, process, Vm, _} -> ok end.

after_the_vm(End, Prepare) ->
    Paths = signal_port_stage:paths(?MODULE),
    {ok, Vm, _} = peer:start(#{connection => standard_io, args => ["-pa" | Paths]}),
    ok = peer:call(Vm, signal_port_stage, start, [[{pool_size, 2}]]),
    _ = peer:call(Vm, signal_port_stage, await_ready, []),
    OsPids = peer:call(Vm, signal_port_stage, os_pids, []),
    2 = length(OsPids),
    Prepare(Vm),
    End(Vm),
    Ended = now_ms(),
    try
        signal_port_stage:until(fun() -> not lists:any(fun is_running/1, OsPids) end),
        {true, Took} = {now_ms() - Ended < 1000, now_ms() - Ended},
        signal_port_stage:comment("the last worker was gone ~b ms after the VM", [Took])
    after
        [signal_port_stage:signal("KILL", OsPid) || OsPid <- OsPids]
    end.

%% A zombie has ended. The system removes it later, because its parent is gone.
is_running(OsPid) ->
    case file:read_file("/proc/" ++ integer_to_list(OsPid) ++ "/stat") of
        {ok, Stat} -> binary:match(Stat, <<") Z ">>) =:= nomatch;
        {error, _} -> not filelib:is_dir("/proc/self") andalso signal_port_stage:is_alive(OsPid)
    end.

%% --- A supervisor above ---

supervisor_above_restarts_many_times(_) ->
    process_flag(trap_exit, true),
    Options = [{pool_size, 1}, {python, signal_port_stage:stand_in("honest.py")}],
    signal_port_stage:stop(),
    {Ports, Processes} = {erlang:ports(), processes()},
    {ok, Supervisor} = supervisor:start_link(?MODULE, {?ROUNDS, [signal_port:child_spec(Options)]}),
    OsPids = lists:append([restarted() || _ <- lists:seq(1, ?ROUNDS)]),
    ok = signal_port:init(),
    exit(Supervisor, shutdown),
    receive {'EXIT', Supervisor, shutdown} -> ok end,
    signal_port_stage:until_gone(OsPids),
    signal_port_stage:until(fun() ->
        {[], []} = {erlang:ports() -- Ports, processes() -- Processes}
    end),
    signal_port_stage:comment("~b restarts; no OS process, port or process left", [length(OsPids)]).

%% The children of the killed supervisor keep their names for a while.
supervisor_above_restarts_at_once(_) ->
    process_flag(trap_exit, true),
    signal_port_stage:stop(),
    Options = [{pool_size, 1}, {python, signal_port_stage:stand_in("hangs.py")},
               {stall_timeout, ?PATIENT}],
    {ok, Supervisor} = supervisor:start_link(?MODULE, {1, [signal_port:child_spec(Options)]}),
    {Old, OsPids} = {whereis(signal_port_sup), signal_port_stage:os_pids()},
    Caller = spawn(fun signal_port:init/0),
    signal_port_stage:await_in_flight(1),
    exit(Old, kill),
    signal_port_stage:until(fun() ->
        not lists:member(whereis(signal_port_sup), [Old, undefined])
    end),
    exit(Caller, kill),
    signal_port_stage:until(fun() -> [#{state := ready}] = signal_port_stage:workers() end),
    signal_port_stage:until_gone(OsPids),
    exit(Supervisor, shutdown),
    receive {'EXIT', Supervisor, shutdown} -> ok end.

restarted() ->
    Old = whereis(signal_port_sup),
    OsPids = signal_port_stage:os_pids(),
    exit(Old, kill),
    signal_port_stage:until(fun() ->
        not lists:member(whereis(signal_port_sup), [Old, undefined])
    end),
    signal_port_stage:until(fun() -> signal_port:init() =:= ok end),
    OsPids.

%% The callback of the test's supervisor, with the allowed number of restarts.
init({Intensity, Children}) ->
    {ok, {#{strategy => one_for_one, intensity => Intensity, period => 3600}, Children}}.

%% --- Internals ---

now_ms() ->
    erlang:monotonic_time(millisecond).
