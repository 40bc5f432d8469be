%% The pool: whose turn it is, what is tried again, what comes back after a loss.
-module(signal_port_pool_SUITE).
-compile([export_all, nowarn_export_all]).

-define(PATIENT, 60_000). % milliseconds; for a time-out that is not to matter

all() ->
    [tries_a_deadly_call_three_times, a_deadly_call_leaves_the_others_served,
     a_call_that_stalls_three_workers_leaves_the_others_served, a_hanging_call_leaves_the_others_served,
     a_long_call_does_not_delay_short_ones, a_burst_spreads_over_the_workers,
     one_killed_under_load_fails_no_call, all_killed_at_once_fail_no_call, many_killings_fail_no_call,
     the_pool_killed_fails_no_call, a_worker_process_killed_fails_no_call, the_pool_killed_leaves_no_os_process,
     a_lost_worker_is_replaced, counts_calls_over_restarts, waits_for_a_worker_up_to_the_timeout,
     is_unavailable_when_no_worker_starts, comes_back_when_workers_start_again, waits_longer_after_each_failed_start,
     a_mended_worker_that_is_lost_is_waited_for, call_timeout_may_be_infinite].

end_per_testcase(_, _) ->
    signal_port_stage:stop().

%% --- What is tried again ---

tries_a_deadly_call_three_times(_) ->
    ok = signal_port_stage:start_with("exits_on_marker.py", [{pool_size, 1}]),
    {error, unavailable} = signal_port:sha256(signal_port_stage:marker()),
    3 = signal_port_stage:until(fun() -> signal_port_stage:restarts() =:= 3 andalso 3 end),
    ok = signal_port:init(),
    3 = signal_port_stage:restarts().

a_deadly_call_leaves_the_others_served(_) ->
    leaves_the_others_served("exits_on_marker.py", []).

a_call_that_stalls_three_workers_leaves_the_others_served(_) ->
    leaves_the_others_served("hangs_on_marker.py", [{stall_timeout, 200}]).

leaves_the_others_served(StandIn, Options) ->
    ok = signal_port_stage:start_with(StandIn, [{pool_size, 2} | Options]),
    signal_port_stage:until(fun all_ready/0),
    Load = load(fun(Data) -> signal_port:sha256(Data) end),
    {error, unavailable} = signal_port:sha256(signal_port_stage:marker()),
    [] = [Answer || Answer <- unload(Load), not is_hash(Answer)].

a_hanging_call_leaves_the_others_served(Config) ->
    File = signal_port_stage:switch(Config),
    ok = signal_port_stage:start_with("slow_on_marker.py", [{pool_size, 2}, {stall_timeout, ?PATIENT}]),
    signal_port_stage:until(fun all_ready/0),
    Slow = called(fun() -> signal_port:sha256(signal_port_stage:marker()) end),
    signal_port_stage:until(fun() -> in_flight() =:= [0, 1] end),
    [ok = signal_port:init() || _ <- lists:seq(1, 100)],
    ok = file:write_file(File, <<>>),
    {ok, _} = answer(Slow).

%% --- Whose turn it is ---

a_long_call_does_not_delay_short_ones(_) ->
    ok = signal_port_stage:start([{pool_size, 2}]),
    signal_port_stage:until(fun all_ready/0),
    Data = binary:copy(<<0>>, 32 bsl 20),
    Long = called(fun() -> signal_port:aes_gcm_encrypt(<<1:256>>, <<2:96>>, Data, <<>>, 16) end),
    signal_port_stage:until(fun() -> in_flight() =:= [0, 1] end),
    [ok = signal_port:init() || _ <- lists:seq(1, 10)],
    [0, 1] = in_flight(), % still
    {ok, _, _} = answer(Long),
    ok.

