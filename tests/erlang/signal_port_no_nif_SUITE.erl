%% No NIF is loaded, OTP's crypto included. Each case holds a whole conversation in a VM of its own.
-module(signal_port_no_nif_SUITE).
-compile([export_all, nowarn_export_all]).

all() ->
    [{group, loaded}].

groups() ->
    [{loaded, [conversation_loads_no_crypto, conversation_loads_no_nif,
               conversation_works_without_crypto]}].

conversation_loads_no_crypto(_) ->
    with_vm([], fun(Vm) ->
        converses(Vm),
        [false = peer:call(Vm, code, is_loaded, [Module])
         || Module <- [crypto, ssl, public_key, asn1rt_nif, ssh, inets, erlang_py,
                       libsignal_protocol_nif, signal_nif]]
    end).

conversation_loads_no_nif(_) ->
    with_vm([], fun(Vm) ->
        Before = loaded(Vm), % in OTP 29 the VM's own prim_tty, which has a NIF, is among them
        converses(Vm),
        Loaded = loaded(Vm) -- Before,
        true = lists:member(signal_port_worker, Loaded),
        [] = [Module || Module <- Loaded, has_nif(Vm, Module)]
    end).

conversation_works_without_crypto(Config) ->
    Folder = filename:join(proplists:get_value(priv_dir, Config), "no_crypto"),
    ok = filelib:ensure_path(Folder),
    ok = unloadable(crypto, Folder),
    with_vm(["-pa", Folder], fun(Vm) ->
        {error, on_load_failure} = peer:call(Vm, code, ensure_loaded, [crypto]),
        converses(Vm)
    end).

%% --- Internals ---

converses(Vm) ->
    ok = peer:call(Vm, application, set_env, [signal_port, pool_size, 1]),
    ok = peer:call(Vm, application, start, [signal_port]),
    ok = peer:call(Vm, signal_port_parties, conversation, []),
    #{backend := port} = peer:call(Vm, signal_port, info, []),
    ok = peer:call(Vm, application, stop, [signal_port]).

%% Distribution could load something, so the VM is controlled over its standard streams.
with_vm(Args, Fun) ->
    Paths = signal_port_stage:paths(?MODULE),
    {ok, Vm, _} = peer:start_link(#{connection => standard_io, args => ["-pa" | Paths] ++ Args}),
    try
        Fun(Vm)
    after
        peer:stop(Vm)
    end,
    ok.

loaded(Vm) ->
    [Module || {Module, _} <- peer:call(Vm, code, all_loaded, [])].

%% A module with a NIF calls erlang:load_nif/2.
has_nif(Vm, Module) ->
    File = peer:call(Vm, code, which, [Module]),
    {ok, {Module, [{imports, Imports}]}} = beam_lib:chunks(File, [imports]),
    lists:member({erlang, load_nif, 2}, Imports).

unloadable(Module, Folder) ->
    Forms = [{attribute, 1, module, Module}, {attribute, 2, on_load, {refuse, 0}},
             {function, 3, refuse, 0, [{clause, 3, [], [], [{atom, 3, refused}]}]}],
    {ok, Module, Beam} = compile:forms(Forms, []),
    file:write_file(filename:join(Folder, atom_to_list(Module) ++ ".beam"), Beam).
