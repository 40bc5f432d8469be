%% Faults of workers under load: kills, stalls, invalid data, a missing Python. The faults of one
%% worker are in signal_port_worker_SUITE, those of a small pool in signal_port_pool_SUITE.
-module(signal_port_fault_SUITE).
-compile([export_all, nowarn_export_all]).

-define(PATIENT, 60_000).   % milliseconds; a timeout that no test reaches
-define(KILL_EVERY, 200).   % milliseconds
-define(KILLING, signal_port_stage:thorough(5_000, 20_000)).  % milliseconds
-define(STATUSES, signal_port_stage:thorough(
    [0, 1, 2, 70, 126, 127, 128, 129, 137, 192, 193, 255], lists:seq(0, 255))).

all() ->
    [{group, killed}, {group, stalled}, {group, exits}, {group, python}].

groups() ->
    [{killed, [continuous_kills_fail_no_call, kills_during_start_fail_no_call,
               killed_starts_are_retried, killed_first_start_is_retried,
               always_killed_first_start_is_reported, killed_worker_supervisor_fails_no_call,
               killed_upper_supervisor_leaves_no_os_process]},
     {stalled, [calls_of_stopped_worker_are_retried, stopped_worker_times_out_in_time,
                spinning_worker_is_killed, worker_that_does_not_read_is_replaced,
                silent_start_times_out_in_time]},
     {exits, [printing_worker_is_ended, deadly_call_is_unavailable,
              worker_with_any_status_is_replaced, worker_with_any_signal_is_replaced]},
     {python, [removed_python_recovers, broken_python_recovers]}].

init_per_testcase(Case, Config) ->
    Folder = filename:join(proplists:get_value(priv_dir, Config), Case),
    ok = filelib:ensure_path(Folder),
    [{folder, Folder} | Config].

end_per_testcase(_, _) ->
    signal_port_stage:stop().

%% --- Workers that are killed ---

continuous_kills_fail_no_call(_) ->
    ok = signal_port_stage:start([{pool_size, 3}]),
    Load = signal_port_load:start(24),
    {ok, Timer} = timer:send_interval(?KILL_EVERY, kill),
    [receive kill -> signal_port_stage:kill(any(signal_port_stage:os_pids())) end
     || _ <- lists:seq(?KILL_EVERY, ?KILLING, ?KILL_EVERY)],
    {ok, cancel} = timer:cancel(Timer),
    {Calls, Slowest, []} = signal_port_load:stop(Load),
    Restarts = signal_port_stage:restarts(),
    true = Restarts > ?KILLING div ?KILL_EVERY div 2,
    signal_port_stage:comment("~b calls right, ~b workers lost, slowest call ~b ms",
                              [Calls, Restarts, Slowest]).

%% Two failed starts are no reason to give up.
kills_during_start_fail_no_call(_) ->
    ok = signal_port_stage:start([{pool_size, 2}]),
    Load = signal_port_load:start(8),
    [begin
         signal_port_stage:await_ready(),
         signal_port_stage:kill(signal_port_stage:os_pids()),
         signal_port_stage:kill(signal_port_stage:until(fun signal_port_load:starting/0))
     end || _ <- [1, 2, 3]],
    signal_port_stage:await_ready(),
    {_, _, []} = signal_port_load:stop(Load),
    true = signal_port_stage:restarts() >= 9.

%% Ten killed starts in a row do not mean that the next one fails.
killed_starts_are_retried(Config) ->
    Switch = signal_port_stage:switch(Config),
    ok = signal_port_stage:start_with("is_killed_at_start.py", [{pool_size, 1}]),
    ok = file:write_file(Switch, binary:copy(<<"x">>, 10)),
    signal_port_stage:kill(signal_port_stage:os_pids()),
    ok = signal_port:init(),
    11 = signal_port_stage:restarts().

killed_first_start_is_retried(Config) ->
    ok = file:write_file(signal_port_stage:switch(Config), binary:copy(<<"x">>, 5)),
    ok = signal_port_stage:start_with("is_killed_at_start.py", [{pool_size, 1}]),
    ok = signal_port:init(),
    5 = signal_port_stage:restarts().

always_killed_first_start_is_reported(Config) ->
    ok = file:write_file(signal_port_stage:switch(Config), binary:copy(<<"x">>, 1000)),
    Start = signal_port_stage:start_with("is_killed_at_start.py", [{pool_size, 1}]),
    {error, {Sentence, _}} = Start,
    [_, _] = string:split(Sentence, "ended with signal 9 (SIGKILL) before it was ready").

