#!/usr/bin/env escript
%% -*- erlang -*-
%%! -noinput
%% The option {backend, probe} on a system without a C compiler, in the repository's folder: a NIF
%% that is well is chosen, and one that kills its VM is found out and explained.
%%
%%   probe_check.escript FOLDER     has sick_nif.so, made of tests/nifs/sick_nif.c
%%                                  with -DNULL_TERMINATED
-mode(compile).

main([Sick]) ->
    code:add_pathsa(filelib:wildcard("_build/default/lib/*/ebin")),
    [load(filename:join("tests/erlang", Module))
     || Module <- ["signal_port_vectors", "signal_port_operations", "signal_port_stage",
                   "signal_port_nifs"]],
    check("healthy NIF is chosen", fun healthy/1, filename:join(Sick, "healthy")),
    check("NULL-terminated NIF is found out", fun null_terminated/1, filename:absname(Sick)).

healthy(Folder) ->
    _ = signal_port_nifs:healthy([{folder, Folder}]),
    #{backend := nif, reason := "the NIF passed its test in a child VM"} = start().

null_terminated(Folder) ->
    {ok, _} = compile:file("tests/nifs/libsignal_protocol_nif.erl", [{outdir, Folder}]),
    true = code:add_patha(Folder),
    #{backend := port, reason := Reason} = start(),
    "loading the NIF killed a child VM by signal 11 (SIGSEGV); sick_nif.so: null_entry" ++ _ =
        Reason.

start() ->
    ok = signal_port_stage:start([{backend, probe}, {start_timeout, 120_000}]),
    signal_port:info().

check(Name, Check, Folder) ->
    ok = filelib:ensure_path(Folder),
    Config = signal_port_nifs:set_up(probe, [{priv_dir, Folder}]),
    _ = Check(Folder),
    ok = signal_port_nifs:clean_up(Config),
    io:format("~-48s ok~n", [Name]).

load(File) ->
    {ok, Module, Beam} = compile:file(File, [binary]),
    {module, Module} = code:load_binary(Module, File, Beam).
