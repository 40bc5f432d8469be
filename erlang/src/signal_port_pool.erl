%% @private The pool: starts the workers and keeps them running.
%%
%% No call passes through this process. Callers read the ready workers from `signal_port_table'.
%% They come here only if no worker is ready, and then wait for one.
-module(signal_port_pool).
-behaviour(gen_server).

-export([start_link/1, wait/2, nodes/1, info/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, format_status/1]).

-record(state, {
    config :: signal_port_config:config(),
    slots :: #{Index :: pos_integer() => signal_port_slot:slot()},
    queue :: signal_port_queue:queue(),
    waiters = signal_port_waiters:new() :: signal_port_waiters:waiters(),
    news = signal_port_news:new() :: signal_port_news:news(),
    nodes :: nodes(),
    is_unavailable = false :: boolean()  % every slot is given up, and this was logged
}).

%% Other nodes: one can be ready soon, or is; none has been ready for long; or none is used.
-type nodes() :: hoped_for | given_up | unused.

%% --- For callers ---

-spec start_link(signal_port_config:config()) -> gen_server:start_ret().
start_link(Config) ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, Config, []).

%% @doc Waits until a worker is ready that is not among the dead. The timeout is in milliseconds.
%% Returns `restarting' if the pool ends meanwhile. Only a call that knows no dead worker is new,
%% and can be refused as `overloaded'. The worker can be one that stands for another node.
-spec wait(Dead :: [pid()], timeout()) ->
    ok | {error, timeout | unavailable | overloaded} | restarting.
wait(Dead, Timeout) ->
    try
        gen_server:call(?MODULE, {wait, Dead}, Timeout)
    catch
        exit:{timeout, _} ->
            gen_server:cast(?MODULE, {forget, self()}),
            {error, timeout};
        exit:{calling_self, _} ->
            {error, unavailable};  % an event handler that runs in the pool must not wait for it
        exit:_ ->
            restarting
    end.

%% @doc Tells the pool that another node is ready, or that none has been ready for long.
-spec nodes(ready | given_up) -> ok.
nodes(What) ->
    gen_server:cast(?MODULE, {nodes, What}).

%% @doc Returns the versions of the Python side, what is known of each slot, and the calls that
%% belong to no slot: those that wait for a worker, and those that were refused.
-spec info() -> #{versions := #{atom() => binary()}, workers := [signal_port_slot:info()],
                  others := #{queued | refused => non_neg_integer()}}.
info() ->
    gen_server:call(?MODULE, info).

%% --- gen_server ---

-spec init(signal_port_config:config()) -> {ok, #state{}} | ignore.
init(#{pool_size := Size, start_without_worker := Optional, use_nodes := UseNodes} = Config) ->
    process_flag(sensitive, true),
    Slots = maps:from_list([{Index, signal_port_slot:new(Index)} || Index <- lists:seq(1, Size)]),
    Nodes = case UseNodes of never -> unused; _ -> hoped_for end,
    State = #state{config = Config, slots = Slots, queue = signal_port_table:queue(),
                   nodes = Nodes},
    publish(set_waiters(signal_port_waiters:new(), State)),
    IsOptional = Optional orelse Size =:= 0 orelse signal_port_table:has_started(),
    case {signal_port_table:choice(), IsOptional} of
        {{nif, _}, _} -> {ok, State};         % workers start with the first call that needs one
        {_, true} -> {ok, start_all(State)};  % the application stays up in any case
        {_, false} -> first_start(start_all(State), [], Size)
    end.

%% The application has started when the first worker is ready. If all fail, its start fails too, so
%% that the operator sees the reason. Failures are handled when the first worker is ready. A
%% supervisor logs a child that returns an error, but not one that returns `ignore'.
first_start(_State, [{'DOWN', _, process, _, Reason} | _], 0) ->
    signal_port_table:put_failure(signal_port_reason:explain(Reason)),
    ignore;
first_start(State, Failed, Others) ->
    receive
        {ready, _, _} = Ready ->
            signal_port_table:put_started(),
            {ok, lists:foldl(fun handle/2, State, [Ready | Failed])};
        {'DOWN', _, process, Pid, Reason} = Down ->
            case signal_port_reason:is_transient(Reason) andalso not has_failed(Pid, State) of
                true -> first_start(handle(Down, State), Failed, Others);
                false -> first_start(State, [Down | Failed], Others - 1)
            end;
        {started, _, _} = Started ->
            first_start(handle(Started, State), Failed, Others);
        {start, _} = Start ->
            first_start(handle(Start, State), Failed, Others)
    end.

has_failed(Pid, State) ->
    lists:any(fun(Slot) -> signal_port_slot:pid(Slot) =:= Pid andalso
                           signal_port_slot:has_failed(Slot)
              end, slots(State)).

