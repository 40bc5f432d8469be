%% Properties, tested by PropEr. Its functions are called by their full names, without its header,
%% so that this suite compiles without it.
-module(signal_port_property_SUITE).
-compile([export_all, nowarn_export_all]).

-define(ATOMS, [ok, error, undefined, bad_mac, invalid_session, decryption_failed, too_large]).

all() ->
    [{group, parties}, {group, codec}].

groups() ->
    [{parties, [any_network_delivers_messages_once, failed_call_changes_nothing]},
     {codec, [any_request_can_be_decoded, any_answer_can_be_decoded,
              broken_answer_is_no_other_answer]}].

init_per_suite(Config) ->
    case code:ensure_loaded(proper) of
        {module, proper} ->
            ok = signal_port_stage:start([{pool_size, 2}]),
            Config;
        {error, _} ->
            {skip, "PropEr is not installed: apt-get install erlang-proper, or put its ebin on "
                   "ERL_LIBS"}
    end.

end_per_suite(_) ->
    signal_port_stage:stop().

%% --- Two parties ---

%% A step is a message that a party sends, or what the network does with a message in transit.
any_network_delivers_messages_once(_) ->
    {Alice, Bob} = signal_port_parties:sessions(),
    holds(150, proper:forall(steps(), fun(Steps) ->
        World = #{alice => Alice, bob => Bob, ways => [], read => [], may_send => [alice]},
        _ = lists:foldl(fun step/2, World, Steps),
        true
    end)).

steps() ->
    Party = proper_types:oneof([alice, bob]),
    Fate = proper_types:oneof([deliver, deliver, deliver, lose, double, forge]),
    Step = proper_types:oneof([{send, Party, proper_types:binary()},
                               {Fate, proper_types:integer(0, 1000),
                                proper_types:integer(0, 100_000)}]),
    proper_types:resize(30, proper_types:list(Step)).

