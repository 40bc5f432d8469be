%% @private The supervisor of what connects this node with other nodes: `pg', the gateway with its
%% sessions if this node serves others, and the node workers if it uses others. It is not started
%% if this node does neither.
-module(signal_port_cluster_sup).
-behaviour(supervisor).

-export([child_specs/1, start_link/1, start_children/2, init/1]).

%% @doc Returns the child specifications for the upper supervisor: this supervisor, or nothing.
-spec child_specs(signal_port_config:config()) -> [supervisor:child_spec()].
child_specs(#{serve_nodes := false, use_nodes := never}) ->
    [];
child_specs(Config) ->
    [#{id => ?MODULE, type => supervisor, start => {?MODULE, start_link, [Config]}}].

-spec start_link(signal_port_config:config()) -> supervisor:startlink_ret().
start_link(Config) ->
    supervisor:start_link({local, ?MODULE}, ?MODULE, Config).

%% @doc Starts the supervisor of the sessions or of the node workers under its name.
-spec start_children(atom(), module()) -> supervisor:startlink_ret().
start_children(Name, Module) ->
    supervisor:start_link({local, Name}, ?MODULE, {children, Module}).

-spec init(signal_port_config:config() | {children, module()}) ->
    {ok, {supervisor:sup_flags(), [supervisor:child_spec()]}}.
init({children, Module}) ->
    %% A session ends with its node worker. A node worker is replaced by signal_port_nodes.
    Child = #{id => Module, restart => temporary, shutdown => 5000,
              start => {Module, start_link, []}},
    {ok, {#{strategy => simple_one_for_one}, [Child]}};
init(#{serve_nodes := Serves, use_nodes := UseNodes} = Config) ->
    Flags = #{strategy => one_for_all, intensity => 5, period => 10},
    Scope = #{id => pg, start => {pg, start_link, [signal_port]}},
    Using = [children(signal_port_node_sup, signal_port_node),
             #{id => signal_port_nodes, start => {signal_port_nodes, start_link, [Config]}}],
    Serving = [children(signal_port_session_sup, signal_port_session),
               #{id => signal_port_gateway, start => {signal_port_gateway, start_link, [Config]}}],
    {ok, {Flags, [Scope] ++ [Child || UseNodes =/= never, Child <- Using]
                 ++ [Child || Serves, Child <- Serving]}}.

children(Name, Module) ->
    #{id => Name, type => supervisor, start => {?MODULE, start_children, [Name, Module]}}.
