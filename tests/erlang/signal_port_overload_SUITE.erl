%% The option max_queue: which calls wait, which are refused, and what an operator sees of it. A
%% storm of callers is in signal_port_crowd_SUITE.
-module(signal_port_overload_SUITE).
-compile([export_all, nowarn_export_all]).

-define(PATIENT, 60_000).  % milliseconds; a timeout that no test reaches
-define(WINDOW, 64).       % calls that the OS process gets before it replies
-define(MAX, 10).          % the option max_queue

all() ->
    [{group, refused}, {group, admitted}, {group, shown}].

groups() ->
    [{refused, [call_over_the_queue_is_refused, caller_over_the_waiters_is_refused,
                batch_over_the_queue_is_refused, request_over_the_queue_is_refused]},
     {admitted, [retry_is_never_refused, call_after_a_killed_waiter_waits,
                 call_after_expired_calls_is_answered, call_after_a_missing_call_is_answered,
                 call_after_the_pool_restarted_is_answered, no_limit_refuses_no_call]},
     {shown, [refusals_are_counted, refusals_are_logged_once, refusal_is_in_the_stop_event]}].

init_per_testcase(Case, Config) ->
    Folder = filename:join(proplists:get_value(priv_dir, Config), Case),
    ok = filelib:ensure_path(Folder),
    [{folder, Folder} | Config].

end_per_testcase(_, _) ->
    signal_port_stage:stop(),
    signal_port_telemetry:unload().

%% --- Refused calls ---

call_over_the_queue_is_refused(_) ->
    Full = fill(),
    [{error, overloaded} = signal_port:init() || _ <- lists:seq(1, 3)],
    are_answered(Full),
    ok = signal_port:init(),
    ?WINDOW + ?MAX + 1 = signal_port_stage:calls().

%% No worker is ready, so the callers wait in the pool.
caller_over_the_waiters_is_refused(Config) ->
    Waiters = fill_waiters(Config),
    [{error, overloaded} = signal_port:init() || _ <- lists:seq(1, 3)],
    [exit(Pid, kill) || Pid <- Waiters].

batch_over_the_queue_is_refused(_) ->
    Full = fill(),
    [{error, overloaded}] =
        lists:usort(signal_port:batch([{sha256, [<<Number>>]} || Number <- lists:seq(1, 100)])),
    are_answered(Full).

request_over_the_queue_is_refused(_) ->
    Full = fill(),
    Request = signal_port:send_request(init, [], ?PATIENT),
    {reply, {error, overloaded}} = signal_port:receive_response(Request),
    are_answered(Full).

%% --- Admitted calls ---

%% All calls of a lost worker wait for the next one, over the limit.
retry_is_never_refused(_) ->
    {OsPid, Callers} = fill(),
    signal_port_stage:kill([OsPid]),
    [ok = signal_port_stage:await(Caller) || Caller <- Callers].

call_after_a_killed_waiter_waits(Config) ->
    [First | Others] = fill_waiters(Config),
    exit(First, kill),
    signal_port_stage:until(fun() -> queued() =:= ?MAX - 1 end),
    Next = waiter(),
    signal_port_stage:until(fun() -> queued() =:= ?MAX end),
    [exit(Pid, kill) || Pid <- [Next | Others]].

%% The calls that wait have expired, but a stopped worker drops none.
call_after_expired_calls_is_answered(_) ->
    ok = start([{stall_timeout, ?PATIENT}]),
    Full = stop_and_call(?WINDOW),
    Requests = [signal_port:send_request(init, [], 100) || _ <- lists:seq(1, ?MAX)],
    [{reply, {error, timeout}} = signal_port:receive_response(Request) || Request <- Requests],
    {error, overloaded} = signal_port:init(),
    are_answered(Full),
    ok = signal_port_stage:until(fun() -> ok = signal_port:init() end).

%% A caller that is killed between counting its call and sending it leaves a missing call. Nobody
%% else could call if it counted for ever.
call_after_a_missing_call_is_answered(_) ->
    ok = start([{stall_timeout, 200}]),
    [{_, Counters}] = signal_port_table:workers(),
    [signal_port_counters:add_sent(Counters) || _ <- lists:seq(1, ?MAX)],
    {error, overloaded} = signal_port:init(),
    ok = signal_port_stage:until(fun() -> ok = signal_port:init() end),
    0 = signal_port_stage:restarts(),
    0 = signal_port_stage:in_flight().

