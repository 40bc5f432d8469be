#!/usr/bin/env escript
%% -*- erlang -*-
%%! -noinput +sbwt none
%% X25519 and AES-256-CBC in Erlang's integers and binaries alone, measured beside the port in the
%% same run. It is the remedy "pure Erlang" against a NIF that crashes: what it costs, and that it
%% is right. Run it in the repository's root after `make build':
%%
%%     escript bench/pure_erlang.escript [SECONDS]
%%
%% It is no code to use. Erlang has no operation that takes the same time for all numbers: an
%% integer is longer or shorter, a table is in the cache or not, and a secret decides which.
-mode(compile).

-define(P, ((1 bsl 255) - 19)).
-define(A24, 121665).

main([]) ->
    main(["10"]);
main([Seconds]) ->
    code:add_pathsa(filelib:wildcard("_build/default/lib/*/ebin")),
    Aes = aes_tables(),
    [] = [Name || {Name, Expected, Computed} <- known_answers(Aes), Computed =/= Expected],
    ok = application:set_env(signal_port, backend, port, [{persistent, true}]),
    {ok, _} = application:ensure_all_started(signal_port),
    Operations = operations(Aes),
    End = erlang:monotonic_time(millisecond) + 1000 * list_to_integer(Seconds),
    report(Operations, rounds(Operations, End, [])).

%% A row: its name, a function of the port, the same in Erlang alone, and how often each is called
%% in a round.
operations(Aes) ->
    {Private, Key, Iv} = {rand:bytes(32), rand:bytes(32), rand:bytes(16)},
    {ok, {Public, _}} = signal_port:generate_curve25519_keypair(),
    [{ok, Shared} = signal_port:x25519(Scalar, Public)
     || Scalar <- [rand:bytes(32) || _ <- lists:seq(1, 20)], Shared <- [x25519(Scalar, Public)]],
    Keys = expand(Key, Aes),
    One = <<1:256/little>>,
    [{"x25519", fun() -> signal_port:x25519(Private, Public) end,
      fun() -> x25519(Private, Public) end, 20},
     {"x25519, the other's key is 1", fun() -> signal_port:x25519(Private, One) end,
      fun() -> x25519(Private, One) end, 20}
     | [{lists:concat(["AES-256, ", Size, " bytes"]),
         fun() -> signal_port:aes_gcm_encrypt(Key, binary:part(Iv, 0, 12), Text, <<>>, 16) end,
         fun() -> cbc_encrypt(Keys, Iv, Text, Aes) end, Calls}
        || {Size, Calls} <- [{64, 50}, {1024, 20}, {65536, 1}], Text <- [rand:bytes(Size)]]].

rounds(Operations, End, Rounds) ->
    Round = [{time(Port, Calls), time(Pure, Calls)} || {_, Port, Pure, Calls} <- Operations],
    case erlang:monotonic_time(millisecond) < End of
        true -> rounds(Operations, End, [Round | Rounds]);
        false -> [Round | Rounds]
    end.

%% Microseconds of a call.
time(Fun, Calls) ->
    {Time, ok} = timer:tc(fun() -> repeat(Fun, Calls) end),
    Time / Calls.

repeat(_, 0) -> ok;
repeat(Fun, Calls) -> Fun(), repeat(Fun, Calls - 1).

report(Operations, Rounds) ->
    io:format("~b rounds, engines in turn; microseconds of a call: least, median~n~n",
              [length(Rounds)]),
    io:format("~-30s~18s~18s~18s~n", ["", "port", "Erlang alone", "ratio of both"]),
    [row(Name, [lists:nth(Row, Round) || Round <- Rounds])
     || {Row, {Name, _, _, _}} <- lists:zip(lists:seq(1, length(Operations)), Operations)],
    io:format("~nThe port's cipher is AES-256-GCM, which authenticates too; Erlang's is CBC alone.~n").

row(Name, Times) ->
    {Port, Pure} = lists:unzip(Times),
    [L, M, L1, M1] = [F(T) || T <- [Port, Pure], F <- [fun lists:min/1, fun median/1]],
    io:format("~-30s~9.1f~9.1f~9.1f~9.1f~9.2f~9.2f~n", [Name, L, M, L1, M1, L1 / L, M1 / M]).

