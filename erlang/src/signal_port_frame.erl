%% @private Frames: a 32-bit big-endian length and that many bytes, as `{packet, 4}' has them. This
%% module packs a payload and cuts payloads out of a stream. It is pure.
%%
%% The port could do this itself. But it would accept a length that claims gigabytes, and it would
%% need a system call for each frame and a message for each reply. Here a length over the limit is
%% refused before any byte behind it is kept.
-module(signal_port_frame).

-export([pack/1, new/1, feed/2]).
-export_type([stream/0]).

-define(HEADER_SIZE, 4).  % bytes

-record(stream, {
    max_frame :: pos_integer(),
    chunks = [] :: [binary()],              % of an incomplete frame, latest first
    size = 0 :: non_neg_integer(),          % bytes in the chunks
    wanted = ?HEADER_SIZE :: pos_integer()  % bytes that the frame needs, as far as is known
}).

-opaque stream() :: #stream{}.

%% @doc Returns the frame of a payload.
-spec pack(iodata()) -> iolist().
pack(Payload) ->
    [<<(iolist_size(Payload)):(?HEADER_SIZE * 8)>> | Payload].

%% @doc Returns a stream whose payloads have at most `MaxFrame' bytes.
-spec new(MaxFrame :: pos_integer()) -> stream().
new(MaxFrame) ->
    #stream{max_frame = MaxFrame}.

%% @doc Takes the next bytes of a stream and returns the payloads that are now complete. Returns
%% `too_long' in place of the stream if a frame is over the limit. The stream is then unusable.
-spec feed(binary(), stream()) -> {[Payload :: binary()], stream() | too_long}.
feed(Bytes, #stream{chunks = Chunks, size = Size, wanted = Wanted} = Stream) ->
    case {Chunks, Size + byte_size(Bytes)} of
        {[], _} -> payloads(Bytes, [], Stream);
        {_, Enough} when Enough >= Wanted -> payloads(join([Bytes | Chunks]), [], Stream);
        {_, Size1} -> {[], Stream#stream{chunks = [Bytes | Chunks], size = Size1}}
    end.

%% A long frame arrives in many chunks. They are joined once, so that the cost stays linear.
join(Chunks) ->
    iolist_to_binary(lists:reverse(Chunks)).

payloads(<<Size:(?HEADER_SIZE * 8), _/binary>>, Payloads, #stream{max_frame = MaxFrame})
  when Size > MaxFrame ->
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
