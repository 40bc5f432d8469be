%% Frames: packed into a stream of bytes, and read from a stream that is cut anywhere.
-module(signal_port_frame_SUITE).
-compile([export_all, nowarn_export_all]).

-define(MAX, 16384).  % bytes

all() ->
    [{group, pack}, {group, feed}, {group, limit}, {group, cost}].

groups() ->
    [{pack, [payload_gets_its_length, iolist_is_packed]},
     {feed, [one_frame_is_returned, empty_frame_is_returned,
             several_frames_of_one_chunk_are_returned, empty_chunks_return_nothing,
             stream_cut_anywhere_is_read, single_bytes_are_read, header_cut_twice_is_read,
             short_frames_follow_a_long_one, any_payloads_pass_any_cuts]},
     {limit, [frame_of_the_limit_is_read, frame_over_the_limit_is_refused,
              header_over_the_limit_is_refused, cut_header_over_the_limit_is_refused,
              second_frame_over_the_limit_is_refused, frames_before_a_refused_one_are_returned]},
     {cost, [long_frame_takes_linear_time, returned_chunks_are_not_kept]}].

init_per_testcase(any_payloads_pass_any_cuts, Config) ->
    case code:ensure_loaded(proper) of
        {module, proper} -> Config;
        {error, _} -> {skip,
                       "PropEr is not installed: apt-get install erlang-proper, or put its ebin on "
                       "ERL_LIBS"}
    end;
init_per_testcase(_, Config) ->
    Config.

end_per_testcase(_, _) ->
    ok.

%% --- Packing ---

payload_gets_its_length(_) ->
    <<0, 0, 0, 3, "abc">> = packed(<<"abc">>),
    <<0, 0, 0, 0>> = packed(<<>>),
    <<0, 1, 0, 0, _:65536/binary>> = packed(binary:copy(<<1>>, 65536)).

iolist_is_packed(_) ->
    <<0, 0, 0, 4, "abcd">> = packed([<<"a">>, ["b", [$c | <<"d">>]]]).

%% --- Reading ---

one_frame_is_returned(_) ->
    [<<"abc">>] = payloads([<<0, 0, 0, 3, "abc">>]).

empty_frame_is_returned(_) ->
    [<<>>] = payloads([<<0, 0, 0, 0>>]),
    [<<>>, <<"a">>, <<>>] = payloads([<<0, 0, 0, 0, 0, 0, 0, 1, "a", 0, 0, 0, 0>>]).

several_frames_of_one_chunk_are_returned(_) ->
    Payloads = [<<"one">>, <<>>, binary:copy(<<"two">>, 1000), <<"three">>],
    {Payloads, _} = signal_port_frame:feed(stream(Payloads), signal_port_frame:new(?MAX)).

empty_chunks_return_nothing(_) ->
    [] = payloads([<<>>, <<>>]),
    [<<"a">>] = payloads([<<>>, <<0, 0>>, <<>>, <<0, 1>>, <<>>, <<"a">>, <<>>]).

stream_cut_anywhere_is_read(_) ->
    Payloads = [<<"one">>, <<>>, <<"twenty-two">>, <<0, 0, 0, 1>>],
    Stream = stream(Payloads),
    [Payloads = payloads([binary:part(Stream, 0, First),
                          binary:part(Stream, First, Second - First),
                          binary:part(Stream, Second, byte_size(Stream) - Second)])
     || First <- lists:seq(0, byte_size(Stream)), Second <- lists:seq(First, byte_size(Stream))].

single_bytes_are_read(_) ->
    Payloads = [binary:copy(<<"ab">>, 700), <<>>, <<"c">>],
    Payloads = payloads([<<Byte>> || <<Byte>> <= stream(Payloads)]).

%% The wanted size changes twice: it is the header's, then the frame's.
header_cut_twice_is_read(_) ->
    [<<"abc">>, <<"de">>] = payloads([<<0, 0, 0, 3, "abc", 0>>, <<0, 0>>, <<2, "d">>, <<"e">>]).

