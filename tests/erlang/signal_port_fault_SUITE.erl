%% Faults, whole: workers that are killed without end, that hang and that lie; nothing to run; more callers than can be
%% served; the end of the VM. What one worker does alone, and the pool with it, is in signal_port_worker_SUITE and
%% signal_port_pool_SUITE.
-module(signal_port_fault_SUITE).
-compile([export_all, nowarn_export_all]).

-define(PATIENT, 60_000).       % milliseconds; for a time-out that is not to matter
-define(KILL_EVERY, 200).       % milliseconds
-define(KILLING, signal_port_stage:thorough(5_000, 20_000)). % milliseconds
-define(CROWD, 10_000).         % callers at once
-define(CROWD_MEMORY, 96).      % MiB that such a crowd may take, its own processes included
-define(LEFT_MEMORY, 16).       % MiB that it may leave
-define(LATE, 500).             % milliseconds that a timer of the VM may be late, under load, on a machine that is shared
-define(KILLED, signal_port_stage:thorough(20_000, 100_000)). % callers
-define(SPIN, 10_000).          % turns that a killer waits at most; a few microseconds
-define(TURN, 4000).            % reductions
-define(CALL, 150).             % reductions that a caller needs to send a call, and more
-define(KILLERS, 20).           % processes that each start one, and kill it
-define(ROUNDS, signal_port_stage:thorough(20, 100)).
-define(STATUSES, signal_port_stage:thorough([0, 1, 2, 70, 126, 127, 128, 129, 137, 192, 193, 255], lists:seq(0, 255))).
-define(PILE, 2000).            % calls that may be with a worker when 500 callers have given up twenty times each

all() ->
    [workers_killed_without_end_fail_no_call, workers_killed_while_they_start_fail_no_call,
     workers_killed_at_each_start_are_waited_for, a_first_start_that_is_killed_is_tried_again,
     a_first_start_that_is_always_killed_is_told,
     the_workers_supervisor_killed_fails_no_call, the_upper_supervisor_killed_leaves_no_os_process,
     callers_of_a_stopped_worker_are_answered_by_another, a_stopped_worker_times_out_in_time,
     ends_a_worker_that_spins, a_worker_that_does_not_read_is_followed_by_one_that_does,
     ends_a_worker_that_prints, a_call_that_exits_with_any_status_is_given_up,
     a_worker_that_exits_with_any_status_is_followed, a_worker_that_is_ended_by_any_signal_is_followed,
     a_worker_that_never_gets_ready_is_waited_for_in_time,
     a_python_that_is_removed_is_waited_for, a_python_that_is_broken_is_waited_for,
     ten_thousand_callers_are_answered, callers_that_go_away_leave_nothing,
     callers_killed_at_any_moment_leave_none_in_flight, waiters_that_go_away_leave_nothing,
     waiters_that_time_out_leave_nothing, calls_given_up_do_not_pile_up,
     the_vm_killed_leaves_no_worker, the_vm_killed_leaves_no_busy_worker, the_vm_killed_leaves_no_stopped_worker,
     the_vm_stopped_leaves_no_worker, a_supervisor_above_need_not_try_twice, a_supervisor_above_restarts_it_many_times].

init_per_testcase(Case, Config) ->
    Folder = filename:join(proplists:get_value(priv_dir, Config), Case),
    ok = filelib:ensure_path(Folder),
    [{folder, Folder} | Config].

end_per_testcase(_, _) ->
    signal_port_stage:stop().

%% --- Workers that are killed ---

workers_killed_without_end_fail_no_call(_) ->
    ok = signal_port_stage:start([{pool_size, 3}]),
    Load = load(24),
    {ok, Timer} = timer:send_interval(?KILL_EVERY, kill),
    [receive kill -> kill(any(signal_port_stage:os_pids())) end || _ <- lists:seq(?KILL_EVERY, ?KILLING, ?KILL_EVERY)],
    {ok, cancel} = timer:cancel(Timer),
    {Calls, Slowest, []} = unload(Load),
    Restarts = signal_port_stage:restarts(),
    true = Restarts > ?KILLING div ?KILL_EVERY div 2,
    told("~b calls right, ~b workers lost, slowest call ~b ms", [Calls, Restarts, Slowest]).

