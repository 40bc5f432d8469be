%% The calls of one worker, its counters and deadlines. No process runs here.
-module(signal_port_calls_SUITE).
-compile([export_all, nowarn_export_all]).

-define(WINDOW, 64).  % calls that the OS process gets before it replies

all() ->
    [{group, window}, {group, replies}, {group, dropped}, {group, counters}, {group, ends},
     {group, deadlines}].

groups() ->
    [{window, [no_call_gives_no_frame, calls_are_taken_in_order, window_holds_64_calls,
               reply_opens_the_window]},
     {replies, [oldest_call_gets_the_reply, wrong_tag_is_an_error, unasked_reply_is_an_error]},
     {dropped, [expired_calls_are_dropped, call_without_deadline_is_kept,
                missing_number_counts_as_dropped, late_number_is_taken_back,
                expected_number_counts_as_dropped, late_expected_number_is_taken_back]},
     {counters, [each_counter_is_one_of_its_own, call_is_pending_until_its_reply,
                 call_is_pending_until_it_is_dropped, next_call_is_pending_until_it_is_answered]},
     {ends, [oldest_open_call_is_apart, waiting_calls_have_no_oldest]},
     {deadlines, [infinite_deadline_never_passes, past_deadline_has_no_time_left,
                  deadline_is_its_timeout_away]}].

%% --- The window ---

no_call_gives_no_frame(_) ->
    {[], _} = signal_port_calls:take(calls(0)).

calls_are_taken_in_order(_) ->
    {Frames, _} = signal_port_calls:take(calls(3)),
    [0, 1, 2] = [tag(Frame) || Frame <- Frames].

window_holds_64_calls(_) ->
    {Frames, Calls} = signal_port_calls:take(calls(?WINDOW + 1)),
    ?WINDOW = length(Frames),
    {[], _} = signal_port_calls:take(Calls).

reply_opens_the_window(_) ->
    {_, Calls} = signal_port_calls:take(calls(?WINDOW + 2)),
    {_, _, Replied} = signal_port_calls:reply(reply(0), Calls),
    {[Frame], _} = signal_port_calls:take(Replied),
    ?WINDOW = tag(Frame).

%% --- Replies ---

oldest_call_gets_the_reply(_) ->
    {_, Calls} = signal_port_calls:take(calls(2)),
    {1, <<"answer">>, Replied} = signal_port_calls:reply(reply(0), Calls),
    {2, <<"answer">>, _} = signal_port_calls:reply(reply(1), Replied).

wrong_tag_is_an_error(_) ->
    {_, Calls} = signal_port_calls:take(calls(2)),
    error = signal_port_calls:reply(reply(1), Calls).

unasked_reply_is_an_error(_) ->
    error = signal_port_calls:reply(reply(0), calls(1)).

%% --- Dropped calls ---

expired_calls_are_dropped(_) ->
    Counters = signal_port_counters:new(),
    Past = signal_port_deadline:now_ms() - 1,
    Calls = lists:foldl(fun(Deadline, Calls) -> add_with(Deadline, Counters, Calls) end,
                        signal_port_calls:new(Counters), [Past, Past]),
    2 = signal_port_counters:in_flight(Counters),
    {[], _} = signal_port_calls:take(signal_port_calls:drop_expired(Calls)),
    0 = signal_port_counters:in_flight(Counters).

call_without_deadline_is_kept(_) ->
    {[_], _} = signal_port_calls:take(signal_port_calls:drop_expired(calls(1))).

%% The caller of number 2 was killed before it sent its call.
missing_number_counts_as_dropped(_) ->
    Counters = signal_port_counters:new(),
    [1, 2, 3] = [signal_port_counters:add_sent(Counters) || _ <- [1, 2, 3]],
    _ = arrived([1, 3], Counters),
    2 = signal_port_counters:in_flight(Counters).

late_number_is_taken_back(_) ->
    Counters = signal_port_counters:new(),
    [1, 2, 3] = [signal_port_counters:add_sent(Counters) || _ <- [1, 2, 3]],
    _ = arrived([1, 3, 2], Counters),
    3 = signal_port_counters:in_flight(Counters).

%% The callers of numbers 2 and 3 were killed, and no call comes after theirs.
expected_number_counts_as_dropped(_) ->
    Counters = signal_port_counters:new(),
    [1, 2, 3] = [signal_port_counters:add_sent(Counters) || _ <- [1, 2, 3]],
    Expecting = signal_port_calls:expect(3, arrived([1], Counters)),
    1 = signal_port_counters:in_flight(Counters),
    _ = signal_port_calls:expect(2, Expecting),
    1 = signal_port_counters:in_flight(Counters).

late_expected_number_is_taken_back(_) ->
    Counters = signal_port_counters:new(),
    1 = signal_port_counters:add_sent(Counters),
    _ = add(1, signal_port_calls:expect(1, arrived([], Counters))),
    1 = signal_port_counters:in_flight(Counters).

%% --- Counters ---