median(Values) ->
    lists:nth((length(Values) + 1) div 2, lists:sort(Values)).

%% X25519: RFC 7748, 5.

x25519(<<Scalar:256/little>>, <<Public:256/little>>) ->
    Clamped = (Scalar band ((1 bsl 255) - 8)) bor (1 bsl 254),
    U = (Public band ((1 bsl 255) - 1)) rem ?P,
    {X, Z} = ladder(254, Clamped, U, {1, 0, U, 1}),
    <<(modulo(X * power(Z, ?P - 2, 1))):256/little>>.

ladder(-1, _, _, {X2, Z2, _, _}) ->
    {X2, Z2};
ladder(Bit, Scalar, U, {X2, Z2, X3, Z3}) ->
    case (Scalar bsr Bit) band 1 of
        0 -> ladder(Bit - 1, Scalar, U, step(U, X2, Z2, X3, Z3));
        1 ->
            {Y3, W3, Y2, W2} = step(U, X3, Z3, X2, Z2),
            ladder(Bit - 1, Scalar, U, {Y2, W2, Y3, W3})
    end.

step(U, X2, Z2, X3, Z3) ->
    {A, B, C, D} = {X2 + Z2, X2 - Z2, X3 + Z3, X3 - Z3},
    {AA, BB} = {A * A rem ?P, B * B rem ?P},
    {DA, CB, E} = {D * A rem ?P, C * B rem ?P, AA - BB},
    {Sum, Difference} = {DA + CB, DA - CB},
    {AA * BB rem ?P, E * (AA + ?A24 * E) rem ?P,
     Sum * Sum rem ?P, U * (Difference * Difference rem ?P) rem ?P}.

power(_, 0, Product) -> Product;
power(Base, Exponent, Product) when Exponent band 1 =:= 1 ->
    power(Base * Base rem ?P, Exponent bsr 1, Product * Base rem ?P);
power(Base, Exponent, Product) ->
    power(Base * Base rem ?P, Exponent bsr 1, Product).

modulo(Value) ->
    ((Value rem ?P) + ?P) rem ?P.

%% AES-256 (FIPS 197) by tables of 32-bit words, in CBC mode with PKCS #7 padding.

cbc_encrypt(Keys, Iv, Text, Aes) ->
    Padding = 16 - byte_size(Text) rem 16,
    Padded = <<Text/binary, (binary:copy(<<Padding>>, Padding))/binary>>,
    {Blocks, _} = lists:mapfoldl(fun(Block, Last) -> cbc_block(Keys, Block, Last, Aes) end, Iv,
                                 [Block || <<Block:16/binary>> <= Padded]),
    iolist_to_binary(Blocks).

cbc_block(Keys, <<Block:128>>, <<Last:128>>, Aes) ->
    Encrypted = encrypt_block(Keys, <<(Block bxor Last):128>>, Aes),
    {Encrypted, Encrypted}.

encrypt_block([{K0, K1, K2, K3} | Keys], <<A:32, B:32, C:32, D:32>>, Aes) ->
    rounds_of_block(Keys, A bxor K0, B bxor K1, C bxor K2, D bxor K3, Aes).

