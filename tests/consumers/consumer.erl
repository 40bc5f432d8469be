%% The code of the consumers: it called the NIF, and checks known answers of FIPS 180, RFC 4231,
%% NIST's AES-GCM, and a conversation of the NIF.
-module(consumer).

-export([check/0, check/2, start_and_check/0, start_and_check_drop_in/0, check_and_halt/0]).

%% @doc Calls the modules of the NIF, which here are the drop-in's.
-spec check() -> ok.
check() ->
    check(libsignal_protocol_nif, signal_nif).

%% @doc For `erl -s': starts this application, calls signal_port itself, and ends the VM.
-spec start_and_check() -> ok.
start_and_check() ->
    start_and_check(signal_port, signal_port).

%% @doc For `erl -s': the same with the modules of the drop-in.
-spec start_and_check_drop_in() -> ok.
start_and_check_drop_in() ->
    start_and_check(libsignal_protocol_nif, signal_nif).

start_and_check(Protocol, Primitives) ->
    {ok, _} = application:ensure_all_started(consumer),
    ok = check(Protocol, Primitives),
    false = code:is_loaded(crypto),
    init:stop().

%% @doc For `erl -s' in a release: calls the modules of the NIF, and ends the VM.
-spec check_and_halt() -> no_return().
check_and_halt() ->
    ok = check(),
    halt(0).

-spec check(Protocol :: module(), Primitives :: module()) -> ok.
check(Protocol, Primitives) ->
    primitives(Primitives),
    conversation(Protocol),
    #{backend := port} = signal_port:info(),
    ok.

primitives(Primitives) ->
    {ok, Digest} = Primitives:sha256(<<"abc">>),
    Digest = hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    {ok, Mac} = Primitives:hmac_sha256(<<"Jefe">>, <<"what do ya want for nothing?">>),
    Mac = hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
    {ok, <<>>, Tag} = Primitives:aes_gcm_encrypt(<<0:256>>, <<0:96>>, <<>>, <<>>, 16),
    Tag = hex("530f8afbc74536b9a963b4f1c4cb738b").

conversation(Protocol) ->
    Alice = hex("8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"),
    Bob = hex("8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394"),
    Wire = hex("330a50481db0c8a72b2c62bd46a8ba9c753f5b8defb878322a3c689fea34de97a2d3703ad2f315a6"
               "8b7fcbe1203e072bbc61e79725770d6d935d3f80acbed651d388fb1a39a525888b443aa1b99839be"
               "93243712103451a4726d4227cd841655bc8c8932d64bc0c3b4da5cfe43"),
    Secret = list_to_binary(lists:seq(0, 95)),
    BobSecret = <<(binary:copy(<<2>>, 32))/binary, Bob/binary>>,
    {ok, Session} = Protocol:dr_init(Secret, Bob, Alice, BobSecret, 0),
    {ok, {<<"signal_port">>, Next}} = Protocol:dr_decrypt(Session, Wire),
    {ok, {_, _}} = Protocol:dr_encrypt(Next, <<"answer">>),
    {error, bad_mac} = Protocol:dr_decrypt(Next, Wire),
    {error, invalid_session_size} = Protocol:dr_encrypt(<<>>, <<>>).

hex(Digits) ->
    binary:decode_hex(list_to_binary(Digits)).
