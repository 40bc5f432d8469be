%% Two parties who hold a conversation through the door: what a user's code does, from first key to last message.
-module(signal_port_parties).

-export([identity/0, sessions/0, hello/0, conversation/0]).

-type party() :: #{public := binary(), secret := binary()}.

%% @doc A party with an identity of its own.
-spec identity() -> party().
identity() ->
    {ok, {Public, Secret}} = signal_port:generate_identity_key_pair(),
    #{public => Public, secret => Secret}.

%% @doc The sessions of an initiator and a responder who have agreed on a secret and said nothing yet.
-spec sessions() -> {Alice :: binary(), Bob :: binary()}.
sessions() ->
    {_, _, Alice, Bob, _} = agree(),
    {Alice, Bob}.

%% @doc The sessions of two parties after the initiator's first message, which came wrapped, was unwrapped and read.
-spec hello() -> {Alice :: binary(), Bob :: binary()}.
hello() ->
    {#{public := AliceIdentity}, #{public := Base}, Alice, Bob, {OneTimeId, SignedId}} = agree(),
    {ok, {Wrapped, Alice1}} = signal_port:dr_encrypt_prekey(Alice, <<"hello">>, {17, OneTimeId, SignedId, Base}),
    {ok, {17, Base, AliceIdentity, OneTimeId, SignedId, Wire}} = signal_port:pksm_decode(Wrapped),
    {ok, {<<"hello">>, Bob1}} = signal_port:decrypt(Bob, Wire),
    {Alice1, Bob1}.

%% @doc A conversation with turns, a message that comes late, one that comes twice and one that is forged.
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
    {ok, {SignedId, SignedPublic, SignedPrivate, Signature}} = signal_port:generate_signed_pre_key(BobSecret, SignedId),
    {ok, {OneTimeId, OneTimePublic, OneTimePrivate}} = signal_port:generate_pre_key(OneTimeId),
    Bundle = <<BobPublic/binary, SignedPublic/binary, Signature/binary, OneTimePublic/binary>>,
    {ok, {Secret, Base}} = signal_port:process_pre_key_bundle(AliceSecret, Bundle),
    {ok, Secret} = signal_port:process_pre_key_bundle_bob(BobSecret, SignedPrivate, OneTimePrivate, AlicePublic, Base),
    {ok, AliceSession} = signal_port:dr_init(Secret, AlicePublic, BobPublic, AliceSecret, 1),
    {ok, BobSession} = signal_port:dr_init(Secret, BobPublic, AlicePublic, BobSecret, 0),
    {Alice, #{public => Base}, AliceSession, BobSession, {OneTimeId, SignedId}}.
