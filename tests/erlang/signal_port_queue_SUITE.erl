%% The limit of the calls that wait. No process runs here; signal_port_overload_SUITE has callers.
-module(signal_port_queue_SUITE).
-compile([export_all, nowarn_export_all]).

-define(MAX, 5).  % calls

all() ->
    [{group, limit}, {group, refusals}].

groups() ->
    [{limit, [no_limit_refuses_nothing, full_queue_refuses, waiters_count_as_calls,
              calls_of_all_workers_count]},
     {refusals, [refusals_are_counted, refusals_are_logged_once]}].

%% --- The limit ---

no_limit_refuses_nothing(_) ->
    Queue = signal_port_queue:new(infinity),
    ok = signal_port_queue:put_waiters(Queue, 1 bsl 40),
    false = signal_port_queue:refuses(Queue, [worker(1 bsl 10)]),
    0 = signal_port_queue:refused(Queue).

full_queue_refuses(_) ->
    [false, true, true] = [refuses(signal_port_queue:new(?MAX), [worker(Waiting)])
                           || Waiting <- [?MAX - 1, ?MAX, ?MAX + 1]].

waiters_count_as_calls(_) ->
    Queue = signal_port_queue:new(?MAX),
    ok = signal_port_queue:put_waiters(Queue, 2),
    [false, true] = [refuses(Queue, [worker(Waiting)]) || Waiting <- [?MAX - 3, ?MAX - 2]],
    ok = signal_port_queue:put_waiters(Queue, 1),
    false = refuses(Queue, [worker(?MAX - 2)]).

calls_of_all_workers_count(_) ->
    [false, true] = [refuses(signal_port_queue:new(?MAX), [worker(1), worker(2), worker(Waiting)])
                     || Waiting <- [1, 2]].

%% --- Refusals ---

%% A refused call does not wait.
refusals_are_counted(_) ->
    Queue = signal_port_queue:new(?MAX),
    [true = refuses(Queue, [worker(?MAX)]) || _ <- lists:seq(1, 2 * ?MAX)],
    false = refuses(Queue, [worker(?MAX - 1)]),
    2 * ?MAX = signal_port_queue:refused(Queue).

%% The first refusal is logged at once.
refusals_are_logged_once(_) ->
    ok = logger:add_handler(?MODULE, ?MODULE, #{level => all, config => self()}),
    Queue = signal_port_queue:new(?MAX),
    [true = refuses(Queue, [worker(?MAX)]) || _ <- [1, 2, 3]],
    ok = logger:remove_handler(?MODULE),
    receive {logged, [signal_port]} -> ok after 0 -> error(not_logged) end,
    receive {logged, [signal_port]} -> error(logged_again) after 0 -> ok end.

%% The log handler.
log(#{meta := #{domain := Domain}}, #{config := Test}) ->
    Test ! {logged, Domain},
    ok;
log(_, _) ->
    ok.

%% --- Internals ---

refuses(Queue, Workers) ->
    signal_port_queue:refuses(Queue, Workers).

%% A worker with so many calls that wait, and one that does not wait any more.
worker(Waiting) ->
    Counters = signal_port_counters:new(),
    [signal_port_counters:add_sent(Counters) || _ <- lists:seq(0, Waiting)],
    signal_port_counters:add_taken(Counters, 1),
    {self(), Counters}.
