#!/usr/bin/env escript
%% -*- erlang -*-
%%! -noinput
%% Compares two builds of an application, given by their ebin folders: the .app files have the same
%% keys, and the modules the same exports, imports and local functions. Their checksums differ,
%% because the macros of logger write the path of the source into the code.
-mode(compile).

main([Expected, Actual]) ->
    [_ | _] = modules(Actual),
    equal(application(Expected), application(Actual)),
    equal(modules(Expected), modules(Actual)).

equal(Same, Same) -> ok;
equal(Expected, Actual) -> error({builds_differ, Expected, Actual}).

application(Ebin) ->
    [File] = filelib:wildcard(filename:join(Ebin, "*.app")),
    {ok, [{application, Name, Keys}]} = file:consult(File),
    {Name, lists:sort([sorted(Key) || Key <- Keys])}.

sorted({modules, Modules}) -> {modules, lists:sort(Modules)};
sorted(Key) -> Key.

modules(Ebin) ->
    [begin
         {ok, Chunks} = beam_lib:chunks(Beam, [exports, imports, locals]),
         Chunks
     end || Beam <- lists:sort(filelib:wildcard(filename:join(Ebin, "*.beam")))].
