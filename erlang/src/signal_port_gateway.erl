%% @private The gateway of a node that serves others. It is in the group `gateways' of `pg''s scope
%% `signal_port'. A node that uses others finds it there, and asks it for a session.
%%
%% The messages between two nodes. The node worker is on the node that uses, the gateway and the
%% session are on the node that serves. A request and an answer are bytes of signal_port_codec.
%%
%%   node worker -> gateway     {signal_port_hello, NodeWorker, Ref, Offer}
%%   gateway -> node worker     {Ref, {welcome, Session, Offer, Backend, Limit}}
%%                              {Ref, {refused, Offer}}
%%   node worker -> session     {calls, [{Tag, RemainingMs | infinity, Request}]}
%%   session -> node worker     {answers, Session, [{Tag, Answer | Status}]}
%%
%% A status stands in for an answer. The call can then go to any node that is ready:
%%
%%   not_here     it was not begun: the limit of this node is reached, or no worker is ready
%%   suspect      its worker ended, and it was the worker's oldest call
%%   bystander    its worker ended over another call
%%   expired      its time was over
%%
%% All messages are sent without waiting: `noconnect', `nosuspend'. Node worker and session monitor
%% each other. What else arrives here is ignored.
-module(signal_port_gateway).
-behaviour(gen_server).

-export([start_link/1, group/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, format_status/1]).

-define(GROUP, gateways).

-record(state, {
    offer :: signal_port_agreement:offer(),
    limit :: pos_integer(),
    in_flight :: signal_port_session:in_flight(),  % of all sessions
    sessions = #{} :: #{NodeWorker :: pid() => {Session :: pid(), signal_port_session:in_flight()}}
}).

-spec start_link(signal_port_config:config()) -> gen_server:start_ret().
start_link(Config) ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, Config, []).

%% @doc Returns the name of the group of all gateways.
-spec group() -> atom().
group() ->
    ?GROUP.

-spec init(signal_port_config:config()) -> {ok, #state{}}.
init(#{serve_limit := ForEach, pool_size := Size}) ->
    ok = pg:join(signal_port, ?GROUP, self()),
    {ok, #state{offer = signal_port_agreement:offer(), limit = ForEach * Size,
                in_flight = atomics:new(1, [])}}.

-spec handle_info(term(), #state{}) -> {noreply, #state{}}.
handle_info({signal_port_hello, Client, Ref, Offer}, #state{offer = Own} = State)
  when is_pid(Client), is_reference(Ref) ->
    case signal_port_agreement:compare(Offer, Own) of
        ok ->
            {noreply, welcome(Client, Ref, ensure_session(Client, State))};
        {error, _} ->
            _ = signal_port_distribution:send(Client, {Ref, {refused, Own}}),
            {noreply, State}
    end;
handle_info({'DOWN', _, process, Session, _}, #state{sessions = Sessions} = State) ->
    {noreply, State#state{sessions = maps:filter(fun(_, {Pid, InFlight}) ->
        Pid =/= Session orelse give_back(InFlight, State)
    end, Sessions)}};
handle_info(_, State) ->
    {noreply, State}.

-spec handle_call(term(), gen_server:from(), #state{}) -> {reply, {error, badarg}, #state{}}.
handle_call(_, _From, State) ->
    {reply, {error, badarg}, State}.

-spec handle_cast(term(), #state{}) -> {noreply, #state{}}.
handle_cast(_, State) ->
    {noreply, State}.

-spec format_status(gen_server:format_status()) -> gen_server:format_status().
format_status(Status) ->
    signal_port_secret:format_status(Status).

%% A node worker that repeats its hello gets the session that it has.
ensure_session(Client, #state{sessions = Sessions} = State) when is_map_key(Client, Sessions) ->
    State;
ensure_session(Client, #state{sessions = Sessions, limit = Limit, in_flight = All} = State) ->
    Own = atomics:new(1, []),
    {ok, Session} = supervisor:start_child(signal_port_session_sup, [Client, Limit, All, Own]),
    monitor(process, Session),
    State#state{sessions = Sessions#{Client => {Session, Own}}}.

welcome(Client, Ref, #state{sessions = Sessions, offer = Offer, limit = Limit} = State) ->
    {Session, _} = maps:get(Client, Sessions),
    {Backend, _} = signal_port_table:choice(),
    Welcome = {welcome, Session, Offer, Backend, Limit},
    _ = signal_port_distribution:send(Client, {Ref, Welcome}),  % a lost one is asked for again
    State.

%% A session that has ended has no call in flight, however it ended.
give_back(Own, #state{in_flight = All}) ->
    atomics:sub(All, 1, atomics:get(Own, 1)),
    false.
