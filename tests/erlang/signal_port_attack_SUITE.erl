%% Mutated sessions, messages, bundles, keys and signatures, sent to a real worker. Each call
%% returns a value or an error of its operation, or raises badarg. No worker ends, and no atom is
%% created.
%%
%% MUTATIONS in the environment is their number. Set it to 100000 for a long run.
-module(signal_port_attack_SUITE).
-compile([export_all, nowarn_export_all]).

-define(MUTATIONS, 10_000).  % default
-define(AT_ONCE, 250).       % calls in a batch
-define(NAMES, 512).         % atoms that the stand-in invents
-define(SLACK, 64).          % atoms that the VM can create meanwhile

all() ->
    [{group, inputs}, {group, atoms}].

groups() ->
    [{inputs, [mutations_are_refused_or_read, mutated_types_are_badarg,
               mutated_message_changes_nothing]},
     {atoms, [worker_creates_no_atom, peer_creates_no_atom]}].

init_per_suite(Config) ->
    Seed = erlang:unique_integer([positive]),
    ct:log("seed ~p", [Seed]),
    _ = rand:seed(exsss, Seed),
    Errors = maps:from_list([{Name, Errors} || {Name, _, Errors} <- signal_port_operations:all()]),
    persistent_term:put(?MODULE, Errors),
    [{seed, rand:export_seed()} | Config].

end_per_suite(_) ->
    ok.

init_per_testcase(_, Config) ->
    _ = rand:seed(proplists:get_value(seed, Config)),
    Config.

end_per_testcase(_, _) ->
    signal_port_stage:stop().

count() ->
    list_to_integer(os:getenv("MUTATIONS", integer_to_list(?MUTATIONS))).

mutations_are_refused_or_read(_) ->
    start(),
    Sound = list_to_tuple(sound()),
    Count = count(),
    {Refused, Read} = attack(Count, Sound, {0, 0}),
    true = Refused > Count div 4,  % the mutations do something
    0 = signal_port_stage:restarts(),
    ok = signal_port_parties:conversation(),
    signal_port_stage:comment("~b refused, ~b read", [Refused, Read]).

attack(Left, _Sound, Seen) when Left =< 0 ->
    Seen;
attack(Left, Sound, Seen) ->
    Calls = [mutated(element(rand:uniform(tuple_size(Sound)), Sound))
             || _ <- lists:seq(1, min(Left, ?AT_ONCE))],
    Answers = signal_port:batch(Calls),
    attack(Left - ?AT_ONCE, Sound, lists:foldl(fun judge/2, Seen, lists:zip(Calls, Answers))).

judge({{Operation, Args}, Answer}, {Refused, Read}) ->
    case judged(Operation, Answer) of
        refused -> {Refused + 1, Read};
        read -> {Refused, Read + 1};
        false -> error({unknown_answer, Operation, Args, Answer})
    end.

judged(Operation, {error, Atom}) -> lists:member(Atom, errors(Operation)) andalso refused;
judged(verify_signature, invalid_signature) -> refused;
judged(_, ok) -> read;
judged(_, Answer) when element(1, Answer) =:= ok -> read;
judged(_, _) -> false.

%% The errors of this operation. Errors of the bridge would mean that a call was lost.
errors(encrypt) -> errors(dr_encrypt);
errors(decrypt) -> errors(dr_decrypt);
errors(Operation) -> maps:get(Operation, persistent_term:get(?MODULE)).

%% Calls that succeed, to be mutated.
sound() ->
    {Alice, Bob} = signal_port_parties:hello(),
    {ok, {Wire, Alice1}} = signal_port:encrypt(Alice, <<"a message">>),
    {ok, {Late, _}} = signal_port:encrypt(Alice1, <<"a later one">>),
    {ok, {Public, Secret}} = signal_port:generate_identity_key_pair(),
    {ok, {Public2, Secret2}} = signal_port:generate_identity_key_pair(),
    {ok, {1, Signed, SignedPrivate, Signature}} = signal_port:generate_signed_pre_key(Secret2, 1),
    {ok, {2, OneTime, OneTimePrivate}} = signal_port:generate_pre_key(2),
    Bundle = <<Public2/binary, Signed/binary, Signature/binary, OneTime/binary>>,
    {ok, {Shared, Base}} = signal_port:process_pre_key_bundle(Secret, Bundle),
    {ok, {Wrapped, _}} = signal_port:dr_encrypt_prekey(Alice, <<"a message">>, {1, 2, 3, Base}),
    {ok, {Curve, CurvePrivate}} = signal_port:generate_curve25519_keypair(),
    {ok, Static} = signal_port:create_session(CurvePrivate, Curve),
    {ok, Sealed} = signal_port:encrypt_message(Static, <<"a message">>),
    Iv = rand:bytes(12),
    {ok, Ciphertext, Tag} = signal_port:aes_gcm_encrypt(CurvePrivate, Iv, <<"a message">>,
                                                        <<"more">>, 16),
    Calls = [{decrypt, [Bob, Wire]}, {decrypt, [Bob, Late]}, {encrypt, [Alice, <<"a message">>]},
             {dr_encrypt_prekey, [Alice, <<"a message">>, {1, 2, 3, Base}]},
             {pksm_decode, [Wrapped]}, {process_pre_key_bundle, [Secret, Bundle]},
             {process_pre_key_bundle_bob, [Secret2, SignedPrivate, OneTimePrivate, Public, Base]},
             {dr_init, [Shared, Public, Public2, Secret, 1]},
             {dr_init, [Shared, Public2, Public, Secret2, 0]},
             {sign_data, [Secret, <<"a message">>]}, {generate_signed_pre_key, [Secret, 1]},
             {verify_signature, [Public2, Signed, Signature]}, {x25519, [CurvePrivate, Curve]},
             {ed25519_sk_to_curve25519, [Secret]}, {ed25519_pk_to_curve25519, [Public]},
             {aes_gcm_decrypt, [CurvePrivate, Iv, Ciphertext, <<"more">>, Tag, 9]},
             {decrypt_message, [Static, Sealed]}, {create_session, [CurvePrivate, Curve]},
             {hkdf_sha256, [Secret, <<>>, <<"info">>, 42]}],
    [read = judged(Operation, Answer)
     || {{Operation, _}, Answer} <- lists:zip(Calls, signal_port:batch(Calls))],
    %% Calls with long inputs are used more often.
    Calls ++ lists:append(lists:duplicate(5, lists:sublist(Calls, 6))).