each_counter_is_one_of_its_own(_) ->
    0 = signal_port_counters:place(signal_port_counters:new()),
    Counters = signal_port_counters:new(9),
    [signal_port_counters:add_sent(Counters) || _ <- lists:seq(1, 100)],
    signal_port_counters:add_taken(Counters, 50),
    [signal_port_counters:add_answered(Counters) || _ <- lists:seq(1, 20)],
    signal_port_counters:add_dropped(Counters, 7),
    signal_port_counters:set_pending(Counters, 3),
    {100, 50, 20, 3} = {signal_port_counters:sent(Counters), signal_port_counters:taken(Counters),
                        signal_port_counters:answered(Counters),
                        signal_port_counters:pending(Counters)},
    {43, 73} = {signal_port_counters:waiting(Counters), signal_port_counters:in_flight(Counters)},
    9 = signal_port_counters:place(Counters).

call_is_pending_until_its_reply(_) ->
    Counters = signal_port_counters:new(),
    {_, Calls} = signal_port_calls:take(arrived([1, 2, 3], Counters)),
    {3, 0} = pending_and_answered(Counters),
    {_, _, Replied} = signal_port_calls:reply(reply(0), Calls),
    {2, 1} = pending_and_answered(Counters),
    {_, _, _} = signal_port_calls:reply(reply(1), Replied),
    {1, 2} = pending_and_answered(Counters).

pending_and_answered(Counters) ->
    {signal_port_counters:pending(Counters), signal_port_counters:answered(Counters)}.

call_is_pending_until_it_is_dropped(_) ->
    Counters = signal_port_counters:new(),
    Past = signal_port_deadline:now_ms() - 1,
    Calls = lists:foldl(fun(Deadline, Calls) -> add_with(Deadline, Counters, Calls) end,
                        signal_port_calls:new(Counters), [Past, Past, infinity]),
    3 = signal_port_counters:pending(Counters),
    _ = signal_port_calls:drop_expired(Calls),
    1 = signal_port_counters:pending(Counters).

%% For a channel that keeps the open calls itself.
next_call_is_pending_until_it_is_answered(_) ->
    Counters = signal_port_counters:new(),
    {1, infinity, _, Calls} = signal_port_calls:next(arrived([1, 2], Counters)),
    {2, infinity, _, Empty} = signal_port_calls:next(Calls),
    none = signal_port_calls:next(Empty),
    {2, 0} = pending_and_answered(Counters),
    _ = signal_port_calls:answered(signal_port_calls:answered(Empty)),
    {0, 2} = pending_and_answered(Counters).

%% --- The end of a worker ---

oldest_open_call_is_apart(_) ->
    {_, Calls} = signal_port_calls:take(calls(?WINDOW + 1)),
    {[1], Others} = signal_port_calls:oldest_and_others(Calls),
    Others = lists:seq(2, ?WINDOW + 1).

waiting_calls_have_no_oldest(_) ->
    {[], [1, 2]} = signal_port_calls:oldest_and_others(calls(2)).

%% --- Deadlines ---

infinite_deadline_never_passes(_) ->
    infinity = signal_port_deadline:from_timeout(infinity),
    infinity = signal_port_deadline:remaining(infinity),
    false = signal_port_deadline:has_passed(infinity).

past_deadline_has_no_time_left(_) ->
    Past = signal_port_deadline:now_ms() - 1,
    0 = signal_port_deadline:remaining(Past),
    true = signal_port_deadline:has_passed(signal_port_deadline:from_timeout(0)).

%% The clock goes on between two looks at it.
deadline_is_its_timeout_away(_) ->
    Before = signal_port_deadline:now_ms(),
    Deadline = signal_port_deadline:from_timeout(60_000),
    Remaining = signal_port_deadline:remaining(Deadline),
    Passed = signal_port_deadline:now_ms() - Before,
    true = Deadline >= Before + 60_000 andalso Deadline =< Before + Passed + 60_000,
    true = Remaining =< 60_000 andalso Remaining >= 60_000 - Passed.

%% --- Internals ---

%% So many calls that wait. The alias of each is its number.
calls(Count) ->
    arrived(lists:seq(1, Count), signal_port_counters:new()).

arrived(Numbers, Counters) ->
    lists:foldl(fun add/2, signal_port_calls:new(Counters), Numbers).

add(Number, Calls) ->
    Request = signal_port_secret:hide(signal_port_codec:request(init, [])),
    signal_port_calls:add(Number, Number, infinity, Request, Calls).

add_with(Deadline, Counters, Calls) ->
    Number = signal_port_counters:add_sent(Counters),
    Request = signal_port_secret:hide(signal_port_codec:request(init, [])),
    signal_port_calls:add(Number, Number, Deadline, Request, Calls).

reply(Tag) ->
    <<16#92, 16#C4, 4, Tag:32, "answer">>.

tag(Frame) ->
    <<_Length:32, 16#93, 16#C4, 4, Tag:32, _/binary>> = iolist_to_binary(Frame),
    Tag.
