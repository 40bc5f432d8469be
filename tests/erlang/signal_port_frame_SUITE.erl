%% Frames: into a stream of bytes, and out of one that is cut anywhere. Nothing runs here but the module itself.
-module(signal_port_frame_SUITE).
-compile([export_all, nowarn_export_all]).

-define(MAX, 16384). % bytes

all() ->
    [packs_a_length_and_the_payload, packs_an_iolist, gives_one_frame, gives_an_empty_frame, gives_several_of_one_chunk,
     gives_nothing_of_nothing, takes_a_stream_cut_anywhere, takes_a_byte_at_a_time, takes_two_cuts_in_a_header,
     goes_on_after_a_long_frame, takes_a_frame_of_the_limit, refuses_one_byte_more, refuses_before_the_payload_has_come,
     refuses_in_a_header_that_is_cut, refuses_behind_a_frame_begun_before, gives_what_came_before_a_refused_one,
     joins_a_long_frame_in_linear_time, keeps_no_chunk_that_was_given, any_payloads_come_through_any_cuts].

init_per_testcase(any_payloads_come_through_any_cuts, Config) ->
    case code:ensure_loaded(proper) of
        {module, proper} -> Config;
        {error, _} -> {skip, "PropEr is not installed: apt-get install erlang-proper, or put its ebin on ERL_LIBS"}
    end;
init_per_testcase(_, Config) ->
    Config.

end_per_testcase(_, _) ->
    ok.

%% --- Into a stream ---

packs_a_length_and_the_payload(_) ->
    <<0, 0, 0, 3, "abc">> = packed(<<"abc">>),
    <<0, 0, 0, 0>> = packed(<<>>),
    <<0, 1, 0, 0, _:65536/binary>> = packed(binary:copy(<<1>>, 65536)).

packs_an_iolist(_) ->
    <<0, 0, 0, 4, "abcd">> = packed([<<"a">>, ["b", [$c | <<"d">>]]]).

%% --- Out of a stream ---

gives_one_frame(_) ->
    [<<"abc">>] = given([<<0, 0, 0, 3, "abc">>]).

gives_an_empty_frame(_) ->
    [<<>>] = given([<<0, 0, 0, 0>>]),
    [<<>>, <<"a">>, <<>>] = given([<<0, 0, 0, 0, 0, 0, 0, 1, "a", 0, 0, 0, 0>>]).

gives_several_of_one_chunk(_) ->
    Payloads = [<<"one">>, <<>>, binary:copy(<<"two">>, 1000), <<"three">>],
    {Payloads, _} = signal_port_frame:feed(stream(Payloads), signal_port_frame:new(?MAX)).

gives_nothing_of_nothing(_) ->
    [] = given([<<>>, <<>>]),
    [<<"a">>] = given([<<>>, <<0, 0>>, <<>>, <<0, 1>>, <<>>, <<"a">>, <<>>]).

takes_a_stream_cut_anywhere(_) ->
    Payloads = [<<"one">>, <<>>, <<"twenty-two">>, <<0, 0, 0, 1>>],
    Stream = stream(Payloads),
    [Payloads = given([binary:part(Stream, 0, First), binary:part(Stream, First, Second - First),
                       binary:part(Stream, Second, byte_size(Stream) - Second)])
     || First <- lists:seq(0, byte_size(Stream)), Second <- lists:seq(First, byte_size(Stream))].

takes_a_byte_at_a_time(_) ->
    Payloads = [binary:copy(<<"ab">>, 700), <<>>, <<"c">>],
    Payloads = given([<<Byte>> || <<Byte>> <= stream(Payloads)]).

%% What is wanted changes twice: the header first, then what the header says.
takes_two_cuts_in_a_header(_) ->
    [<<"abc">>, <<"de">>] = given([<<0, 0, 0, 3, "abc", 0>>, <<0, 0>>, <<2, "d">>, <<"e">>]).

%% Else the next one would be held back until as many bytes had come.
goes_on_after_a_long_frame(_) ->
    Long = binary:copy(<<"x">>, ?MAX),
    {Before, After} = split_binary(stream([Long]), 100),
    [Long, <<"short">>, <<"other">>] = given([Before, After, stream([<<"short">>]), stream([<<"other">>])]).

%% --- The limit ---

takes_a_frame_of_the_limit(_) ->
    Payload = binary:copy(<<"x">>, ?MAX),
    [Payload, Payload] = given([stream([Payload, Payload])]).

