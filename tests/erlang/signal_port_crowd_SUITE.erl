%% Crowds: more callers than can be served, callers that are killed, and callers that wait for no
%% worker. They are answered in time or leave nothing behind.
-module(signal_port_crowd_SUITE).
-compile([export_all, nowarn_export_all]).

-define(PATIENT, 60_000).    % milliseconds; a timeout that no test reaches
-define(CROWD, 10_000).      % callers at once
-define(CROWD_MEMORY, 96).   % MiB at most for that crowd, its processes included
-define(LEFT_MEMORY, 16).    % MiB at most that it leaves
-define(LATE, 500).          % milliseconds at most that a timer is late under load
-define(STORM, 100_000).     % callers at once, with a limit of the queue
-define(MAX_QUEUE, 1000).
-define(KILLED, signal_port_stage:thorough(20_000, 100_000)).  % callers
-define(SPIN, 10_000).       % turns at most before a kill; a few microseconds
-define(TURN, 4000).         % reductions
-define(CALL, 150).          % reductions, more than a caller needs to send a call
-define(KILLERS, 20).        % processes that start callers and kill them
-define(PILE, 2000).         % calls in flight at most after 10,000 expired calls

all() ->
    [{group, served}, {group, killed}, {group, expired}].

groups() ->
    [{served, [ten_thousand_callers_are_answered, storm_over_the_queue_is_refused]},
     {killed, [killed_callers_leave_nothing, callers_killed_at_any_moment_leave_nothing,
               killed_waiters_leave_nothing]},
     {expired, [timed_out_waiters_leave_nothing, expired_calls_do_not_pile_up]}].

init_per_testcase(Case, Config) ->
    Folder = filename:join(proplists:get_value(priv_dir, Config), Case),
    ok = filelib:ensure_path(Folder),
    [{folder, Folder} | Config].

end_per_testcase(_, _) ->
    signal_port_stage:stop().

%% --- Callers ---

ten_thousand_callers_are_answered(_) ->
    ok = signal_port_stage:start_ready([{pool_size, 2}, {call_timeout, ?PATIENT}]),
    %% In the fun, each caller would have a copy: 100 MiB together.
    persistent_term:put(?MODULE, signal_port_load:known()),
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
    signal_port_stage:comment("~b callers in ~b ms, ~b MiB at most, a timer ~b ms late at most",
                              [?CROWD, Took, round(Memory - memory(Before)), Late]).

%% The callers that are taken are compared with as many callers of a pool that has no limit.
storm_over_the_queue_is_refused(_) ->
    ok = signal_port_stage:start_ready([{pool_size, 2}, {max_queue, ?MAX_QUEUE}]),
    ok = signal_port:init(),  % loads the modules
    Before = used(),
    Storm = storm(?STORM),
    Taken = [Took || {ok, Took} <- Storm],
    [_ | _] = Refused = [Took || {{error, overloaded}, Took} <- Storm],
    ?STORM = length(Taken) + length(Refused),
    true = length(Taken) > ?MAX_QUEUE,
    Number = length(Refused),
    #{totals := #{queued := 0, refused := Number, restarts := 0}} = signal_port:info(),
    is_as_before(Before),
    ok = signal_port_stage:start_ready([{pool_size, 2}, {call_timeout, ?PATIENT}]),
    Unlimited = [Took || {ok, Took} <- storm(length(Taken))],
    signal_port_stage:comment(
        "~b callers: ~b taken, p99 ~.1f ms (~.1f ms for as many without a limit, all at once); "
        "~b refused, p99 ~.3f ms, p99.9 ~.3f ms",
        [?STORM, length(Taken), percentile(99, Taken), percentile(99, Unlimited),
         Number, percentile(99, Refused), percentile(99.9, Refused)]).

%% The answers of callers that start at once, with their milliseconds.
storm(Callers) ->
    {Test, Tag} = {self(), make_ref()},
    [spawn_link(fun() ->
         {Micros, Answer} = timer:tc(fun signal_port:init/0),
         Test ! {Tag, Answer, Micros / 1000}
     end) || _ <- lists:seq(1, Callers)],
    [receive {Tag, Answer, Took} -> {Answer, Took} after ?PATIENT -> error(no_answer) end
     || _ <- lists:seq(1, Callers)].

