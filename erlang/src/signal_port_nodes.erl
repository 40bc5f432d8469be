%% @private The other nodes that this one uses. It looks at `pg' for gateways, keeps a node worker
%% for each, and writes those that are ready into the table.
%%
%% No call passes through this process, and it sends nothing to another node: a node that is slow or
%% stopped holds up its own node worker only.
%%
%% It looks several times a second, and keeps no subscription: a lost message cannot hide a node.
-module(signal_port_nodes).
-behaviour(gen_server).

-export([start_link/1, info/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, format_status/1]).
-export_type([info/0]).

-define(LOOK, 200).          % milliseconds between two looks at the gateways
-define(FORGET, 600_000).    % milliseconds after which a node that is gone is forgotten

-record(peer, {
    gateway :: pid() | undefined,   % undefined: the node is gone
    state = starting :: starting | ready | refused | gone,
    worker :: pid() | undefined,
    counters :: signal_port_counters:counters() | undefined,
    welcome :: signal_port_node:welcome() | undefined,  % the last one
    calls = 0 :: non_neg_integer(),                     % answered by former node workers
    last_reason :: string() | undefined,
    changed :: integer()                                % monotonic milliseconds
}).

-record(state, {
    config :: signal_port_config:config(),
    peers = #{} :: #{node() => #peer{}},
    none_since :: integer() | never,   % monotonic milliseconds; never: a node is ready
    has_given_up = false :: boolean()  % none was ready for long, and this was logged
}).

-type info() :: #{node := node(), state := starting | ready | refused | gone,
                  version := binary() | undefined, backend := port | nif | undefined,
                  calls := non_neg_integer(), in_flight := integer(),
                  last_reason := string() | undefined}.

-spec start_link(signal_port_config:config()) -> gen_server:start_ret().
start_link(Config) ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, Config, []).

%% @doc Returns what is known of each node, or nothing if this node uses no other.
-spec info() -> [info()].
info() ->
    case whereis(?MODULE) of
        undefined -> [];
        Pid -> try gen_server:call(Pid, info) catch exit:_ -> [] end
    end.

-spec init(signal_port_config:config()) -> {ok, #state{}}.
init(Config) ->
    self() ! look,
    {ok, publish(#state{config = Config, none_since = signal_port_deadline:now_ms()})}.

-spec handle_call(term(), gen_server:from(), #state{}) -> {reply, term(), #state{}}.
handle_call(info, _From, #state{peers = Peers} = State) ->
    {reply, [info(Node, Peer) || {Node, Peer} <- lists:sort(maps:to_list(Peers))], State};
handle_call(_, _From, State) ->
    {reply, {error, badarg}, State}.

-spec handle_cast(term(), #state{}) -> {noreply, #state{}}.
handle_cast(_, State) ->
    {noreply, State}.

-spec handle_info(term(), #state{}) -> {noreply, #state{}}.
handle_info(look, State) ->
    erlang:send_after(?LOOK, self(), look),
    {noreply, give_up_late(look(State))};
handle_info({ready, Pid, Welcome}, State) ->
    {noreply, update(Pid, fun(Node, Peer) -> ready(Node, Welcome, Peer) end, State)};
handle_info({'DOWN', _, process, Pid, Reason}, State) ->
    {noreply, update(Pid, fun(Node, Peer) -> down(Node, Reason, Peer) end, State)};
handle_info(_, State) ->
    {noreply, State}.

-spec format_status(gen_server:format_status()) -> gen_server:format_status().
format_status(Status) ->
    signal_port_secret:format_status(Status).

%% --- The gateways ---

look(#state{peers = Peers, config = Config} = State) ->
    Gateways = gateways(),
    Nodes = lists:usort(maps:keys(Peers) ++ maps:keys(Gateways)),
    Looked = [{Node, look(maps:get(Node, Gateways, undefined), maps:find(Node, Peers), Config)}
              || Node <- Nodes],
    State#state{peers = maps:from_list([{Node, Peer} || {Node, #peer{} = Peer} <- Looked])}.

gateways() ->
    Members = pg:get_members(signal_port, signal_port_gateway:group()),
    maps:from_list([{node(Gateway), Gateway} || Gateway <- Members, node(Gateway) =/= node()]).

look(Gateway, error, Config) ->
    start(Gateway, #peer{changed = signal_port_deadline:now_ms()}, Config);
look(_Gateway, {ok, #peer{worker = Worker} = Peer}, _Config) when is_pid(Worker) ->
    Peer;  % if its gateway has changed, it ends by itself
look(undefined, {ok, #peer{state = State, changed = Changed} = Peer}, _Config) ->
    case State =:= gone andalso signal_port_deadline:now_ms() - Changed > ?FORGET of
        true -> forgotten;
        false when State =:= gone -> Peer;
        false -> change(gone, Peer#peer{gateway = undefined})
    end;
look(Gateway, {ok, #peer{state = refused, gateway = Gateway} = Peer}, _Config) ->
    Peer;
look(Gateway, {ok, Peer}, Config) ->
    start(Gateway, Peer, Config).

start(Gateway, Peer, Config) ->
    Counters = signal_port_counters:new(signal_port_table:node_number(node(Gateway))),
    Args = [self(), Gateway, Counters, Config],
    {ok, Pid} = supervisor:start_child(signal_port_node_sup, Args),
    monitor(process, Pid),
    change(starting, Peer#peer{gateway = Gateway, worker = Pid, counters = Counters}).

change(State, Peer) ->
    Peer#peer{state = State, changed = signal_port_deadline:now_ms()}.

%% --- What happens to a node ---

update(Pid, Fun, #state{peers = Peers} = State) ->
    case [Found || {_, #peer{worker = Worker}} = Found <- maps:to_list(Peers), Worker =:= Pid] of
        [{Node, Peer}] -> publish(State#state{peers = Peers#{Node := Fun(Node, Peer)}});
        [] -> State
    end.

ready(Node, Welcome, Peer) ->
    signal_port_event:node_up(Node, Welcome),
    change(ready, Peer#peer{welcome = Welcome}).

down(Node, Reason, #peer{counters = Counters, calls = Calls} = Peer) ->
    Sentence = signal_port_node_reason:explain(Reason),
    Answered = signal_port_counters:answered(Counters),
    IsRefused = signal_port_node_reason:is_refusal(Reason),
    case Peer#peer.state of
        _ when IsRefused -> signal_port_event:node_refused(Node, Sentence);
        ready -> signal_port_event:node_down(Node, Sentence, Answered);
        starting -> ok  % it was announced as lost before, or never as ready
    end,
    change(case IsRefused of true -> refused; false -> starting end,
           Peer#peer{worker = undefined, counters = undefined, calls = Calls + Answered,
                     last_reason = Sentence}).

publish(#state{config = Config, peers = Peers} = State) ->
    #{use_nodes := When, node_max_frame := MaxFrame} = Config,
    Ready = [{Pid, Counters, maps:get(window, Welcome), Node}
             || {Node, #peer{state = ready, worker = Pid, counters = Counters,
                             welcome = Welcome}} <- maps:to_list(Peers)],
    ok = signal_port_table:put_nodes(When, MaxFrame, Ready),
    published(Ready, State).

published([], #state{none_since = never} = State) ->
    State#state{none_since = signal_port_deadline:now_ms()};
published([], State) ->
    State;
published(_Ready, State) ->
    signal_port_pool:nodes(ready),
    State#state{none_since = never, has_given_up = false}.

%% After that time calls do not wait for a node.
give_up_late(#state{none_since = Since, has_given_up = false,
                    config = #{start_timeout := Timeout}} = State) when Since =/= never ->
    case signal_port_deadline:now_ms() - Since > Timeout of
        true ->
            signal_port_event:no_node(Timeout),
            signal_port_pool:nodes(given_up),
            State#state{has_given_up = true};
        false ->
            State
    end;
give_up_late(State) ->
    State.

%% --- What is seen of it ---

info(Node, #peer{state = State, welcome = Welcome, calls = Calls, counters = Counters} = Peer) ->
    {Answered, InFlight} = counted(Counters),
    Known = case Welcome of undefined -> #{}; _ -> Welcome end,
    #{node => Node, state => State, version => maps:get(version, Known, undefined),
      backend => maps:get(backend, Known, undefined), calls => Calls + Answered,
      in_flight => InFlight, last_reason => Peer#peer.last_reason}.

counted(undefined) -> {0, 0};
counted(Counters) ->
    {signal_port_counters:answered(Counters), signal_port_counters:in_flight(Counters)}.