killed_worker_supervisor_fails_no_call(_) ->
    ok = signal_port_stage:start([{pool_size, 2}]),
    OsPids = signal_port_stage:os_pids(),
    Load = signal_port_load:start(8),
    {Supervisor, Pool} = {whereis(signal_port_worker_sup), whereis(signal_port_pool)},
    exit(Supervisor, kill),
    signal_port_stage:until(fun() ->
        not lists:member(whereis(signal_port_pool), [Pool, undefined])
    end),
    signal_port_stage:until_gone(OsPids),
    signal_port_stage:await_ready(),
    {_, _, []} = signal_port_load:stop(Load).

killed_upper_supervisor_leaves_no_os_process(_) ->
    ok = signal_port_stage:start([{pool_size, 2}]),
    OsPids = signal_port_stage:os_pids(),
    exit(whereis(signal_port_sup), kill),
    signal_port_stage:until_gone(OsPids),
    {error, unavailable} = signal_port:init().

%% --- Workers that hang ---

calls_of_stopped_worker_are_retried(_) ->
    ok = signal_port_stage:start_ready([{pool_size, 2}, {stall_timeout, 500}]),
    Load = signal_port_load:start(16),
    [Stopped | _] = signal_port_stage:os_pids(),
    "" = signal_port_stage:signal("STOP", Stopped),
    signal_port_stage:until_gone([Stopped]),
    signal_port_stage:await_ready(),
    false = lists:member(Stopped, signal_port_stage:os_pids()),
    1 = signal_port_stage:restarts(),
    {_, Slowest, []} = signal_port_load:stop(Load),
    true = Slowest < 3000,
    signal_port_stage:comment("slowest call ~b ms, with a stall_timeout of 500 ms", [Slowest]).

stopped_worker_times_out_in_time(_) ->
    ok = signal_port_stage:start([{pool_size, 1}, {call_timeout, 300}, {stall_timeout, ?PATIENT}]),
    [OsPid] = signal_port_stage:os_pids(),
    "" = signal_port_stage:signal("STOP", OsPid),
    Took = signal_port_stage:in_parallel(20, fun(_) -> timer:tc(fun signal_port:init/0) end),
    [] = [One || {Micros, Answer} = One <- Took,
                 Answer =/= {error, timeout} orelse Micros < 300_000 orelse Micros > 1_500_000].

%% A spinning worker looks like a busy one until the deadline.
spinning_worker_is_killed(_) ->
    ok = signal_port_stage:start_with("spins.py", [{pool_size, 1}, {stall_timeout, 200}]),
    OsPids = signal_port_stage:os_pids(),
    {error, unavailable} = signal_port:init(),
    signal_port_stage:until_gone(OsPids),
    "the worker had requests and sent no reply within stall_timeout" =
        signal_port_stage:until(fun ended/0),
    [_] = signal_port_stage:await_ready().

worker_that_does_not_read_is_replaced(_) ->
    ok = signal_port_stage:start_ready([{pool_size, 2}, {stall_timeout, 500}]),
    [Stopped | _] = signal_port_stage:os_pids(),
    "" = signal_port_stage:signal("STOP", Stopped),
    Data = binary:copy(<<0>>, 3 bsl 20),
    Answers = signal_port_stage:in_parallel(12, fun(_) -> signal_port:sha256(Data) end),
    [{ok, <<_:256>>}] = lists:usort(Answers),
    signal_port_stage:until_gone([Stopped]),
    1 = signal_port_stage:restarts().

%% --- Workers that exit or send invalid data ---

printing_worker_is_ended(_) ->
    ok = signal_port_stage:start_with("prints.py", [{pool_size, 1}]),
    {error, unavailable} = signal_port:init(),
    "the worker sent invalid protocol data" = signal_port_stage:until(fun ended/0).

deadly_call_is_unavailable(_) ->
    ok = signal_port_stage:start_with("exits_as_told.py", [{pool_size, 1}]),
    [begin
         {error, unavailable} = signal_port:sha256(<<Status>>),
         Sentence = "the worker ended with " ++ signal_port_reason:status(Status),
         signal_port_stage:until(fun() ->
             signal_port_stage:are_ready() andalso signal_port_stage:last_reason() =:= Sentence
         end)
     end || Status <- [0, 1, 2, 70, 76, 78, 126, 127, 137, 255]],
    30 = signal_port_stage:restarts().

%% The next worker answers the call, and the log has one line.
worker_with_any_status_is_replaced(Config) ->
    Switch = signal_port_stage:switch(Config),
    ok = signal_port_stage:start_with("exits_once_as_told.py", [{pool_size, 1}]),
    are_replaced([{Status, fun(Call) -> ok = file:write_file(Switch, <<>>), Call() end}
                 || Status <- ?STATUSES]).

