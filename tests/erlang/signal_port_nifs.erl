%% NIFs for tests. The sick ones are compiled from C. The others are Erlang modules with the NIF's
%% names. Each is first on the code path once it is made.
-module(signal_port_nifs).

-export([set_up/2, clean_up/1, unload/0]).
-export([crashing/1, null_terminated/1, hanging/1, healthy/1, lying/1]).
-export([stand_in/2, stand_in/3, installed/2]).
-export([operations/0, functions/3, over_the_port/1, module/3, app/2, was_loaded/1]).

-define(NIF, libsignal_protocol_nif).
-define(MODULES, [libsignal_protocol_nif, signal_nif]).

%% @doc Prepares a case: nothing runs, no NIF is loaded, and the case has a folder of its own.
-spec set_up(Case :: atom(), Config :: [{atom(), term()}]) -> [{atom(), term()}].
set_up(Case, Config) ->
    signal_port_stage:stop(),
    unload(),
    Folder = filename:join(proplists:get_value(priv_dir, Config), Case),
    ok = filelib:ensure_path(Folder),
    [{folder, Folder}, {path, code:get_path()} | Config].

%% @doc Restores the code path after a case.
-spec clean_up(Config :: [{atom(), term()}]) -> ok.
clean_up(Config) ->
    signal_port_stage:stop(),
    true = code:set_path(proplists:get_value(path, Config)),
    unload().

%% @doc Unloads the NIF's modules.
-spec unload() -> ok.
unload() ->
    _ = application:unload(?NIF),
    [begin code:purge(Module), code:delete(Module), code:purge(Module) end || Module <- ?MODULES],
    ok.

%% --- Sick NIFs, from C ---

%% @doc Installs a NIF that crashes when it is loaded. Returns its folder.
crashing(Config) ->
    compiled(Config, "crashing", []).

%% @doc Installs a NIF whose table of functions ends with an entry of NULLs.
null_terminated(Config) ->
    compiled(Config, "null_terminated", ["-DNULL_TERMINATED"]).

%% @doc Installs a NIF that hangs when it is loaded.
hanging(Config) ->
    compiled(Config, "hanging", ["-DHANG"]).

%% @doc Returns whether a sick NIF was loaded by any VM.
was_loaded(Folder) ->
    filelib:is_file(filename:join(Folder, "mark")).

compiled(Config, Name, Flags) ->
    Folder = installed(Config, Name),
    Source = signal_port_stage:root("tests/nifs"),
    Module = filename:join(Source, "libsignal_protocol_nif.erl"),
    {ok, _} = compile:file(Module, [{outdir, Folder}, report]),
    cc(["-shared", "-fPIC", "-I", filename:join(code:root_dir(), "usr/include")] ++ Flags
       ++ ["-o", filename:join(Folder, "sick_nif.so"), filename:join(Source, "sick_nif.c")]),
    Folder.

cc(Args) ->
    Cc = os:find_executable("cc"),
    Cc =/= false orelse ct:fail("a C compiler (cc) is missing: install one"),
    Port = open_port({spawn_executable, Cc}, [{args, Args}, exit_status, stderr_to_stdout]),
    0 =:= exit_status(Port) orelse ct:fail("cc cannot compile sick_nif.c: see its output above").

exit_status(Port) ->
    receive
        {Port, {data, Output}} -> ct:pal("~ts", [Output]), exit_status(Port);
        {Port, {exit_status, Status}} -> Status
    end.

%% --- Stand-ins, in Erlang ---

%% @doc Installs a NIF that answers correctly. Its calls use a pool in the same VM, which the first
%% call starts.
healthy(Config) ->
    Folder = stand_in(Config, fun over_the_port/1),
    app(Folder, "0.3.0"),
    Folder.

%% @doc Installs a NIF whose answers are wrong.
lying(Config) ->
    stand_in(Config, fun(_) -> "{ok, <<0:256>>}" end).

stand_in(Config, Body) ->
    stand_in(Config, Body, operations()).

stand_in(Config, Body, Operations) ->
    Folder = installed(Config, "stand_in"),
    [ok = module(Folder, Module, functions(Module, Body, Operations)) || Module <- ?MODULES],
    Folder.

%% @doc The operations of the NIF that a stand-in has: all but the static-key session.
operations() ->
    [Operation || {_, Operations} <- signal_port_operations:nif(),
                  {Name, _} = Operation <- Operations,
                  not lists:member(Name, [create_session, encrypt_message, decrypt_message])].

%% @doc The forms of a module that has those of the operations that the NIF's module has.
functions(Module, Body, Operations) ->
    Own = proplists:get_value(Module, signal_port_operations:nif()),
    ["-compile([export_all, nowarn_export_all])"
     | [function(Name, Arity, Body(Name))
        || {Name, Arity} = Operation <- Operations, lists:member(Operation, Own)]
       ++ [call_over_the_port()]].

function(Name, Arity, Body) ->
    Args = lists:join(", ", ["A" ++ integer_to_list(Number) || Number <- lists:seq(1, Arity)]),
    Format = "~s(~s) -> Args = [~s], _ = Args, ~s",
    lists:flatten(io_lib:format(Format, [Name, Args, Args, Body])).

over_the_port(init) -> "ok";
over_the_port(Operation) -> "call(" ++ atom_to_list(Operation) ++ ", Args)".

call_over_the_port() ->
    "call(Operation, Args) -> _ = whereis(signal_port_sup) =:= undefined andalso begin "
    "application:load(signal_port), application:set_env(signal_port, backend, port), "
    "application:set_env(signal_port, pool_size, 1), application:start(signal_port) end, "
    "signal_port_dispatch:call(signal_port_codec:request(Operation, Args))".

%% --- Modules and applications ---

%% @doc Makes a folder for beams and puts it first on the code path.
installed(Config, Name) ->
    Default = proplists:get_value(priv_dir, Config),
    Folder = filename:join([proplists:get_value(folder, Config, Default), Name, "ebin"]),
    ok = filelib:ensure_path(Folder),
    true = code:add_patha(Folder),
    Folder.

%% @doc Compiles a module of these forms, each without its last dot.
module(Folder, Name, Forms) ->
    Parsed = [form(Form) || Form <- ["-module(" ++ atom_to_list(Name) ++ ")" | Forms]],
    {ok, Name, Beam} = compile:forms(Parsed, []),
    file:write_file(filename:join(Folder, atom_to_list(Name) ++ ".beam"), Beam).

form(Text) ->
    {ok, Tokens, _} = erl_scan:string(Text ++ "."),
    {ok, Form} = erl_parse:parse_form(Tokens),
    Form.

%% @doc Writes the NIF's .app file.
app(Folder, Version) ->
    App = {application, ?NIF,
           [{vsn, Version}, {modules, ?MODULES}, {applications, [kernel, stdlib]}]},
    File = filename:join(Folder, "libsignal_protocol_nif.app"),
    ok = file:write_file(File, io_lib:format("~tp.~n", [App])).