rounds_of_block([{K0, K1, K2, K3}], A, B, C, D, #{box := Box}) ->
    <<(last(A, B, C, D, Box) bxor K0):32, (last(B, C, D, A, Box) bxor K1):32,
      (last(C, D, A, B, Box) bxor K2):32, (last(D, A, B, C, Box) bxor K3):32>>;
rounds_of_block([{K0, K1, K2, K3} | Keys], A, B, C, D, #{mixed := Mixed} = Aes) ->
    rounds_of_block(Keys, mix(A, B, C, D, Mixed) bxor K0, mix(B, C, D, A, Mixed) bxor K1,
                    mix(C, D, A, B, Mixed) bxor K2, mix(D, A, B, C, Mixed) bxor K3, Aes).

mix(A, B, C, D, {T0, T1, T2, T3}) ->
    element((A bsr 24) + 1, T0) bxor element(((B bsr 16) band 255) + 1, T1)
        bxor element(((C bsr 8) band 255) + 1, T2) bxor element((D band 255) + 1, T3).

last(A, B, C, D, Box) ->
    (element((A bsr 24) + 1, Box) bsl 24) bor (element(((B bsr 16) band 255) + 1, Box) bsl 16)
        bor (element(((C bsr 8) band 255) + 1, Box) bsl 8) bor element((D band 255) + 1, Box).

%% Fifteen round keys of four words.
expand(Key, #{box := Box}) ->
    Words = expand(8, lists:reverse([Word || <<Word:32>> <= Key]), 1, Box),
    in_fours(lists:reverse(Words)).

expand(60, Words, _, _) ->
    Words;
expand(Number, [Last | _] = Words, Constant, Box) ->
    Before = lists:nth(8, Words),
    case Number rem 8 of
        0 ->
            Turned = ((Last bsl 8) bor (Last bsr 24)) band 16#FFFFFFFF,
            Word = substitute(Turned, Box) bxor (Constant bsl 24) bxor Before,
            expand(Number + 1, [Word | Words], double(Constant), Box);
        4 -> expand(Number + 1, [substitute(Last, Box) bxor Before | Words], Constant, Box);
        _ -> expand(Number + 1, [Last bxor Before | Words], Constant, Box)
    end.

substitute(Word, Box) -> last(Word, Word, Word, Word, Box).

in_fours([]) -> [];
in_fours([A, B, C, D | Rest]) -> [{A, B, C, D} | in_fours(Rest)].

%% The S-box, and its products with the columns of MixColumns.
aes_tables() ->
    Box = [substitution(Byte) || Byte <- lists:seq(0, 255)],
    Mixed = [(double(S) bsl 24) bor (S bsl 16) bor (S bsl 8) bor (double(S) bxor S) || S <- Box],
    Turned = [list_to_tuple([turn(Word, Bits) || Word <- Mixed]) || Bits <- [0, 8, 16, 24]],
    #{box => list_to_tuple(Box), mixed => list_to_tuple(Turned)}.

substitution(Byte) ->
    Inverse = inverse(Byte),
    lists:foldl(fun(Bits, Sum) -> Sum bxor turn_byte(Inverse, Bits) end, 16#63, [0, 1, 2, 3, 4]).

inverse(0) -> 0;
inverse(Byte) -> hd([Other || Other <- lists:seq(1, 255), product(Byte, Other) =:= 1]).

product(_, 0) -> 0;
product(A, B) when B band 1 =:= 1 -> A bxor product(double(A), B bsr 1);
product(A, B) -> product(double(A), B bsr 1).

double(Byte) when Byte < 128 -> Byte bsl 1;
double(Byte) -> (Byte bsl 1) bxor 16#11B.

turn_byte(Byte, Bits) -> ((Byte bsl Bits) bor (Byte bsr (8 - Bits))) band 255.
turn(Word, Bits) -> ((Word bsr Bits) bor (Word bsl (32 - Bits))) band 16#FFFFFFFF.

%% Known answers: the name, what is right, what was computed.

known_answers(Aes) ->
    Four = hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
               "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"),
    Keys = expand(hex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"), Aes),
    Encrypted = cbc_encrypt(Keys, hex("000102030405060708090a0b0c0d0e0f"), Four, Aes),
    [{"RFC 7748, 5.2, first",
      hex("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"),
      x25519(hex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"),
             hex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"))},
     {"RFC 7748, 5.2, second",
      hex("95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957"),
      x25519(hex("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d"),
             hex("e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493"))},
     {"RFC 7748, 5.2, iterated once",
      hex("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079"),
      x25519(<<9:256/little>>, <<9:256/little>>)},
     {"NIST SP 800-38A, F.2.5",
      hex("f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d"
          "39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b"),
      binary:part(Encrypted, 0, 64)}].

hex(Digits) -> binary:decode_hex(list_to_binary(Digits)).