a_burst_spreads_over_the_workers(Config) ->
    File = signal_port_stage:switch(Config),
    ok = signal_port_stage:start_with("slow_on_marker.py", [{pool_size, 3}, {stall_timeout, ?PATIENT}]),
    signal_port_stage:until(fun all_ready/0),
    Marker = signal_port_stage:marker(),
    Calls = [begin
                 Call = called(fun() -> signal_port:sha256(Marker) end),
                 signal_port_stage:until(fun() -> lists:sum(in_flight()) =:= Number end),
                 Call
             end || Number <- lists:seq(1, 9)],
    [3, 3, 3] = in_flight(),
    ok = file:write_file(File, <<>>),
    [{ok, _} = answer(Call) || Call <- Calls].

in_flight() ->
    lists:sort([InFlight || #{in_flight := InFlight} <- signal_port_stage:workers()]).

%% --- Losses under load ---

one_killed_under_load_fails_no_call(_) ->
    survives(fun() -> kill([hd(signal_port_stage:os_pids())]) end, 1).

all_killed_at_once_fail_no_call(_) ->
    survives(fun() -> kill(signal_port_stage:os_pids()) end, 2).

%% Each loss waits for the one before to be made good: a call may lose three workers and no more.
many_killings_fail_no_call(_) ->
    survives(fun() ->
        [begin
             Restarts = signal_port_stage:restarts(),
             kill([hd(signal_port_stage:os_pids())]),
             signal_port_stage:until(fun() -> signal_port_stage:restarts() > Restarts andalso all_ready() end)
         end || _ <- lists:seq(1, 10)]
    end, 10).

a_worker_process_killed_fails_no_call(_) ->
    survives(fun() ->
        {_, Pid, _, _} = hd(supervisor:which_children(signal_port_worker_sup)),
        exit(Pid, kill)
    end, 1).

the_pool_killed_fails_no_call(_) ->
    survives(fun() ->
        Pool = whereis(signal_port_pool),
        exit(Pool, kill),
        signal_port_stage:until(fun() -> not lists:member(whereis(signal_port_pool), [Pool, undefined]) end)
    end, 0).

the_pool_killed_leaves_no_os_process(_) ->
    ok = signal_port_stage:start([{pool_size, 2}]),
    OsPids = signal_port_stage:os_pids(),
    exit(whereis(signal_port_pool), kill),
    signal_port_stage:until_gone(OsPids),
    ok = signal_port:init().

survives(Loss, Restarts) ->
    ok = signal_port_stage:start([{pool_size, 2}, {call_timeout, ?PATIENT}]),
    signal_port_stage:until(fun all_ready/0),
    Load = load(fun(Data) -> is_hash(signal_port:hmac_sha256(<<"key">>, Data)) end),
    Loss(),
    signal_port_stage:until(fun() -> signal_port_stage:restarts() >= Restarts andalso all_ready() end),
    Before = signal_port_stage:calls(),
    signal_port_stage:until(fun() -> signal_port_stage:calls() > Before + 100 end),
    false = lists:member(false, unload(Load)).

kill(OsPids) ->
    "" = os:cmd("kill -s KILL " ++ lists:join(" ", [integer_to_list(OsPid) || OsPid <- OsPids]) ++ " 2>&1").

all_ready() ->
    lists:all(fun(#{state := SlotState}) -> SlotState =:= ready end, signal_port_stage:workers()).

%% --- What comes back ---

a_lost_worker_is_replaced(_) ->
    ok = signal_port_stage:start_with("honest.py", [{pool_size, 1}]),
    ok = signal_port:init(),
    [OsPid] = signal_port_stage:os_pids(),
    kill([OsPid]),
    signal_port_stage:until(fun() -> signal_port_stage:restarts() =:= 1 andalso all_ready() end),
    #{os_pid := Other, last_reason := "the worker ended with signal 9 (SIGKILL)"} = signal_port_stage:worker(),
    true = Other =/= OsPid.

counts_calls_over_restarts(_) ->
    ok = signal_port_stage:start_with("honest.py", [{pool_size, 1}]),
    [ok = signal_port:init() || _ <- lists:seq(1, 7)],
    kill(signal_port_stage:os_pids()),
    signal_port_stage:until(fun() -> signal_port_stage:restarts() =:= 1 andalso all_ready() end),
    [ok = signal_port:init() || _ <- lists:seq(1, 5)],
    12 = signal_port_stage:calls().

waits_for_a_worker_up_to_the_timeout(Config) ->
    File = signal_port_stage:switch(Config),
    ok = signal_port_stage:start_with("exits_while_told.py", [{pool_size, 1}, {call_timeout, 150}]),
    ok = file:write_file(File, <<>>),
    kill(signal_port_stage:os_pids()),
    signal_port_stage:until(fun() -> not all_ready() end),
    {Micros, {error, timeout}} = timer:tc(fun signal_port:init/0),
    true = Micros >= 150_000.

is_unavailable_when_no_worker_starts(Config) ->
    _ = broken(Config),
    {error, unavailable} = signal_port:init(),
    "the worker (" ++ _ = Reason = signal_port_stage:last_reason(),
    true = lists:suffix("ended with status 4 before it was ready: read its standard error", Reason).

comes_back_when_workers_start_again(Config) ->
    File = broken(Config),
    {error, unavailable} = signal_port:init(),
    ok = file:delete(File),
    ok = signal_port_stage:until(fun() -> ok = signal_port:init() end).

waits_longer_after_each_failed_start(Config) ->
    _ = broken(Config),
    [First, Second, Third] = [starts_at(Restarts) || Restarts <- [2, 3, 4]],
    true = Second - First >= 200,
    true = Third - Second >= 400.

%% A pool whose one worker has been lost, and of which none can be started until the file returned is deleted.
broken(Config) ->
    File = signal_port_stage:switch(Config),
    ok = signal_port_stage:start_with("exits_while_told.py", [{pool_size, 1}, {call_timeout, ?PATIENT}]),
    ok = file:write_file(File, <<>>),
    kill(signal_port_stage:os_pids()),
    File.

starts_at(Restarts) ->
    signal_port_stage:until(fun() -> signal_port_stage:restarts() >= Restarts end),
    erlang:monotonic_time(millisecond).

%% After failed starts a worker is ready again, and lost at its first call. The pool may hear of the loss after the
%% caller, who must not be told then that all is lost.
a_mended_worker_that_is_lost_is_waited_for(Config) ->
    File = broken(Config),
    {error, unavailable} = signal_port:init(),
    ok = file:delete(File),
    signal_port_stage:until(fun all_ready/0),
    Worker = signal_port_stage:pid(),
    Waiter = called(fun() -> gen_server:call(signal_port_pool, {wait, [Worker]}) end),
    signal_port_stage:until(fun() -> process_info(Waiter, status) =/= {status, runnable} end),
    kill(signal_port_stage:os_pids()),
    ok = answer(Waiter).

call_timeout_may_be_infinite(_) ->
    ok = signal_port_stage:start_with("honest.py", [{pool_size, 1}, {call_timeout, infinity}]),
    kill(signal_port_stage:os_pids()),
    ok = signal_port:init().

%% --- Internals ---

is_hash({ok, <<_:256>>}) -> true;
is_hash(_) -> false.

%% Callers without a pause, until they are told to stop; each then says of each call whether it went well.
load(Fun) ->
    [called(fun() -> calls(Fun, []) end) || _ <- lists:seq(1, 8)].

calls(Fun, Outcomes) ->
    receive
        stop -> Outcomes
    after 0 ->
        calls(Fun, [Fun(rand:bytes(rand:uniform(200))) | Outcomes])
    end.

unload(Load) ->
    [Pid ! stop || Pid <- Load],
    lists:append([answer(Pid) || Pid <- Load]).

called(Fun) ->
    Parent = self(),
    spawn_link(fun() -> Parent ! {self(), Fun()} end).

answer(Pid) ->
    receive {Pid, Answer} -> Answer after ?PATIENT -> error(no_answer) end.
