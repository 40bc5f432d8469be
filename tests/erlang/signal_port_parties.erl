%% Two parties hold a conversation, as an application would, from the first key to the last message.
-module(signal_port_parties).

-export([identity/0, sessions/0, hello/0, conversation/0]).

-type party() :: #{public := binary(), secret := binary()}.

%% @doc Returns a party with a fresh identity.
-spec identity() -> party().
identity() ->
    {ok, {Public, Secret}} = signal_port:generate_identity_key_pair(),
    #{public => Public, secret => Secret}.

%% @doc Returns the sessions of an initiator and a responder before the first message.
-spec sessions() -> {Alice :: binary(), Bob :: binary()}.
sessions() ->
    {_, _, Alice, Bob, _} = agree(),
    {Alice, Bob}.

%% @doc Returns the sessions after the initiator's first message, a PreKeySignalMessage.
-spec hello() -> {Alice :: binary(), Bob :: binary()}.
hello() ->
    {#{public := AliceIdentity}, #{public := Base}, Alice, Bob, {OneTimeId, SignedId}} = agree(),
    PreKeyInfo = {17, OneTimeId, SignedId, Base},
    {ok, {Wrapped, Alice1}} = signal_port:dr_encrypt_prekey(Alice, <<"hello">>, PreKeyInfo),
    {ok, {17, Base, AliceIdentity, OneTimeId, SignedId, Wire}} = signal_port:pksm_decode(Wrapped),
    {ok, {<<"hello">>, Bob1}} = signal_port:decrypt(Bob, Wire),
    {Alice1, Bob1}.

%% @doc Holds a conversation with turns, a late message, a duplicate and a forged message.
-spec conversation() -> ok.
conversation() ->
    {Alice, Bob} = hello(),
    {Bob1, Alice1} = say(<<"good morning">>, Bob, Alice),
    {Alice2, Bob2} = say(<<>>, Alice1, Bob1),
    {ok, {Late, Alice3}} = signal_port:encrypt(Alice2, <<"late">>),
    {Alice4, Bob3} = say(<<"in time">>, Alice3, Bob2),
    {Bob4, Alice5} = say(<<"an answer">>, Bob3, Alice4),
    {ok, {<<"late">>, Bob5}} = signal_port:decrypt(Bob4, Late),
    {error, bad_mac} = signal_port:decrypt(Bob5, Late),
    {ok, {Wire, Alice6}} = signal_port:encrypt(Alice5, <<"true">>),
    {error, bad_mac} = signal_port:decrypt(Bob5, forged(Wire)),
    {ok, {<<"true">>, Bob6}} = signal_port:decrypt(Bob5, Wire),
    {_, _} = say(<<"good night">>, Bob6, Alice6),
    ok.

say(Plain, Sender, Receiver) ->
    {ok, {Wire, Sender1}} = signal_port:encrypt(Sender, Plain),
    {ok, {Plain, Receiver1}} = signal_port:decrypt(Receiver, Wire),
    {Sender1, Receiver1}.

forged(Wire) ->
    Size = byte_size(Wire) - 1,
    <<Most:Size/binary, Last>> = Wire,
    <<Most/binary, (Last bxor 1)>>.

agree() ->
    {OneTimeId, SignedId} = {31, 7},
    #{public := AlicePublic, secret := AliceSecret} = Alice = identity(),
    #{public := BobPublic, secret := BobSecret} = identity(),
    {ok, {SignedId, SignedPublic, SignedPrivate, Signature}} =
        signal_port:generate_signed_pre_key(BobSecret, SignedId),
    {ok, {OneTimeId, OneTimePublic, OneTimePrivate}} = signal_port:generate_pre_key(OneTimeId),
    Bundle = <<BobPublic/binary, SignedPublic/binary, Signature/binary, OneTimePublic/binary>>,
    {ok, {Secret, Base}} = signal_port:process_pre_key_bundle(AliceSecret, Bundle),
    {ok, Secret} = signal_port:process_pre_key_bundle_bob(BobSecret, SignedPrivate, OneTimePrivate,
                                                          AlicePublic, Base),
    {ok, AliceSession} = signal_port:dr_init(Secret, AlicePublic, BobPublic, AliceSecret, 1),
    {ok, BobSession} = signal_port:dr_init(Secret, BobPublic, AlicePublic, BobSecret, 0),
    {Alice, #{public => Base}, AliceSession, BobSession, {OneTimeId, SignedId}}.
