%% @private A slot of the pool: a place for one worker after the other. A slot starts its worker,
%% logs what happens to it, and says when to start the next one. It knows no caller.
%%
%% A worker that ends during its work is replaced at once. A worker that fails to start is retried
%% with exponential back-off. Failed starts in a row add up to a score; from `GIVE_UP' on, calls do
%% not wait for the slot.
-module(signal_port_slot).

-export([new/1, start/2, started/2, ready/2, down/3, left/2, succeed/2, add_calls/2]).
-export([index/1, pid/1, worker/1, versions/1, info/1, answered/1, history/1, is_idle/1,
         is_waiting/1, has_failed/1, is_given_up/1]).
-export_type([slot/0, info/0]).

-define(GIVE_UP, 30).          % score
-define(FAILED_START, 10).     % score of a start that failed
-define(TRANSIENT, 1).         % score of a start that failed for a reason that can pass quickly
-define(MIN_BACKOFF, 100).     % milliseconds; doubles with each failed start
-define(MAX_BACKOFF, 10_000).  % milliseconds
-define(MIN_LIFE, 1000).       % milliseconds; the delay after a worker that ended idle before that

-record(slot, {
    index :: pos_integer(),
    state = idle :: idle | starting | ready | waiting,
    pid :: pid() | undefined,
    os_pid :: pos_integer() | undefined,
    counters :: signal_port_counters:counters() | undefined,
    versions = #{} :: #{atom() => binary()},
    sandbox :: sandbox() | undefined,
    ready_at :: integer() | undefined,   % monotonic milliseconds
    starts = 0 :: non_neg_integer(),
    score = 0 :: non_neg_integer(),      % of the failed starts since the last worker was ready
    calls = 0 :: non_neg_integer(),      % answered by former workers
    last_reason :: string() | undefined
}).

-opaque slot() :: #slot{}.
-type sandbox() :: seccomp | {none, Why :: binary()}.
-type info() :: #{state := idle | starting | ready | waiting, os_pid := pos_integer() | undefined,
                  versions := #{atom() => binary()}, sandbox := sandbox() | undefined,
                  calls := non_neg_integer(), in_flight := integer(), queued := integer(),
                  restarts := non_neg_integer(), last_reason := string() | undefined}.

%% @doc Returns a slot that has never had a worker.
-spec new(Index :: pos_integer()) -> slot().
new(Index) ->
    #slot{index = Index}.

%% --- What happens to the worker ---

%% @doc Starts a worker and monitors it. The worker reports to the calling process.
-spec start(slot(), signal_port_config:config()) -> slot().
start(#slot{index = Index, starts = Starts} = Slot, Config) ->
    Counters = signal_port_counters:new(Index),
    {ok, Pid} = supervisor:start_child(signal_port_worker_sup, [self(), Counters, Config]),
    monitor(process, Pid),
    ok = signal_port_worker:open(Pid, Config),
    Slot#slot{state = starting, pid = Pid, counters = Counters, starts = Starts + 1}.

%% @doc The worker has an OS process.
-spec started(slot(), OsPid :: pos_integer()) -> slot().
started(Slot, OsPid) ->
    Slot#slot{os_pid = OsPid}.

%% @doc The worker takes calls.
-spec ready(slot(), Versions :: #{atom() => binary()}) -> slot().
ready(#slot{index = Index, os_pid = OsPid, score = Score} = Slot, Versions) ->
    signal_port_event:worker_up({Index, OsPid}, Versions, Score > 0),
    Sandbox = sandbox(maps:get(sandbox, Versions, <<"none: the worker does not say">>)),
    Slot#slot{state = ready, versions = maps:remove(sandbox, Versions), sandbox = Sandbox,
              ready_at = signal_port_deadline:now_ms(), score = 0}.

%% @doc The worker has ended. Returns the milliseconds to wait before the next start. A failed start
%% is logged only if its reason is news.
-spec down(slot(), Reason :: term(), IsNews :: boolean()) -> {Delay :: non_neg_integer(), slot()}.
down(#slot{os_pid = OsPid, counters = Counters, calls = Calls} = Slot, Reason, IsNews) ->
    Answered = signal_port_counters:answered(Counters),
    Sentence = signal_port_reason:explain(Reason),
    {Score, Delay} = score_and_delay(Slot, signal_port_reason:is_transient(Reason)),
    What = case {Score > 0, IsNews} of
        {false, _} -> ended;
        {true, true} -> not_started;
        {true, false} -> not_started_again
    end,
    signal_port_event:worker_down({Slot#slot.index, OsPid}, Sentence, Answered, {What, Delay}),
    {Delay, Slot#slot{state = waiting, pid = undefined, os_pid = undefined, counters = undefined,
                      score = Score, calls = Calls + Answered, last_reason = Sentence}}.

score_and_delay(#slot{state = ready, ready_at = ReadyAt, counters = Counters}, _IsTransient) ->
    HasWorked = signal_port_counters:taken(Counters) > 0,
    case HasWorked orelse signal_port_deadline:now_ms() - ReadyAt >= ?MIN_LIFE of
        true -> {0, 0};
        false -> {0, ?MIN_LIFE}
    end;
score_and_delay(#slot{score = Score}, IsTransient) ->
    Delay = min(?MAX_BACKOFF, ?MIN_BACKOFF bsl min(Score div ?FAILED_START, 16)),
    {Score + case IsTransient of true -> ?TRANSIENT; false -> ?FAILED_START end, Delay}.

%% @doc The worker has ended after it was replaced, or after its place was removed.
-spec left(slot(), Reason :: term()) -> ok.
left(#slot{index = Index, os_pid = OsPid} = Slot, Reason) ->
    signal_port_event:worker_left({Index, OsPid}, signal_port_reason:explain(Reason),
                                  answered(Slot), Reason =:= {shutdown, drained}).

%% @doc Returns the slot with the history of the one whose place it takes.
-spec succeed(slot(), Old :: slot()) -> slot().
succeed(Slot, #slot{starts = Starts, calls = Calls, last_reason = Reason}) ->
    Slot#slot{starts = Starts + 1, calls = Calls, last_reason = Reason}.

%% @doc Adds calls that a former worker answered.
-spec add_calls(non_neg_integer(), slot()) -> slot().
add_calls(Answered, #slot{calls = Calls} = Slot) ->
    Slot#slot{calls = Calls + Answered}.

%% --- What is known of it ---

-spec index(slot()) -> pos_integer().
index(#slot{index = Index}) -> Index.

-spec pid(slot()) -> pid() | undefined.
pid(#slot{pid = Pid}) -> Pid.

%% @doc Returns the worker as callers see it, if it is ready.
-spec worker(slot()) -> [signal_port_table:worker()].
worker(#slot{state = ready, pid = Pid, counters = Counters}) -> [{Pid, Counters}];
worker(#slot{}) -> [].

%% @doc Returns the versions that the last ready worker reported.
-spec versions(slot()) -> #{atom() => binary()}.
versions(#slot{versions = Versions}) -> Versions.

%% @doc Returns how many calls the slot's worker has answered, if there is one.
-spec answered(slot()) -> non_neg_integer().
answered(#slot{counters = undefined}) -> 0;
answered(#slot{counters = Counters}) -> signal_port_counters:answered(Counters).

%% @doc Returns the calls that former workers answered, and the restarts.
-spec history(slot()) -> {Calls :: non_neg_integer(), Restarts :: non_neg_integer()}.
history(#slot{calls = Calls, starts = Starts}) -> {Calls, max(0, Starts - 1)}.

%% @doc Returns whether the slot waits for its next start.
-spec is_waiting(slot()) -> boolean().
is_waiting(#slot{state = State}) -> State =:= waiting.

%% @doc Returns whether the slot has never been started.
-spec is_idle(slot()) -> boolean().
is_idle(#slot{state = State}) -> State =:= idle.

%% @doc Returns whether a start has failed, or many were killed, since the last ready worker.
-spec has_failed(slot()) -> boolean().
has_failed(#slot{score = Score}) -> Score >= ?FAILED_START.

%% @doc Returns whether so many starts have failed that calls do not wait for this slot.
-spec is_given_up(slot()) -> boolean().
is_given_up(#slot{score = Score}) -> Score >= ?GIVE_UP.

%% @doc Returns what `signal_port:info/0' reports of the slot.
-spec info(slot()) -> info().
info(#slot{state = State, os_pid = OsPid} = Slot) ->
    {Calls, Restarts} = history(Slot),
    {InFlight, Queued} = counted(Slot#slot.counters),
    #{state => State, os_pid => OsPid, versions => Slot#slot.versions,
      sandbox => Slot#slot.sandbox,
      calls => Calls + answered(Slot), in_flight => InFlight, queued => Queued,
      restarts => Restarts, last_reason => Slot#slot.last_reason}.

sandbox(<<"seccomp">>) -> seccomp;
sandbox(<<"none: ", Why/binary>>) -> {none, Why};
sandbox(Other) -> {none, Other}.

counted(undefined) -> {0, 0};
counted(Counters) ->
    {signal_port_counters:in_flight(Counters), signal_port_counters:waiting(Counters)}.
