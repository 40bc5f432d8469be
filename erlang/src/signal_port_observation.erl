%% @private What an observed call gathers on its way: how often it was sent to a worker, to which,
%% and when a program got it. A call that nobody observes gathers nothing.
%%
%% The processes of a batch, and the workers, write into the same counters.
-module(signal_port_observation).

-export([new/0, hide/2, add_attempt/2, worker/1, node/1, measurements/1]).
-export_type([observation/0]).

-define(ATTEMPTS, 1).    % how often a worker was sent the call, or a frame of the batch
-define(PLACE, 2).       % of the latest worker, as in its counters
-define(QUEUE_TIME, 3).  % native time from the start of the call until a program got it, at least 1

-type observation() :: none | {Start :: integer(), atomics:atomics_ref()}.

%% @doc Returns an observation that begins now.
-spec new() -> observation().
new() ->
    {erlang:monotonic_time(), atomics:new(3, [])}.

%% @doc Hides a request. The worker that reveals it, to write it, writes the time down. If it must
%% write the request again, the last time counts.
-spec hide(observation(), Request) -> signal_port_secret:hidden(Request).
hide(none, Request) ->
    signal_port_secret:hide(Request);
hide({Start, Shared}, Request) ->
    fun() ->
        atomics:put(Shared, ?QUEUE_TIME, max(1, erlang:monotonic_time() - Start)),
        Request
    end.

%% @doc Counts an attempt, with the worker of these counters.
-spec add_attempt(observation(), signal_port_counters:counters()) -> ok.
add_attempt(none, _Counters) ->
    ok;
add_attempt({_, Shared}, Counters) ->
    atomics:put(Shared, ?PLACE, signal_port_counters:place(Counters)),
    atomics:add(Shared, ?ATTEMPTS, 1).

%% @doc Returns the place of the latest worker in the pool, from 1.
-spec worker(observation()) -> pos_integer() | undefined.
worker({_, Shared}) ->
    case atomics:get(Shared, ?PLACE) of
        Place when Place > 0 -> Place;
        _ -> undefined
    end.

%% @doc Returns the node of the latest worker.
-spec node(observation()) -> node() | undefined.
node({_, Shared}) ->
    case atomics:get(Shared, ?PLACE) of
        Place when Place > 0 -> erlang:node();
        0 -> undefined;
        Number -> signal_port_table:node_of(Number)
    end.

%% @doc Returns the attempts and, if a program got the call, the queue time in native units.
-spec measurements(observation()) ->
    #{attempts := non_neg_integer(), queue_time => pos_integer()}.
measurements({_, Shared}) ->
    Attempts = atomics:get(Shared, ?ATTEMPTS),
    case atomics:get(Shared, ?QUEUE_TIME) of
        0 -> #{attempts => Attempts};
        QueueTime -> #{attempts => Attempts, queue_time => QueueTime}
    end.