%% A start that fails twice is no reason to give up.
workers_killed_while_they_start_fail_no_call(_) ->
    ok = signal_port_stage:start([{pool_size, 2}]),
    Load = load(8),
    [begin
         all_ready(),
         kill(signal_port_stage:os_pids()),
         kill(signal_port_stage:until(fun starting/0))
     end || _ <- [1, 2, 3]],
    all_ready(),
    {_, _, []} = unload(Load),
    true = signal_port_stage:restarts() >= 9.

%% That somebody kills starts, ten in a row, does not say that the next one fails.
workers_killed_at_each_start_are_waited_for(Config) ->
    Switch = signal_port_stage:switch(Config),
    ok = signal_port_stage:start_with("is_killed_at_start.py", [{pool_size, 1}]),
    ok = file:write_file(Switch, binary:copy(<<"x">>, 10)),
    kill(signal_port_stage:os_pids()),
    ok = signal_port:init(),
    11 = signal_port_stage:restarts().

a_first_start_that_is_killed_is_tried_again(Config) ->
    ok = file:write_file(signal_port_stage:switch(Config), binary:copy(<<"x">>, 5)),
    ok = signal_port_stage:start_with("is_killed_at_start.py", [{pool_size, 1}]),
    ok = signal_port:init(),
    5 = signal_port_stage:restarts().

a_first_start_that_is_always_killed_is_told(Config) ->
    ok = file:write_file(signal_port_stage:switch(Config), binary:copy(<<"x">>, 1000)),
    {error, {Sentence, _}} = signal_port_stage:start_with("is_killed_at_start.py", [{pool_size, 1}]),
    [_, _] = string:split(Sentence, "ended with signal 9 (SIGKILL) before it was ready").

