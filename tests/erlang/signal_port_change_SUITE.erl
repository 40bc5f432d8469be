%% What an operator changes while the application runs: its workers are replaced, and their number.
%% Callers must notice nothing of it.
-module(signal_port_change_SUITE).
-compile([export_all, nowarn_export_all]).

-define(PATIENT, 60_000).  % milliseconds; a timeout that no test reaches
-define(CALLERS, 8).
-define(ROUNDS, signal_port_stage:thorough(4, 20)).

all() ->
    [{group, replaced}, {group, not_replaced}, {group, resized}, {group, killed}].

groups() ->
    [{replaced, [all_workers_are_replaced, replaced_worker_answers_its_calls_first,
                 pool_of_one_is_ready_all_the_time, waiting_place_gets_a_worker,
                 two_replacements_at_once_succeed, idle_pool_stays_idle]},
     {not_replaced, [failing_successor_leaves_the_old_workers,
                     restarted_pool_is_reported, application_that_does_not_run_is_reported]},
     {resized, [larger_pool_starts_workers, smaller_pool_answers_its_calls_first,
                calls_and_restarts_of_removed_places_are_counted,
                new_size_outlives_the_pool, late_start_of_a_removed_place_is_ignored,
                idle_pool_is_resized_without_a_worker, wrong_size_is_badarg,
                resize_without_application_exits]},
     {killed, [kills_during_replacements_fail_no_call, kills_during_resizes_fail_no_call,
               stop_during_a_replacement_leaves_no_os_process]}].

end_per_testcase(_, _) ->
    signal_port_stage:stop().

%% --- Workers that are replaced ---

