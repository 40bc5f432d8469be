%% @private Placement: which worker gets a call. This node's own workers come first. If the option
%% `use_nodes' allows it, the workers that stand for other nodes come second. Of either kind, the
%% one with the fewest calls in flight, as this node sees them, gets the call.
-module(signal_port_placement).

-export([pick/3, pick_here/1, elsewhere/0, too_small/1]).

-define(WINDOW, 64).  % calls in flight from which on a worker of this node is full

-type worker() :: signal_port_table:worker().

%% @doc Returns the worker for a request, or `none'. The workers to avoid are not among the local
%% ones that are given.
-spec pick(Local :: [worker()], Avoided :: [pid()], signal_port_codec:request()) ->
    worker() | none.
pick([], Avoided, Request) ->
    first(least_busy(elsewhere(signal_port_table:nodes(), Avoided, Request)));
pick(Local, Avoided, Request) ->
    case least_busy(Local) of
        {Best, Fewest} when Fewest < ?WINDOW -> Best;
        {Best, _} -> overflow(Best, signal_port_table:nodes(), Avoided, Request)
    end.

%% @doc Returns the worker of this node for a request, or `none'.
-spec pick_here(Local :: [worker()]) -> worker() | none.
pick_here(Local) ->
    first(least_busy(Local)).

%% @doc Returns the workers that stand for other nodes.
-spec elsewhere() -> [worker()].
elsewhere() ->
    [{Pid, Counters} || {_, _, NodeWorkers} <- [signal_port_table:nodes()],
                        {Pid, Counters, _, _} <- NodeWorkers].

%% @doc Returns the workers that a request is too large for.
-spec too_small(signal_port_codec:request()) -> [pid()].
too_small(Request) ->
    [Pid || {_, MaxFrame, NodeWorkers} <- [signal_port_table:nodes()],
            iolist_size(Request) > MaxFrame, {Pid, _, _, _} <- NodeWorkers].

%% Every worker of this node is full. If the other nodes are full too, the call waits here.
overflow(Best, {overflow, _, NodeWorkers} = Nodes, Avoided, Request) ->
    case least_busy(elsewhere(Nodes, Avoided, Request)) of
        {{Pid, _} = Elsewhere, Fewest} ->
            {_, _, Window, _} = lists:keyfind(Pid, 1, NodeWorkers),
            case Fewest < Window of true -> Elsewhere; false -> Best end;
        none ->
            Best
    end;
overflow(Best, _Nodes, _Avoided, _Request) ->
    Best.

elsewhere({_, MaxFrame, NodeWorkers}, Avoided, Request) ->
    case iolist_size(Request) =< MaxFrame of
        true -> [{Pid, Counters} || {Pid, Counters, _, _} <- NodeWorkers,
                                    not lists:member(Pid, Avoided)];
        false -> []
    end;
elsewhere(none, _Avoided, _Request) ->
    [].

least_busy([]) ->
    none;
least_busy([{_, Counters} = First | Others]) ->
    least_busy(Others, First, signal_port_counters:in_flight(Counters)).

least_busy([{_, Counters} = Next | Others], Best, Fewest) ->
    case signal_port_counters:in_flight(Counters) of
        Fewer when Fewer < Fewest -> least_busy(Others, Next, Fewer);
        _ -> least_busy(Others, Best, Fewest)
    end;
least_busy([], Best, Fewest) ->
    {Best, Fewest}.

first({Worker, _}) -> Worker;
first(none) -> none.
