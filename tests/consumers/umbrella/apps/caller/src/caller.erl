-module(caller).

-export([start_and_check/0]).

-spec start_and_check() -> ok.
start_and_check() ->
    {ok, [_ | _]} = application:ensure_all_started(caller),
    ok = consumer:check(signal_port, signal_port),
    init:stop().
