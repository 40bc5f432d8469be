%% The pool: which worker gets a call, what is retried, and what recovers after a loss.
-module(signal_port_pool_SUITE).
-compile([export_all, nowarn_export_all]).

-define(PATIENT, 60_000).  % milliseconds; a timeout that no test reaches

all() ->
    [{group, retries}, {group, choice}, {group, losses}, {group, recovery},
     {group, waiters}].

groups() ->
    [{retries, [deadly_call_is_tried_three_times, deadly_call_fails_alone,
                stalling_call_fails_alone, slow_call_delays_no_other]},
     {choice, [long_call_delays_no_short_one, burst_spreads_over_workers]},
     {losses, [killed_worker_fails_no_call, all_killed_workers_fail_no_call,
               many_kills_fail_no_call, killed_pool_fails_no_call,
               killed_worker_process_fails_no_call, killed_pool_leaves_no_os_process]},
     {recovery, [lost_worker_is_replaced, calls_are_counted_over_restarts,
                 call_waits_up_to_its_timeout, failing_starts_are_unavailable,
                 pool_recovers_when_workers_start, delay_grows_with_failed_starts,
                 recovered_worker_that_is_lost_is_awaited, infinite_call_timeout_is_accepted]},
     {waiters, [worker_that_a_caller_lost_is_not_ready, waiter_that_gave_up_is_forgotten]}].

end_per_testcase(_, _) ->
    signal_port_stage:stop().

%% --- Retries ---

deadly_call_is_tried_three_times(_) ->
    ok = signal_port_stage:start_with("exits_on_marker.py", [{pool_size, 1}]),
    {error, unavailable} = signal_port:sha256(signal_port_stage:marker()),
    3 = signal_port_stage:until(fun() -> signal_port_stage:restarts() =:= 3 andalso 3 end),
    ok = signal_port:init(),
    3 = signal_port_stage:restarts().

deadly_call_fails_alone(_) ->
    fails_alone("exits_on_marker.py", []).

stalling_call_fails_alone(_) ->
    fails_alone("hangs_on_marker.py", [{stall_timeout, 200}]).

fails_alone(StandIn, Options) ->
    start_two(StandIn, Options),
    Load = load(fun(Data) -> signal_port:sha256(Data) end),
    {error, unavailable} = signal_port:sha256(signal_port_stage:marker()),
    [] = [Answer || Answer <- unload(Load), not is_hash(Answer)].

slow_call_delays_no_other(Config) ->
    File = signal_port_stage:switch(Config),
    start_two("slow_on_marker.py", [{stall_timeout, ?PATIENT}]),
    Slow = signal_port_stage:async(fun() -> signal_port:sha256(signal_port_stage:marker()) end),
    signal_port_stage:until(fun() -> in_flight() =:= [0, 1] end),
    [ok = signal_port:init() || _ <- lists:seq(1, 100)],
    ok = file:write_file(File, <<>>),
    {ok, _} = signal_port_stage:await(Slow).

%% --- The choice of a worker ---

long_call_delays_no_short_one(_) ->
    ok = signal_port_stage:start_ready([{pool_size, 2}]),
    Data = binary:copy(<<0>>, 32 bsl 20),
    Long = signal_port_stage:async(fun() ->
        signal_port:aes_gcm_encrypt(<<1:256>>, <<2:96>>, Data, <<>>, 16)
    end),
    signal_port_stage:until(fun() -> in_flight() =:= [0, 1] end),
    [ok = signal_port:init() || _ <- lists:seq(1, 10)],
    [0, 1] = in_flight(),
    {ok, _, _} = signal_port_stage:await(Long),
    ok.

burst_spreads_over_workers(Config) ->
    File = signal_port_stage:switch(Config),
    Python = signal_port_stage:stand_in("slow_on_marker.py"),
    ok = signal_port_stage:start_ready([{python, Python}, {pool_size, 3},
                                        {stall_timeout, ?PATIENT}]),
    Marker = signal_port_stage:marker(),
    Calls = [begin
                 Call = signal_port_stage:async(fun() -> signal_port:sha256(Marker) end),
                 signal_port_stage:await_in_flight(Number),
                 Call
             end || Number <- lists:seq(1, 9)],
    [3, 3, 3] = in_flight(),
    ok = file:write_file(File, <<>>),
    [{ok, _} = signal_port_stage:await(Call) || Call <- Calls].