%% A wanted size that is kept would hold back the next frame.
short_frames_follow_a_long_one(_) ->
    Long = binary:copy(<<"x">>, ?MAX),
    {Before, After} = split_binary(stream([Long]), 100),
    [Long, <<"short">>, <<"other">>] =
        payloads([Before, After, stream([<<"short">>]), stream([<<"other">>])]).

%% --- The limit ---

frame_of_the_limit_is_read(_) ->
    Payload = binary:copy(<<"x">>, ?MAX),
    [Payload, Payload] = payloads([stream([Payload, Payload])]).

frame_over_the_limit_is_refused(_) ->
    [too_long] = payloads([stream([binary:copy(<<"x">>, ?MAX + 1)])]).

header_over_the_limit_is_refused(_) ->
    [[too_long] = payloads([<<Size:32>>])
     || Size <- [?MAX + 1, 1 bsl 30, 16#7FFFFFFF, 16#80000000, 16#FFFFFFFF]].

cut_header_over_the_limit_is_refused(_) ->
    Header = <<(?MAX + 1):32>>,
    [[too_long] = payloads([binary:part(Header, 0, Cut), binary:part(Header, Cut, 4 - Cut)])
     || Cut <- [1, 2, 3]].

second_frame_over_the_limit_is_refused(_) ->
    [<<"abc">>, too_long] = payloads([<<0, 0, 0, 3, "a">>, <<"bc", 16#FFFFFFFF:32>>]).

%% They were sent before the fault, and their callers wait for them.
frames_before_a_refused_one_are_returned(_) ->
    [<<"one">>, <<"two">>, too_long] =
        payloads([<<(stream([<<"one">>, <<"two">>]))/binary, 16#FFFFFFFF:32>>]).

%% --- Cost ---

%% 32 times the chunks take about 32 times as long. Joining them each time would take 1024 times.
long_frame_takes_linear_time(_) ->
    Chunk = binary:copy(<<"x">>, 1024),
    [Short, Long] = [best_of(5, fun() -> fed(Chunks, Chunk) end) || Chunks <- [1_000, 32_000]],
    {Short, Long, true} = {Short, Long, Long < 32 * 6 * max(Short, 50)}.

fed(Chunks, Chunk) ->
    Size = Chunks * byte_size(Chunk),
    Stream = signal_port_frame:new(Size),
    {Micros, {[Payload], _}} = timer:tc(fun() ->
        fed(Chunks, Chunk, signal_port_frame:feed(<<Size:32>>, Stream))
    end),
    Size = byte_size(Payload),
    Micros.

fed(0, _Chunk, Fed) -> Fed;
fed(Chunks, Chunk, {[], Stream}) -> fed(Chunks - 1, Chunk, signal_port_frame:feed(Chunk, Stream)).

best_of(Times, Fun) ->
    lists:min([Fun() || _ <- lists:seq(1, Times)]).

%% Between two frames the stream is small.
returned_chunks_are_not_kept(_) ->
    Bytes = stream([binary:copy(<<"x">>, ?MAX)]),
    {[_], Stream} = signal_port_frame:feed(Bytes, signal_port_frame:new(?MAX)),
    true = byte_size(term_to_binary(Stream)) < 200.

%% --- Any payloads, any cuts ---

any_payloads_pass_any_cuts(_) ->
    Payload = proper_types:oneof([proper_types:binary(), bytes(255), bytes(?MAX)]),
    Stream = {proper_types:list(Payload), proper_types:list(proper_types:integer(0, 100_000))},
    Property = proper:forall(Stream, fun({Payloads, Cuts}) ->
        Payloads =:= payloads(cut(stream(Payloads), Cuts))
    end),
    true = proper:quickcheck(Property, [{numtests, 500}, quiet, long_result, noshrink]).

%% PropEr makes long binaries bit by bit. rand is faster.
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

%% The payloads of all chunks, then `too_long' if a length was refused.
payloads(Chunks) ->
    payloads(Chunks, signal_port_frame:new(?MAX)).

payloads([], _Stream) ->
    [];
payloads([Chunk | Chunks], Stream) ->
    case signal_port_frame:feed(Chunk, Stream) of
        {Payloads, too_long} -> Payloads ++ [too_long];
        {Payloads, Next} -> Payloads ++ payloads(Chunks, Next);
        too_long -> [too_long]
    end.
