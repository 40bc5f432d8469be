%% @private What is news to the log: the reason of a failed start is, unless it was so a moment ago.
%% Many workers fail for one reason, again and again.
-module(signal_port_news).

-export([new/0, hear/3]).
-export_type([news/0]).

-define(STALE, 10_000).  % milliseconds until a reason is news again

-opaque news() :: #{Sentence :: string() => Heard :: integer()}.

%% @doc Returns the news of somebody who has heard nothing.
-spec new() -> news().
new() ->
    #{}.

%% @doc Returns whether a reason is news at a time, in milliseconds.
-spec hear(Sentence :: string(), Now :: integer(), news()) -> {IsNews :: boolean(), news()}.
hear(Sentence, Now, News) ->
    Recent = maps:filter(fun(_, Heard) -> Now - Heard < ?STALE end, News),
    {not is_map_key(Sentence, Recent), maps:merge(#{Sentence => Now}, Recent)}.
