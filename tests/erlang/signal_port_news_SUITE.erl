%% What is news to the log.
-module(signal_port_news_SUITE).

-include_lib("stdlib/include/assert.hrl").

-export([all/0]).
-export([reason_told_once_is_news/1, reason_told_again_soon_is_none/1,
         reason_told_again_later_is_news/1, other_reason_is_news/1, sixty_four_failures_are_one/1]).

all() ->
    [reason_told_once_is_news, reason_told_again_soon_is_none, reason_told_again_later_is_news,
     other_reason_is_news, sixty_four_failures_are_one].

reason_told_once_is_news(_) ->
    ?assertEqual([true], told([{"no descriptor", 0}])).

reason_told_again_soon_is_none(_) ->
    ?assertEqual([true, false], told([{"no descriptor", 0}, {"no descriptor", 9_999}])).

%% Counted from the time when it was news, not from when it was told last.
reason_told_again_later_is_news(_) ->
    Times = [{"no descriptor", Time} || Time <- [0, 6_000, 10_000, 16_000]],
    ?assertEqual([true, false, true, false], told(Times)).

other_reason_is_news(_) ->
    ?assertEqual([true, true], told([{"no descriptor", 0}, {"no memory", 0}])).

sixty_four_failures_are_one(_) ->
    News = told([{"no descriptor", Time} || Time <- lists:seq(1, 64)]),
    ?assertEqual(1, length([true || true <- News])).

told(Reasons) ->
    {Answers, _} = lists:mapfoldl(fun({Reason, Time}, News) ->
        signal_port_news:hear(Reason, Time, News)
    end, signal_port_news:new(), Reasons),
    Answers.
