%% @private The pool: which workers are ready, and which is started when.
%%
%% The process keeps the workers going. No call passes through it: callers read the ready workers from a table (see
%% signal_port_dispatch), and come here only when there is no worker to talk to.
-module(signal_port_pool).
-behaviour(gen_server).

-export([start_link/1, wait/2, info/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, format_status/1]).

-define(HOPELESS, 30).        % of every worker: calls need not wait for one. Starts in a row count for that:
-define(FAILED, 10).          % one that failed
-define(KILLED, 1).           % one that was killed, which says little of the next one
-define(FIRST_DELAY, 100).    % milliseconds before the second try to start a worker; doubled with each that failed,
-define(LAST_DELAY, 10_000).  % up to this
-define(SHORT_LIFE, 1000).    % milliseconds; one that ends idle before is followed no sooner

-record(slot, {
    index :: pos_integer(),
    state = idle :: idle | starting | ready | waiting,  % idle: never needed; waiting: for its next start
    pid :: pid() | undefined,
    os_pid :: pos_integer() | undefined,
    counters :: signal_port_counters:counters() | undefined,
    versions = #{} :: #{atom() => binary()},
    since :: integer() | undefined,     % monotonic milliseconds; when it got ready
    starts = 0 :: non_neg_integer(),
    failures = 0 :: non_neg_integer(),  % what the starts without success count since the last one with
    calls = 0 :: non_neg_integer(),     % answered by the workers before this one
    last_reason :: string() | undefined
}).

-record(state, {
    config :: signal_port_config:config(),
    slots :: #{pos_integer() => #slot{}},
    waiters = #{} :: #{pid() => {gen_server:from(), reference()}},  % callers for whom no worker was ready
    is_hopeless = false :: boolean()       % every worker has failed to start, more than once
}).

%% --- For callers ---