step({send, From, Plain}, #{ways := Ways, may_send := MaySend} = World) ->
    case {signal_port:encrypt(map_get(From, World), Plain), lists:member(From, MaySend)} of
        {{ok, {Wire, Session}}, true} ->
            World#{From := Session, ways := [{From, Wire, Plain} | Ways]};
        {{error, must_receive_first}, false} ->
            World
    end;
step({_, _, _}, #{ways := []} = World) ->
    World;
step({Fate, Which, Where}, #{ways := Ways} = World) ->
    Message = lists:nth(1 + Which rem length(Ways), Ways),
    case Fate of
        deliver -> arrive(Message, World#{ways := lists:delete(Message, Ways)});
        double -> arrive(Message, World);
        lose -> World#{ways := lists:delete(Message, Ways)};
        forge -> forged(Message, Where, World)
    end.

arrive({From, Wire, Plain}, #{read := Read, may_send := MaySend} = World) ->
    To = other(From),
    case {signal_port:decrypt(map_get(To, World), Wire), lists:member(Wire, Read)} of
        {{ok, {Plain, Session}}, false} ->
            World#{To := Session, read := [Wire | Read], may_send := lists:usort([To | MaySend])};
        {{error, bad_mac}, true} ->
            World
    end.

forged({From, Wire, _}, Where, World) ->
    {error, Reason} = signal_port:decrypt(map_get(other(From), World), flipped(Where, Wire)),
    true = is_atom(Reason),
    World.

other(alice) -> bob;
other(bob) -> alice.

flipped(Where, Bytes) ->
    Bit = Where rem bit_size(Bytes),
    <<Before:Bit/bits, One:1, After/bits>> = Bytes,
    <<Before/bits, (1 - One):1, After/bits>>.

%% --- A failed call changes nothing ---

failed_call_changes_nothing(_) ->
    {Alice, Bob} = signal_port_parties:hello(),
    {ok, {Wire, _}} = signal_port:encrypt(Alice, <<"true">>),
    Bad = proper_types:oneof([proper_types:binary(),
                              {cut, proper_types:integer(0, byte_size(Wire) - 1)},
                              {flip, proper_types:integer(0, bit_size(Wire) - 1)},
                              {grown, proper_types:integer(0, 255)}]),
    holds(300, proper:forall(Bad, fun(How) ->
        {error, _} = signal_port:decrypt(Bob, broken(How, Wire)),
        {ok, {<<"true">>, _}} = signal_port:decrypt(Bob, Wire),
        true
    end)).

broken({cut, Size}, Wire) -> binary:part(Wire, 0, Size);
broken({flip, Bit}, Wire) -> flipped(Bit, Wire);
broken({grown, Byte}, Wire) -> <<Wire/binary, Byte>>;
broken(Bytes, _Wire) -> Bytes.

%% --- The codec ---

%% A request uses forms of msgpack that answers use too, so the decoder of answers reads it.
any_request_can_be_decoded(_) ->
    holds(1000, proper:forall({uint32(), call()}, fun({Tag, {Operation, Args}}) ->
        Frame = iolist_to_binary([signal_port_codec:tag(Tag)
                                  | signal_port_codec:request(Operation, Args)]),
        {ok, {<<Tag:32>>, atom_to_binary(Operation), list_to_tuple(Args)}}
            =:= signal_port_codec:answer(Frame)
    end)).

call() ->
    Binary = bytes(),
    Id = proper_types:integer(-16#80000000, 16#7FFFFFFF),
    Info = {uint32(), proper_types:oneof([undefined, uint32()]), uint32(), proper_types:binary(32)},
    proper_types:oneof([{init, []}, {sha256, [Binary]}, {generate_pre_key, [Id]},
                        {aes_gcm_encrypt, lists:duplicate(4, Binary) ++ [Id]},
                        {dr_encrypt_prekey, [Binary, Binary, Info]},
                        {hkdf_sha256, [Binary, Binary, Binary, int(0, 8160)]}]).

any_answer_can_be_decoded(_) ->
    holds(1000, proper:forall(answer(), fun(Answer) ->
        {ok, Answer} =:= signal_port_codec:answer(packed(Answer))
    end)).

broken_answer_is_no_other_answer(_) ->
    holds(1000, proper:forall({answer(), proper_types:binary()}, fun({Answer, Rest}) ->
        Bytes = packed(Answer),
        error =:= signal_port_codec:answer(binary:part(Bytes, 0, byte_size(Bytes) - 1)) andalso
            (Rest =:= <<>> orelse error =:= signal_port_codec:answer(<<Bytes/binary, Rest/binary>>))
    end)).

answer() ->
    Flat = proper_types:oneof([bytes(), int(-16#80000000, 16#FFFFFFFF),
                               proper_types:oneof(?ATOMS)]),
    Tuple = proper_types:bind(proper_types:list(Flat),
                              fun(List) -> list_to_tuple(lists:sublist(List, 15)) end, false),
    proper_types:oneof([Flat, {ok, Flat}, {ok, Flat, Flat}, {ok, Tuple},
                        {error, proper_types:oneof(?ATOMS)}]).

packed(Bytes) when is_binary(Bytes) -> <<16#C6, (byte_size(Bytes)):32, Bytes/binary>>;
packed(Integer) when is_integer(Integer), Integer >= 0 -> <<16#CE, Integer:32>>;
packed(Integer) when is_integer(Integer) -> <<16#D2, Integer:32>>;
packed(Atom) when is_atom(Atom) ->
    <<16#C7, (byte_size(atom_to_binary(Atom))), 1, (atom_to_binary(Atom))/binary>>;
packed(Tuple) ->
    iolist_to_binary([<<9:4, (tuple_size(Tuple)):4>>
                      | lists:map(fun packed/1, tuple_to_list(Tuple))]).

bytes() ->
    proper_types:oneof([proper_types:binary(), proper_types:binary(255), proper_types:binary(256)]).

uint32() -> int(0, 16#FFFFFFFF).

int(Low, High) -> proper_types:integer(Low, High).

%% --- Internals ---

holds(Count, Property) ->
    case proper:quickcheck(Property, [{numtests, Count}, quiet, long_result, noshrink]) of
        true -> ok;
        Counterexample -> error({does_not_hold, Counterexample})
    end.