-spec handle_call(term(), gen_server:from(), #state{}) ->
    {reply, term(), #state{}} | {noreply, #state{}}.
handle_call({wait, Dead}, From, State) ->
    wait(Dead, From, start_if_idle(State));
handle_call(info, _From, #state{waiters = Waiters, queue = Queue} = State) ->
    Slots = slots(State),
    Versions = lists:map(fun signal_port_slot:versions/1, Slots),
    Others = #{queued => signal_port_waiters:count(Waiters),
               refused => signal_port_queue:refused(Queue)},
    {reply, #{versions => lists:foldl(fun maps:merge/2, #{}, Versions),
              workers => lists:map(fun signal_port_slot:info/1, Slots), others => Others}, State};
handle_call(_, _From, State) ->
    {reply, {error, badarg}, State}.

-spec handle_cast(term(), #state{}) -> {noreply, #state{}}.
handle_cast({forget, Caller}, #state{waiters = Waiters} = State) ->
    {noreply, set_waiters(signal_port_waiters:remove(Caller, Waiters), State)};
handle_cast({nodes, ready}, State) ->
    {noreply, reply_to_waiters(ok, log_available(State#state{nodes = hoped_for}))};
handle_cast({nodes, given_up}, State) ->
    {noreply, reject_if_unavailable(State#state{nodes = given_up})};
handle_cast(_, State) ->
    {noreply, State}.

-spec handle_info(term(), #state{}) -> {noreply, #state{}}.
handle_info(Message, State) ->
    {noreply, handle(Message, State)}.

-spec format_status(gen_server:format_status()) -> gen_server:format_status().
format_status(Status) ->
    signal_port_secret:format_status(Status).

%% --- Workers ---

handle({started, Pid, OsPid}, State) ->
    update(Pid, fun(Slot) -> signal_port_slot:started(Slot, OsPid) end, State);
handle({ready, Pid, Versions}, State) ->
    Ready = update(Pid, fun(Slot) -> signal_port_slot:ready(Slot, Versions) end, State),
    publish(Ready),
    reply_to_waiters(ok, log_available(Ready));
handle({'DOWN', _, process, Pid, Reason}, #state{waiters = Waiters} = State) ->
    case signal_port_waiters:is_waiting(Pid, Waiters) of
        true -> set_waiters(signal_port_waiters:remove(Pid, Waiters), State);
        false -> down(Pid, Reason, State)
    end;
handle({start, Index}, #state{slots = Slots, config = Config} = State) ->
    Start = fun(Slot) -> signal_port_slot:start(Slot, Config) end,
    State#state{slots = maps:update_with(Index, Start, Slots)};
handle(_, State) ->
    State.

down(Pid, Reason, #state{news = News} = State) ->
    Sentence = signal_port_reason:explain(Reason),
    {IsNews, Heard} = signal_port_news:hear(Sentence, signal_port_deadline:now_ms(), News),
    Restart = fun(Slot) -> start_later(signal_port_slot:down(Slot, Reason, IsNews)) end,
    Down = update(Pid, Restart, State#state{news = Heard}),
    publish(Down),
    reject_if_unavailable(Down).

start_later({Delay, Slot}) ->
    erlang:send_after(Delay, self(), {start, signal_port_slot:index(Slot)}),
    Slot.

%% Beside a NIF the workers start with the first call that comes here.
start_if_idle(#state{slots = #{1 := Slot}} = State) ->
    case signal_port_slot:is_idle(Slot) of
        true -> start_all(State);
        false -> State
    end;
start_if_idle(State) ->  % a pool of size 0
    State.

start_all(#state{slots = Slots, config = Config} = State) ->
    State#state{slots = maps:map(fun(_, Slot) -> signal_port_slot:start(Slot, Config) end, Slots)}.

update(Pid, Fun, #state{slots = Slots} = State) ->
    Update = fun(_, Slot) ->
        case signal_port_slot:pid(Slot) of
            Pid -> Fun(Slot);
            _ -> Slot
        end
    end,
    State#state{slots = maps:map(Update, Slots)}.

publish(State) ->
    signal_port_table:put_workers(workers(State)).

workers(State) ->
    lists:flatmap(fun signal_port_slot:worker/1, slots(State)).

slots(#state{slots = Slots}) ->
    [Slot || {_Index, Slot} <- lists:sort(maps:to_list(Slots))].

%% --- Callers that wait ---

wait(Dead, From, State) ->
    case [Pid || {Pid, _} <- workers(State) ++ signal_port_placement:elsewhere()] -- Dead of
        [_ | _] -> {reply, ok, State};
        [] -> wait_if_admitted(Dead, From, State)
    end.

wait_if_admitted(Dead, From, #state{queue = Queue, waiters = Waiters} = State) ->
    case Dead =:= [] andalso signal_port_queue:refuses(Queue, []) of
        true ->
            {reply, {error, overloaded}, State};
        false ->
            Waiting = set_waiters(signal_port_waiters:add(From, Waiters), State),
            {noreply, reject_if_unavailable(Waiting)}
    end.

set_waiters(Waiters, #state{queue = Queue} = State) ->
    signal_port_queue:put_waiters(Queue, signal_port_waiters:count(Waiters)),
    State#state{waiters = Waiters}.

reply_to_waiters(Answer, #state{waiters = Waiters} = State) ->
    set_waiters(signal_port_waiters:reply(Answer, Waiters), State).

%% A single start can fail by accident. Once all slots have failed several times, and no other node
%% is hoped for, no caller waits.
reject_if_unavailable(#state{nodes = Nodes} = State) ->
    case Nodes =/= hoped_for andalso lists:all(fun signal_port_slot:is_given_up/1, slots(State)) of
        true ->
            log_unavailable(State),
            reply_to_waiters({error, unavailable}, State#state{is_unavailable = true});
        false ->
            State
    end.

%% Without a worker of its own, a node logs which other nodes come and go.
log_unavailable(#state{is_unavailable = WasUnavailable, slots = Slots}) ->
    WasUnavailable orelse Slots =:= #{} orelse signal_port_event:unavailable().

log_available(#state{is_unavailable = WasUnavailable, slots = Slots} = State) ->
    WasUnavailable andalso Slots =/= #{} andalso signal_port_event:available(),
    State#state{is_unavailable = false}.
