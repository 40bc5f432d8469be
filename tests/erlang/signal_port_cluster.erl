%% A cluster for tests: VMs with OTP's distribution on 127.0.0.1, and an epmd of their own. The
%% test's VM is no node: it holds each VM by its standard input, and can kill, stop and cut all.
-module(signal_port_cluster).

-export([tls/1]).
-export([start_epmd/0, stop_epmd/1]).
-export([start/2, start/3, restart/1, stop/1, kill/1, signal/2, is_alive/1]).
-export([connect/2, cut/2, call/4, call/3, peers/1, await/3, await_nodes/2]).
-export([start_load/2, stop_load/1, stop_load/0, answered/1, keep_load/2]).
-export_type([vm/0]).

-define(HOST, "127.0.0.1").
-define(PATIENT, 60_000).  % milliseconds

-type vm() :: #{name := atom(), peer := pid(), node := node(), os_pid := pos_integer(),
                options := [{atom(), term()}], args := [string()]}.

%% --- epmd ---

%% @doc Starts an epmd for this suite, and returns its port.
-spec start_epmd() -> inet:port_number().
start_epmd() ->
    {ok, Socket} = gen_tcp:listen(0, [{ip, {127, 0, 0, 1}}]),
    {ok, Port} = inet:port(Socket),
    ok = gen_tcp:close(Socket),
    true = os:putenv("ERL_EPMD_PORT", integer_to_list(Port)),
    true = os:putenv("ERL_EPMD_ADDRESS", ?HOST),
    "" = os:cmd("epmd -daemon -relaxed_command_check"),
    Port.

-spec stop_epmd(inet:port_number()) -> ok.
stop_epmd(Port) ->
    _ = os:cmd("epmd -port " ++ integer_to_list(Port) ++ " -kill"),
    true = os:unsetenv("ERL_EPMD_PORT"),
    true = os:unsetenv("ERL_EPMD_ADDRESS"),
    ok.

%% --- VMs ---

%% @doc Starts a node that runs the application with these options.
-spec start(Name :: atom(), [{atom(), term()}]) -> vm().
start(Name, Options) ->
    start(Name, Options, []).

%% @doc Like start/2, with more arguments of the VM.
-spec start(Name :: atom(), [{atom(), term()}], [string()]) -> vm().
start(Name, Options, Args) ->
    Paths = ["-pa" | signal_port_stage:paths(?MODULE)],
    %% With that safeguard of `global' a cut between two nodes would cut others, too.
    {ok, Peer, Node} = peer:start(#{
        name => Name, host => ?HOST, longnames => true, connection => standard_io,
        args => ["-setcookie", "test", "-kernel", "inet_dist_use_interface", "{127,0,0,1}",
                 "logger_level", "error", "prevent_overlapping_partitions", "false"
                 | Args ++ Paths]}),
    OsPid = list_to_integer(peer:call(Peer, os, getpid, [])),
    Vm = #{name => Name, peer => Peer, node => Node, os_pid => OsPid, options => Options,
           args => Args},
    ok = call(Vm, application, load, [signal_port]),
    [ok = call(Vm, application, set_env, [signal_port, Option, Value])
     || {Option, Value} <- distribution(Args) ++ Options],
    case call(Vm, application, start, [signal_port]) of
        ok -> Vm;
        Error -> stop(Vm), error(Error)
    end.

distribution(["-proto_dist" | _]) -> [];
distribution(_) -> [{distribution, clear_text}].

%% @doc Returns the arguments of a VM with TLS, by the file and the certificates of `deploy'.
-spec tls(Folder :: file:filename()) -> [string()].
tls(Folder) ->
    Script = signal_port_stage:root("deploy/haproxy/make_certificates.sh"),
    "" = os:cmd("USAGE=serverAuth,clientAuth sh " ++ Script ++ " " ++ Folder ++ " " ++ ?HOST),
    ok = file:rename(filename:join(Folder, ?HOST ++ ".pem"), filename:join(Folder, "node.pem")),
    {ok, Text} = file:read_file(signal_port_stage:root("deploy/distribution/ssl_dist.conf")),
    File = filename:join(Folder, "ssl_dist.conf"),
    ok = file:write_file(File, string:replace(Text, "/etc/signal-port", Folder, all)),
    ["-proto_dist", "inet_tls", "-ssl_dist_optfile", File].

