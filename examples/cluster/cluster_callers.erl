%% @doc Callers on the thin node. Each encrypts a message, decrypts it, and counts whether this
%% worked, again and again. It does not know which node handles its calls.
-module(cluster_callers).

-export([start/1, counted/0]).

-define(TEXT, <<"Still there?">>).
-define(READ, 1).
-define(FAILED, 2).

%% @doc Starts this number of callers.
-spec start(pos_integer()) -> ok.
start(Callers) ->
    Counters = counters:new(2, []),
    ok = persistent_term:put(?MODULE, Counters),
    {Alice, Bob} = sessions(),
    _ = [spawn(fun() -> call(Alice, Bob, Counters) end) || _ <- lists:seq(1, Callers)],
    ok.

%% @doc Returns how many messages were read, and how many failed.
-spec counted() -> {Read :: non_neg_integer(), Failed :: non_neg_integer()}.
counted() ->
    Counters = persistent_term:get(?MODULE),
    {counters:get(Counters, ?READ), counters:get(Counters, ?FAILED)}.

call(Alice, Bob, Counters) ->
    Outcome = case is_read(Alice, Bob) of true -> ?READ; false -> ?FAILED end,
    ok = counters:add(Counters, Outcome, 1),
    call(Alice, Bob, Counters).

is_read(Alice, Bob) ->
    case signal_port:encrypt(Alice, ?TEXT) of
        {ok, {Wire, _}} -> decrypted(signal_port:decrypt(Bob, Wire));
        {error, _} -> false
    end.

decrypted({ok, {?TEXT, _}}) -> true;
decrypted({_, _}) -> false.

%% Both sides of one conversation.
sessions() ->
    {ok, {AlicePub, AliceSecret}} = signal_port:generate_identity_key_pair(),
    {ok, {BobPub, BobSecret}} = signal_port:generate_identity_key_pair(),
    {ok, {_, SignedPub, SignedPriv, Signature}} = signal_port:generate_signed_pre_key(BobSecret, 1),
    {ok, {_, OneTimePub, OneTimePriv}} = signal_port:generate_pre_key(1),
    Bundle = <<BobPub/binary, SignedPub/binary, Signature/binary, OneTimePub/binary>>,
    {ok, {Shared, Ephemeral}} = signal_port:process_pre_key_bundle(AliceSecret, Bundle),
    {ok, Shared} = signal_port:process_pre_key_bundle_bob(BobSecret, SignedPriv, OneTimePriv,
                                                          AlicePub, Ephemeral),
    {ok, Alice} = signal_port:dr_init(Shared, AlicePub, BobPub, AliceSecret, 1),
    {ok, Bob} = signal_port:dr_init(Shared, BobPub, AlicePub, BobSecret, 0),
    {Alice, Bob}.
