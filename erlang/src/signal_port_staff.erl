%% @private The workers of the pool: starts them, replaces them, adds and removes them, and
%% publishes those that are ready. It runs in the pool's process and knows no caller that waits.
-module(signal_port_staff).

-export([new/2, start_all/1, start_if_idle/1, start_again/2]).
-export([started/3, ready/3, down/3, replace/3, resize/2]).
-export([workers/1, info/1, in_flight/1, has_failed/2, is_given_up/1, is_empty/1]).
-export_type([staff/0]).

-record(staff, {
    config :: signal_port_config:config(),
    roster :: signal_port_roster:roster(),
    news = signal_port_news:new() :: signal_port_news:news(),
    replacing = #{} :: #{signal_port_roster:index() => [gen_server:from(), ...]}
}).

-opaque staff() :: #staff{}.

%% @doc Returns a staff of this size, without a worker.
-spec new(Size :: non_neg_integer(), signal_port_config:config()) -> staff().
new(Size, Config) ->
    publish(#staff{config = Config, roster = signal_port_roster:new(Size)}).

-spec start_all(staff()) -> staff().
start_all(Staff) ->
    lists:foldl(fun start/2, Staff, slots(Staff)).

%% @doc Starts all workers if none was ever started: beside a NIF they start with the first call
%% that needs one.
-spec start_if_idle(staff()) -> staff().
start_if_idle(Staff) ->
    case is_idle(Staff) of
        true -> start_all(Staff);
        false -> Staff
    end.

%% @doc Starts the next worker of a place, if the place still waits for one.
-spec start_again(signal_port_roster:index(), staff()) -> staff().
start_again(Index, #staff{roster = Roster} = Staff) ->
    Slot = signal_port_roster:place(Index, Roster),
    case Slot =/= none andalso signal_port_slot:is_waiting(Slot) of
        true -> start(Slot, Staff);
        false -> Staff
    end.

start(Slot, #staff{config = Config} = Staff) ->
    put_slot(place, signal_port_slot:start(Slot, Config), Staff).

%% --- What happens to a worker ---

%% @doc A worker has an OS process.
-spec started(pid(), OsPid :: pos_integer(), staff()) -> staff().
started(Pid, OsPid, #staff{roster = Roster} = Staff) ->
    case signal_port_roster:find(Pid, Roster) of
        none -> Staff;
        {Role, Slot} -> put_slot(Role, signal_port_slot:started(Slot, OsPid), Staff)
    end.

%% @doc A worker takes calls.
-spec ready(pid(), Versions :: #{atom() => binary()}, staff()) -> staff().
ready(Pid, Versions, #staff{roster = Roster} = Staff) ->
    case signal_port_roster:find(Pid, Roster) of
        {place, Slot} -> publish(put_slot(place, signal_port_slot:ready(Slot, Versions), Staff));
        {next, Slot} -> take_place(signal_port_slot:ready(Slot, Versions), Staff);
        _ -> Staff
    end.

%% @doc A worker has ended. The pool gets `{start, Index}' when the next one is due.
-spec down(pid(), Reason :: term(), staff()) -> staff().
down(Pid, Reason, #staff{roster = Roster} = Staff) ->
    case signal_port_roster:find(Pid, Roster) of
        {place, Slot} -> lost(Slot, Reason, Staff);
        {next, Slot} -> successor_failed(Slot, signal_port_reason:explain(Reason), Staff);
        {leaving, Slot} -> left(Slot, Reason, Staff);
        none -> Staff
    end.

lost(Slot, Reason, #staff{news = News} = Staff) ->
    Sentence = signal_port_reason:explain(Reason),
    {IsNews, Heard} = signal_port_news:hear(Sentence, signal_port_deadline:now_ms(), News),
    {Delay, Down} = signal_port_slot:down(Slot, Reason, IsNews),
    erlang:send_after(Delay, self(), {start, signal_port_slot:index(Slot)}),
    publish(put_slot(place, Down, Staff#staff{news = Heard})).

%% --- Workers that are replaced ---

%% @doc Starts a worker that takes a place when it is ready. Replies to the caller: `ok' when the
%% old worker has ended, `no_such_place', or `{error, Sentence}' if the new one does not get ready.
-spec replace(signal_port_roster:index(), gen_server:from(), staff()) -> staff().
replace(Index, From, #staff{roster = Roster, replacing = Replacing} = Staff) ->
    Callers = maps:get(Index, Replacing, []),
    Asked = Staff#staff{replacing = Replacing#{Index => [From | Callers]}},
    case {signal_port_roster:place(Index, Roster), Callers, is_idle(Staff)} of
        {none, _, _} -> replaced(Index, no_such_place, Asked);
        {_, _, true} -> replaced(Index, ok, Asked);
        {_, [], false} -> start_next(Index, Asked);
        {_, [_ | _], false} -> Asked
    end.

start_next(Index, #staff{config = Config} = Staff) ->
    put_slot(next, signal_port_slot:start(signal_port_slot:new(Index), Config), Staff).

take_place(Slot, #staff{roster = Roster} = Staff) ->
    {Leaving, Taken} = signal_port_roster:take_place(Slot, Roster),
    Published = drain(Leaving, Staff#staff{roster = Taken}),
    case Leaving of
        [_] -> Published;
        [] -> replaced(signal_port_slot:index(Slot), ok, Published)  % the old one was lost
    end.

successor_failed(Slot, Sentence, #staff{roster = Roster} = Staff) ->
    signal_port_event:successor_failed(Sentence),
    Index = signal_port_slot:index(Slot),
    Dropped = Staff#staff{roster = signal_port_roster:drop_next(Index, Roster)},
    replaced(Index, {error, Sentence}, Dropped).

left(Slot, Reason, #staff{roster = Roster} = Staff) ->
    ok = signal_port_slot:left(Slot, Reason),
    Index = signal_port_slot:index(Slot),
    Left = Staff#staff{roster = signal_port_roster:remove_left(Slot, Roster)},
    case signal_port_roster:has_next(Index, Roster) of
        true -> Left;  % it left a place that was removed and added again
        false -> replaced(Index, ok, Left)
    end.

replaced(Index, Answer, #staff{replacing = Replacing} = Staff) ->
    [gen_server:reply(From, Answer) || From <- maps:get(Index, Replacing, [])],
    Staff#staff{replacing = maps:remove(Index, Replacing)}.

%% --- Places that are added or removed ---

%% @doc Changes the number of places. Workers that are too many end after their last call.
-spec resize(Size :: pos_integer(), staff()) -> staff().
resize(Size, #staff{roster = Roster} = Staff) ->
    {Added, Leaving, Resized} = signal_port_roster:resize(Size, Roster),
    signal_port_table:put_pool_size(Size),
    Drained = drain(Leaving, Staff#staff{roster = Resized}),
    case is_idle(Staff) of
        true -> Drained;
        false -> lists:foldl(fun start/2, Drained, Added)
    end.

%% Callers must not find a worker that drains.
drain(Leaving, Staff) ->
    Published = publish(Staff),
    lists:foreach(fun signal_port_worker:drain/1, Leaving),
    Published.

%% --- What is known ---

%% @doc Returns the ready workers.
-spec workers(staff()) -> [signal_port_table:worker()].
workers(#staff{roster = Roster}) ->
    signal_port_roster:workers(Roster).

%% @doc Returns the versions of the Python side, what is known of the slot in each place, and what
%% is counted of workers that leave or have left.
-spec info(staff()) ->
    #{versions := #{atom() => binary()}, workers := [signal_port_slot:info()],
      others := #{calls | in_flight | queued | restarts => integer()}}.
info(#staff{roster = Roster} = Staff) ->
    Versions = lists:map(fun signal_port_slot:versions/1, slots(Staff)),
    #{versions => lists:foldl(fun maps:merge/2, #{}, Versions),
      workers => lists:map(fun signal_port_slot:info/1, slots(Staff)),
      others => signal_port_roster:others(Roster)}.

%% @doc Returns how many calls the workers have, those that leave included.
-spec in_flight(staff()) -> integer().
in_flight(Staff) ->
    #{workers := Workers, others := Others} = info(Staff),
    lists:sum([InFlight || #{in_flight := InFlight} <- [Others | Workers]]).

%% @doc Returns whether a start of the worker's place has failed, or many were killed.
-spec has_failed(pid(), staff()) -> boolean().
has_failed(Pid, #staff{roster = Roster}) ->
    case signal_port_roster:find(Pid, Roster) of
        {_, Slot} -> signal_port_slot:has_failed(Slot);
        none -> false
    end.

%% @doc Returns whether all places have failed so often that calls do not wait for them.
-spec is_given_up(staff()) -> boolean().
is_given_up(Staff) ->
    lists:all(fun signal_port_slot:is_given_up/1, slots(Staff)).

%% @doc Returns whether the pool's size is 0.
-spec is_empty(staff()) -> boolean().
is_empty(Staff) ->
    slots(Staff) =:= [].

is_idle(#staff{roster = Roster}) ->
    case signal_port_roster:place(1, Roster) of
        none -> false;  % a pool of size 0
        Slot -> signal_port_slot:is_idle(Slot)
    end.

%% --- Internals ---

slots(#staff{roster = Roster}) ->
    signal_port_roster:slots(Roster).

put_slot(Role, Slot, #staff{roster = Roster} = Staff) ->
    Staff#staff{roster = signal_port_roster:put(Role, Slot, Roster)}.

publish(Staff) ->
    signal_port_table:put_workers(workers(Staff)),
    Staff.