all_workers_are_replaced(_) ->
    ok = signal_port_stage:start_ready([{pool_size, 3}]),
    Old = signal_port_stage:os_pids(),
    Load = signal_port_load:start(?CALLERS),
    ok = signal_port:replace_workers(),
    {Calls, _, []} = signal_port_load:stop(Load),
    New = signal_port_stage:os_pids(),
    {3, New} = {length(New), New -- Old},
    false = lists:any(fun signal_port_stage:is_alive/1, Old),
    3 = workers(),
    #{totals := #{calls := Counted, in_flight := 0, restarts := 3}} = signal_port:info(),
    true = Counted >= Calls,
    [undefined] = lists:usort([Reason || #{last_reason := Reason} <- signal_port_stage:workers()]).

replaced_worker_answers_its_calls_first(Config) ->
    File = signal_port_stage:switch(Config),
    start("slow_on_marker.py", [{pool_size, 1}]),
    [Old] = signal_port_stage:os_pids(),
    Slow = signal_port_stage:async(fun() -> signal_port:sha256(signal_port_stage:marker()) end),
    signal_port_stage:await_in_flight(1),
    Replacing = signal_port_stage:async(fun signal_port:replace_workers/0),
    [New] = signal_port_stage:until(fun() -> [_] = signal_port_stage:os_pids() -- [Old] end),
    ok = signal_port:init(),
    #{totals := #{calls := 1, in_flight := 1}, workers := [#{in_flight := 0}]} =
        signal_port:info(),
    true = signal_port_stage:is_alive(Old),
    ok = file:write_file(File, <<>>),
    {ok, _} = signal_port_stage:await(Slow),
    ok = signal_port_stage:await(Replacing),
    false = signal_port_stage:is_alive(Old),
    #{totals := #{calls := 2, in_flight := 0, restarts := 1},
      workers := [#{os_pid := New, calls := 2}]} = signal_port:info().

pool_of_one_is_ready_all_the_time(_) ->
    ok = signal_port_stage:start([{pool_size, 1}]),
    Replacing = signal_port_stage:async(fun() ->
        [signal_port:replace_workers() || _ <- lists:seq(1, ?ROUNDS)]
    end),
    true = is_ready_until_answer(Replacing).

is_ready_until_answer(Pid) ->
    receive
        {Pid, Answers} -> [ok] =:= lists:usort(Answers)
    after 1 ->
        signal_port:ready() andalso is_ready_until_answer(Pid)
    end.

%% The old worker is lost, and its place waits for the next start.
waiting_place_gets_a_worker(Config) ->
    File = signal_port_stage:switch(Config),
    start("exits_while_told.py", [{pool_size, 1}]),
    ok = file:write_file(File, <<>>),
    signal_port_stage:kill(signal_port_stage:os_pids()),
    signal_port_stage:until(fun() -> signal_port_stage:restarts() >= 3 end),
    ok = file:delete(File),
    ok = signal_port_stage:until(fun() -> ok = signal_port:replace_workers() end),
    ok = signal_port:init(),
    signal_port_stage:until(fun() -> workers() =:= 1 end).

two_replacements_at_once_succeed(_) ->
    start("honest.py", [{pool_size, 3}]),
    Old = signal_port_stage:os_pids(),
    [ok, ok] = signal_port_stage:in_parallel(2, fun(_) -> signal_port:replace_workers() end),
    New = signal_port_stage:os_pids(),
    {3, New} = {length(New), New -- Old},
    3 = workers().

idle_pool_stays_idle(_) ->
    Supervisor = start_idle(),
    ok = signal_port:replace_workers(),
    [#{state := idle}, #{state := idle}] = signal_port_stage:workers(),
    ok = gen_server:stop(Supervisor).

%% --- Workers that are not replaced ---

failing_successor_leaves_the_old_workers(Config) ->
    File = signal_port_stage:switch(Config),
    start("exits_while_told.py", [{pool_size, 2}]),
    Old = signal_port_stage:os_pids(),
    ok = file:write_file(File, <<>>),
    {error, Sentence} = signal_port:replace_workers(),
    [_, _] = string:split(Sentence, "ended with status 4 before it was ready"),
    Old = signal_port_stage:os_pids(),
    2 = workers(),
    0 = signal_port_stage:restarts(),
    ok = signal_port:init(),
    ok = file:delete(File),
    ok = signal_port:replace_workers().

restarted_pool_is_reported(Config) ->
    Folder = proplists:get_value(priv_dir, Config),
    {Python, _} = signal_port_load:linked("ready_while_told.py", [{folder, Folder}]),
    ok = signal_port_stage:start([{python, Python}, {pool_size, 1}, {start_timeout, ?PATIENT}]),
    ok = file:write_file(filename:join(Folder, "silent"), <<>>),
    Replacing = signal_port_stage:async(fun signal_port:replace_workers/0),
    signal_port_stage:until(fun() -> workers() =:= 2 end),
    exit(whereis(signal_port_pool), kill),
    {error, "signal_port stopped, or restarted all workers, while they were replaced" ++ _} =
        signal_port_stage:await(Replacing).

application_that_does_not_run_is_reported(_) ->
    signal_port_stage:stop(),
    {error, "no worker was replaced, because signal_port is not running: start it first"} =
        signal_port:replace_workers().

%% --- The size of the pool ---

larger_pool_starts_workers(_) ->
    start("honest.py", [{pool_size, 1}]),
    [Old] = signal_port_stage:os_pids(),
    ok = signal_port:resize(4),
    [#{os_pid := Old}, _, _, _] = signal_port_stage:await_ready(),
    4 = length(signal_port_table:workers()),
    0 = signal_port_stage:restarts().

smaller_pool_answers_its_calls_first(Config) ->
    File = signal_port_stage:switch(Config),
    start("slow_on_marker.py", [{pool_size, 2}]),
    Slow = [begin
                Call = fun() -> signal_port:sha256(signal_port_stage:marker()) end,
                Caller = signal_port_stage:async(Call),
                signal_port_stage:await_in_flight(Number),
                Caller
            end || Number <- [1, 2, 3, 4]],
    ok = signal_port:resize(1),
    #{totals := #{in_flight := 4}, workers := [#{in_flight := 2}]} = signal_port:info(),
    [_] = signal_port_table:workers(),
    2 = workers(),
    ok = file:write_file(File, <<>>),
    [{ok, _} = signal_port_stage:await(Caller) || Caller <- Slow],
    signal_port_stage:until(fun() -> workers() =:= 1 end),
    #{totals := #{calls := 4, in_flight := 0, restarts := 0}} = signal_port:info().

calls_and_restarts_of_removed_places_are_counted(_) ->
    start("honest.py", [{pool_size, 3}]),
    ok = signal_port:replace_workers(),
    _ = signal_port_stage:in_parallel(50, fun(_) -> signal_port:init() end),
    50 = total(calls),
    ok = signal_port:resize(1),
    50 = total(calls),
    signal_port_stage:until(fun() -> workers() =:= 1 end),
    50 = total(calls),
    3 = total(restarts).

new_size_outlives_the_pool(_) ->
    start("honest.py", [{pool_size, 1}]),
    ok = signal_port:resize(3),
    exit(whereis(signal_port_pool), kill),
    [_, _, _] = signal_port_stage:await_ready().

%% The place has a start due when it is removed, and is added again before that.
late_start_of_a_removed_place_is_ignored(Config) ->
    File = signal_port_stage:switch(Config),
    start("exits_while_told.py", [{pool_size, 2}]),
    Pool = whereis(signal_port_pool),
    ok = file:write_file(File, <<>>),
    signal_port_stage:kill(signal_port_stage:os_pids()),
    signal_port_stage:until(fun() ->
        [_, #{state := waiting, restarts := 2}] = signal_port_stage:workers()
    end),
    ok = signal_port:resize(1),
    ok = file:delete(File),
    ok = signal_port:resize(2),
    signal_port_stage:await_ready(),
    whereis(signal_port_pool) ! {start, 2},
    whereis(signal_port_pool) ! {start, 3},
    2 = length(signal_port_stage:workers()),
    Pool = whereis(signal_port_pool),
    2 = workers().

idle_pool_is_resized_without_a_worker(_) ->
    Supervisor = start_idle(),
    ok = signal_port:resize(3),
    [#{state := idle}, #{state := idle}, #{state := idle}] = signal_port_stage:workers(),
    ok = signal_port:init(),
    [_, _, _] = signal_port_stage:await_ready(),
    ok = gen_server:stop(Supervisor).

wrong_size_is_badarg(_) ->
    start("honest.py", [{pool_size, 1}]),
    [try signal_port:resize(Size) of
         Answer -> error({returned, Answer})
     catch
         error:badarg:Trace ->
             [{signal_port, resize, 1, Info} | _] = Trace,
             #{module := Module} = proplists:get_value(error_info, Info),
             #{1 := "must be a number of workers from 1 to 256"} =
                 Module:format_error(badarg, Trace)
     end || Size <- [0, -1, 257, 1.0, auto, "2", infinity]],
    [_] = signal_port_stage:workers().

resize_without_application_exits(_) ->
    signal_port_stage:stop(),
    try signal_port:resize(2) of
        Answer -> error({returned, Answer})
    catch
        exit:{noproc, _} -> ok
    end.

%% --- Kills meanwhile ---

%% A worker that is killed while it starts is a successor that fails.
kills_during_replacements_fail_no_call(_) ->
    ok = signal_port_stage:start_ready([{pool_size, 3}, {call_timeout, ?PATIENT}]),
    Load = signal_port_load:start(?CALLERS),
    Replacing = signal_port_stage:async(fun() ->
        [signal_port:replace_workers() || _ <- lists:seq(1, ?ROUNDS)]
    end),
    Answers = kill_until_answer(Replacing),
    [] = [Answer || Answer <- Answers, Answer =/= ok, element(1, Answer) =/= error],
    settles(3, Load).

kills_during_resizes_fail_no_call(_) ->
    ok = signal_port_stage:start_ready([{pool_size, 2}, {call_timeout, ?PATIENT}]),
    Load = signal_port_load:start(?CALLERS),
    [begin
         ok = signal_port:resize(Size),
         Known = signal_port_stage:calls(),
         kill_one(),
         signal_port_stage:until(fun() -> signal_port_stage:calls() > Known + 100 end)
     end || _ <- lists:seq(1, ?ROUNDS), Size <- [1, 4, 2, 5, 1, 3]],
    settles(3, Load).

stop_during_a_replacement_leaves_no_os_process(_) ->
    ok = signal_port_stage:start_ready([{pool_size, 2}]),
    Old = os_pids(),
    Replacing = signal_port_stage:async(fun signal_port:replace_workers/0),
    New = signal_port_stage:until(fun() -> [_ | _] = os_pids() -- Old end),
    ok = application:stop(signal_port),
    signal_port_stage:until_gone(Old ++ New),
    {error, _} = signal_port_stage:await(Replacing).

kill_until_answer(Pid) ->
    receive
        {Pid, Answers} -> Answers
    after 100 ->
        kill_one(),
        kill_until_answer(Pid)
    end.

%% Any worker, one that starts or drains included.
kill_one() ->
    case os_pids() of
        [] -> ok;
        OsPids -> signal_port_stage:kill([lists:nth(rand:uniform(length(OsPids)), OsPids)])
    end.

%% No worker is left over, and no call was wrong.
settles(Size, Load) ->
    {_, _, []} = signal_port_load:stop(Load),
    Size = length(signal_port_stage:await_ready()),
    signal_port_stage:until(fun() -> {Size, Size} = {workers(), length(os_pids())} end),
    0 = signal_port_stage:in_flight().

%% --- Internals ---

start(StandIn, Options) ->
    Python = signal_port_stage:stand_in(StandIn),
    ok = signal_port_stage:start_ready([{python, Python}, {stall_timeout, ?PATIENT} | Options]).

%% As beside a NIF: no worker runs before the first call that needs one.
start_idle() ->
    signal_port_stage:stop(),
    {ok, Config} = signal_port_config:check([{python, signal_port_stage:stand_in("honest.py")},
                                             {pool_size, 2}]),
    Nif = {nif, "the NIF of a test"},
    {ok, Supervisor} = signal_port_sup:start_link(signal_port_sup, {Config, Nif, []}),
    Supervisor.

%% How many worker processes there are, those that start or drain included.
workers() ->
    length(supervisor:which_children(signal_port_worker_sup)).

%% Their OS processes. A port that is just being opened has 0.
os_pids() ->
    [OsPid || {_, Worker, _, _} <- supervisor:which_children(signal_port_worker_sup),
              is_pid(Worker), {links, Links} <- [process_info(Worker, links)],
              Port <- Links, is_port(Port),
              {os_pid, OsPid} <- [erlang:port_info(Port, os_pid)], OsPid > 0].

total(Key) ->
    #{totals := #{Key := Total}} = signal_port:info(),
    Total.
