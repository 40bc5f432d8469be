%% @private The calls of one worker: those that wait, and those that its program has.
%%
%% A program gets only as many calls as keep it busy. The others wait here, where they are
%% dropped if their callers give up. Otherwise a burst of calls with short timeouts would keep the
%% worker late for ever.
%%
%% Replies come in the order of the requests. Each must carry the tag of the oldest open call.
%% Nothing is sent here: the worker writes the frames and sends the answers.
-module(signal_port_calls).

-export([new/1, add/5, expect/2, drop_expired/1, take/1, reply/2, is_empty/1,
         oldest_and_others/1]).
-export([next/1, answered/1]).
-export_type([calls/0]).

-define(WINDOW, 64).  % calls that the program gets before it replies

-type alias() :: reference().
-type request() :: signal_port_secret:hidden(signal_port_codec:request()).

-record(calls, {
    counters :: signal_port_counters:counters(),
    latest = 0 :: non_neg_integer(),              % highest number of a call that arrived
    waiting = queue:new() ::                      % oldest first
        queue:queue({alias(), signal_port_deadline:deadline(), request()}),
    open = queue:new() :: queue:queue(alias()),   % calls that the program has, oldest first
    pending = 0 :: non_neg_integer(),             % waiting and open
    next = 0 :: non_neg_integer(),                % tag of the next request
    due = 0 :: non_neg_integer()                  % tag of the next reply
}).

-opaque calls() :: #calls{}.

-spec new(signal_port_counters:counters()) -> calls().
new(Counters) ->
    #calls{counters = Counters}.

%% @doc Adds a call that waits. Its number is the one that the caller counted.
-spec add(Number :: pos_integer(), alias(), signal_port_deadline:deadline(), request(), calls()) ->
    calls().
add(Number, Alias, Deadline, Request, #calls{latest = Latest, waiting = Waiting} = Calls) ->
    count_missing(Number, Latest, Calls#calls.counters),
    pending(1, Calls#calls{waiting = queue:in({Alias, Deadline, Request}, Waiting),
                           latest = max(Number, Latest)}).

%% @doc Calls up to this number were counted long ago: those that did not arrive are missing.
-spec expect(Number :: non_neg_integer(), calls()) -> calls().
expect(Number, #calls{latest = Latest} = Calls) when Number > Latest ->
    signal_port_counters:add_dropped(Calls#calls.counters, Number - Latest),
    Calls#calls{latest = Number};
expect(_Number, Calls) ->
    Calls.

%% A missing number belongs to a caller that was killed before it sent its call, or to a call that
%% is late.
count_missing(Number, Latest, _Counters) when Number =:= Latest + 1 ->
    ok;
count_missing(Number, Latest, Counters) when Number > Latest ->
    signal_port_counters:add_dropped(Counters, Number - Latest - 1);
count_missing(_Late, _Latest, Counters) ->
    signal_port_counters:add_dropped(Counters, -1).

%% @doc Drops waiting calls whose deadline has passed. Calls arrive nearly in the order of their
%% deadlines, so only the oldest are looked at.
-spec drop_expired(calls()) -> calls().
drop_expired(#calls{waiting = Waiting, counters = Counters} = Calls) ->
    case is_expired(queue:peek(Waiting)) of
        true ->
            signal_port_counters:add_dropped(Counters, 1),
            drop_expired(pending(-1, Calls#calls{waiting = queue:drop(Waiting)}));
        false ->
            Calls
    end.

is_expired({value, {_, Deadline, _}}) -> signal_port_deadline:has_passed(Deadline);
is_expired(empty) -> false.

%% @doc Moves calls into the window of the program. Returns their frames, oldest first.
-spec take(calls()) -> {[Frame :: iolist()], calls()}.
take(Calls) ->
    take([], Calls).

take(Frames, #calls{waiting = Waiting, open = Open, next = Next, due = Due} = Calls)
  when Next - Due < ?WINDOW ->
    case queue:out(Waiting) of
        {{value, {Alias, _, Request}}, Rest} ->
            take([frame(Next, Request) | Frames],
                 Calls#calls{waiting = Rest, open = queue:in(Alias, Open), next = Next + 1});
        {empty, _} ->
            {lists:reverse(Frames), Calls}
    end;
take(Frames, Calls) ->
    {lists:reverse(Frames), Calls}.

frame(Tag, Request) ->
    signal_port_frame:pack([signal_port_codec:tag(Tag) | signal_port_secret:reveal(Request)]).

%% @doc Returns the caller of the oldest open call and its answer, still encoded. Returns `error'
%% if the frame is not the reply to that call.
-spec reply(Frame :: binary(), calls()) -> {alias(), Answer :: binary(), calls()} | error.
reply(Frame, #calls{open = Open, due = Due} = Calls) ->
    case {queue:out(Open), signal_port_codec:reply(Due, Frame)} of
        {{{value, Alias}, Rest}, {ok, Answer}} ->
            signal_port_counters:add_answered(Calls#calls.counters),
            {Alias, Answer, pending(-1, Calls#calls{open = Rest, due = Due + 1})};
        _ ->
            error
    end.

%% @doc Returns the oldest waiting call. This and answered/1 are for a channel that keeps the open
%% calls itself, because its answers come in any order.
-spec next(calls()) -> {alias(), signal_port_deadline:deadline(), request(), calls()} | none.
next(#calls{waiting = Waiting} = Calls) ->
    case queue:out(Waiting) of
        {{value, {Alias, Deadline, Request}}, Rest} ->
            {Alias, Deadline, Request, Calls#calls{waiting = Rest}};
        {empty, _} ->
            none
    end.

%% @doc Counts an answer to a call that next/1 returned.
-spec answered(calls()) -> calls().
answered(#calls{counters = Counters} = Calls) ->
    signal_port_counters:add_answered(Counters),
    pending(-1, Calls).

pending(Change, #calls{pending = Pending, counters = Counters} = Calls) ->
    signal_port_counters:set_pending(Counters, Pending + Change),
    Calls#calls{pending = Pending + Change}.

%% @doc Returns whether there is no call, neither waiting nor open.
-spec is_empty(calls()) -> boolean().
is_empty(#calls{pending = Pending}) ->
    Pending =:= 0.

%% @doc Returns the caller of the oldest open call, if there is one, and all other callers.
-spec oldest_and_others(calls()) -> {[alias()], [alias()]}.
oldest_and_others(#calls{open = Open, waiting = Waiting}) ->
    {Oldest, Others} = lists:split(min(1, queue:len(Open)), queue:to_list(Open)),
    {Oldest, Others ++ [Alias || {Alias, _, _} <- queue:to_list(Waiting)]}.
