%% @private The limit of the calls that wait in this VM, all workers together: the option max_queue.
%%
%% A call waits from the moment it is made until it is written to an OS process. The callers that
%% wait for a worker count too: the pool writes their number here. Callers compare with the limit
%% and take no lock, so callers of the same microsecond can exceed it by a few calls.
-module(signal_port_queue).

-export([new/1, refuses/2, put_waiters/2, refused/1]).
-export_type([queue/0]).

-opaque queue() :: infinity | {Max :: pos_integer(), atomics:atomics_ref()}.

-define(WAITERS, 1).        % callers that wait for a worker
-define(REFUSED, 2).        % calls that were refused
-define(LOG_AGAIN, 3).      % monotonic milliseconds; until then no refusal is logged
-define(LOG_EVERY, 10_000). % milliseconds

%% @doc Returns a queue that holds at most this number of calls.
-spec new(infinity | pos_integer()) -> queue().
new(infinity) ->
    infinity;
new(Max) ->
    Shared = atomics:new(3, []),
    atomics:put(Shared, ?LOG_AGAIN, signal_port_deadline:now_ms()),
    {Max, Shared}.

%% @doc Returns whether the queue is full, for a call that is new. Counts the call if it is.
-spec refuses(queue(), Workers :: [{pid(), signal_port_counters:counters()}]) -> boolean().
refuses(infinity, _Workers) ->
    false;
refuses({Max, Shared}, Workers) ->
    case waiting(Workers, atomics:get(Shared, ?WAITERS)) >= Max of
        true -> refuse(Max, Shared);
        false -> false
    end.

waiting([{_, Counters} | Workers], Count) ->
    waiting(Workers, Count + signal_port_counters:waiting(Counters));
waiting([], Count) ->
    Count.

%% A storm has many refusals, and the log needs one line.
refuse(Max, Shared) ->
    atomics:add(Shared, ?REFUSED, 1),
    {Now, LogAgain} = {signal_port_deadline:now_ms(), atomics:get(Shared, ?LOG_AGAIN)},
    Now >= LogAgain
        andalso atomics:compare_exchange(Shared, ?LOG_AGAIN, LogAgain, Now + ?LOG_EVERY) =:= ok
        andalso signal_port_event:overloaded(Max),
    true.

%% @doc Sets how many callers wait for a worker.
-spec put_waiters(queue(), Count :: non_neg_integer()) -> ok.
put_waiters(infinity, _Count) -> ok;
put_waiters({_, Shared}, Count) -> atomics:put(Shared, ?WAITERS, Count).

%% @doc Returns how many calls were refused.
-spec refused(queue()) -> non_neg_integer().
refused(infinity) -> 0;
refused({_, Shared}) -> atomics:get(Shared, ?REFUSED).
