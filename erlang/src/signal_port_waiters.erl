%% @private The callers that wait for a worker. A caller waits once at a time, and is forgotten when
%% it ends or gives up. The pool owns them and gets their 'DOWN' messages.
-module(signal_port_waiters).

-export([new/0, add/2, is_waiting/2, remove/2, reply/2, count/1]).
-export_type([waiters/0]).

-opaque waiters() :: #{Caller :: pid() => {gen_server:from(), Monitor :: reference()}}.

-spec new() -> waiters().
new() ->
    #{}.

%% @doc Adds a caller and monitors it.
-spec add(gen_server:from(), waiters()) -> waiters().
add({Caller, _} = From, Waiters) ->
    (remove(Caller, Waiters))#{Caller => {From, monitor(process, Caller)}}.

-spec is_waiting(pid(), waiters()) -> boolean().
is_waiting(Caller, Waiters) ->
    is_map_key(Caller, Waiters).

%% @doc Forgets a caller.
-spec remove(pid(), waiters()) -> waiters().
remove(Caller, Waiters) ->
    case maps:take(Caller, Waiters) of
        {{_, Monitor}, Others} ->
            demonitor(Monitor, [flush]),
            Others;
        error ->
            Waiters
    end.

%% @doc Replies to all callers. Nobody waits afterwards.
-spec reply(Answer :: term(), waiters()) -> waiters().
reply(Answer, Waiters) ->
    Reply = fun({From, Monitor}) ->
        demonitor(Monitor, [flush]),
        gen_server:reply(From, Answer)
    end,
    lists:foreach(Reply, maps:values(Waiters)),
    new().

-spec count(waiters()) -> non_neg_integer().
count(Waiters) ->
    map_size(Waiters).
