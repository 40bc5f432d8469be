%% A stop: which calls it answers, which it refuses, and whether the application is ready.
-module(signal_port_gate_SUITE).
-compile([export_all, nowarn_export_all]).

-define(PATIENT, 60_000).  % milliseconds; a timeout that no test reaches
-define(CALLS, 200).       % in flight at a stop

all() ->
    [{group, answered}, {group, cut_off}, {group, ready}].

groups() ->
    [{answered, [calls_in_flight_at_a_stop_are_answered,
                 calls_in_flight_at_a_supervisors_shutdown_are_answered,
                 calls_of_a_worker_killed_at_a_stop_are_answered,
                 stop_while_callers_wait_for_a_worker_answers_them]},
     {cut_off, [hanging_calls_are_unavailable_and_logged]},
     {ready, [application_that_does_not_run_is_not_ready, started_application_is_ready,
              application_without_a_worker_is_not_ready, application_with_a_nif_is_ready]}].

end_per_testcase(_, _) ->
    signal_port_stage:stop().

%% --- Answered calls ---

calls_in_flight_at_a_stop_are_answered(_) ->
    {OsPids, Callers} = start_and_call(),
    Stop = close(fun() -> application:stop(signal_port) end),
    go_on(OsPids),
    are_answered(Callers),
    ok = signal_port_stage:await(Stop),
    signal_port_stage:until_gone(OsPids).

calls_in_flight_at_a_supervisors_shutdown_are_answered(_) ->
    signal_port_stage:stop(),
    {ok, Supervisor} = supervisor:start_link(?MODULE, options()),
    {OsPids, Callers} = call(),
    Stop = close(fun() -> supervisor:terminate_child(Supervisor, signal_port) end),
    go_on(OsPids),
    are_answered(Callers),
    ok = signal_port_stage:await(Stop),
    signal_port_stage:until_gone(OsPids).

%% The pool still runs: the calls of the lost worker go to the others.
calls_of_a_worker_killed_at_a_stop_are_answered(_) ->
    {[First, Second], Callers} = start_and_call(),
    Stop = close(fun() -> application:stop(signal_port) end),
    signal_port_stage:kill([First]),
    go_on([Second]),
    are_answered(Callers),
    ok = signal_port_stage:await(Stop).

stop_while_callers_wait_for_a_worker_answers_them(_) ->
    ok = signal_port_stage:start_with("honest.py", [{pool_size, 1}, {call_timeout, ?PATIENT}]),
    ok = sys:suspend(signal_port_pool),
    signal_port_stage:kill([os_pid()]),
    Callers = [signal_port_stage:async(fun signal_port:init/0) || _ <- lists:seq(1, ?CALLS)],
    signal_port_stage:until(fun() ->
        {message_queue_len, Length} = process_info(whereis(signal_port_pool), message_queue_len),
        Length > ?CALLS
    end),
    Stop = close(fun() -> application:stop(signal_port) end),
    ok = sys:resume(signal_port_pool),
    are_answered(Callers),
    ok = signal_port_stage:await(Stop).

%% --- Calls that are not answered in time ---

hanging_calls_are_unavailable_and_logged(_) ->
    {OsPids, Callers} = start_and_call(),
    ok = logger:add_handler(?MODULE, ?MODULE, #{config => self()}),
    try
        ok = application:stop(signal_port)
    after
        ok = logger:remove_handler(?MODULE)
    end,
    [{error, unavailable} = signal_port_stage:await(Caller) || Caller <- Callers],
    signal_port_stage:until_gone(OsPids),
    receive
        {line, Line} ->
            "signal_port: the application stops with 200 calls in flight, which return "
            "{error, unavailable}, because they were not answered within 5000 ms" ++ _ = Line
    after 0 -> error(no_line)
    end.

%% The log handler.
log(#{level := warning, msg := {Format, Args}, meta := #{domain := [signal_port]}},
    #{config := Test}) ->
    Test ! {line, lists:flatten(io_lib:format(Format, Args))},
    ok;
log(_, _) ->
    ok.

%% --- A readiness probe ---

application_that_does_not_run_is_not_ready(_) ->
    signal_port_stage:stop(),
    false = signal_port:ready().

started_application_is_ready(_) ->
    ok = signal_port_stage:start([{pool_size, 1}]),
    true = signal_port:ready(),
    ok = application:stop(signal_port),
    false = signal_port:ready().

application_without_a_worker_is_not_ready(_) ->
    ok = signal_port_stage:start([{python, "/nowhere"}, {start_without_worker, true}]),
    false = signal_port:ready().

%% A NIF answers without a worker.
application_with_a_nif_is_ready(_) ->
    ok = signal_port_stage:start([{python, "/nowhere"}, {start_without_worker, true}]),
    true = ets:insert(signal_port_table, {{nif, sha256}, ?MODULE}),
    true = signal_port:ready().

%% --- Calls in flight ---

start_and_call() ->
    ok = signal_port_stage:start_ready(options()),
    call().

options() ->
    [{pool_size, 2}, {stall_timeout, ?PATIENT}, {call_timeout, ?PATIENT}].

%% The supervisor of a test.
init(Options) ->
    {ok, {#{}, [signal_port:child_spec(Options)]}}.

%% Stops all OS processes, so that they have all calls.
call() ->
    OsPids = [OsPid || #{os_pid := OsPid} <- signal_port_stage:await_ready()],
    ["" = signal_port_stage:signal("STOP", OsPid) || OsPid <- OsPids],
    Callers = [signal_port_stage:async(fun signal_port:init/0) || _ <- lists:seq(1, ?CALLS)],
    signal_port_stage:await_in_flight(?CALLS),
    {OsPids, Callers}.

%% Stops the application, and returns when new calls are refused.
close(Stop) ->
    Stopping = signal_port_stage:async(Stop),
    signal_port_stage:until(fun() -> not signal_port:ready() end),
    {error, unavailable} = signal_port:init(),
    Stopping.

go_on(OsPids) ->
    ["" = signal_port_stage:signal("CONT", OsPid) || OsPid <- OsPids].

are_answered(Callers) ->
    [ok = signal_port_stage:await(Caller) || Caller <- Callers].

os_pid() ->
    [{Pid, _}] = signal_port_table:workers(),
    {links, Links} = process_info(Pid, links),
    [OsPid] = [OsPid || Port <- Links, is_port(Port),
                        {os_pid, OsPid} <- [erlang:port_info(Port, os_pid)]],
    OsPid.