%% @doc Waits until a worker is ready that is not among the dead; `restarting' where the pool itself has ended meanwhile.
-spec wait(Dead :: [pid()], timeout()) -> ok | {error, timeout | unavailable} | restarting.
wait(Dead, Timeout) ->
    try
        gen_server:call(?MODULE, {wait, Dead}, Timeout)
    catch
        exit:{timeout, _} ->
            gen_server:cast(?MODULE, {forget, self()}),
            {error, timeout};
        exit:{calling_self, _} ->
            {error, unavailable};  % a handler of an event, which runs in the pool: there is nobody to wait for
        exit:_ ->
            restarting
    end.

%% @doc The engine, and what the pool has to say of each worker.
-spec info() -> {signal_port_backend:choice(), Versions :: #{atom() => binary()}, Workers :: [map()]}.
info() ->
    {Versions, Workers} = gen_server:call(?MODULE, info),
    {signal_port_table:choice(), Versions, Workers}.

%% --- gen_server ---

-spec start_link(signal_port_config:config()) -> gen_server:start_ret().
start_link(Config) ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, Config, []).

-spec init(signal_port_config:config()) -> {ok, #state{}} | {stop, {shutdown, string()}}.
init(#{pool_size := Size} = Config) ->
    process_flag(sensitive, true),
    Slots = maps:from_list([{Index, #slot{index = Index}} || Index <- lists:seq(1, Size)]),
    State = #state{config = Config, slots = Slots},
    publish(State),
    case {signal_port_table:choice(), signal_port_table:has_started()} of
        {{nif, _}, _} -> {ok, State};              % the first call that the NIF has no answer to starts the workers
        {_, true} -> {ok, start_all(State)};       % started anew: the application stays up, whatever the workers do
        {_, false} -> first_start(start_all(State), [], Size)
    end.

%% The application has started when one worker is ready; that none can be had is the operator's to know at once.
first_start(_State, [{'DOWN', _, process, _, Reason} | _], 0) ->
    {stop, {shutdown, signal_port_reason:explain(Reason)}};
first_start(State, Failed, Others) ->
    receive
        {ready, _, _} = Ready ->
            signal_port_table:put_started(),
            {ok, lists:foldl(fun(Message, S) -> element(2, handle_info(Message, S)) end, State, [Ready | Failed])};
        {started, _, _} = Started ->
            first_start(element(2, handle_info(Started, State)), Failed, Others);
        {start, _} = Start ->
            first_start(element(2, handle_info(Start, State)), Failed, Others);
        {'DOWN', _, process, Pid, Reason} = Down ->
            case signal_port_reason:was_killed(Reason) andalso failures(Pid, State) < ?FAILED of
                true -> first_start(element(2, handle_info(Down, State)), Failed, Others);
                false -> first_start(State, [Down | Failed], Others - 1)
            end
    end.

failures(Pid, #state{slots = Slots}) ->
    hd([Failures || #slot{pid = P, failures = Failures} <- maps:values(Slots), P =:= Pid]).

-spec handle_call(term(), gen_server:from(), #state{}) -> {reply, term(), #state{}} | {noreply, #state{}}.
handle_call({wait, _Dead} = Wait, From, #state{slots = #{1 := #slot{state = idle}}} = State) ->
    handle_call(Wait, From, start_all(State));
handle_call({wait, Dead}, {Caller, _} = From, #state{slots = Slots} = State) ->
    Ready = [Pid || #slot{state = ready, pid = Pid} <- maps:values(Slots)],
    case Ready -- Dead of
        [_ | _] -> {reply, ok, State};
        [] -> {noreply, dismiss_if_hopeless(remember(Caller, From, State))}
    end;
handle_call(info, _From, #state{slots = Slots} = State) ->
    InOrder = [Slot || {_, Slot} <- lists:sort(maps:to_list(Slots))],
    Versions = lists:foldl(fun maps:merge/2, #{}, [V || #slot{versions = V} <- InOrder]),
    {reply, {Versions, [describe(Slot) || Slot <- InOrder]}, State};
handle_call(_, _From, State) ->
    {reply, {error, badarg}, State}.

-spec handle_cast(term(), #state{}) -> {noreply, #state{}}.
handle_cast({forget, Caller}, State) ->
    {noreply, forget(Caller, State)};
handle_cast(_, State) ->
    {noreply, State}.

-spec handle_info(term(), #state{}) -> {noreply, #state{}}.
handle_info({started, Pid, OsPid}, State) ->
    {noreply, update(Pid, fun(Slot) -> Slot#slot{os_pid = OsPid} end, State)};
handle_info({ready, Pid, Versions}, State) ->
    Ready = update(Pid, fun(Slot) -> ready(Slot, Versions) end, State),
    publish(Ready),
    {noreply, dismiss(ok, hopeful(Ready))};
handle_info({'DOWN', _Monitor, process, Pid, _}, #state{waiters = Waiters} = State) when is_map_key(Pid, Waiters) ->
    {noreply, forget(Pid, State)};
handle_info({'DOWN', _Monitor, process, Pid, Reason}, State) ->
    Down = update(Pid, fun(Slot) -> down(Slot, Reason) end, State),
    publish(Down),
    {noreply, dismiss_if_hopeless(Down)};
handle_info({start, Index}, #state{slots = Slots, config = Config} = State) ->
    {noreply, State#state{slots = maps:update_with(Index, fun(Slot) -> start(Slot, Config) end, Slots)}};
handle_info(_, State) ->
    {noreply, State}.

%% What callers sent is not in the state, but a message may be anything.
-spec format_status(gen_server:format_status()) -> gen_server:format_status().
format_status(Status) ->
    signal_port_secret:format_status(Status).

%% --- Slots ---

start_all(#state{slots = Slots, config = Config} = State) ->
    State#state{slots = maps:map(fun(_, Slot) -> start(Slot, Config) end, Slots)}.

start(#slot{starts = Starts} = Slot, Config) ->
    Counters = signal_port_counters:new(),
    {ok, Pid} = supervisor:start_child(signal_port_worker_sup, [self(), Counters, Config]),
    monitor(process, Pid),
    Slot#slot{state = starting, pid = Pid, counters = Counters, starts = Starts + 1}.

ready(#slot{os_pid = OsPid, failures = Failures} = Slot, Versions) ->
    signal_port_event:worker_up(OsPid, Failures),
    Slot#slot{state = ready, versions = Versions, since = signal_port_deadline:now_ms(), failures = 0}.

down(#slot{index = Index, os_pid = OsPid, counters = Counters, calls = Calls} = Slot, Reason) ->
    Answered = signal_port_counters:answered(Counters),
    Sentence = signal_port_reason:explain(Reason),
    {Failures, Delay} = followed(Slot, signal_port_reason:was_killed(Reason)),
    signal_port_event:worker_down(OsPid, Sentence, Answered, {Failures > 0, Delay}),
    erlang:send_after(Delay, self(), {start, Index}),
    Slot#slot{state = waiting, pid = undefined, os_pid = undefined, counters = undefined, failures = Failures,
              calls = Calls + Answered, last_reason = Sentence}.

%% What its starts count now, and milliseconds until the next. A worker that ended at work, or after a while, is followed at
%% once; one that failed to start after a growing delay.
followed(#slot{state = ready, since = Since, counters = Counters}, _WasKilled) ->
    case signal_port_counters:taken(Counters) > 0 orelse signal_port_deadline:now_ms() - Since >= ?SHORT_LIFE of
        true -> {0, 0};
        false -> {0, ?SHORT_LIFE}
    end;
followed(#slot{failures = Failures}, WasKilled) ->
    Delay = min(?LAST_DELAY, ?FIRST_DELAY bsl min(Failures div ?FAILED, 16)),
    {Failures + case WasKilled of true -> ?KILLED; false -> ?FAILED end, Delay}.

update(Pid, Fun, #state{slots = Slots} = State) ->
    State#state{slots = maps:map(fun(_, #slot{pid = P} = Slot) when P =:= Pid -> Fun(Slot);
                                    (_, Slot) -> Slot
                                 end, Slots)}.

publish(#state{slots = Slots}) ->
    Workers = [{Pid, Counters} || #slot{state = ready, pid = Pid, counters = Counters} <- maps:values(Slots)],
    signal_port_table:put_workers(Workers).

dismiss(Answer, #state{waiters = Waiters} = State) ->
    [begin demonitor(Monitor, [flush]), gen_server:reply(From, Answer) end || {From, Monitor} <- maps:values(Waiters)],
    State#state{waiters = #{}}.

%% A caller waits once at a time, and is forgotten when it ends or gives up: a worker may be long in coming.
remember(Caller, From, State) ->
    #state{waiters = Waiters} = Forgotten = forget(Caller, State),
    Forgotten#state{waiters = Waiters#{Caller => {From, monitor(process, Caller)}}}.

forget(Caller, #state{waiters = Waiters} = State) ->
    case maps:take(Caller, Waiters) of
        {{_, Monitor}, Others} -> demonitor(Monitor, [flush]), State#state{waiters = Others};
        error -> State
    end.

%% A start or two may fail by an accident; when all have failed more often, waiting is no use.
dismiss_if_hopeless(#state{slots = Slots, is_hopeless = WasHopeless} = State) ->
    case lists:all(fun(#slot{failures = Failures}) -> Failures >= ?HOPELESS end, maps:values(Slots)) of
        true ->
            WasHopeless orelse signal_port_event:unavailable(),
            dismiss({error, unavailable}, State#state{is_hopeless = true});
        false ->
            State
    end.

hopeful(#state{is_hopeless = WasHopeless} = State) ->
    WasHopeless andalso signal_port_event:available(),
    State#state{is_hopeless = false}.

describe(#slot{state = SlotState, os_pid = OsPid, counters = Counters, starts = Starts} = Slot) ->
    {Answered, InFlight} = case Counters of
        undefined -> {0, 0};
        _ -> {signal_port_counters:answered(Counters), signal_port_counters:in_flight(Counters)}
    end,
    #{state => SlotState, os_pid => OsPid, calls => Slot#slot.calls + Answered, in_flight => InFlight,
      restarts => max(0, Starts - 1), last_reason => Slot#slot.last_reason}.
