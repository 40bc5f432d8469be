%% @private A session: one node that uses this one. It takes the calls of that node's node worker,
%% lets this node's own engine answer them, and sends the answers back, as many at a time as there
%% are. The messages are in the head of signal_port_gateway.
%%
%% Nothing that arrives is trusted. A message that is no list of valid calls ends the session.
%%
%% The session retries nothing. It says how a call ended, and the caller's own node decides, so that
%% a call has one retry budget in the whole cluster.
-module(signal_port_session).
-behaviour(gen_server).

-export([start_link/4]).
-export([init/1, handle_continue/2, handle_call/3, handle_cast/2, handle_info/2, terminate/2,
         format_status/1]).
-export_type([in_flight/0]).

-define(WRITE_RETRY, 5).      % milliseconds between two sends to a channel that is full
-define(SWEEP, 1000).         % milliseconds between two searches for calls whose time is over
-define(MAX_ANSWERS, 128).    % in one message
-define(MAX_TIME, 16#FFFFFFFF).  % milliseconds

-type in_flight() :: atomics:atomics_ref().  % one counter
-type answer() :: {Tag :: term(), binary() | not_here | suspect | bystander | expired}.

-record(state, {
    client :: pid(),                 % the node worker
    monitor :: reference() | undefined,
    limit :: pos_integer(),          % calls in flight of all sessions
    all :: in_flight(),
    own :: in_flight(),
    has_nif :: boolean(),
    operations :: signal_port_server_codec:table(),
    open = #{} :: #{Reference :: reference() => {Tag :: term(), signal_port_deadline:deadline()}},
    unsent = [] :: [signal_port_secret:hidden(answer())],
    will_write = false :: boolean()  % the channel is full and a timer runs
}).

%% @doc Starts the session of a node worker. The first counter has the calls in flight of all
%% sessions, the second one those of this session.
-spec start_link(Client :: pid(), Limit :: pos_integer(), in_flight(), in_flight()) ->
    {ok, pid()} | {error, term()}.
start_link(Client, Limit, All, Own) ->
    gen_server:start_link(?MODULE, {Client, Limit, All, Own}, []).

-spec init({pid(), pos_integer(), in_flight(), in_flight()}) ->
    {ok, #state{}, {continue, monitor_client}}.
init({Client, Limit, All, Own}) ->
    process_flag(trap_exit, true),
    process_flag(sensitive, true),
    {Backend, _} = signal_port_table:choice(),
    erlang:send_after(?SWEEP, self(), sweep),
    {ok, #state{client = Client, limit = Limit, all = All, own = Own, has_nif = Backend =:= nif,
                operations = signal_port_server_codec:new()}, {continue, monitor_client}}.

%% This can wait for a channel that is full. The gateway must not wait for it.
-spec handle_continue(monitor_client, #state{}) -> {noreply, #state{}}.
handle_continue(monitor_client, #state{client = Client} = State) ->
    {noreply, State#state{monitor = monitor(process, Client)}}.

-spec handle_info(term(), #state{}) ->
    {noreply, #state{}} | {stop, normal | {shutdown, invalid_call}, #state{}}.
handle_info({calls, Calls}, State) ->
    case take(Calls, State) of
        {ok, Taken} -> {noreply, write(Taken)};
        error -> {stop, {shutdown, invalid_call}, State}
    end;
handle_info(write, State) ->
    {noreply, write(State#state{will_write = false})};
handle_info(sweep, State) ->
    erlang:send_after(?SWEEP, self(), sweep),
    {noreply, write(sweep(State))};
handle_info({'DOWN', Monitor, process, _, _}, #state{monitor = Monitor} = State) ->
    {stop, normal, State};
handle_info({Reference, Answer}, #state{open = Open} = State) when is_map_key(Reference, Open) ->
    {noreply, write(close_others(?MAX_ANSWERS, close(Reference, Answer, State)))};
handle_info({'DOWN', Reference, _, _, Why}, #state{open = Open} = State)
  when is_map_key(Reference, Open) ->
    {noreply, write(close(Reference, signal_port_carrier:answer(Why), State))};
handle_info(_, State) ->
    {noreply, State}.

-spec handle_call(term(), gen_server:from(), #state{}) -> {reply, {error, badarg}, #state{}}.
handle_call(_, _From, State) ->
    {reply, {error, badarg}, State}.

-spec handle_cast(term(), #state{}) -> {noreply, #state{}}.
handle_cast(_, State) ->
    {noreply, State}.

%% After a regular stop the calls go elsewhere at no cost.
-spec terminate(term(), #state{}) -> ok.
terminate(shutdown, #state{open = Open} = State) ->
    _ = write(lists:foldl(fun(Reference, Closing) -> close(Reference, not_here, Closing) end,
                          State, maps:keys(Open))),
    ok;
terminate(_, _State) ->
    ok.

-spec format_status(gen_server:format_status()) -> gen_server:format_status().
format_status(Status) ->
    signal_port_secret:format_status(Status).

%% --- Calls ---

take([{Tag, Remaining, Request} | Calls], State) ->
    count(1, State),
    case is_over_limit(State) orelse decode(Request, Remaining, State) of
        true -> take(Calls, add_answer(Tag, not_here, State));
        {ok, Decoded} -> take(Calls, begin_call(Tag, Remaining, Request, Decoded, State));
        error -> error
    end;
take([], State) ->
    {ok, State};
take(_, _State) ->
    error.

is_over_limit(#state{all = All, limit = Limit}) ->
    atomics:get(All, 1) > Limit.

decode(Request, Remaining, #state{operations = Operations}) ->
    case is_time(Remaining) andalso signal_port_server_codec:calls(Request, Operations) of
        Invalid when Invalid =:= false; Invalid =:= error -> error;
        Decoded -> {ok, Decoded}
    end.

is_time(infinity) -> true;
is_time(Remaining) -> is_integer(Remaining) andalso 0 =< Remaining andalso Remaining =< ?MAX_TIME.

begin_call(Tag, 0, _Request, _Decoded, State) ->
    add_answer(Tag, expired, State);
begin_call(Tag, Remaining, Request, Decoded, #state{open = Open} = State) ->
    Deadline = signal_port_deadline:from_timeout(Remaining),
    case run(Request, Decoded, Deadline, State) of
        Reference when is_reference(Reference) ->
            State#state{open = Open#{Reference => {Tag, Deadline}}};
        not_here ->
            add_answer(Tag, not_here, State);
        too_large ->
            add_answer(Tag, signal_port_server_codec:answer({error, too_large}), State)
    end.

run(_Request, Decoded, Deadline, #state{has_nif = true}) ->
    signal_port_carrier:start(Decoded, Deadline);
run(Request, _Decoded, Deadline, #state{has_nif = false}) ->
    signal_port_dispatch:send_here(Request, Deadline).

%% A worker drops a call whose time is over, and its caller is gone.
sweep(#state{open = Open} = State) ->
    maps:fold(fun(Reference, {_, Deadline}, Swept) ->
        case signal_port_deadline:has_passed(Deadline) of
            true ->
                demonitor(Reference, [flush]),
                close(Reference, expired, Swept);
            false ->
                Swept
        end
    end, State, Open).

%% --- Answers ---

%% Answers that have arrived meanwhile go into the same message.
close_others(0, State) ->
    State;
close_others(Count, #state{open = Open} = State) ->
    receive
        {Reference, Answer} when is_map_key(Reference, Open) ->
            close_others(Count - 1, close(Reference, Answer, State))
    after 0 -> State
    end.

close(Reference, Answer, #state{open = Open} = State) ->
    {{Tag, _}, Others} = maps:take(Reference, Open),
    add_answer(Tag, Answer, State#state{open = Others}).

add_answer(Tag, Answer, #state{unsent = Unsent} = State) ->
    State#state{unsent = [signal_port_secret:hide({Tag, Answer}) | Unsent]}.

write(#state{unsent = []} = State) ->
    State;
write(#state{client = Client, unsent = Unsent} = State) ->
    Answers = [signal_port_secret:reveal(Answer) || Answer <- Unsent],
    case signal_port_distribution:send(Client, {answers, self(), Answers}) of
        busy ->
            write_later(State);
        _SentOrDisconnected ->
            count(-length(Answers), State),
            State#state{unsent = []}
    end.

write_later(#state{will_write = true} = State) ->
    State;
write_later(#state{will_write = false} = State) ->
    erlang:send_after(?WRITE_RETRY, self(), write),
    State#state{will_write = true}.

%% A call is in flight until its answer is sent: a node that reads no answers gets no more calls.
count(Change, #state{all = All, own = Own}) ->
    ok = atomics:add(Own, 1, Change),
    ok = atomics:add(All, 1, Change).
