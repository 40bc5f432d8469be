%% The dispatch of a call: which worker gets it, what an attempt costs, when a caller gives up. The
%% workers are processes of the test in the table that callers read. The pool has no worker ready.
-module(signal_port_dispatch_SUITE).
-compile([export_all, nowarn_export_all]).

-define(PATIENT, 60_000).      % milliseconds; a timeout that no test reaches
-define(BUDGET, 30).           % bystanders that a call can be, one worker after the other
-define(OK, <<16#D5, 1, "ok">>).
-define(MAX_FRAME, 16_384).    % bytes
-define(NOT_DATA, 18).         % bytes of a frame around the data of sha256; 7 of them are the tag

all() ->
    [{group, attempts}, {group, deadlines}, {group, sizes}].

groups() ->
    [{attempts, [dead_worker_is_not_asked_again, workers_long_gone_cost_no_attempt,
                 suspect_is_tried_three_times, bystander_is_tried_thirty_times,
                 undecodable_answer_costs_an_attempt]},
     {deadlines, [attempts_share_one_deadline, late_answer_is_flushed,
                  restarting_pool_is_awaited_up_to_the_deadline]},
     {sizes, [request_of_max_frame_is_sent, request_of_one_byte_more_is_too_large]}].

init_per_suite(Config) ->
    ok = signal_port_stage:start_with("no_ready.py",
                                      [{pool_size, 1}, {start_without_worker, true},
                                       {start_timeout, ?PATIENT}, {max_frame, ?MAX_FRAME}]),
    Config.

end_per_suite(_) ->
    signal_port_stage:stop().

%% --- Attempts ---

%% The table still has the dead worker, and the other one has more calls.
dead_worker_is_not_asked_again(_) ->
    {_, Counters} = Dead = gone(),
    ok = answered_by([Dead, busy(worker(fun reply_ok/2))]),
    1 = signal_port_counters:in_flight(Counters).

workers_long_gone_cost_no_attempt(_) ->
    ok = answered_by([gone() || _ <- lists:seq(1, ?BUDGET + 1)] ++ [busy(worker(fun reply_ok/2))]).

suspect_is_tried_three_times(_) ->
    is_tried(3, fun(_, _) -> exit(normal) end).

bystander_is_tried_thirty_times(_) ->
    is_tried(?BUDGET, fun(Alias, _) -> Alias ! {Alias, bystander} end).

undecodable_answer_costs_an_attempt(_) ->
    is_tried(3, fun(Alias, _) -> Alias ! {Alias, <<16#C1>>} end).

%% The last of so many attempts can be answered, and there is no other attempt.
is_tried(Attempts, Act) ->
    Failing = fun(Count) -> [worker(Act) || _ <- lists:seq(1, Count)] end,
    Answering = busy(worker(fun reply_ok/2)),
    ok = answered_by(Failing(Attempts - 1) ++ [Answering]),
    {error, unavailable} = answered_by(Failing(Attempts) ++ [Answering]).

%% --- Deadlines ---

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
        Answer = signal_port_dispatch:call(request(), 50),
        receive finish -> Test ! {Answer, process_info(self(), messages)} end
    end),
    {Alias, Deadline} = receive {asked, Of, By} -> {Of, By} end,
    true = erlang:suspend_process(Caller),
    signal_port_stage:until(fun() -> signal_port_deadline:has_passed(Deadline + 50) end),
    Alias ! {Alias, ?OK},
    true = erlang:resume_process(Caller),
    Caller ! finish,
    receive {_, Messages} -> {messages, []} = Messages end.

%% The supervisor does not start the pool again while the call waits.
restarting_pool_is_awaited_up_to_the_deadline(_) ->
    ok = sys:suspend(signal_port_sup),
    try
        exit(whereis(signal_port_pool), kill),
        signal_port_stage:until(fun() -> whereis(signal_port_pool) =:= undefined end),
        Call = signal_port_stage:async(fun() -> signal_port_dispatch:call(request(), 50) end),
        {error, timeout} = signal_port_stage:await(Call)
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
    signal_port_dispatch:call(Request, ?PATIENT).

request() ->
    signal_port_codec:request(init, []).

request_of(Size) ->
    signal_port_codec:request(sha256, [binary:copy(<<0>>, Size)]).

%% A worker, as callers see it, that hands its calls to a function.
worker(Act) ->
    {spawn_link(fun() -> serve(Act) end), signal_port_counters:new()}.

serve(Act) ->
    receive
        {call, _Number, Alias, Deadline, _Request} -> Act(Alias, Deadline);
        _ -> ok
    end,
    serve(Act).

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
