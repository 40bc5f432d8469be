%% @private Which engine answers: the NIF, where it is there, may be trusted and is wanted; else the port.
%%
%% On ARM64 nothing of the NIF is touched. Elsewhere its modules are looked at on the code path and not loaded: what loads
%% them, and calls them, is a child VM, the probe. If that dies, hangs or gets a wrong answer, this VM has lost nothing.
-module(signal_port_backend).

-export([choose/1, decide/4, installed/0, probe/0]).
-export_type([choice/0, installed/0, outcome/0]).

-type choice() :: {port | nif, Reason :: string()}.
-type installed() :: none | drop_in | {nif, Ebins :: [file:filename()]}.
-type outcome() :: {healthy, [{Operation :: atom(), module()}]} | {sick, What :: string()}.

-define(MODULES, [libsignal_protocol_nif, signal_nif]).
-define(VERSION, "0.3").

%% @doc The engine for this machine and configuration, and for the NIF what it answers: the module of each operation.
-spec choose(signal_port_config:config()) -> {ok, choice(), [{atom(), module()}]} | {error, Sentence :: string()}.
choose(#{backend := Wanted, start_timeout := Timeout}) ->
    Architecture = erlang:system_info(system_architecture),
    Installed = case Wanted of port -> none; _ -> installed() end,
    case decide(Architecture, Wanted, Installed, unknown) of
        probe ->
            {nif, Ebins} = Installed,
            %% Whatever the child comes upon, it shall not probe in its turn.
            Args = ["-signal_port", "backend", "port", "-pa" | Ebins],
            Outcome = outcome(signal_port_child_vm:run(?MODULE, probe, Args, Timeout)),
            chosen(decide(Architecture, Wanted, Installed, Outcome), Outcome);
        Choice ->
            chosen(Choice, unknown)
    end.

chosen({error, Sentence}, _) ->
    {error, Sentence};
chosen({port, _} = Choice, {sick, What}) ->
    signal_port_event:nif_not_used(What),
    {ok, Choice, []};
chosen({nif, _} = Choice, {healthy, Operations}) ->
    {ok, Choice, Operations};
chosen(Choice, unknown) ->
    {ok, Choice, []}.

%% @doc The decision, from all it depends on; `probe' where the outcome of one is missing.
-spec decide(Architecture :: string(), auto | port | nif, installed(), outcome() | unknown) ->
    choice() | probe | {error, Sentence :: string()}.
decide(_, port, _, _) ->
    {port, "it is configured"};
decide(_, nif, none, _) ->
    {error, "signal_port's option backend is nif, and libsignal_protocol_nif is not on the code path: add it to the "
            "release, or set backend to auto"};
decide(_, nif, drop_in, _) ->
    {error, "signal_port's option backend is nif, and the libsignal_protocol_nif on the code path is signal_port's own "
            "drop-in, which has no NIF: set backend to auto"};
decide("aarch64" ++ _ = Architecture, auto, _, _) ->
    {port, "on " ++ Architecture ++ " a NIF may kill the VM"};
decide("arm64" ++ _ = Architecture, auto, _, _) ->
    {port, "on " ++ Architecture ++ " a NIF may kill the VM"};
decide(_, auto, none, _) ->
    {port, "there is no NIF on the code path"};
decide(_, auto, drop_in, _) ->
    {port, "the libsignal_protocol_nif on the code path is the drop-in"};
decide(_, _, {nif, _}, unknown) ->
    probe;
decide(_, _, {nif, _}, {healthy, _}) ->
    {nif, "it is there, and answered well in a child VM"};
decide(_, auto, {nif, _}, {sick, What}) ->
    {port, What};
decide(_, nif, {nif, _}, {sick, What}) ->
    {error, "signal_port's option backend is nif, and " ++ What ++ ": set backend to auto or port"}.

outcome({returned, Outcome}) -> Outcome;
outcome(Other) -> {sick, "loading it " ++ signal_port_child_vm:describe(Other)}.

%% @doc What is on the code path, looked at and not loaded.
-spec installed() -> installed().
installed() ->
    case [Path || Module <- ?MODULES, Path <- [code:which(Module)], is_list(Path), Path =/= ""] of
        [] ->
            none;
        [First | _] = Paths ->
            case is_drop_in(First) of
                true -> drop_in;
                false -> {nif, lists:usort([filename:dirname(Path) || Path <- Paths])}
            end
    end.

%% The drop-in calls the door, and no NIF does; a release may strip a beam of all that would say so more plainly.
is_drop_in(Path) ->
    case beam_lib:chunks(Path, [imports]) of
        {ok, {_, [{imports, Imports}]}} -> lists:keymember(signal_port, 1, Imports);
        {error, beam_lib, _} -> false
    end.

%% --- The probe, in the child ---

%% @doc Loads the NIF and makes real calls.
-spec probe() -> outcome().
probe() ->
    try
        [loaded(Module) || Module <- ?MODULES],
        version(),
        Operations = operations(),
        converse(Operations),
        {healthy, Operations}
    catch
        throw:What -> {sick, lists:flatten(What)};
        _:_ -> {sick, "it gave a wrong answer in a child VM"}
    end.

loaded(Module) ->
    case code:ensure_loaded(Module) of
        {module, Module} -> ok;
        {error, Reason} -> throw(io_lib:format("~s cannot be loaded (~tp)", [Module, Reason]))
    end.

version() ->
    _ = application:load(libsignal_protocol_nif),
    case application:get_key(libsignal_protocol_nif, vsn) of
        {ok, ?VERSION ++ _} -> ok;
        undefined -> ok;  % only its modules are there: the calls must tell
        {ok, Other} -> throw(io_lib:format("it is release ~s, and ~s is needed", [Other, ?VERSION]))
    end.

%% The modules that answer the operations. What no release 0.3 has may be missing; the port answers it then.
operations() ->
    [{Operation, Module} || {Operation, Arity} <- signal_port_codec:operations(),
                            Module <- module(Operation, Arity)].

module(Operation, Arity) ->
    case [Module || Module <- ?MODULES, erlang:function_exported(Module, Operation, Arity)] of
        [Module | _] -> [Module];
        [] when Operation =:= x25519; Operation =:= hkdf_sha256; Operation =:= create_session;
                Operation =:= encrypt_message; Operation =:= decrypt_message -> [];
        [] -> throw(io_lib:format("it has no ~s/~b, so its interface is not that of ~s", [Operation, Arity, ?VERSION]))
    end.

%% Known answers where they are the same each time, and both sides of a conversation: the wire and the session must be
%% those of 0.3, or stored sessions would be lost.
converse(Operations) ->
    Call = fun(Operation, Args) -> apply(proplists:get_value(Operation, Operations), Operation, Args) end,
    <<Secret:96/binary>> = << <<Byte>> || Byte <- lists:seq(0, 95) >>,
    Alice = binary:decode_hex(<<"8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c">>),
    Bob = binary:decode_hex(<<"8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394">>),
    BobSecret = <<(binary:copy(<<2>>, 32))/binary, Bob/binary>>,
    Wire = binary:decode_hex(
        <<"330a50481db0c8a72b2c62bd46a8ba9c753f5b8defb878322a3c689fea34de97a2d3703ad2f315a68b7fcbe1203e072bbc61e797"
          "25770d6d935d3f80acbed651d388fb1a39a525888b443aa1b99839be93243712103451a4726d4227cd841655bc8c8932d64bc0c3"
          "b4da5cfe43">>),
    {ok, Session} = Call(dr_init, [Secret, Bob, Alice, BobSecret, 0]),
    {ok, Digest} = Call(sha256, [Session]),
    <<"6890E0517CB3725D293782659BDBF75972EBA2A12674D1C7DAE7E2A284FAD76E">> = binary:encode_hex(Digest),
    {ok, {<<"signal_port">>, Received}} = Call(dr_decrypt, [Session, Wire]),
    {ok, {_, _}} = Call(dr_encrypt, [Received, <<"answer">>]),
    {ok, {IdentityPub, IdentitySecret}} = Call(generate_identity_key_pair, []),
    {ok, {1, SignedPub, SignedPriv, Signature}} = Call(generate_signed_pre_key, [BobSecret, 1]),
    ok = Call(verify_signature, [Bob, SignedPub, Signature]),
    Bundle = <<Bob/binary, SignedPub/binary, Signature/binary>>,
    {ok, {Shared, Ephemeral}} = Call(process_pre_key_bundle, [IdentitySecret, Bundle]),
    {ok, Shared} = Call(process_pre_key_bundle_bob, [BobSecret, SignedPriv, <<>>, IdentityPub, Ephemeral]),
    {ok, First} = Call(dr_init, [Shared, IdentityPub, Bob, <<>>, 1]),
    {ok, {Inner, _}} = Call(dr_encrypt, [First, <<"Hello">>]),
    {ok, Second} = Call(dr_init, [Shared, Bob, IdentityPub, BobSecret, 0]),
    {ok, {<<"Hello">>, _}} = Call(dr_decrypt, [Second, Inner]),
    ok.
