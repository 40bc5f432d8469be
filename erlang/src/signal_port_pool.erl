%% @private The pool: the process that keeps the workers running.
%%
%% No call passes through this process. Callers read the ready workers from `signal_port_table'.
%% They come here only if no worker is ready, and then wait for one.
-module(signal_port_pool).
-behaviour(gen_server).

-export([start_link/1, wait/2, nodes/1, info/0, in_flight/0, replace_workers/0, resize/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, format_status/1]).

-record(state, {
    staff :: signal_port_staff:staff(),
    queue :: signal_port_queue:queue(),
    waiters = signal_port_waiters:new() :: signal_port_waiters:waiters(),
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
%% belong to no slot of `workers': those that wait for a worker, those that were refused, and those
%% of workers that leave or have left.
-spec info() -> #{versions := #{atom() => binary()}, workers := [signal_port_slot:info()],
                  others := #{calls | in_flight | queued | refused | restarts := integer()}}.
info() ->
    gen_server:call(?MODULE, info).

%% @doc Returns how many calls are in flight, here and at other nodes, with those that wait for a
%% worker. Returns 0 if there is no pool.
-spec in_flight() -> non_neg_integer().
in_flight() ->
    try gen_server:call(?MODULE, in_flight) of
        InFlight -> max(0, InFlight)
    catch
        exit:_ -> 0
    end.

%% @doc Replaces the workers, one after the other. The next worker is ready before the old one gets
%% no more calls. Returns the reason of the first one that does not get ready.
-spec replace_workers() -> ok | {error, Sentence :: string()}.
replace_workers() ->
    try
        replace_from(1)
    catch
        exit:{noproc, _} ->
            {error, "no worker was replaced, because signal_port is not running: start it first"};
        exit:_ ->
            {error, "signal_port stopped, or restarted all workers, while they were replaced: look "
                    "at its log, and replace them again"}
    end.

replace_from(Index) ->
    case gen_server:call(?MODULE, {replace, Index}, infinity) of
        ok -> replace_from(Index + 1);
        no_such_place -> ok;
        {error, Sentence} -> {error, Sentence}
    end.

%% @doc Changes how many workers the pool has. Workers that are too many answer their calls first.
-spec resize(Size :: pos_integer()) -> ok.
resize(Size) ->
    gen_server:call(?MODULE, {resize, Size}).

%% --- gen_server ---

-spec init(signal_port_config:config()) -> {ok, #state{}} | ignore.
init(#{start_without_worker := Optional, use_nodes := UseNodes} = Config) ->
    process_flag(sensitive, true),
    Size = signal_port_table:pool_size(),
    Nodes = case UseNodes of never -> unused; _ -> hoped_for end,
    State = set_waiters(signal_port_waiters:new(),
                        #state{staff = signal_port_staff:new(Size, Config), nodes = Nodes,
                               queue = signal_port_table:queue()}),
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
            HasFailed = signal_port_staff:has_failed(Pid, State#state.staff),
            case signal_port_reason:is_transient(Reason) andalso not HasFailed of
                true -> first_start(handle(Down, State), Failed, Others);
                false -> first_start(State, [Down | Failed], Others - 1)
            end;
        {started, _, _} = Started ->
            first_start(handle(Started, State), Failed, Others);
        {start, _} = Start ->
            first_start(handle(Start, State), Failed, Others)
    end.

-spec handle_call(term(), gen_server:from(), #state{}) ->
    {reply, term(), #state{}} | {noreply, #state{}}.
handle_call({wait, Dead}, From, #state{staff = Staff} = State) ->
    wait(Dead, From, State#state{staff = signal_port_staff:start_if_idle(Staff)});
handle_call(info, _From, State) ->
    {reply, info_of(State), State};
handle_call(in_flight, _From, #state{staff = Staff, waiters = Waiters} = State) ->
    Elsewhere = [signal_port_counters:in_flight(Counters)
                 || {_, Counters} <- signal_port_placement:elsewhere()],
    InFlight = [signal_port_staff:in_flight(Staff), signal_port_waiters:count(Waiters) | Elsewhere],
    {reply, lists:sum(InFlight), State};
handle_call({replace, Index}, From, #state{staff = Staff} = State) ->
    {noreply, State#state{staff = signal_port_staff:replace(Index, From, Staff)}};
handle_call({resize, Size}, _From, #state{staff = Staff} = State) ->
    Resized = State#state{staff = signal_port_staff:resize(Size, Staff)},
    {reply, ok, reject_if_unavailable(Resized)};
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

handle({started, Pid, OsPid}, #state{staff = Staff} = State) ->
    State#state{staff = signal_port_staff:started(Pid, OsPid, Staff)};
handle({ready, Pid, Versions}, #state{staff = Staff} = State) ->
    ready(State#state{staff = signal_port_staff:ready(Pid, Versions, Staff)});
handle({'DOWN', _, process, Pid, Reason}, #state{staff = Staff, waiters = Waiters} = State) ->
    case signal_port_waiters:is_waiting(Pid, Waiters) of
        true ->
            set_waiters(signal_port_waiters:remove(Pid, Waiters), State);
        false ->
            Down = State#state{staff = signal_port_staff:down(Pid, Reason, Staff)},
            reject_if_unavailable(Down)
    end;
handle({start, Index}, #state{staff = Staff} = State) ->
    State#state{staff = signal_port_staff:start_again(Index, Staff)};
handle(_, State) ->
    State.

%% A worker that leaves can get ready, too.
ready(State) ->
    case workers(State) of
        [_ | _] -> reply_to_waiters(ok, log_available(State));
        [] -> State
    end.

start_all(#state{staff = Staff} = State) ->
    State#state{staff = signal_port_staff:start_all(Staff)}.

workers(#state{staff = Staff}) ->
    signal_port_staff:workers(Staff).

info_of(#state{staff = Staff, waiters = Waiters, queue = Queue}) ->
    #{others := #{queued := Queued} = Others} = Info = signal_port_staff:info(Staff),
    Info#{others := Others#{queued := Queued + signal_port_waiters:count(Waiters),
                            refused => signal_port_queue:refused(Queue)}}.

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
reject_if_unavailable(#state{staff = Staff, nodes = Nodes} = State) ->
    case Nodes =/= hoped_for andalso signal_port_staff:is_given_up(Staff) of
        true ->
            log_unavailable(State),
            reply_to_waiters({error, unavailable}, State#state{is_unavailable = true});
        false ->
            State
    end.

%% Without a worker of its own, a node logs which other nodes come and go.
log_unavailable(#state{is_unavailable = WasUnavailable, staff = Staff}) ->
    WasUnavailable orelse signal_port_staff:is_empty(Staff) orelse signal_port_event:unavailable().

log_available(#state{is_unavailable = WasUnavailable, staff = Staff} = State) ->
    WasUnavailable andalso not signal_port_staff:is_empty(Staff)
        andalso signal_port_event:available(),
    State#state{is_unavailable = false}.
