-module(without_python).

-export([check/0]).

%% @doc For `erl -s': signal_port cannot start.
-spec check() -> ok.
check() ->
    {error, {signal_port, _}} = application:ensure_all_started(signal_port),
    init:stop().
