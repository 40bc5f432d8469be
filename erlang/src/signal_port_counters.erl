%% @private The counters of one worker. Callers, the worker, its watchdog and the pool share them.
%%
%% A caller counts its call before it sends it, so that a burst spreads over the workers at once.
%% The count is the call's number. A missing number tells the worker that a caller was killed
%% between the two steps. Only the worker changes the other counters.
-module(signal_port_counters).

-export([new/0, new/1, add_sent/1, add_taken/2, add_answered/1, add_dropped/2, set_pending/2]).
-export([place/1, sent/1, taken/1, answered/1, pending/1, waiting/1, in_flight/1]).
-export_type([counters/0]).

-opaque counters() :: atomics:atomics_ref().

-define(SENT, 1).      % calls sent to the worker
-define(TAKEN, 2).     % calls written to the OS process
-define(ANSWERED, 3).  % calls answered by the OS process
-define(DROPPED, 4).   % calls whose callers gave up, or were killed, before the call was written
-define(PENDING, 5).   % calls that arrived at the worker and are neither answered nor dropped
-define(PLACE, 6).     % of the worker in the pool, or the number of a node; it never changes

%% @doc Returns counters that are all zero, of a worker without a place in the pool.
-spec new() -> counters().
new() ->
    new(0).

%% @doc Returns counters that are all zero, of the worker in this place of the pool. The place of a
%% worker that stands for another node is the node's number, below 0.
-spec new(Place :: integer()) -> counters().
new(Place) ->
    Counters = atomics:new(6, []),
    atomics:put(Counters, ?PLACE, Place),
    Counters.

%% @doc Returns the worker's place in the pool, from 1; below 0 the number of a node; or 0.
-spec place(counters()) -> integer().
place(Counters) ->
    atomics:get(Counters, ?PLACE).

%% @doc Counts a call that is about to be sent, and returns its number, from 1.
-spec add_sent(counters()) -> Number :: pos_integer().
add_sent(Counters) ->
    atomics:add_get(Counters, ?SENT, 1).

-spec add_taken(counters(), Count :: non_neg_integer()) -> ok.
add_taken(Counters, Count) ->
    atomics:add(Counters, ?TAKEN, Count).

-spec add_answered(counters()) -> ok.
add_answered(Counters) ->
    atomics:add(Counters, ?ANSWERED, 1).

%% @doc Counts dropped calls. A negative count takes back calls that arrived after all.
-spec add_dropped(counters(), Count :: integer()) -> ok.
add_dropped(Counters, Count) ->
    atomics:add(Counters, ?DROPPED, Count).

%% @doc Sets how many calls the worker has.
-spec set_pending(counters(), Count :: non_neg_integer()) -> ok.
set_pending(Counters, Count) ->
    atomics:put(Counters, ?PENDING, Count).

%% @doc Returns how many calls were sent to the worker.
-spec sent(counters()) -> non_neg_integer().
sent(Counters) ->
    atomics:get(Counters, ?SENT).

%% @doc Returns how many calls were written to the OS process.
-spec taken(counters()) -> non_neg_integer().
taken(Counters) ->
    atomics:get(Counters, ?TAKEN).

%% @doc Returns how many calls the OS process answered.
-spec answered(counters()) -> non_neg_integer().
answered(Counters) ->
    atomics:get(Counters, ?ANSWERED).

%% @doc Returns how many calls the worker has. Unlike in_flight/1 it counts no call that is on its
%% way, or whose caller was killed before it sent the call.
-spec pending(counters()) -> non_neg_integer().
pending(Counters) ->
    atomics:get(Counters, ?PENDING).

%% @doc Returns how many calls were sent and are neither written nor dropped. See in_flight/1.
-spec waiting(counters()) -> integer().
waiting(Counters) ->
    atomics:get(Counters, ?SENT) - atomics:get(Counters, ?TAKEN) - atomics:get(Counters, ?DROPPED).

%% @doc Returns how many calls were sent and are neither answered nor dropped. The counters are
%% read one after the other, so the result can be off by the calls that end meanwhile.
-spec in_flight(counters()) -> integer().
in_flight(Counters) ->
    atomics:get(Counters, ?SENT) - atomics:get(Counters, ?ANSWERED)
        - atomics:get(Counters, ?DROPPED).
