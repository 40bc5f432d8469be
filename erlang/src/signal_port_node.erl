%% @private A node worker: stands for another node among the workers. To a caller it is a worker: it
%% takes the same message and ends in the same way. At its other end is a session of that node. The
%% messages are in the head of signal_port_gateway.
%%
%% Like a worker it has one life. If its session, its node or the connection ends, it ends, and the
%% calls go elsewhere. signal_port_nodes starts the next one.
%%
%% Answers come in any order, so each call has a tag. An answer to no open call ends this process.
-module(signal_port_node).
-behaviour(gen_server).

-export([start_link/4]).
-export([init/1, handle_continue/2, handle_call/3, handle_cast/2, handle_info/2, terminate/2,
         format_status/1]).
-export_type([welcome/0, why/0]).

-define(HELLO_RETRY, 1000).  % milliseconds between two hellos
-define(WRITE_RETRY, 5).     % milliseconds between two sends to a channel that is full

-record(state, {
    nodes :: pid(),
    gateway :: pid(),
    ref = make_ref() :: reference(),        % of the hello
    session :: pid() | undefined,           % undefined until the gateway has welcomed this process
    window = 0 :: non_neg_integer(),        % calls that the session gets before it answers
    counters :: signal_port_counters:counters(),
    calls :: signal_port_calls:calls(),     % those that wait
    open = #{} :: #{Tag :: non_neg_integer() => Alias :: reference()},
    next = 0 :: non_neg_integer(),          % tag of the next call
    stall_timeout :: pos_integer(),
    will_write = false :: boolean()         % the channel is full and a timer runs
}).

-type welcome() :: #{version := binary(), backend := port | nif, window := pos_integer()}.
-type why() ::
    disconnected
    | {refused, signal_port_agreement:mismatch(), Version :: binary()}
    | {no_welcome, Milliseconds :: pos_integer()}
    | {session, Reason :: term()}
    | invalid_data
    | stalled
    | {watchdog, term()}.