%% @doc Starts a VM that was killed again, with its name and options.
-spec restart(vm()) -> vm().
restart(#{name := Name, options := Options, args := Args}) ->
    start(Name, Options, Args).

-spec stop(vm()) -> ok.
stop(#{os_pid := OsPid, peer := Peer}) ->
    _ = signal_port_stage:signal("CONT", OsPid),
    _ = catch peer:stop(Peer),
    signal_port_stage:until_gone([OsPid]),
    ok.

%% @doc Kills a VM, and waits until it is gone.
-spec kill(vm()) -> ok.
kill(#{os_pid := OsPid}) ->
    _ = signal_port_stage:signal("KILL", OsPid),
    signal_port_stage:until_gone([OsPid]),
    ok.

-spec signal(string(), vm()) -> string().
signal(Name, #{os_pid := OsPid}) ->
    signal_port_stage:signal(Name, OsPid).

-spec is_alive(vm()) -> boolean().
is_alive(#{os_pid := OsPid}) ->
    signal_port_stage:is_alive(OsPid).

%% --- The network ---

%% @doc Connects two nodes: the application itself connects none.
-spec connect(vm(), vm()) -> true.
connect(Vm, #{node := Node}) ->
    signal_port_stage:until(fun() -> call(Vm, net_kernel, connect_node, [Node]) end).

-spec cut(vm(), vm()) -> boolean().
cut(Vm, #{node := Node}) ->
    call(Vm, erlang, disconnect_node, [Node]).

%% --- Calls ---

-spec call(vm(), module(), atom(), [term()]) -> term().
call(#{peer := Peer}, Module, Function, Args) ->
    peer:call(Peer, Module, Function, Args, ?PATIENT).

%% @doc Makes a call of signal_port there.
-spec call(vm(), Operation :: atom(), [term()]) -> term().
call(Vm, Operation, Args) ->
    call(Vm, signal_port, Operation, Args).

%% @doc Returns what a node knows of the other nodes.
-spec peers(vm()) -> #{node() => map()}.
peers(Vm) ->
    #{nodes := Nodes} = call(Vm, info, []),
    maps:from_list([{Node, Info} || #{node := Node} = Info <- Nodes]).

%% @doc Waits until a node sees another one in a state, and returns what it knows of it.
-spec await(vm(), vm(), State :: atom()) -> map().
await(Vm, #{node := Node}, State) ->
    signal_port_stage:until(fun() -> #{Node := #{state := State} = Info} = peers(Vm), Info end).

%% @doc Connects a node to others, and waits until it uses all of them.
-spec await_nodes(vm(), [vm()]) -> ok.
await_nodes(Vm, Others) ->
    [connect(Vm, Other) || Other <- Others],
    [await(Vm, Other, ready) || Other <- Others],
    ok.

%% --- Load ---

%% @doc Starts callers on a node whose answers are known.
-spec start_load(vm(), Callers :: pos_integer()) -> ok.
start_load(Vm, Callers) ->
    _ = call(Vm, erlang, spawn, [?MODULE, keep_load, [?MODULE, Callers]]),
    signal_port_stage:until(fun() -> call(Vm, erlang, whereis, [?MODULE]) =/= undefined end),
    ok.

%% @doc Keeps callers until somebody stops them. It runs in the VM of the callers.
-spec keep_load(Name :: atom(), Callers :: pos_integer()) -> ok.
keep_load(Name, Callers) ->
    Pids = signal_port_load:start(Callers),
    true = register(Name, self()),
    receive
        {stop, From} -> From ! {Name, signal_port_load:stop(Pids)}, ok
    end.

%% @doc Stops the callers. Returns the number of calls, the slowest in milliseconds, and a few of
%% the wrong answers.
-spec stop_load(vm()) -> {non_neg_integer(), Slowest :: non_neg_integer(), Wrong :: list()}.
stop_load(Vm) ->
    call(Vm, ?MODULE, stop_load, []).

%% @doc Like stop_load/1, in the VM of the callers.
-spec stop_load() -> {non_neg_integer(), non_neg_integer(), list()}.
stop_load() ->
    ?MODULE ! {stop, self()},
    receive {?MODULE, Outcome} -> Outcome end.

%% @doc Returns how many calls of a node were answered, by itself or by others.
-spec answered(vm()) -> non_neg_integer().
answered(Vm) ->
    #{totals := #{calls := Own}, nodes := Nodes} = call(Vm, info, []),
    Own + lists:sum([Calls || #{calls := Calls} <- Nodes]).
