%% The live table: its lines, the times of calls behind it, and its use in a terminal.
-module(signal_port_top_SUITE).
-compile([export_all, nowarn_export_all]).

all() ->
    [{group, page}, {group, times}, {group, terminal}].

groups() ->
    [{page, [page_has_a_line_for_each_worker_and_operation, rates_are_differences_by_the_second,
             new_worker_counts_from_zero, stopped_application_is_said]},
     {times, [times_are_summed_up_by_operation, percentiles_are_right_within_5_percent,
              taken_times_are_gone, time_without_a_table_is_dropped, killed_table_is_forgotten,
              call_is_timed_beside_a_table, failed_call_is_timed,
              call_without_a_table_is_not_observed]},
     {terminal, [shell_shows_the_table_until_q]}].

end_per_testcase(_, _) ->
    _ = persistent_term:erase(signal_port_latency),
    signal_port_stage:stop().

%% --- The page ---

page_has_a_line_for_each_worker_and_operation(_) ->
    Info = info([worker(#{calls => 10}), worker(#{state => waiting, os_pid => undefined})]),
    Expected =
        ["signal_port  backend port  queued 3  refused 1",
         "",
         "worker  state       OS process     calls/s   in flight    queued  restarts",
         "1       ready             4711        10.0           2         1         4",
         "2       waiting              -         0.0           2         1         4",
         "",
         "operation                          calls/s     p50, us     p99, us",
         "dr_encrypt                             6.0         164         901",
         "",
         "q and Enter: leave"],
    Expected = page(Info, info([worker(#{}), worker(#{})]), [{dr_encrypt, 6, 164.2, 900.9}], 1.0).

rates_are_differences_by_the_second(_) ->
    Lines = page(info([worker(#{calls => 130})]), info([worker(#{calls => 100})]),
                 [{sha256, 15, 1.0, 1.0}], 0.5),
    [_] = [Line || "1 " ++ Line <- Lines, string:find(Line, " 60.0 ") =/= nomatch],
    [_] = [Line || "sha256" ++ Line <- Lines, string:find(Line, " 30.0 ") =/= nomatch].

new_worker_counts_from_zero(_) ->
    [begin
         Lines = page(info([worker(#{calls => 7})]), Before, [], 1.0),
         [_] = [Line || "1 " ++ Line <- Lines, string:find(Line, " 7.0 ") =/= nomatch]
     end || Before <- [not_running, info([])]].

stopped_application_is_said(_) ->
    ["signal_port is not running", "q and Enter: leave"] = page(not_running, info([]), [], 1.0).

page(Info, Before, Times, Seconds) ->
    [lists:flatten(Line) || Line <- signal_port_top:page(Info, Before, Times, Seconds)].

info(Workers) ->
    #{backend => port, workers => Workers, totals => #{queued => 3, refused => 1}}.

worker(Changes) ->
    maps:merge(#{state => ready, os_pid => 4711, calls => 0, in_flight => 2, queued => 1,
                 restarts => 4}, Changes).

%% --- Times ---

times_are_summed_up_by_operation(_) ->
    signal_port_latency:new(),
    [add(Operation, 100) || Operation <- [sha256, dr_encrypt, sha256]],
    [{dr_encrypt, 1, _, _}, {sha256, 2, _, _}] = signal_port_latency:take().

percentiles_are_right_within_5_percent(_) ->
    signal_port_latency:new(),
    [begin
         [add(sha256, Factor * Microseconds) || Microseconds <- lists:seq(1, 1000)],
         [{sha256, 1000, P50, P99}] = signal_port_latency:take(),
         [true = abs(Found / (Factor * Exact) - 1) < 0.05 || {Found, Exact} <- [{P50, 500},
                                                                               {P99, 990}]]
     end || Factor <- [1, 7, 1000]].

taken_times_are_gone(_) ->
    signal_port_latency:new(),
    add(sha256, 5),
    [_] = signal_port_latency:take(),
    [] = signal_port_latency:take().

time_without_a_table_is_dropped(_) ->
    false = signal_port_latency:is_on(),
    ok = add(sha256, 5).

%% Its table goes with it. The next call finds out.
killed_table_is_forgotten(_) ->
    ok = signal_port_stage:start_with("honest.py", [{pool_size, 1}]),
    {_, Monitor} = spawn_monitor(fun() -> signal_port_latency:new(), exit(kill) end),
    receive {'DOWN', Monitor, process, _, _} -> ok end,
    {true, false} = {signal_port_latency:is_on(), signal_port_latency:has_table()},
    ok = signal_port:init(),
    false = signal_port_latency:is_on().

call_is_timed_beside_a_table(_) ->
    ok = signal_port_stage:start_with("honest.py", [{pool_size, 1}]),
    signal_port_latency:new(),
    [ok = signal_port:init() || _ <- lists:seq(1, 10)],
    [ok, ok] = signal_port:batch([{init, []}, {init, []}]),
    [{batch, 1, _, _}, {init, 10, P50, P99}] = signal_port_latency:take(),
    true = 1.0 < P50 andalso P50 =< P99.

failed_call_is_timed(_) ->
    signal_port_latency:new(),
    {error, unavailable} = signal_port:init(),
    [{init, 1, _, _}] = signal_port_latency:take().

call_without_a_table_is_not_observed(_) ->
    false = signal_port_span:is_observed(),
    signal_port_latency:new(),
    true = signal_port_span:is_observed(),
    signal_port_latency:delete(),
    false = signal_port_span:is_observed().

add(Operation, Microseconds) ->
    signal_port_latency:add(Operation,
                            erlang:convert_time_unit(Microseconds, microsecond, native)).

%% --- A terminal ---

%% Python types into a shell behind a pseudo-terminal, and waits for what the shell shows.
shell_shows_the_table_until_q(_) ->
    Script = signal_port_stage:root("tests/terminal/use_top.py"),
    Port = open_port({spawn_executable, os:find_executable("python3")},
                     [{args, [Script | signal_port_stage:paths(?MODULE)]}, exit_status, binary]),
    _Screen = signal_port_event_SUITE:output(Port).  % the exit status is 0
