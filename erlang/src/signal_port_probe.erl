%% @private What a child VM runs to test one thing: this Erlang, two NIFs of OTP, the NIF, the port.
%%
%% Each probe can crash or hang its VM. So it is called through `signal_port_child_vm' and never in
%% the VM of the application. This module is the only one that loads a NIF.
-module(signal_port_probe).

-export([erlang/0, crypto/0, asn1/0, nif/0, port/0]).

-define(MODULES, [libsignal_protocol_nif, signal_nif]).
-define(VERSION, "0.3").
%% Operations that no NIF of release 0.3 has. A worker handles them.
-define(OPTIONAL, [x25519, hkdf_sha256, create_session, encrypt_message, decrypt_message]).
-define(CALLS, 200).  % measured calls of the port

%% @doc Shows that a child VM starts and returns a term.
-spec erlang() -> {passed, Seen :: string()}.
erlang() ->
    {passed, "a child VM started and returned"}.

%% @doc Loads OTP's `crypto' and calls it.
-spec crypto() -> {passed | failed | absent, Seen :: string()}.
crypto() ->
    nif_of_otp(crypto, strong_rand_bytes, [16], fun(Random) -> byte_size(Random) =:= 16 end).

%% @doc Loads a NIF of OTP that has nothing in common with `crypto', and calls it.
-spec asn1() -> {passed | failed | absent, Seen :: string()}.
asn1() ->
    nif_of_otp(asn1rt_nif, decode_ber_tlv, [<<2, 1, 5>>],
               fun(Decoded) -> Decoded =:= {{2, <<5>>}, <<>>} end).

nif_of_otp(Module, Function, Args, IsRight) ->
    case {code:which(Module), code:ensure_loaded(Module)} of
        {non_existing, _} ->
            {absent, sentence("this Erlang has no ~s", [Module])};
        {_, {module, Module}} ->
            case IsRight(apply(Module, Function, Args)) of
                true -> {passed, "loaded, and answered well"};
                false -> {failed, "loaded, and gave a wrong answer"}
            end;
        {_, {error, Reason}} ->
            {failed, sentence("~s cannot be loaded (~tp)", [Module, Reason])}
    end.

%% --- The port ---

%% @doc Starts the pool with the port and makes calls. It does not start the application: that of a
%% mix project needs Elixir, which this VM does not have.
-spec port() -> {passed | failed, Seen :: string()}.
port() ->
    _ = application:load(signal_port),
    ok = logger:set_primary_config(level, none),
    application:set_env(signal_port, backend, port),
    Began = erlang:monotonic_time(microsecond),
    case signal_port_sup:start_link(application:get_all_env(signal_port)) of
        {ok, _} -> first_call(Began, call_port());
        {error, Reason} -> {failed, sentence("~ts", [Reason])}
    end.

first_call(_Began, {error, Reason}) ->
    {failed, sentence("a worker started, but a call returned the error ~s", [Reason])};
first_call(Began, {ok, _}) ->
    First = erlang:monotonic_time(microsecond) - Began,
    Times = [element(1, timer:tc(fun call_port/0)) || _ <- lists:seq(1, ?CALLS)],
    Median = lists:nth(?CALLS div 2, lists:sort(Times)),
    {passed, sentence("first answer after ~b ms, later answers after ~b us; ~s",
                      [First div 1000, Median, lists:join(", ", versions())])}.

call_port() ->
    signal_port_dispatch:call(signal_port_codec:request(sha256, [<<"abc">>])).

versions() ->
    #{versions := Versions} = signal_port_pool:info(),
    Titles = [{python, "Python "}, {cryptography, "cryptography "}, {openssl, ""}],
    [[Title, Version] || {Name, Title} <- Titles, #{Name := Version} <- [Versions]].

%% --- The NIF ---

%% @doc Loads the NIF and makes real calls.
-spec nif() -> signal_port_backend:finding().
nif() ->
    try
        lists:foreach(fun load/1, ?MODULES),
        check_version(),
        Operations = operations(),
        Call = fun(Operation, Args) ->
            apply(proplists:get_value(Operation, Operations), Operation, Args)
        end,
        check_known_answers(Call),
        check_conversation(Call),
        {healthy, Operations}
    catch
        throw:What -> {sick, What};
        _:_ -> {sick, "the NIF gave a wrong answer in a child VM"}
    end.

load(Module) ->
    case code:ensure_loaded(Module) of
        {module, Module} -> ok;
        {error, Reason} -> throw(sentence("~s cannot be loaded (~tp)", [Module, Reason]))
    end.

%% Without its .app file the NIF has no release. The calls then decide.
check_version() ->
    _ = application:load(libsignal_protocol_nif),
    case application:get_key(libsignal_protocol_nif, vsn) of
        {ok, ?VERSION ++ _} -> ok;
        undefined -> ok;
        {ok, Other} -> throw(sentence("the NIF is release ~s, but release ~s is required",
                                      [Other, ?VERSION]))
    end.

operations() ->
    [{Operation, Module} || {Operation, Arity} <- signal_port_codec:operations(),
                            Module <- exporting(Operation, Arity)].

exporting(Operation, Arity) ->
    Exporting = [Module || Module <- ?MODULES,
                           erlang:function_exported(Module, Operation, Arity)],
    case {Exporting, lists:member(Operation, ?OPTIONAL)} of
        {[Module | _], _} -> [Module];
        {[], true} -> [];
        {[], false} -> throw(sentence("the NIF lacks ~s/~b, which release ~s has",
                                      [Operation, Arity, ?VERSION]))
    end.

%% The session and the wire must be those of release 0.3, or stored sessions would be lost.
check_known_answers(Call) ->
    {Alice, Bob, BobSecret} = known_identities(),
    <<Secret:96/binary>> = << <<Byte>> || Byte <- lists:seq(0, 95) >>,
    {ok, Session} = Call(dr_init, [Secret, Bob, Alice, BobSecret, 0]),
    {ok, Digest} = Call(sha256, [Session]),
    <<"6890E0517CB3725D293782659BDBF75972EBA2A12674D1C7DAE7E2A284FAD76E">> =
        binary:encode_hex(Digest),
    {ok, {<<"signal_port">>, Received}} = Call(dr_decrypt, [Session, known_message()]),
    {ok, {_, _}} = Call(dr_encrypt, [Received, <<"answer">>]),
    ok.

known_identities() ->
    Alice = binary:decode_hex(
        <<"8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c">>),
    Bob = binary:decode_hex(
        <<"8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394">>),
    {Alice, Bob, <<(binary:copy(<<2>>, 32))/binary, Bob/binary>>}.

known_message() ->
    binary:decode_hex(
        <<"330a50481db0c8a72b2c62bd46a8ba9c753f5b8defb878322a3c689fea34de97"
          "a2d3703ad2f315a68b7fcbe1203e072bbc61e79725770d6d935d3f80acbed651"
          "d388fb1a39a525888b443aa1b99839be93243712103451a4726d4227cd841655"
          "bc8c8932d64bc0c3b4da5cfe43">>).

%% X3DH and a first message, both sides.
check_conversation(Call) ->
    {_, Bob, BobSecret} = known_identities(),
    {ok, {Alice, AliceSecret}} = Call(generate_identity_key_pair, []),
    {ok, {1, SignedPub, SignedPriv, Signature}} = Call(generate_signed_pre_key, [BobSecret, 1]),
    ok = Call(verify_signature, [Bob, SignedPub, Signature]),
    Bundle = <<Bob/binary, SignedPub/binary, Signature/binary>>,
    {ok, {Shared, Ephemeral}} = Call(process_pre_key_bundle, [AliceSecret, Bundle]),
    {ok, Shared} =
        Call(process_pre_key_bundle_bob, [BobSecret, SignedPriv, <<>>, Alice, Ephemeral]),
    {ok, Sending} = Call(dr_init, [Shared, Alice, Bob, <<>>, 1]),
    {ok, {Wire, _}} = Call(dr_encrypt, [Sending, <<"Hello">>]),
    {ok, Receiving} = Call(dr_init, [Shared, Bob, Alice, BobSecret, 0]),
    {ok, {<<"Hello">>, _}} = Call(dr_decrypt, [Receiving, Wire]),
    ok.

sentence(Format, Args) ->
    signal_port_sentence:format(Format, Args).
