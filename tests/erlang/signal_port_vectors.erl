%% The vectors: data files that the tests of both languages read. OTP 25 has no JSON decoder, so
%% there is one here. It supports what these files need: no surrogate pairs and no fractions.
-module(signal_port_vectors).

-export([recorded/0, cases/1, json/1, masked/2]).

-type recorded() :: #{module := module(), op := atom(), args := [term()], result := term(),
                      random := [[{From :: integer(), To :: integer()}]], line := pos_integer(),
                      follow => #{op := binary(), session := binary(), plaintext := binary()}}.
%% `random' has the ranges that differ from run to run, for each binary of the result in order.

%% @doc Returns the recorded answers of the NIF. The result `{raise, badarg}' is a raised error.
-spec recorded() -> [recorded()].
recorded() ->
    {ok, Compressed} = file:read_file(signal_port_stage:root("tests/vectors/nif-vectors.jsonl.gz")),
    Lines = binary:split(zlib:gunzip(Compressed), <<"\n">>, [global, trim_all]),
    [recorded(Number, json(Line)) || {Number, Line} <- lists:zip(lists:seq(1, length(Lines)),
                                                                 Lines)].

recorded(Number, #{<<"op">> := Operation, <<"args">> := Args, <<"result">> := Result} = Object) ->
    Recorded = #{module => binary_to_atom(maps:get(<<"module">>, Object)),
                 op => binary_to_atom(Operation), args => [term(Arg) || Arg <- Args],
                 result => term(Result), random => random(Object), line => Number},
    case Object of
        #{<<"follow">> := #{<<"op">> := Op, <<"session">> := Session, <<"plaintext">> := Plain}} ->
            Recorded#{follow => #{op => Op, session => term(Session), plaintext => term(Plain)}};
        _ ->
            Recorded
    end.

random(Object) ->
    [[{From, To} || [From, To] <- Ranges] || Ranges <- maps:get(<<"random">>, Object, [])].

%% @doc Returns the cases of a file of known answers. Hexadecimal text is decoded.
-spec cases(file:filename()) -> [#{atom() => term()}].
cases(File) ->
    {ok, Bytes} = file:read_file(signal_port_stage:root(filename:join("tests/vectors", File))),
    #{<<"cases">> := Cases} = json(Bytes),
    [maps:from_list([{binary_to_atom(Key), known(Key, Value)}
                     || {Key, Value} <- maps:to_list(Case)]) || Case <- Cases].

known(<<"name">>, Name) -> Name;
known(_, Hex) when is_binary(Hex) -> bytes(Hex);
known(_, Value) -> Value.

%% @doc Returns the term with its random bytes set to zero.
-spec masked(term(), [[{integer(), integer()}]]) -> term().
masked(Term, Random) ->
    element(1, mask(Term, Random)).

mask(Bytes, [Ranges | Random]) when is_binary(Bytes) ->
    {lists:foldl(fun zero/2, Bytes, Ranges), Random};
mask(Tuple, Random) when is_tuple(Tuple) ->
    {Elements, Rest} = lists:mapfoldl(fun mask/2, Random, tuple_to_list(Tuple)),
    {list_to_tuple(Elements), Rest};
mask(Term, Random) ->
    {Term, Random}.

zero({From, To}, Bytes) when To =< byte_size(Bytes) ->
    <<Before:From/binary, _:(To - From)/binary, After/binary>> = Bytes,
    <<Before/binary, 0:(To - From)/unit:8, After/binary>>.

term(#{<<"b">> := Hex}) -> bytes(Hex);
term(#{<<"z">> := Hex}) -> zlib:uncompress(bytes(Hex));
term(#{<<"a">> := Name}) -> binary_to_atom(Name);
term(#{<<"t">> := Elements}) -> list_to_tuple([term(Element) || Element <- Elements]);
term(#{<<"l">> := Elements}) -> [term(Element) || Element <- Elements];
term(#{<<"raise">> := Reason}) -> {raise, binary_to_atom(Reason)};
term(Number) when is_integer(Number) -> Number.

bytes(Hex) -> binary:decode_hex(Hex).

%% @doc Returns the value of a JSON text: maps, lists, binaries, integers, `true', `false', `null'.
-spec json(binary()) -> term().
json(Text) ->
    {Value, Rest} = value(Text),
    <<>> = space(Rest),
    Value.

value(Text) ->
    case space(Text) of
        <<"{", Rest/binary>> -> object(space(Rest), #{});
        <<"[", Rest/binary>> -> array(space(Rest), []);
        <<"\"", Rest/binary>> -> string(Rest, 0, Rest, []);
        <<"true", Rest/binary>> -> {true, Rest};
        <<"false", Rest/binary>> -> {false, Rest};
        <<"null", Rest/binary>> -> {null, Rest};
        Number -> number(Number)
    end.

object(<<"}", Rest/binary>>, Object) ->
    {Object, Rest};
object(<<",", Rest/binary>>, Object) ->
    object(space(Rest), Object);
object(Text, Object) ->
    {Key, Rest} = value(Text),
    <<":", Rest1/binary>> = space(Rest),
    {Value, Rest2} = value(Rest1),
    object(space(Rest2), Object#{Key => Value}).

array(<<"]", Rest/binary>>, Values) ->
    {lists:reverse(Values), Rest};
array(<<",", Rest/binary>>, Values) ->
    array(space(Rest), Values);
array(Text, Values) ->
    {Value, Rest} = value(Text),
    array(space(Rest), [Value | Values]).

%% Text without an escape is taken at once: the files have strings of a hundred thousand bytes.
string(Text, Length, Rest, Parts) ->
    case Rest of
        <<"\"", After/binary>> ->
            {iolist_to_binary(lists:reverse(Parts, [binary:part(Text, 0, Length)])), After};
        <<"\\u", Hex:4/binary, After/binary>> ->
            Escaped = <<(binary_to_integer(Hex, 16))/utf8>>,
            string(After, 0, After, [Escaped, binary:part(Text, 0, Length) | Parts]);
        <<"\\", Escaped, After/binary>> ->
            string(After, 0, After, [escaped(Escaped), binary:part(Text, 0, Length) | Parts]);
        <<_, After/binary>> ->
            string(Text, Length + 1, After, Parts)
    end.

escaped($n) -> $\n;
escaped($t) -> $\t;
escaped($r) -> $\r;
escaped(Character) -> Character.

number(Text) ->
    {match, [{0, Length}]} = re:run(Text, <<"^-?[0-9]+">>),
    <<Digits:Length/binary, Rest/binary>> = Text,
    {binary_to_integer(Digits), Rest}.

space(<<Character, Rest/binary>>) when Character =:= $\s; Character =:= $\n; Character =:= $\t;
    Character =:= $\r ->
    space(Rest);
space(Text) ->
    Text.