refuses_one_byte_more(_) ->
    [too_long] = given([stream([binary:copy(<<"x">>, ?MAX + 1)])]).

refuses_before_the_payload_has_come(_) ->
    [[too_long] = given([<<Size:32>>]) || Size <- [?MAX + 1, 1 bsl 30, 16#7FFFFFFF, 16#80000000, 16#FFFFFFFF]].

refuses_in_a_header_that_is_cut(_) ->
    [[too_long] = given([binary:part(<<(?MAX + 1):32>>, 0, Cut), binary:part(<<(?MAX + 1):32>>, Cut, 4 - Cut)])
     || Cut <- [1, 2, 3]].

refuses_behind_a_frame_begun_before(_) ->
    [too_long] = [Last || Last <- given([<<0, 0, 0, 3, "a">>, <<"bc", 16#FFFFFFFF:32>>]), not is_binary(Last)].

%% They were written before the other side went wrong, and their callers have waited for them.
gives_what_came_before_a_refused_one(_) ->
    [<<"one">>, <<"two">>, too_long] = given([<<(stream([<<"one">>, <<"two">>]))/binary, 16#FFFFFFFF:32>>]).

%% --- What it costs ---

%% 32 times the chunks take some 32 times as long; were all joined anew at each, it would be 1024 times.
joins_a_long_frame_in_linear_time(_) ->
    Chunk = binary:copy(<<"x">>, 1024),
    [Short, Long] = [best_of(5, fun() -> fed(Chunks, Chunk) end) || Chunks <- [1_000, 32_000]],
    {Short, Long, true} = {Short, Long, Long < 32 * 6 * max(Short, 50)}.

fed(Chunks, Chunk) ->
    Size = Chunks * byte_size(Chunk),
    Stream = signal_port_frame:new(Size),
    {Micros, {[Payload], _}} = timer:tc(fun() -> fed(Chunks, Chunk, signal_port_frame:feed(<<Size:32>>, Stream)) end),
    Size = byte_size(Payload),
    Micros.

fed(0, _Chunk, Fed) -> Fed;
fed(Chunks, Chunk, {[], Stream}) -> fed(Chunks - 1, Chunk, signal_port_frame:feed(Chunk, Stream)).

best_of(Times, Fun) ->
    lists:min([Fun() || _ <- lists:seq(1, Times)]).

%% A stream between two frames is small, whatever went through it.
keeps_no_chunk_that_was_given(_) ->
    {[_], Stream} = signal_port_frame:feed(stream([binary:copy(<<"x">>, ?MAX)]), signal_port_frame:new(?MAX)),
    true = byte_size(term_to_binary(Stream)) < 200.

%% --- Any payloads, any cuts ---

any_payloads_come_through_any_cuts(_) ->
    Payload = proper_types:oneof([proper_types:binary(), bytes(255), bytes(?MAX)]),
    Stream = {proper_types:list(Payload), proper_types:list(proper_types:integer(0, 100_000))},
    Property = proper:forall(Stream, fun({Payloads, Cuts}) ->
        Payloads =:= given(cut(stream(Payloads), Cuts))
    end),
    true = proper:quickcheck(Property, [{numtests, 500}, quiet, long_result, noshrink]).

%% By `rand', for PropEr makes long binaries bit by bit.
bytes(Max) ->
    proper_types:bind(proper_types:integer(0, Max), fun rand:bytes/1, false).

cut(Bytes, []) ->
    [Bytes];
cut(Bytes, [Where | Cuts]) ->
    {Before, After} = split_binary(Bytes, Where rem (byte_size(Bytes) + 1)),
    [Before | cut(After, Cuts)].

%% --- Internals ---

packed(Payload) ->
    iolist_to_binary(signal_port_frame:pack(Payload)).

stream(Payloads) ->
    << <<(packed(Payload))/binary>> || Payload <- Payloads >>.

%% The payloads of all chunks; and `too_long' at the end, where a length was refused.
given(Chunks) ->
    given(Chunks, signal_port_frame:new(?MAX)).

given([], _Stream) ->
    [];
given([Chunk | Chunks], Stream) ->
    case signal_port_frame:feed(Chunk, Stream) of
        {Payloads, too_long} -> Payloads ++ [too_long];
        {Payloads, Next} -> Payloads ++ given(Chunks, Next);
        too_long -> [too_long]
    end.
