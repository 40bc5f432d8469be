%% The dispatch of a call: which worker gets it, what an attempt costs, when a caller gives up. The
%% workers are processes of the test in the table that callers read. The pool has no worker ready.
-module(signal_port_dispatch_SUITE).
-compile([export_all, nowarn_export_all]).

-define(PATIENT, 60_000).      % milliseconds; a timeout that no test reaches
-define(BUDGET, 30).           % bystanders that a call can be, one worker after the other
-define(OK, <<16#D5, 1, "ok">>).
-define(MAX_FRAME, 16_384).    % bytes
-define(MAX_QUEUE, 1000).      % calls
-define(NOT_DATA, 18).         % bytes of a frame around the data of sha256; 7 of them are the tag

all() ->
    [{group, choice}, {group, attempts}, {group, deadlines}, {group, sizes}].

groups() ->
    [{choice, [worker_with_the_fewest_calls_is_asked, full_queue_refuses_the_call]},
     {attempts, [dead_worker_is_not_asked_again, workers_long_gone_cost_no_attempt,
                 suspect_is_tried_three_times, bystander_is_tried_thirty_times,
                 costs_of_attempts_add_up, undecodable_answer_costs_an_attempt]},
     {deadlines, [default_timeout_is_the_option, attempts_share_one_deadline,
                  late_answer_is_flushed, restarting_pool_is_awaited,
                  restarting_pool_is_awaited_up_to_the_deadline]},
     {sizes, [request_of_max_frame_is_sent, request_of_one_byte_more_is_too_large]}].

init_per_suite(Config) ->
    ok = signal_port_stage:start_with("no_ready.py",
                                      [{pool_size, 1}, {start_without_worker, true},
                                       {start_timeout, ?PATIENT}, {call_timeout, infinity},
                                       {max_frame, ?MAX_FRAME}, {max_queue, ?MAX_QUEUE}]),
    Config.

end_per_suite(_) ->
    signal_port_stage:stop().

%% --- The choice of a worker ---

worker_with_the_fewest_calls_is_asked(_) ->
    Others = [busy(worker(fun suspect/2)) || _ <- [1, 2]],
    {_, Counters} = Chosen = worker(fun reply_ok/2),
    [begin
         ok = answered_by(Workers),
         Count = signal_port_counters:sent(Counters)
     end || {Count, Workers} <- [{1, [Chosen | Others]}, {2, Others ++ [Chosen]}]].

full_queue_refuses_the_call(_) ->
    {_, Counters} = Worker = worker(fun reply_ok/2),
    [signal_port_counters:add_sent(Counters) || _ <- lists:seq(2, ?MAX_QUEUE)],
    ok = answered_by([Worker]),
    {error, overloaded} = answered_by([Worker]).

%% --- Attempts ---

%% The table still has the dead worker, and the other one has more calls.
dead_worker_is_not_asked_again(_) ->
    {_, Counters} = Dead = gone(),
    ok = answered_by([Dead, busy(worker(fun reply_ok/2))]),
    1 = signal_port_counters:in_flight(Counters).

workers_long_gone_cost_no_attempt(_) ->
    ok = answered_by([gone() || _ <- lists:seq(1, ?BUDGET + 1)] ++ [busy(worker(fun reply_ok/2))]).

suspect_is_tried_three_times(_) ->
    is_tried(3, fun suspect/2).

bystander_is_tried_thirty_times(_) ->
    is_tried(?BUDGET, fun bystander/2).

%% Two suspects take two thirds of the budget.
costs_of_attempts_add_up(_) ->
    Answering = busy(worker(fun reply_ok/2)),
    Failing = fun(Bystanders) ->
        [worker(fun suspect/2) || _ <- [1, 2]]
            ++ [worker(fun bystander/2) || _ <- lists:seq(1, Bystanders)]
    end,
    ok = answered_by(Failing(?BUDGET div 3 - 1) ++ [Answering]),
    {error, unavailable} = answered_by(Failing(?BUDGET div 3) ++ [Answering]).

%% The worker is told each time.
undecodable_answer_costs_an_attempt(_) ->
    is_tried(3, fun(Alias, _) -> Alias ! {Alias, <<16#C1>>} end),
    [receive {told, _} -> ok end || _ <- lists:seq(1, 2 + 3)].

%% The last of so many attempts can be answered, and there is no other attempt.
is_tried(Attempts, Act) ->
    Failing = fun(Count) -> [worker(Act) || _ <- lists:seq(1, Count)] end,
    Answering = busy(worker(fun reply_ok/2)),
    ok = answered_by(Failing(Attempts - 1) ++ [Answering]),
    {error, unavailable} = answered_by(Failing(Attempts) ++ [Answering]).

%% --- Deadlines ---

default_timeout_is_the_option(_) ->
    Worker = worker(fun(Alias, infinity) -> reply_ok(Alias, infinity) end),
    ok = signal_port_table:put_workers([Worker]),
    ok = signal_port_dispatch:call(request()).

attempts_share_one_deadline(_) ->
    Test = self(),
    First = worker(fun(_, Deadline) ->
        Test ! {first, Deadline},
        Now = signal_port_deadline:now_ms(),
        signal_port_stage:until(fun() -> signal_port_deadline:now_ms() > Now end),
        exit(normal)
    end),
    Second = worker(fun(Alias, Deadline) ->
        Test ! {second, Deadline},
        reply_ok(Alias, Deadline)
    end),
    ok = answered_by([First, busy(Second)]),
    [Deadline, Deadline] = [receive {Attempt, Of} -> Of end || Attempt <- [first, second]].

%% The caller is suspended. Meanwhile its timeout passes, and then the answer arrives.
late_answer_is_flushed(_) ->
    Test = self(),
    Worker = worker(fun(Alias, Deadline) -> Test ! {asked, Alias, Deadline} end),
    ok = signal_port_table:put_workers([Worker]),
    Caller = spawn_link(fun() ->
        Answer = signal_port_dispatch:call(request(), 50, none),
        receive finish -> Test ! {Answer, process_info(self(), [messages, monitors])} end
    end),
    {Alias, Deadline} = receive {asked, Of, By} -> {Of, By} end,
    true = erlang:suspend_process(Caller),
    signal_port_stage:until(fun() -> signal_port_deadline:has_passed(Deadline + 50) end),
    Alias ! {Alias, ?OK},
    true = erlang:resume_process(Caller),
    Caller ! finish,
    receive {_, Left} -> [{messages, []}, {monitors, []}] = Left end.

%% The call asks the pool again and again, until there is a worker.
restarting_pool_is_awaited(_) ->
    without_pool(fun() ->
        Call = signal_port_stage:async(fun() ->
            receive start -> signal_port_dispatch:call(request(), ?PATIENT, none) end
        end),
        1 = erlang:trace(Call, true, [call]),
        1 = erlang:trace_pattern({signal_port_pool, wait, 2}, true, [global]),
        Call ! start,
        [receive {trace, Call, call, _} -> ok; {Call, Answer} -> error({answered, Answer}) end
         || _ <- [1, 2]],
        ok = signal_port_table:put_workers([worker(fun reply_ok/2)]),
        ok = signal_port_stage:await(Call)
    end).

restarting_pool_is_awaited_up_to_the_deadline(_) ->
    without_pool(fun() ->
        Call = signal_port_stage:async(fun() -> signal_port_dispatch:call(request(), 50, none) end),
        {error, timeout} = signal_port_stage:await(Call)
    end).

%% The supervisor does not start the pool again before the function returns.
without_pool(Fun) ->
    ok = signal_port_table:put_workers([]),
    ok = sys:suspend(signal_port_sup),
    try
        exit(whereis(signal_port_pool), kill),
        signal_port_stage:until(fun() -> whereis(signal_port_pool) =:= undefined end),
        Fun()
    after
        ok = sys:resume(signal_port_sup),
        signal_port_stage:until(fun signal_port:info/0)
    end.

%% --- Sizes ---

request_of_max_frame_is_sent(_) ->
    ok = answered_by([worker(fun reply_ok/2)], request_of(?MAX_FRAME - ?NOT_DATA)).

request_of_one_byte_more_is_too_large(_) ->
    {_, Counters} = Worker = worker(fun reply_ok/2),
    {error, too_large} = answered_by([Worker], request_of(?MAX_FRAME - ?NOT_DATA + 1)),
    0 = signal_port_counters:in_flight(Counters).

%% --- Internals ---

answered_by(Workers) ->
    answered_by(Workers, request()).

answered_by(Workers, Request) ->
    ok = signal_port_table:put_workers(Workers),
    signal_port_dispatch:call(Request, ?PATIENT, none).

request() ->
    signal_port_codec:request(init, []).

request_of(Size) ->
    signal_port_codec:request(sha256, [binary:copy(<<0>>, Size)]).

%% A worker, as callers see it, that hands its calls to a function. The test is told of all else.
worker(Act) ->
    Test = self(),
    {spawn_link(fun() -> serve(Act, Test) end), signal_port_counters:new()}.

serve(Act, Test) ->
    receive
        {call, _Number, Alias, Deadline, _Request} -> Act(Alias, Deadline);
        Other -> Test ! {told, Other}
    end,
    serve(Act, Test).

suspect(_Alias, _Deadline) ->
    exit(normal).

bystander(Alias, _Deadline) ->
    Alias ! {Alias, bystander}.

reply_ok(Alias, _Deadline) ->
    Alias ! {Alias, ?OK}.

%% A worker that has ended.
gone() ->
    {Pid, Monitor} = spawn_monitor(fun() -> ok end),
    receive {'DOWN', Monitor, process, Pid, _} -> ok end,
    {Pid, signal_port_counters:new()}.

%% More calls than any other, so that it gets a call last.
busy({_, Counters} = Worker) ->
    [signal_port_counters:add_sent(Counters) || _ <- lists:seq(1, 10)],
    Worker.