%% The signals that the children of a VM do not ignore.
worker_with_any_signal_is_replaced(_) ->
    ok = signal_port_stage:start_with("honest.py", [{pool_size, 1}]),
    Ask = fun(Name) ->
        fun(Call) ->
            [OsPid] = signal_port_stage:os_pids(),
            "" = signal_port_stage:signal(Name, OsPid),
            signal_port_stage:until(fun() -> not signal_port_stage:is_alive(OsPid) end),
            Call()
        end
    end,
    are_replaced([{128 + Number, Ask(Name)}
                 || {Name, Number} <- [{"HUP", 1}, {"QUIT", 3}, {"ILL", 4}, {"TRAP", 5},
                                       {"ABRT", 6}, {"KILL", 9}, {"SEGV", 11}, {"ALRM", 14},
                                       {"TERM", 15}]]).

%% `End' makes the worker end with the status, during a call or before it.
are_replaced(Ends) ->
    ok = logger:add_handler(?MODULE, ?MODULE, #{level => warning, config => self()}),
    try
        [begin
             {ok, <<_:256>>} = End(fun() -> signal_port:sha256(<<Status>>) end),
             #{restarts := Restarts, last_reason := Sentence} = signal_port_stage:worker(),
             {Status, Number, "the worker ended with " ++ Words} = {Status, Restarts, Sentence},
             true = lists:prefix(signal_port_reason:status(Status), Words),
             ["signal_port: " ++ Line] = lines(),
             true = lists:prefix(Sentence, Line)
         end || {Number, {Status, End}} <- lists:enumerate(Ends)]
    after
        ok = logger:remove_handler(?MODULE)
    end,
    signal_port_stage:comment("~b ends, each worker replaced, each end logged in one line",
                              [length(Ends)]).

%% The log handler.
log(#{msg := {Format, Args}, meta := #{domain := [signal_port]}}, #{config := Test}) ->
    Test ! {line, lists:flatten(io_lib:format(Format, Args))},
    ok;
log(_, _) ->
    ok.

lines() ->
    receive {line, Line} -> [Line | lines()] after 0 -> [] end.

silent_start_times_out_in_time(Config) ->
    {Python, Folder} = signal_port_load:linked("ready_while_told.py", Config),
    ok = signal_port_stage:start([{python, Python}, {pool_size, 1}, {call_timeout, 300},
                                  {start_timeout, 900}]),
    Silent = filename:join(Folder, "silent"),
    ok = file:write_file(Silent, <<>>),
    signal_port_stage:kill(signal_port_stage:os_pids()),
    [Mute] = signal_port_stage:until(fun signal_port_load:starting/0),
    {Micros, {error, timeout}} = timer:tc(fun signal_port:init/0),
    true = Micros < 1_500_000,
    ok = file:delete(Silent),
    signal_port_stage:until_gone([Mute]),
    signal_port_stage:until(fun() ->
        string:find(signal_port_stage:last_reason(), "was not ready within 900 ms") =/= nomatch
    end),
    signal_port_stage:await_ready(),
    ok = signal_port:init().

%% --- No Python ---

removed_python_recovers(Config) ->
    recovers(fun(Python) -> ok = file:delete(Python) end, Config).

broken_python_recovers(Config) ->
    recovers(fun(Python) ->
        ok = file:delete(Python),
        ok = file:write_file(Python, <<"#!/nowhere\n">>),
        ok = file:change_mode(Python, 8#755)
    end, Config).

recovers(Break, Config) ->
    {Python, _} = signal_port_load:linked("honest.py", Config),
    ok = signal_port_stage:start_ready([{python, Python}, {pool_size, 2}]),
    Supervisor = whereis(signal_port_sup),
    Break(Python),
    signal_port_stage:kill(signal_port_stage:os_pids()),
    {error, unavailable} = signal_port:init(),
    {Micros, Answers} = timer:tc(fun() ->
        signal_port_stage:in_parallel(100, fun(_) -> signal_port:init() end)
    end),
    {[{error, unavailable}], true} = {lists:usort(Answers), Micros < 1_000_000},
    Supervisor = whereis(signal_port_sup),
    _ = file:delete(Python),
    {Python, _} = signal_port_load:linked("honest.py", Config),
    signal_port_stage:await_ready(),
    ok = signal_port:init(),
    Supervisor = whereis(signal_port_sup).

%% --- Internals ---

%% The reason of the last end, if there was an end.
ended() ->
    case signal_port_stage:last_reason() of
        undefined -> false;
        Sentence -> Sentence
    end.

any([]) -> [];
any(List) -> [lists:nth(rand:uniform(length(List)), List)].
