%% @private Frames of a 32-bit big-endian length and that many bytes, as of `{packet, 4}': into a stream of bytes, and out of
%% one that is cut anywhere. Pure.
%%
%% The port itself could do this, but it would take a length that claims gigabytes, it would make a system call of every
%% frame, and a message of every reply. A length over the limit is refused here before anything behind it is kept.
-module(signal_port_frame).

-export([pack/1, new/1, feed/2]).
-export_type([stream/0]).

-define(HEADER_SIZE, 4).

-record(stream, {
    max_frame :: pos_integer(),
    chunks = [] :: [binary()],               % of a frame that is not whole yet, latest first
    size = 0 :: non_neg_integer(),           % bytes in them
    wanted = ?HEADER_SIZE :: pos_integer()   % bytes that it needs, as far as is known
}).

-opaque stream() :: #stream{}.

%% @doc The frame of a payload.
-spec pack(iodata()) -> iolist().
pack(Payload) ->
    [<<(iolist_size(Payload)):(?HEADER_SIZE * 8)>> | Payload].

%% @doc A stream whose payloads have at most so many bytes.
-spec new(MaxFrame :: pos_integer()) -> stream().
new(MaxFrame) ->
    #stream{max_frame = MaxFrame}.

%% @doc Takes the next bytes of a stream; returns the payloads that are whole now. After one that is too long nothing comes.
-spec feed(binary(), stream()) -> {[Payload :: binary()], stream() | too_long}.
feed(Bytes, #stream{chunks = Chunks, size = Size, wanted = Wanted} = Stream) ->
    case {Chunks, Size + byte_size(Bytes)} of
        {[], _} -> payloads(Bytes, [], Stream);
        {_, Enough} when Enough >= Wanted -> payloads(join([Bytes | Chunks]), [], Stream);
        {_, Size1} -> {[], Stream#stream{chunks = [Bytes | Chunks], size = Size1}}
    end.

%% A long frame comes in many chunks: joining them only when it is whole keeps that linear.
join(Chunks) ->
    iolist_to_binary(lists:reverse(Chunks)).

payloads(<<Size:(?HEADER_SIZE * 8), _/binary>>, Payloads, #stream{max_frame = MaxFrame}) when Size > MaxFrame ->
    {lists:reverse(Payloads), too_long};
payloads(<<Size:(?HEADER_SIZE * 8), Payload:Size/binary, Rest/binary>>, Payloads, Stream) ->
    payloads(Rest, [Payload | Payloads], Stream);
payloads(<<>>, Payloads, Stream) ->
    {lists:reverse(Payloads), Stream#stream{chunks = [], size = 0}};
payloads(<<Size:(?HEADER_SIZE * 8), _/binary>> = Rest, Payloads, Stream) ->
    {lists:reverse(Payloads), wait_for(?HEADER_SIZE + Size, Rest, Stream)};
payloads(Rest, Payloads, Stream) ->
    {lists:reverse(Payloads), wait_for(?HEADER_SIZE, Rest, Stream)}.

wait_for(Wanted, Rest, Stream) ->
    Stream#stream{chunks = [Rest], size = byte_size(Rest), wanted = Wanted}.