in_flight() ->
    lists:sort([InFlight || #{in_flight := InFlight} <- signal_port_stage:workers()]).

%% --- Losses under load ---

killed_worker_fails_no_call(_) ->
    survives(fun() -> signal_port_stage:kill([hd(signal_port_stage:os_pids())]) end, 1).

all_killed_workers_fail_no_call(_) ->
    survives(fun() -> signal_port_stage:kill(signal_port_stage:os_pids()) end, 2).

%% Each kill waits until the last worker is replaced: a call survives at most two losses.
many_kills_fail_no_call(_) ->
    survives(fun() ->
        [begin
             Restarts = signal_port_stage:restarts(),
             signal_port_stage:kill([hd(signal_port_stage:os_pids())]),
             signal_port_stage:until(fun() ->
                 signal_port_stage:restarts() > Restarts andalso signal_port_stage:are_ready()
             end)
         end || _ <- lists:seq(1, 10)]
    end, 10).

killed_worker_process_fails_no_call(_) ->
    survives(fun() ->
        {_, Pid, _, _} = hd(supervisor:which_children(signal_port_worker_sup)),
        exit(Pid, kill)
    end, 1).

killed_pool_fails_no_call(_) ->
    survives(fun() ->
        Pool = whereis(signal_port_pool),
        exit(Pool, kill),
        signal_port_stage:until(fun() ->
            not lists:member(whereis(signal_port_pool), [Pool, undefined])
        end)
    end, 0).

killed_pool_leaves_no_os_process(_) ->
    ok = signal_port_stage:start([{pool_size, 2}]),
    OsPids = signal_port_stage:os_pids(),
    exit(whereis(signal_port_pool), kill),
    signal_port_stage:until_gone(OsPids),
    ok = signal_port:init().

survives(Loss, Restarts) ->
    ok = signal_port_stage:start_ready([{pool_size, 2}, {call_timeout, ?PATIENT}]),
    Load = load(fun(Data) -> is_hash(signal_port:hmac_sha256(<<"key">>, Data)) end),
    Loss(),
    signal_port_stage:until(fun() ->
        signal_port_stage:restarts() >= Restarts andalso signal_port_stage:are_ready()
    end),
    Before = signal_port_stage:calls(),
    signal_port_stage:until(fun() -> signal_port_stage:calls() > Before + 100 end),
    false = lists:member(false, unload(Load)).

%% --- Recovery ---

lost_worker_is_replaced(_) ->
    ok = signal_port_stage:start_with("honest.py", [{pool_size, 1}]),
    ok = signal_port:init(),
    [OsPid] = signal_port_stage:os_pids(),
    signal_port_stage:kill([OsPid]),
    signal_port_stage:until(fun() ->
        signal_port_stage:restarts() =:= 1 andalso signal_port_stage:are_ready()
    end),
    #{os_pid := Other, last_reason := "the worker ended with signal 9 (SIGKILL)"} =
        signal_port_stage:worker(),
    true = Other =/= OsPid.

calls_are_counted_over_restarts(_) ->
    ok = signal_port_stage:start_with("honest.py", [{pool_size, 1}]),
    [ok = signal_port:init() || _ <- lists:seq(1, 7)],
    signal_port_stage:kill(signal_port_stage:os_pids()),
    signal_port_stage:until(fun() ->
        signal_port_stage:restarts() =:= 1 andalso signal_port_stage:are_ready()
    end),
    [ok = signal_port:init() || _ <- lists:seq(1, 5)],
    12 = signal_port_stage:calls().

call_waits_up_to_its_timeout(Config) ->
    File = signal_port_stage:switch(Config),
    ok = signal_port_stage:start_with("exits_while_told.py", [{pool_size, 1}, {call_timeout, 150}]),
    ok = file:write_file(File, <<>>),
    signal_port_stage:kill(signal_port_stage:os_pids()),
    signal_port_stage:until(fun() -> not signal_port_stage:are_ready() end),
    {Micros, {error, timeout}} = timer:tc(fun signal_port:init/0),
    true = Micros >= 150_000.

failing_starts_are_unavailable(Config) ->
    _ = start_broken(Config),
    {error, unavailable} = signal_port:init(),
    "the worker (" ++ _ = Reason = signal_port_stage:last_reason(),
    true = lists:suffix("ended with status 4 before it was ready: read its standard error", Reason).

pool_recovers_when_workers_start(Config) ->
    File = start_broken(Config),
    {error, unavailable} = signal_port:init(),
    ok = file:delete(File),
    ok = signal_port_stage:until(fun() -> ok = signal_port:init() end).

delay_grows_with_failed_starts(Config) ->
    _ = start_broken(Config),
    [First, Second, Third] = [starts_at(Restarts) || Restarts <- [2, 3, 4]],
    true = Second - First >= 200,
    true = Third - Second >= 400.

%% Starts a pool, kills its worker, and makes all starts fail until the returned file is deleted.
start_broken(Config) ->
    File = signal_port_stage:switch(Config),
    Options = [{pool_size, 1}, {call_timeout, ?PATIENT}],
    ok = signal_port_stage:start_with("exits_while_told.py", Options),
    ok = file:write_file(File, <<>>),
    signal_port_stage:kill(signal_port_stage:os_pids()),
    File.

starts_at(Restarts) ->
    signal_port_stage:until(fun() -> signal_port_stage:restarts() >= Restarts end),
    erlang:monotonic_time(millisecond).

%% After failed starts a worker is ready, and is lost at its first call. The caller can know this
%% before the pool. It must not get {error, unavailable} then.
recovered_worker_that_is_lost_is_awaited(Config) ->
    File = start_broken(Config),
    {error, unavailable} = signal_port:init(),
    ok = file:delete(File),
    signal_port_stage:await_ready(),
    Worker = signal_port_stage:pid(),
    Waiter = signal_port_stage:async(fun() ->
        gen_server:call(signal_port_pool, {wait, [Worker]})
    end),
    signal_port_stage:until(fun() -> process_info(Waiter, status) =/= {status, runnable} end),
    signal_port_stage:kill(signal_port_stage:os_pids()),
    ok = signal_port_stage:await(Waiter).

infinite_call_timeout_is_accepted(_) ->
    ok = signal_port_stage:start_with("honest.py", [{pool_size, 1}, {call_timeout, infinity}]),
    signal_port_stage:kill(signal_port_stage:os_pids()),
    ok = signal_port:init().

%% --- Callers that wait ---

%% A caller can know of the end of a worker before the pool does.
worker_that_a_caller_lost_is_not_ready(_) ->
    ok = signal_port_stage:start_with("honest.py", [{pool_size, 1}]),
    {error, timeout} = signal_port_pool:wait([signal_port_stage:pid()], 100).

waiter_that_gave_up_is_forgotten(_) ->
    Options = [{pool_size, 1}, {start_without_worker, true}, {start_timeout, ?PATIENT}],
    ok = signal_port_stage:start_with("no_ready.py", Options),
    {error, timeout} = signal_port_pool:wait([], 1),
    _ = signal_port:info(),  % the pool replies after it has read what it was sent before
    {monitored_by, Pids} = process_info(self(), monitored_by),
    false = lists:member(whereis(signal_port_pool), Pids).

%% --- Internals ---

start_two(StandIn, Options) ->
    Python = signal_port_stage:stand_in(StandIn),
    ok = signal_port_stage:start_ready([{python, Python}, {pool_size, 2} | Options]).

is_hash({ok, <<_:256>>}) -> true;
is_hash(_) -> false.

%% Starts callers that call without a pause until unload/1, which returns all outcomes.
load(Fun) ->
    [signal_port_stage:async(fun() -> calls(Fun, []) end) || _ <- lists:seq(1, 8)].

calls(Fun, Outcomes) ->
    receive
        stop -> Outcomes
    after 0 ->
        calls(Fun, [Fun(rand:bytes(rand:uniform(200))) | Outcomes])
    end.

unload(Load) ->
    [Pid ! stop || Pid <- Load],
    lists:append([signal_port_stage:await(Pid) || Pid <- Load]).
