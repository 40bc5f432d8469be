#!/usr/bin/env escript
%% -*- erlang -*- Prints the files that the .app.src names for a package. Each pattern must find at
%% least one. Run in the repository's root.
-mode(compile).

main([]) ->
    {ok, [{application, signal_port, Keys}]} = file:consult("erlang/signal_port.app.src"),
    lists:foreach(fun print/1, proplists:get_value(files, Keys)).

print(Pattern) ->
    [_ | _] = Files = filelib:wildcard(Pattern),
    [io:format("~ts~n", [File]) || File <- Files].