-type stop() :: {stop, {shutdown, {node, why()}}, #state{}}.

%% @doc Starts a node worker for a gateway. It sends `{ready, Pid, welcome()}' to the first process.
%% It exits with `{shutdown, {node, why()}}'.
-spec start_link(Nodes :: pid(), Gateway :: pid(), signal_port_counters:counters(),
                 signal_port_config:config()) -> {ok, pid()} | {error, term()}.
start_link(Nodes, Gateway, Counters, Config) ->
    gen_server:start_link(?MODULE, {Nodes, Gateway, Counters, Config}, []).

-spec init({pid(), pid(), signal_port_counters:counters(), signal_port_config:config()}) ->
    {ok, #state{}, {continue, hello}}.
init({Nodes, Gateway, Counters, #{start_timeout := Timeout, stall_timeout := StallTimeout}}) ->
    process_flag(trap_exit, true),
    process_flag(sensitive, true),
    erlang:send_after(Timeout, self(), {start_timeout, Timeout}),
    {ok, #state{nodes = Nodes, gateway = Gateway, counters = Counters,
                calls = signal_port_calls:new(Counters), stall_timeout = StallTimeout},
     {continue, hello}}.

-spec handle_continue(hello, #state{}) -> {noreply, #state{}} | stop().
handle_continue(hello, State) ->
    hello(State).

-spec handle_info(term(), #state{}) -> {noreply, #state{}} | stop().
handle_info({call, _, _, _, _} = Call, #state{calls = Calls} = State) ->
    {noreply, write(State#state{calls = signal_port_mailbox:add_all(Call, Calls)})};
handle_info({answers, Session, Answers}, #state{session = Session} = State) ->
    case answered(Answers, State) of
        {ok, Answered} -> {noreply, write(Answered)};
        error -> stop(invalid_data, State)
    end;
handle_info({counted, Number}, #state{calls = Calls} = State) ->
    {noreply, State#state{calls = signal_port_calls:expect(Number, Calls)}};
handle_info(write, State) ->
    {noreply, write(State#state{will_write = false})};
handle_info({Ref, Reply}, #state{ref = Ref, session = undefined} = State) ->
    welcome(Reply, State);
handle_info(hello, #state{session = undefined} = State) ->
    hello(State);
handle_info({start_timeout, Milliseconds}, #state{session = undefined} = State) ->
    stop({no_welcome, Milliseconds}, State);
handle_info({'DOWN', _, process, Session, noconnection}, #state{session = Session} = State) ->
    stop(disconnected, State);
handle_info({'DOWN', _, process, Session, Reason}, #state{session = Session} = State) ->
    stop({session, Reason}, State);
handle_info(stalled, State) ->
    stop(stalled, State);
handle_info({'EXIT', _Watchdog, Reason}, State) ->
    stop({watchdog, Reason}, State);
handle_info(_, State) ->
    {noreply, State}.

-spec handle_call(term(), gen_server:from(), #state{}) -> {reply, {error, badarg}, #state{}}.
handle_call(_, _From, State) ->
    {reply, {error, badarg}, State}.

%% A caller could not decode its answer.
-spec handle_cast(term(), #state{}) -> {noreply, #state{}} | stop().
handle_cast(invalid_reply, State) ->
    stop(invalid_data, State);
handle_cast(_, State) ->
    {noreply, State}.

%% The caller of the oldest open call gets 'DOWN', as from a worker.
-spec terminate(term(), #state{}) -> ok.
terminate(_Reason, #state{open = Open, calls = Calls}) ->
    {_, Waiting} = signal_port_calls:oldest_and_others(Calls),
    Others = case lists:sort(maps:to_list(Open)) of [] -> []; [_Oldest | Later] -> Later end,
    signal_port_mailbox:tell_bystanders([Alias || {_Tag, Alias} <- Others] ++ Waiting).

-spec format_status(gen_server:format_status()) -> gen_server:format_status().
format_status(Status) ->
    signal_port_secret:format_status(Status).

%% --- The hello ---

hello(#state{gateway = Gateway, ref = Ref} = State) ->
    Hello = {signal_port_hello, self(), Ref, signal_port_agreement:offer()},
    case signal_port_distribution:send(Gateway, Hello) of
        disconnected ->
            stop(disconnected, State);
        _SentOrBusy ->
            erlang:send_after(?HELLO_RETRY, self(), hello),
            {noreply, State}
    end.

welcome({welcome, Session, Offer, Backend, Window}, #state{nodes = Nodes} = State)
  when is_pid(Session), is_integer(Window), Window > 0, Backend =:= port orelse Backend =:= nif ->
    monitor(process, Session),
    _ = signal_port_watchdog:start(undefined, State#state.counters, State#state.stall_timeout),
    Nodes ! {ready, self(), #{version => signal_port_agreement:version(Offer),
                              backend => Backend, window => Window}},
    {noreply, State#state{session = Session, window = Window}};
welcome({refused, Offer}, State) ->
    case signal_port_agreement:compare(signal_port_agreement:offer(), Offer) of
        {error, Why} -> stop({refused, Why, signal_port_agreement:version(Offer)}, State);
        ok -> stop(invalid_data, State)
    end;
welcome(_, State) ->
    stop(invalid_data, State).

%% --- Calls ---

write(#state{calls = Calls} = State) ->
    Current = State#state{calls = signal_port_calls:drop_expired(Calls)},
    case take([], Current) of
        {[], _} ->
            Current;
        {Message, Taken} ->
            case signal_port_distribution:send(State#state.session, {calls, Message}) of
                busy -> write_later(Current);
                _SentOrDisconnected -> sent(length(Message), Taken)
            end
    end.

take(Message, #state{open = Open, window = Window} = State) when map_size(Open) < Window ->
    case signal_port_calls:next(State#state.calls) of
        {Alias, Deadline, Request, Calls} ->
            Tag = State#state.next,
            take([call(Tag, Deadline, Request) | Message],
                 State#state{calls = Calls, open = Open#{Tag => Alias}, next = Tag + 1});
        none ->
            {lists:reverse(Message), State}
    end;
take(Message, State) ->
    {lists:reverse(Message), State}.

call(Tag, Deadline, Request) ->
    {Tag, signal_port_deadline:remaining(Deadline),
     iolist_to_binary(signal_port_secret:reveal(Request))}.

%% If the node is disconnected, 'DOWN' follows.
sent(Count, #state{counters = Counters} = State) ->
    signal_port_counters:add_taken(Counters, Count),
    State.

write_later(#state{will_write = true} = State) ->
    State;
write_later(#state{will_write = false} = State) ->
    erlang:send_after(?WRITE_RETRY, self(), write),
    State#state{will_write = true}.

%% --- Answers ---

answered([{Tag, Answer} | Answers], #state{open = Open, calls = Calls} = State) ->
    case {maps:take(Tag, Open), message(Answer)} of
        {{Alias, Others}, {ok, Message}} ->
            tell(Alias, Message),
            Answered = signal_port_calls:answered(Calls),
            answered(Answers, State#state{open = Others, calls = Answered});
        _ ->
            error
    end;
answered([], State) ->
    {ok, State};
answered(_, _State) ->
    error.

message(Answer) when is_binary(Answer) -> {ok, Answer};
message(Status) when Status =:= not_here; Status =:= suspect; Status =:= bystander ->
    {ok, {elsewhere, Status}};
message(expired) -> {ok, {elsewhere, not_here}};  % the caller's own clock decides
message(_) -> error.

tell(Alias, Message) ->
    Alias ! {Alias, Message},
    ok.

stop(Why, State) ->
    {stop, {shutdown, {node, Why}}, State}.
