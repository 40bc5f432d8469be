%% @private The roster of the pool: which slots it has, and in which role. A slot in a place belongs
%% to the pool's size. A slot that is next starts a worker, to take a place. The worker of a leaving
%% slot gets no new calls and ends after its last one.
%%
%% Nothing is started or ended here. Calls and restarts stay counted when their slot is gone.
-module(signal_port_roster).

-export([new/1, slots/1, workers/1, place/2, find/2, put/3]).
-export([has_next/2, drop_next/2, take_place/2, resize/2, remove_left/2, others/1]).
-export_type([roster/0, index/0]).

-type index() :: pos_integer().

-record(roster, {
    places :: #{index() => signal_port_slot:slot()},         % from 1 to the pool's size
    next = #{} :: #{index() => signal_port_slot:slot()},     % by the place that they take
    leaving = #{} :: #{pid() => signal_port_slot:slot()},    % by their worker
    calls = 0 :: non_neg_integer(),                          % of places that were removed
    restarts = 0 :: non_neg_integer()
}).

-opaque roster() :: #roster{}.

%% @doc Returns a roster with this number of slots that never had a worker.
-spec new(Size :: non_neg_integer()) -> roster().
new(Size) ->
    #roster{places = new_places(lists:seq(1, Size))}.

new_places(Indexes) ->
    maps:from_list([{Index, signal_port_slot:new(Index)} || Index <- Indexes]).

%% @doc Returns the slots in places, by index.
-spec slots(roster()) -> [signal_port_slot:slot()].
slots(#roster{places = Places}) ->
    [Slot || {_Index, Slot} <- lists:sort(maps:to_list(Places))].

%% @doc Returns the ready workers that get calls.
-spec workers(roster()) -> [signal_port_table:worker()].
workers(Roster) ->
    lists:flatmap(fun signal_port_slot:worker/1, slots(Roster)).

%% @doc Returns the slot in a place, or `none' if there is no such place.
-spec place(index(), roster()) -> signal_port_slot:slot() | none.
place(Index, #roster{places = Places}) ->
    maps:get(Index, Places, none).

%% @doc Returns the slot of a worker, and its role.
-spec find(pid(), roster()) -> {place | next | leaving, signal_port_slot:slot()} | none.
find(Pid, #roster{leaving = Leaving}) when is_map_key(Pid, Leaving) ->
    {leaving, map_get(Pid, Leaving)};
find(Pid, #roster{places = Places, next = Next}) ->
    Slots = [{place, Slot} || Slot <- maps:values(Places)]
        ++ [{next, Slot} || Slot <- maps:values(Next)],
    case [Found || {_, Slot} = Found <- Slots, signal_port_slot:pid(Slot) =:= Pid] of
        [Found] -> Found;
        [] -> none
    end.

%% @doc Adds or updates a slot in its role.
-spec put(place | next | leaving, signal_port_slot:slot(), roster()) -> roster().
put(place, Slot, #roster{places = Places} = Roster) ->
    Roster#roster{places = Places#{signal_port_slot:index(Slot) => Slot}};
put(next, Slot, #roster{next = Next} = Roster) ->
    Roster#roster{next = Next#{signal_port_slot:index(Slot) => Slot}};
put(leaving, Slot, #roster{leaving = Leaving} = Roster) ->
    Roster#roster{leaving = Leaving#{signal_port_slot:pid(Slot) => Slot}}.

%% @doc Returns whether a slot is next for a place.
-spec has_next(index(), roster()) -> boolean().
has_next(Index, #roster{next = Next}) ->
    is_map_key(Index, Next).

%% @doc Forgets the slot that is next for a place.
-spec drop_next(index(), roster()) -> roster().
drop_next(Index, #roster{next = Next} = Roster) ->
    Roster#roster{next = maps:remove(Index, Next)}.

%% @doc Lets a slot that is next take its place. Returns the worker that leaves, if there is one.
-spec take_place(signal_port_slot:slot(), roster()) -> {Leaving :: [pid()], roster()}.
take_place(Slot, Roster) ->
    Index = signal_port_slot:index(Slot),
    Old = place(Index, Roster),
    Taken = put(place, signal_port_slot:succeed(Slot, Old), drop_next(Index, Roster)),
    leave([Old], Taken).

%% @doc Adds or removes places. Returns the new slots and the workers that leave.
-spec resize(Size :: pos_integer(), roster()) ->
    {Added :: [signal_port_slot:slot()], Leaving :: [pid()], roster()}.
resize(Size, #roster{places = Places, next = Next} = Roster) ->
    Added = new_places(lists:seq(1, Size) -- maps:keys(Places)),
    IsIn = fun(Index, _) -> Index =< Size end,
    Removed = maps:values(maps:without(lists:seq(1, Size), Places)),
    Dropped = maps:values(maps:without(lists:seq(1, Size), Next)),
    Resized = Roster#roster{places = maps:merge(maps:filter(IsIn, Places), Added),
                            next = maps:filter(IsIn, Next)},
    {Leaving, Left} = leave(Removed ++ Dropped, lists:foldl(fun keep_history/2, Resized, Removed)),
    {maps:values(Added), Leaving, Left}.

keep_history(Slot, #roster{calls = Calls, restarts = Restarts} = Roster) ->
    {Former, Again} = signal_port_slot:history(Slot),
    Roster#roster{calls = Calls + Former, restarts = Restarts + Again}.

leave(Slots, Roster) ->
    Leaving = [Slot || Slot <- Slots, signal_port_slot:pid(Slot) =/= undefined],
    {lists:map(fun signal_port_slot:pid/1, Leaving),
     lists:foldl(fun(Slot, Left) -> put(leaving, Slot, Left) end, Roster, Leaving)}.

%% @doc Forgets a leaving slot whose worker has ended. Its place keeps the calls, if there is one.
-spec remove_left(signal_port_slot:slot(), roster()) -> roster().
remove_left(Slot, #roster{leaving = Leaving, calls = Calls} = Roster) ->
    Left = Roster#roster{leaving = maps:remove(signal_port_slot:pid(Slot), Leaving)},
    Answered = signal_port_slot:answered(Slot),
    case place(signal_port_slot:index(Slot), Roster) of
        none -> Left#roster{calls = Calls + Answered};
        Place -> put(place, signal_port_slot:add_calls(Answered, Place), Left)
    end.

%% @doc Returns what is counted outside of the places.
-spec others(roster()) ->
    #{calls | in_flight | queued := integer(), restarts := non_neg_integer()}.
others(#roster{leaving = Leaving, calls = Calls, restarts = Restarts}) ->
    Slots = maps:values(Leaving),
    Sum = fun(Key) -> lists:sum([maps:get(Key, signal_port_slot:info(Slot)) || Slot <- Slots]) end,
    #{calls => Calls + lists:sum(lists:map(fun signal_port_slot:answered/1, Slots)),
      in_flight => Sum(in_flight), queued => Sum(queued), restarts => Restarts}.