%% Mutates one or two arguments.
mutated({Operation, Args}) ->
    Mutated = lists:foldl(fun(_, SoFar) ->
        Which = rand:uniform(length(SoFar)),
        {Before, [Arg | After]} = lists:split(Which - 1, SoFar),
        Before ++ [mutated_value(Arg) | After]
    end, Args, lists:seq(1, rand:uniform(2))),
    {Operation, Mutated}.

mutated_value(Integer) when is_integer(Integer) ->
    any_of([0, -1, 1, 16#7FFFFFFF, -16#80000000, rand:uniform(1 bsl 31) - 1]);
mutated_value({A, B, C, Base}) ->
    any_of([{16#FFFFFFFF, B, C, Base}, {A, undefined, C, Base}, {A, B, 0, rand:bytes(32)}]);
mutated_value(<<>>) ->
    rand:bytes(rand:uniform(64));
mutated_value(Bytes) ->
    At = rand:uniform(byte_size(Bytes)) - 1,
    <<Before:At/binary, Byte, After/binary>> = Bytes,
    case rand:uniform(10) of
        1 -> Before;
        2 -> <<Bytes/binary, (rand:bytes(rand:uniform(40)))/binary>>;
        3 -> After;
        4 -> <<0:(8 * byte_size(Bytes))>>;
        5 -> binary:copy(<<255>>, byte_size(Bytes));
        6 -> <<Before/binary, (rand:bytes(byte_size(After) + 1))/binary>>;
        7 -> <<Before/binary, (any_of([0, 1, 127, 128, 255])), After/binary>>;
        8 -> <<Before/binary, After/binary>>;
        9 -> <<Before/binary, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1, After/binary>>;
        10 -> <<Before/binary, (Byte bxor (1 bsl (rand:uniform(8) - 1))), After/binary>>
    end.

any_of(List) ->
    lists:nth(rand:uniform(length(List)), List).

%% Each argument is replaced by a term of another type.
mutated_types_are_badarg(_) ->
    start(),
    Before = signal_port_stage:calls(),
    Sound = sound(),
    Calls = signal_port_stage:calls(),
    true = Calls > Before,
    [badarg = try apply(signal_port, Operation, replaced(Args)) catch error:badarg -> badarg end
     || {Operation, Args} <- Sound, _ <- lists:seq(1, 20)],
    Calls = signal_port_stage:calls(),
    0 = signal_port_stage:restarts().

replaced(Args) ->
    Which = rand:uniform(length(Args)),
    {Before, [_ | After]} = lists:split(Which - 1, Args),
    Other = any_of([undefined, [], "text", [<<"io">>], <<1:3>>, 1.5, {}, {1, 2, 3}, #{}, self(),
                    make_ref(), 1 bsl 64, fun() -> ok end]),
    Before ++ [Other | After].

%% The session is a value, and a refused message leaves no trace in the worker.
mutated_message_changes_nothing(_) ->
    start(),
    {Alice, Bob} = signal_port_parties:hello(),
    {ok, {Wire, _}} = signal_port:encrypt(Alice, <<"true">>),
    Mutations = [{decrypt, [Bob, mutated_value(Wire)]} || _ <- lists:seq(1, count() div 20)],
    [] = [Answer || Answer <- signal_port:batch(Mutations), judged(decrypt, Answer) =/= refused,
                    not is_true(Answer)],
    {ok, {<<"true">>, _}} = signal_port:decrypt(Bob, Wire),
    0 = signal_port_stage:restarts().

%% A byte can be replaced by itself.
is_true({ok, {<<"true">>, _}}) -> true;
is_true(_) -> false.

%% --- Atoms ---

worker_creates_no_atom(_) ->
    ok = signal_port_stage:start_with("makes_up_atoms.py", [{pool_size, 1}]),
    {error, unavailable} = signal_port:init(),
    Before = erlang:system_info(atom_count),
    %% Three starts a call, 15 names a start.
    [{error, unavailable} = signal_port:init() || _ <- lists:seq(1, ?NAMES div 48)],
    true = signal_port_stage:restarts() >= ?NAMES div 16 - 3,
    Made = atoms_made(Before),
    {true, Made} = {Made < ?SLACK, Made},
    #{versions := Versions} = signal_port:info(),
    [] = maps:keys(Versions).

peer_creates_no_atom(_) ->
    start(),
    Sound = list_to_tuple(sound()),
    _ = attack(?AT_ONCE, Sound, {0, 0}),
    Before = erlang:system_info(atom_count),
    _ = attack(2000, Sound, {0, 0}),
    Made = atoms_made(Before),
    {true, Made} = {Made < ?SLACK, Made},
    ok.

atoms_made(Before) ->
    erlang:system_info(atom_count) - Before.

start() ->
    ok = signal_port_stage:start([{pool_size, 2}]).