percentile(Percent, Values) ->
    lists:nth(max(1, round(length(Values) * Percent / 100)), lists:sort(Values)).

%% The worker is stopped, so that all callers wait when they are killed.
killed_callers_leave_nothing(_) ->
    ok = signal_port_stage:start([{pool_size, 1}, {stall_timeout, ?PATIENT}]),
    ok = signal_port:init(),
    Before = used(),
    [OsPid] = signal_port_stage:os_pids(),
    "" = signal_port_stage:signal("STOP", OsPid),
    Callers = [spawn_monitor(fun() -> signal_port:sha256(rand:bytes(200)) end)
               || _ <- lists:seq(1, 5000)],
    signal_port_stage:await_in_flight(5000),
    end_all(Callers),
    "" = signal_port_stage:signal("CONT", OsPid),
    signal_port_stage:await_in_flight(0),
    ok = signal_port:init(),
    is_as_before(Before),
    0 = signal_port_stage:restarts().

%% A caller counts its call, and the worker counts the answer. One without the other would make the
%% worker look busy for ever. A process is killed where its turn ends, so each turn ends elsewhere.
callers_killed_at_any_moment_leave_nothing(_) ->
    ok = signal_port_stage:start_ready([{pool_size, 2}]),
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
        %% A missing call is noticed by the next one.
        _ = signal_port_stage:in_parallel(8, fun(_) -> signal_port:init() end),
        [0, 0] = [InFlight || #{in_flight := InFlight} <- signal_port_stage:workers()]
    end),
    0 = signal_port_stage:restarts(),
    signal_port_stage:comment("~b callers killed, ~b calls answered",
                              [?KILLED, signal_port_stage:calls()]).

spin(0) -> ok;
spin(Times) -> spin(Times - 1).

killed_waiters_leave_nothing(Config) ->
    leave_nothing([], fun() ->
        Callers = [spawn_monitor(fun signal_port:init/0) || _ <- lists:seq(1, 2000)],
        signal_port_stage:until(fun() -> are_waiting(Callers) end),
        end_all(Callers)
    end, Config).

timed_out_waiters_leave_nothing(Config) ->
    leave_nothing([{call_timeout, 200}], fun() ->
        Answers = signal_port_stage:in_parallel(2000, fun(_) -> signal_port:init() end),
        [{error, timeout}] = lists:usort(Answers)
    end, Config).

%% No worker is ready, and none becomes ready.
leave_nothing(Options, Wait, Config) ->
    {Python, Folder} = signal_port_load:linked("ready_while_told.py", Config),
    ok = signal_port_stage:start([{python, Python}, {pool_size, 1},
                                  {start_timeout, ?PATIENT} | Options]),
    ok = file:write_file(filename:join(Folder, "silent"), <<>>),
    signal_port_stage:kill(signal_port_stage:os_pids()),
    signal_port_stage:until(fun signal_port_load:starting/0),
    Size = pool_size(),
    Wait(),
    signal_port_stage:until(fun() -> pool_size() < 2 * Size + 100 end).

%% Callers that time out call again. If the worker kept expired calls, no call would be in time.
expired_calls_do_not_pile_up(_) ->
    ok = signal_port_stage:start([{pool_size, 1}, {call_timeout, 50}, {stall_timeout, ?PATIENT}]),
    [OsPid] = signal_port_stage:os_pids(),
    "" = signal_port_stage:signal("STOP", OsPid),
    Data = binary:copy(<<0>>, 4096),
    _ = signal_port_stage:in_parallel(500, fun(_) ->
        [signal_port:sha256(Data) || _ <- lists:seq(1, 20)]
    end),
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
        MemoryNow < Memory + ?LEFT_MEMORY andalso ProcessesNow =< Processes
            andalso PortsNow =< Ports andalso TablesNow =< Tables
    end),
    Children = lists:append([supervisor:which_children(Supervisor)
                             || Supervisor <- [signal_port_sup, signal_port_worker_sup]]),
    [] = [Pid || {_, Pid, _, _} <- Children,
                 process_info(Pid, message_queue_len) =/= {message_queue_len, 0}].

%% Measures how late the VM's timers are and how much memory it has, at most.
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

now_ms() ->
    erlang:monotonic_time(millisecond).