starting() ->
    [_ | _] = [OsPid || #{state := starting, os_pid := OsPid} <- signal_port_stage:workers(), is_integer(OsPid)].

the_workers_supervisor_killed_fails_no_call(_) ->
    ok = signal_port_stage:start([{pool_size, 2}]),
    OsPids = signal_port_stage:os_pids(),
    Load = load(8),
    {Supervisor, Pool} = {whereis(signal_port_worker_sup), whereis(signal_port_pool)},
    exit(Supervisor, kill),
    signal_port_stage:until(fun() -> not lists:member(whereis(signal_port_pool), [Pool, undefined]) end),
    signal_port_stage:until_gone(OsPids),
    all_ready(),
    {_, _, []} = unload(Load).

the_upper_supervisor_killed_leaves_no_os_process(_) ->
    ok = signal_port_stage:start([{pool_size, 2}]),
    OsPids = signal_port_stage:os_pids(),
    exit(whereis(signal_port_sup), kill),
    signal_port_stage:until_gone(OsPids),
    {error, unavailable} = signal_port:init().

%% --- Workers that hang ---

callers_of_a_stopped_worker_are_answered_by_another(_) ->
    ok = signal_port_stage:start([{pool_size, 2}, {stall_timeout, 500}]),
    all_ready(),
    Load = load(16),
    [Stopped | _] = signal_port_stage:os_pids(),
    "" = signal_port_stage:signal("STOP", Stopped),
    signal_port_stage:until_gone([Stopped]),
    all_ready(),
    false = lists:member(Stopped, signal_port_stage:os_pids()),
    1 = signal_port_stage:restarts(),
    {_, Slowest, []} = unload(Load),
    true = Slowest < 3000,
    told("slowest call ~b ms, with a stall_timeout of 500 ms", [Slowest]).

a_stopped_worker_times_out_in_time(_) ->
    ok = signal_port_stage:start([{pool_size, 1}, {call_timeout, 300}, {stall_timeout, ?PATIENT}]),
    [OsPid] = signal_port_stage:os_pids(),
    "" = signal_port_stage:signal("STOP", OsPid),
    Took = signal_port_stage:in_parallel(20, fun(_) -> timer:tc(fun signal_port:init/0) end),
    [] = [One || {Micros, Answer} = One <- Took,
                 Answer =/= {error, timeout} orelse Micros < 300_000 orelse Micros > 1_500_000].

%% It does not sleep, and so cannot be told from one that works but by the deadline.
ends_a_worker_that_spins(_) ->
    ok = signal_port_stage:start_with("spins.py", [{pool_size, 1}, {stall_timeout, 200}]),
    OsPids = signal_port_stage:os_pids(),
    {error, unavailable} = signal_port:init(),
    signal_port_stage:until_gone(OsPids),
    "the worker had requests and sent no reply within stall_timeout" = signal_port_stage:until(fun last_reason/0),
    [_] = all_ready().

a_worker_that_does_not_read_is_followed_by_one_that_does(_) ->
    ok = signal_port_stage:start([{pool_size, 2}, {stall_timeout, 500}]),
    all_ready(),
    [Stopped | _] = signal_port_stage:os_pids(),
    "" = signal_port_stage:signal("STOP", Stopped),
    Data = binary:copy(<<0>>, 3 bsl 20),
    Answers = signal_port_stage:in_parallel(12, fun(_) -> signal_port:sha256(Data) end),
    [{ok, <<_:256>>}] = lists:usort(Answers),
    signal_port_stage:until_gone([Stopped]),
    1 = signal_port_stage:restarts().

%% --- Workers that lie ---

ends_a_worker_that_prints(_) ->
    ok = signal_port_stage:start_with("prints.py", [{pool_size, 1}]),
    {error, unavailable} = signal_port:init(),
    "the worker sent invalid protocol data" = signal_port_stage:until(fun last_reason/0).

a_call_that_exits_with_any_status_is_given_up(_) ->
    ok = signal_port_stage:start_with("exits_as_told.py", [{pool_size, 1}]),
    [begin
         {error, unavailable} = signal_port:sha256(<<Status>>),
         Sentence = "the worker ended with " ++ signal_port_reason:status(Status),
         signal_port_stage:until(fun() -> all_ready(), last_reason() =:= Sentence end)
     end || Status <- [0, 1, 2, 70, 76, 78, 126, 127, 137, 255]],
    30 = signal_port_stage:restarts().

%% The call that was with it is answered by the next, and the log says it in one line.
a_worker_that_exits_with_any_status_is_followed(Config) ->
    Switch = signal_port_stage:switch(Config),
    ok = signal_port_stage:start_with("exits_once_as_told.py", [{pool_size, 1}]),
    is_followed([{Status, fun(Call) -> ok = file:write_file(Switch, <<>>), Call() end} || Status <- ?STATUSES]).

%% Those that a VM does not have its children ignore.
a_worker_that_is_ended_by_any_signal_is_followed(_) ->
    ok = signal_port_stage:start_with("honest.py", [{pool_size, 1}]),
    Ask = fun(Name) ->
        fun(Call) ->
            [OsPid] = signal_port_stage:os_pids(),
            "" = signal_port_stage:signal(Name, OsPid),
            signal_port_stage:until(fun() -> not signal_port_stage:is_alive(OsPid) end),
            Call()
        end
    end,
    is_followed([{128 + Number, Ask(Name)}
                 || {Name, Number} <- [{"HUP", 1}, {"QUIT", 3}, {"ILL", 4}, {"TRAP", 5}, {"ABRT", 6},
                                       {"KILL", 9}, {"SEGV", 11}, {"ALRM", 14}, {"TERM", 15}]]).

%% `End' has the worker end with such a status, in a call or before it.
is_followed(Ends) ->
    ok = logger:add_handler(?MODULE, ?MODULE, #{level => warning, config => self()}),
    try
        [begin
             {ok, <<_:256>>} = End(fun() -> signal_port:sha256(<<Status>>) end),
             #{restarts := Restarts, last_reason := Sentence} = signal_port_stage:worker(),
             {Status, Number, "the worker ended with " ++ Words} = {Status, Restarts, Sentence},
             Words = signal_port_reason:status(Status),
             ["signal_port: " ++ Line] = lines(),
             Sentence = lists:takewhile(fun(Char) -> Char =/= $, end, Line)
         end || {Number, {Status, End}} <- lists:enumerate(Ends)]
    after
        ok = logger:remove_handler(?MODULE)
    end,
    told("~b ends, each followed, and told in one line", [length(Ends)]).

%% The handler.
log(#{msg := {Format, Args}, meta := #{domain := [signal_port]}}, #{config := Test}) ->
    Test ! {line, lists:flatten(io_lib:format(Format, Args))},
    ok;
log(_, _) ->
    ok.

lines() ->
    receive {line, Line} -> [Line | lines()] after 0 -> [] end.

a_worker_that_never_gets_ready_is_waited_for_in_time(Config) ->
    {Python, Folder} = stand_in("ready_while_told.py", Config),
    ok = signal_port_stage:start([{python, Python}, {pool_size, 1}, {call_timeout, 300}, {start_timeout, 900}]),
    Silent = filename:join(Folder, "silent"),
    ok = file:write_file(Silent, <<>>),
    kill(signal_port_stage:os_pids()),
    [Mute] = signal_port_stage:until(fun starting/0),
    {Micros, {error, timeout}} = timer:tc(fun signal_port:init/0),
    true = Micros < 1_500_000,
    ok = file:delete(Silent),
    signal_port_stage:until_gone([Mute]),
    signal_port_stage:until(fun() -> string:find(last_reason(), "was not ready within 900 ms") =/= nomatch end),
    all_ready(),
    ok = signal_port:init().

%% --- Nothing to run ---

a_python_that_is_removed_is_waited_for(Config) ->
    is_waited_for(fun(Python) -> ok = file:delete(Python) end, Config).

a_python_that_is_broken_is_waited_for(Config) ->
    is_waited_for(fun(Python) ->
        ok = file:delete(Python),
        ok = file:write_file(Python, <<"#!/nowhere\n">>),
        ok = file:change_mode(Python, 8#755)
    end, Config).

is_waited_for(Break, Config) ->
    {Python, _} = stand_in("honest.py", Config),
    ok = signal_port_stage:start([{python, Python}, {pool_size, 2}]),
    all_ready(),
    Supervisor = whereis(signal_port_sup),
    Break(Python),
    kill(signal_port_stage:os_pids()),
    {error, unavailable} = signal_port:init(),
    {Micros, Answers} = timer:tc(fun() -> signal_port_stage:in_parallel(100, fun(_) -> signal_port:init() end) end),
    {[{error, unavailable}], true} = {lists:usort(Answers), Micros < 1_000_000},
    Supervisor = whereis(signal_port_sup),
    _ = file:delete(Python),
    {Python, _} = stand_in("honest.py", Config),
    all_ready(),
    ok = signal_port:init(),
    Supervisor = whereis(signal_port_sup).

%% --- More callers than can be served ---

ten_thousand_callers_are_answered(_) ->
    ok = signal_port_stage:start([{pool_size, 2}, {call_timeout, ?PATIENT}]),
    all_ready(),
    persistent_term:put(?MODULE, known()),  % not in the fun: each caller would have a copy, and they 100 MiB
    Before = used(),
    Clock = clock(),
    Began = now_ms(),
    Answers = signal_port_stage:in_parallel(?CROWD, fun(Number) ->
        Known = persistent_term:get(?MODULE),
        {Operation, Args, Answer} = element(1 + Number rem tuple_size(Known), Known),
        apply(signal_port, Operation, Args) =:= Answer
    end),
    Took = now_ms() - Began,
    {Late, Memory} = stop_clock(Clock),
    true = length(Answers) =:= ?CROWD andalso not lists:member(false, Answers),
    {true, Late} = {Late < ?LATE, Late},
    {true, Memory} = {Memory - memory(Before) < ?CROWD_MEMORY, Memory},
    is_as_before(Before),
    0 = signal_port_stage:restarts(),
    told("~b callers in ~b ms, ~b MiB at most, a timer ~b ms late at most",
         [?CROWD, Took, round(Memory - memory(Before)), Late]).

%% Their worker is stopped, so that all are there when they go.
callers_that_go_away_leave_nothing(_) ->
    ok = signal_port_stage:start([{pool_size, 1}, {stall_timeout, ?PATIENT}]),
    ok = signal_port:init(),
    Before = used(),
    [OsPid] = signal_port_stage:os_pids(),
    "" = signal_port_stage:signal("STOP", OsPid),
    Callers = [spawn_monitor(fun() -> signal_port:sha256(rand:bytes(200)) end) || _ <- lists:seq(1, 5000)],
    signal_port_stage:until(fun() -> maps:get(in_flight, signal_port_stage:worker()) =:= 5000 end),
    end_all(Callers),
    "" = signal_port_stage:signal("CONT", OsPid),
    signal_port_stage:until(fun() -> maps:get(in_flight, signal_port_stage:worker()) =:= 0 end),
    ok = signal_port:init(),
    is_as_before(Before),
    0 = signal_port_stage:restarts().

%% A caller counts itself in, and its worker counts it out: one without the other would make the worker look busy for ever.
%% A process is killed where its turn ends, so each caller's ends elsewhere.
callers_killed_at_any_moment_leave_none_in_flight(_) ->
    ok = signal_port_stage:start([{pool_size, 2}]),
    all_ready(),
    _ = signal_port_stage:in_parallel(?KILLERS, fun(_) ->
        [begin
             {Pid, Monitor} = spawn_monitor(fun Call() ->
                 erlang:bump_reductions(?TURN - Number rem ?CALL),
                 signal_port:init(),
                 Call()
             end),
             spin(rand:uniform(?SPIN)),
             exit(Pid, kill),
             receive {'DOWN', Monitor, process, Pid, killed} -> ok end
         end || Number <- lists:seq(1, ?KILLED div ?KILLERS)]
    end),
    signal_port_stage:until(fun() ->
        _ = signal_port_stage:in_parallel(8, fun(_) -> signal_port:init() end),  % what the last one left is seen by the next
        [0, 0] = [InFlight || #{in_flight := InFlight} <- signal_port_stage:workers()]
    end),
    0 = signal_port_stage:restarts(),
    told("~b callers killed, ~b calls answered", [?KILLED, signal_port_stage:calls()]).

spin(0) -> ok;
spin(Times) -> spin(Times - 1).

waiters_that_go_away_leave_nothing(Config) ->
    leave_nothing([], fun() ->
        Callers = [spawn_monitor(fun signal_port:init/0) || _ <- lists:seq(1, 2000)],
        signal_port_stage:until(fun() -> are_waiting(Callers) end),
        end_all(Callers)
    end, Config).

waiters_that_time_out_leave_nothing(Config) ->
    leave_nothing([{call_timeout, 200}], fun() ->
        Answers = signal_port_stage:in_parallel(2000, fun(_) -> signal_port:init() end),
        [{error, timeout}] = lists:usort(Answers)
    end, Config).

%% No worker is ready, and none gets so.
leave_nothing(Options, Come, Config) ->
    {Python, Folder} = stand_in("ready_while_told.py", Config),
    ok = signal_port_stage:start([{python, Python}, {pool_size, 1}, {start_timeout, ?PATIENT} | Options]),
    ok = file:write_file(filename:join(Folder, "silent"), <<>>),
    kill(signal_port_stage:os_pids()),
    signal_port_stage:until(fun starting/0),
    Size = pool_size(),
    Come(),
    signal_port_stage:until(fun() -> pool_size() < 2 * Size + 100 end).

%% Whoever has given up calls again; were each call of theirs kept, and answered to nobody, none would come in time again.
calls_given_up_do_not_pile_up(_) ->
    ok = signal_port_stage:start([{pool_size, 1}, {call_timeout, 50}, {stall_timeout, ?PATIENT}]),
    [OsPid] = signal_port_stage:os_pids(),
    "" = signal_port_stage:signal("STOP", OsPid),
    Data = binary:copy(<<0>>, 4096),
    _ = signal_port_stage:in_parallel(500, fun(_) -> [signal_port:sha256(Data) || _ <- lists:seq(1, 20)] end),
    InFlight = maps:get(in_flight, signal_port_stage:worker()),
    {true, InFlight} = {InFlight < ?PILE, InFlight},
    "" = signal_port_stage:signal("CONT", OsPid),
    signal_port_stage:until(fun() -> signal_port:init() =:= ok end),
    0 = signal_port_stage:restarts().

pool_size() ->
    erts_debug:flat_size(sys:get_state(signal_port_pool)).

are_waiting(Callers) ->
    lists:all(fun({Pid, _}) -> process_info(Pid, status) =:= {status, waiting} end, Callers).

end_all(Callers) ->
    [exit(Pid, kill) || {Pid, _} <- Callers],
    [receive {'DOWN', Monitor, process, Pid, killed} -> ok end || {Pid, Monitor} <- Callers].

%% --- The end of the VM ---

the_vm_killed_leaves_no_worker(_) ->
    after_the_vm(fun kill_vm/1, fun(_) -> ok end).

the_vm_killed_leaves_no_busy_worker(_) ->
    after_the_vm(fun kill_vm/1, fun(Vm) -> peer:call(Vm, ?MODULE, make_busy, []) end).

the_vm_killed_leaves_no_stopped_worker(_) ->
    after_the_vm(fun kill_vm/1, fun(Vm) ->
        [signal_port_stage:signal("STOP", OsPid) || OsPid <- peer:call(Vm, signal_port_stage, os_pids, [])]
    end).

the_vm_stopped_leaves_no_worker(_) ->
    after_the_vm(fun stop_vm/1, fun(Vm) -> peer:call(Vm, ?MODULE, make_busy, []) end).

make_busy() ->
    [spawn(fun Call() -> signal_port:generate_identity_key_pair(), Call() end) || _ <- lists:seq(1, 16)],
    signal_port_stage:until(fun() -> signal_port_stage:calls() > 100 end),
    ok.

kill_vm(Vm) ->
    kill([list_to_integer(peer:call(Vm, os, getpid, []))]).

stop_vm(Vm) ->
    Monitor = monitor(process, Vm),
    peer:cast(Vm, init, stop, []),
    receive {'DOWN', Monitor, process, Vm, _} -> ok end.

after_the_vm(End, Prepare) ->
    Paths = signal_port_stage:paths(?MODULE),
    {ok, Vm, _} = peer:start(#{connection => standard_io, args => ["-pa" | Paths]}),
    ok = peer:call(Vm, signal_port_stage, start, [[{pool_size, 2}]]),
    _ = peer:call(Vm, ?MODULE, all_ready, []),
    OsPids = peer:call(Vm, signal_port_stage, os_pids, []),
    2 = length(OsPids),
    Prepare(Vm),
    End(Vm),
    Ended = now_ms(),
    try
        signal_port_stage:until(fun() -> not lists:any(fun is_running/1, OsPids) end),
        {true, Took} = {now_ms() - Ended < 1000, now_ms() - Ended},
        told("the last worker was gone ~b ms after the VM", [Took])
    after
        [signal_port_stage:signal("KILL", OsPid) || OsPid <- OsPids]
    end.

%% A zombie has ended: when it is buried is the system's business, now that its parent is gone.
is_running(OsPid) ->
    case file:read_file("/proc/" ++ integer_to_list(OsPid) ++ "/stat") of
        {ok, Stat} -> binary:match(Stat, <<") Z ">>) =:= nomatch;
        {error, _} -> not filelib:is_dir("/proc/self") andalso signal_port_stage:is_alive(OsPid)
    end.

a_supervisor_above_restarts_it_many_times(_) ->
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
    signal_port_stage:until(fun() -> {[], []} = {erlang:ports() -- Ports, processes() -- Processes} end),
    told("~b restarts; no OS process, port or process left", [length(OsPids)]).

%% What the killed one leaves takes a while to end, and has the names.
a_supervisor_above_need_not_try_twice(_) ->
    process_flag(trap_exit, true),
    signal_port_stage:stop(),
    Options = [{pool_size, 1}, {python, signal_port_stage:stand_in("hangs.py")}, {stall_timeout, ?PATIENT}],
    {ok, Supervisor} = supervisor:start_link(?MODULE, {1, [signal_port:child_spec(Options)]}),
    {Old, OsPids} = {whereis(signal_port_sup), signal_port_stage:os_pids()},
    Caller = spawn(fun signal_port:init/0),
    signal_port_stage:until(fun() -> maps:get(in_flight, signal_port_stage:worker()) =:= 1 end),
    exit(Old, kill),
    signal_port_stage:until(fun() -> not lists:member(whereis(signal_port_sup), [Old, undefined]) end),
    exit(Caller, kill),
    signal_port_stage:until(fun() -> [#{state := ready}] = signal_port_stage:workers() end),
    signal_port_stage:until_gone(OsPids),
    exit(Supervisor, shutdown),
    receive {'EXIT', Supervisor, shutdown} -> ok end.

restarted() ->
    Old = whereis(signal_port_sup),
    OsPids = signal_port_stage:os_pids(),
    exit(Old, kill),
    signal_port_stage:until(fun() -> not lists:member(whereis(signal_port_sup), [Old, undefined]) end),
    signal_port_stage:until(fun() -> signal_port:init() =:= ok end),
    OsPids.

%% The callback of the supervisors above: so many restarts, and no more.
init({Intensity, Children}) ->
    {ok, {#{strategy => one_for_one, intensity => Intensity, period => 3600}, Children}}.

%% --- Load ---

%% Calls whose answers are known before anything goes wrong.
known() ->
    Calls = [{Operation, [rand:bytes(32), rand:bytes(Size)]}
             || Size <- lists:seq(1, 1024, 64), Operation <- [hmac_sha256, sha512]],
    Named = [case Call of {sha512, [_, Data]} -> {sha512, [Data]}; _ -> Call end || Call <- Calls],
    list_to_tuple([{Operation, Args, Answer}
                   || {{Operation, Args}, Answer} <- lists:zip(Named, signal_port:batch(Named))]).

%% Callers without a pause, until they are told to stop.
load(Count) ->
    Known = known(),
    Parent = self(),
    [spawn_link(fun() -> Parent ! {self(), calls(Known, Number, {0, 0, []})} end) || Number <- lists:seq(1, Count)].

calls(Known, Number, {Calls, Slowest, Wrong}) ->
    receive
        stop -> {Calls, Slowest, Wrong}
    after 0 ->
        {Operation, Args, Right} = element(1 + Number rem tuple_size(Known), Known),
        {Micros, Answer} = timer:tc(signal_port, Operation, Args),
        Others = case Answer of Right -> Wrong; _ -> [{Operation, Answer} | Wrong] end,
        calls(Known, Number + 1, {Calls + 1, max(Slowest, Micros div 1000), Others})
    end.

%% All calls, the slowest in milliseconds, and those that had not their answer: a few, for a report of all takes minutes.
unload(Load) ->
    [Pid ! stop || Pid <- Load],
    All = [receive {Pid, Told} -> Told after ?PATIENT -> error(no_answer) end || Pid <- Load],
    {lists:sum([Calls || {Calls, _, _} <- All]), lists:max([Slowest || {_, Slowest, _} <- All]),
     lists:sublist(lists:append([Wrong || {_, _, Wrong} <- All]), 5)}.

%% --- What is compared ---

used() ->
    [garbage_collect(Pid) || Pid <- processes()],
    {memory(), erlang:system_info(process_count), length(erlang:ports()), length(ets:all())}.

memory() ->
    erlang:memory(total) / 1024 / 1024.

memory({Memory, _, _, _}) ->
    Memory.

is_as_before({Memory, Processes, Ports, Tables}) ->
    signal_port_stage:until(fun() ->
        {MemoryNow, ProcessesNow, PortsNow, TablesNow} = used(),
        MemoryNow < Memory + ?LEFT_MEMORY andalso ProcessesNow =< Processes andalso PortsNow =< Ports
            andalso TablesNow =< Tables
    end),
    0 = lists:sum([Length || {_, Pid, _, _} <- supervisor:which_children(signal_port_worker_sup)
                                   ++ supervisor:which_children(signal_port_sup),
                             {_, Length} <- [process_info(Pid, message_queue_len)]]).

%% How late the VM's timers were, and how much memory it had, at the worst.
clock() ->
    spawn_link(fun() -> tick(0, memory()) end).

tick(Late, Memory) ->
    Due = now_ms() + 10,
    erlang:send_after(Due, self(), tick, [{abs, true}]),
    receive
        tick -> tick(max(Late, now_ms() - Due), max(Memory, memory()));
        {stop, Pid} -> Pid ! {self(), {Late, Memory}}
    end.

stop_clock(Clock) ->
    Clock ! {stop, self()},
    receive {Clock, Seen} -> Seen end.

%% --- Internals ---

%% A stand-in under a name in the test's own folder, where it looks for what it is told.
stand_in(Name, Config) ->
    Folder = proplists:get_value(folder, Config),
    Link = filename:join(Folder, Name),
    ok = file:make_symlink(filename:absname(signal_port_stage:stand_in(Name)), Link),
    {Link, Folder}.

all_ready() ->
    signal_port_stage:until(fun() ->
        Workers = signal_port_stage:workers(),
        lists:all(fun(#{state := State}) -> State =:= ready end, Workers) andalso Workers
    end).

last_reason() ->
    case signal_port_stage:last_reason() of
        undefined -> false;
        Sentence -> Sentence
    end.

any([]) -> [];
any(List) -> [lists:nth(rand:uniform(length(List)), List)].

kill([]) -> ok;
kill(OsPids) -> _ = os:cmd("kill -s KILL " ++ lists:join(" ", [integer_to_list(OsPid) || OsPid <- OsPids])), ok.

now_ms() ->
    erlang:monotonic_time(millisecond).

told(Format, Args) ->
    {comment, lists:flatten(io_lib:format(Format, Args))}.