call_after_the_pool_restarted_is_answered(Config) ->
    Waiters = fill_waiters(Config),
    Pool = whereis(signal_port_pool),
    [exit(Pid, kill) || Pid <- [Pool | Waiters]],
    signal_port_stage:until(fun() -> 0 = queued(), whereis(signal_port_pool) =/= Pool end),
    ok = file:delete(silent(Config)),
    signal_port_stage:kill(signal_port_stage:os_pids()),
    ok = signal_port:init().

no_limit_refuses_no_call(_) ->
    ok = signal_port_stage:start([{pool_size, 1}, {stall_timeout, ?PATIENT},
                                  {call_timeout, ?PATIENT}]),
    are_answered(stop_and_call(5 * ?WINDOW)),
    #{totals := #{queued := 0, refused := 0}} = signal_port:info().

%% --- What an operator sees ---

refusals_are_counted(_) ->
    Full = fill(),
    [{error, overloaded} = signal_port:init() || _ <- lists:seq(1, 3)],
    #{totals := #{queued := ?MAX, refused := 3, in_flight := ?WINDOW + ?MAX},
      workers := [#{queued := ?MAX}]} = signal_port:info(),
    are_answered(Full),
    #{totals := #{queued := 0, refused := 3}} = signal_port:info().

refusals_are_logged_once(_) ->
    Full = fill(),
    ok = logger:add_handler(?MODULE, ?MODULE, #{config => self()}),
    try
        [{error, overloaded} = signal_port:init() || _ <- lists:seq(1, 3)],
        are_answered(Full)
    after
        ok = logger:remove_handler(?MODULE)
    end,
    ["signal_port: calls return {error, overloaded}, because 10 calls wait, which is "
     "signal_port's option max_queue; add workers or cores, or raise the option"] = lines().

%% The log handler.
log(#{level := warning, msg := {Format, Args}, meta := #{domain := [signal_port]}},
    #{config := Test}) ->
    Test ! {line, lists:flatten(io_lib:format(Format, Args))},
    ok;
log(_, _) ->
    ok.

lines() ->
    receive {line, Line} -> [Line | lines()] after 0 -> [] end.

refusal_is_in_the_stop_event(_) ->
    ok = signal_port_telemetry:start(),
    Full = fill(),
    Test = self(),
    ok = telemetry:attach(?MODULE, [signal_port, call, stop],
                          fun(_, _, Metadata, _) -> Test ! {stop, self(), Metadata} end, none),
    {error, overloaded} = signal_port:sha256(<<>>),
    receive
        {stop, Test, Metadata} ->
            #{operation := sha256, result := {error, overloaded}} = Metadata
    after 0 -> error(no_event)
    end,
    are_answered(Full).

%% --- A full queue ---

start(Options) ->
    signal_port_stage:start([{pool_size, 1}, {max_queue, ?MAX}, {call_timeout, ?PATIENT}
                             | Options]).

%% A stopped worker has as many calls as it gets, and as many wait as the queue holds.
fill() ->
    ok = start([{stall_timeout, ?PATIENT}]),
    stop_and_call(?WINDOW + ?MAX).

%% The first calls must be written before others fill the queue.
stop_and_call(Count) ->
    [OsPid] = signal_port_stage:os_pids(),
    "" = signal_port_stage:signal("STOP", OsPid),
    Callers = [begin
                   Caller = signal_port_stage:async(fun signal_port:init/0),
                   signal_port_stage:until(fun() ->
                       #{totals := #{in_flight := Number, queued := Queued}} = signal_port:info(),
                       Queued =:= max(0, Number - ?WINDOW)
                   end),
                   Caller
               end || Number <- lists:seq(1, Count)],
    {OsPid, Callers}.

are_answered({OsPid, Callers}) ->
    "" = signal_port_stage:signal("CONT", OsPid),
    [ok = signal_port_stage:await(Caller) || Caller <- Callers],
    ok.

%% As many callers wait for a worker as the queue holds.
fill_waiters(Config) ->
    {Python, _} = signal_port_load:linked("ready_while_told.py", Config),
    ok = start([{python, Python}, {start_timeout, ?PATIENT}]),
    ok = file:write_file(silent(Config), <<>>),
    signal_port_stage:kill(signal_port_stage:os_pids()),
    signal_port_stage:until(fun signal_port_load:starting/0),
    Waiters = [waiter() || _ <- lists:seq(1, ?MAX)],
    signal_port_stage:until(fun() -> queued() =:= ?MAX end),
    Waiters.

waiter() ->
    spawn(fun signal_port:init/0).

silent(Config) ->
    filename:join(proplists:get_value(folder, Config), "silent").

queued() ->
    #{totals := #{queued := Queued}} = signal_port:info(),
    Queued.
