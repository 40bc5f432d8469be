%% Makes one call at the start, and prints that it was answered: tests/systems/dockerfile.sh waits
%% for that line.
-module(consumer).
-behaviour(application).

-export([start/2, stop/1]).

start(_Type, _Args) ->
    {ok, <<186, 120, 22, 191, _/binary>>} = signal_port:sha256(<<"abc">>),
    #{backend := Backend} = signal_port:info(),
    io:format("answered in ~s mode, ~s~n", [code:get_mode(), Backend]),
    {ok, self()}.

stop(_State) ->
    ok.
