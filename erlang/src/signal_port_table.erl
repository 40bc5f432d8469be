%% @private The table that callers read: the ready workers, the limits of a call, the engine.
%%
%% The table belongs to the upper supervisor, so callers find it while the pool restarts. The pool
%% writes the ready workers. A caller never waits for the pool to read them.
-module(signal_port_table).

-export([new/3, read/0, is_ready/0, workers/0, nodes/0, queue/0, nif/1, choice/0, pool_size/0,
         has_started/0, failure/0]).
-export([node_number/1, node_of/1]).
-export([put_workers/1, put_nodes/3, put_pool_size/1, put_started/0, put_failure/1]).
-export([open/0, close/0]).
-export_type([worker/0, node_worker/0, nodes/0]).

-type worker() :: {pid(), signal_port_counters:counters()}.
-type node_worker() :: {pid(), signal_port_counters:counters(), Window :: pos_integer(), node()}.
-type nodes() :: {fallback | overflow, MaxFrame :: pos_integer(), [node_worker()]} | none.

%% @doc Makes the table. It belongs to the calling process.
-spec new(signal_port_config:config(), signal_port_backend:choice(), [{atom(), module()}]) -> ok.
new(#{call_timeout := Timeout, max_queue := Max, pool_size := Size} = Config, Choice,
    Operations) ->
    ?MODULE = ets:new(?MODULE, [named_table, public, {read_concurrency, true}]),
    Nif = [{{nif, Operation}, Module} || {Operation, Module} <- Operations],
    Call = {call, [], Timeout, max_frame(Config), signal_port_queue:new(Max), open},
    Rows = [Call, {choice, Choice}, {pool_size, Size}, {has_started, false} | Nif],
    true = ets:insert(?MODULE, Rows),
    ok.

%% Without a worker of its own, this node can make no call that is too large for another one.
max_frame(#{pool_size := 0, max_frame := MaxFrame, node_max_frame := OfNodes}) ->
    min(MaxFrame, OfNodes);
max_frame(#{max_frame := MaxFrame}) ->
    MaxFrame.

%% @doc Returns what a call needs: the ready workers, the default timeout in milliseconds, the
%% largest frame in bytes and the queue. Returns `not_running' if there is no table, or if
%% the application stops.
-spec read() ->
    {[worker()], CallTimeout :: timeout(), MaxFrame :: pos_integer(), signal_port_queue:queue()}
    | not_running.
read() ->
    try ets:lookup(?MODULE, call) of
        [{call, Workers, Timeout, MaxFrame, Queue, open}] -> {Workers, Timeout, MaxFrame, Queue};
        [{call, _, _, _, _, closed}] -> not_running
    catch
        error:badarg -> not_running
    end.

%% @doc Returns whether new calls are answered now.
-spec is_ready() -> boolean().
is_ready() ->
    case read() of
        {[_ | _], _, _, _} -> true;
        {[], _, _, _} -> nif(sha256) =/= undefined orelse ?MODULE:nodes() =/= none;
        not_running -> false
    end.

%% @doc Returns the ready workers, also while the application stops. A worker that has just ended
%% can still be among them.
-spec workers() -> [worker()].
workers() ->
    try ets:lookup_element(?MODULE, call, 2)
    catch error:badarg -> []
    end.

%% @doc Returns when other nodes are used, the largest request for them in bytes, and the workers
%% that stand for them. Returns `none' if no other node is ready.
-spec nodes() -> nodes().
nodes() ->
    try ets:lookup(?MODULE, nodes) of
        [{nodes, When, MaxFrame, NodeWorkers}] -> {When, MaxFrame, NodeWorkers};
        [] -> none
    catch
        error:badarg -> none
    end.

%% @doc Returns the number of another node, below 0. It stays the same until the application stops.
-spec node_number(node()) -> neg_integer().
node_number(Node) ->
    case ets:lookup(?MODULE, {number, Node}) of
        [{_, Number}] ->
            Number;
        [] ->
            Number = -erlang:unique_integer([positive]),
            true = ets:insert(?MODULE, [{{number, Node}, Number}, {{node, Number}, Node}]),
            Number
    end.

%% @doc Returns the node with this number.
-spec node_of(Number :: neg_integer()) -> node() | undefined.
node_of(Number) ->
    try ets:lookup_element(?MODULE, {node, Number}, 2)
    catch error:badarg -> undefined
    end.

%% @doc Returns the queue of the calls that wait.
-spec queue() -> signal_port_queue:queue().
queue() ->
    ets:lookup_element(?MODULE, call, 5).

%% @doc Returns the NIF's module that has an operation, or `undefined' if a worker answers it.
-spec nif(Operation :: atom()) -> module() | undefined.
nif(Operation) ->
    try ets:lookup(?MODULE, {nif, Operation}) of
        [{_, Module}] -> Module;
        [] -> undefined
    catch
        error:badarg -> undefined
    end.

%% @doc Returns the engine and why it was chosen.
-spec choice() -> signal_port_backend:choice().
choice() ->
    ets:lookup_element(?MODULE, choice, 2).

%% @doc Returns how many workers the pool has when all are ready.
-spec pool_size() -> non_neg_integer().
pool_size() ->
    ets:lookup_element(?MODULE, pool_size, 2).

%% @doc Returns whether a worker has ever been ready since the table was made.
-spec has_started() -> boolean().
has_started() ->
    ets:lookup_element(?MODULE, has_started, 2).

%% @doc Returns why no worker could start, in a sentence, if the pool ended for that.
-spec failure() -> string() | none.
failure() ->
    case ets:lookup(?MODULE, failure) of
        [{failure, Sentence}] -> Sentence;
        [] -> none
    end.

%% @doc Replaces the ready workers.
-spec put_workers([worker()]) -> ok.
put_workers(Workers) ->
    true = ets:update_element(?MODULE, call, {2, Workers}),
    ok.

%% @doc Replaces the workers that stand for other nodes.
-spec put_nodes(fallback | overflow, MaxFrame :: pos_integer(), [node_worker()]) -> ok.
put_nodes(_When, _MaxFrame, []) ->
    true = ets:delete(?MODULE, nodes),
    ok;
put_nodes(When, MaxFrame, NodeWorkers) ->
    true = ets:insert(?MODULE, {nodes, When, MaxFrame, NodeWorkers}),
    ok.

%% @doc Changes the size of the pool, for a pool that restarts too.
-spec put_pool_size(pos_integer()) -> ok.
put_pool_size(Size) ->
    true = ets:insert(?MODULE, {pool_size, Size}),
    ok.

%% @doc Takes new calls from now on, as a new table does.
-spec open() -> ok.
open() ->
    true = ets:update_element(?MODULE, call, {6, open}),
    ok.

%% @doc Refuses new calls from now on. Calls that were made before can read the workers.
-spec close() -> ok.
close() ->
    true = ets:update_element(?MODULE, call, {6, closed}),
    ok.

%% @doc Records that a worker has been ready.
-spec put_started() -> ok.
put_started() ->
    true = ets:insert(?MODULE, {has_started, true}),
    ok.

%% @doc Records that no worker could start, and why.
-spec put_failure(Sentence :: string()) -> ok.
put_failure(Sentence) ->
    true = ets:insert(?MODULE, {failure, Sentence}),
    ok.
