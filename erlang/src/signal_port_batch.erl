%% @private Makes many requests at once. The requests are packed into frames that keep all workers
%% busy. Only a few frames are in flight at a time, so that other callers need not wait for the
%% whole batch.
-module(signal_port_batch).

-export([call/1]).

-define(MAX_LENGTH, 64).          % requests in a frame; the slowest 64 take a worker about 30 ms
-define(MAX_BYTES, 1024 * 1024).  % bytes in a frame, unless a single request is larger
-define(FRAMES_IN_FLIGHT, 2).     % for each worker: one in work, and one that waits

%% @doc Returns the answers, in the order of the requests.
-spec call([signal_port_codec:request()]) -> [term()].
call(Requests) ->
    Workers = max(1, length(signal_port_table:workers())),
    Share = (length(Requests) + Workers - 1) div Workers,
    case frames(Requests, max(1, min(?MAX_LENGTH, Share))) of
        [] -> [];
        [Only] -> answers(Only);
        Frames -> collect([], Frames, ?FRAMES_IN_FLIGHT * Workers)
    end.

frames([], _Length) ->
    [];
frames(Requests, Length) ->
    {Frame, Rest} = frame(Requests, Length, ?MAX_BYTES),
    [Frame | frames(Rest, Length)].

frame([Request | Requests], Length, Bytes) ->
    {Frame, Rest} = more(Requests, Length - 1, Bytes - iolist_size(Request)),
    {[Request | Frame], Rest}.

more([Request | _] = Requests, Length, Bytes) when Length > 0 ->
    case iolist_size(Request) =< Bytes of
        true -> frame(Requests, Length, Bytes);
        false -> {[], Requests}
    end;
more(Requests, _Length, _Bytes) ->
    {[], Requests}.

%% Waits for the oldest frame before it sends one more.
collect(InFlight, [Frame | Frames], Room) when Room > 0 ->
    Id = signal_port_async:send(fun() -> answers(Frame) end),
    collect(InFlight ++ [Id], Frames, Room - 1);
collect([Oldest | InFlight], Frames, Room) ->
    {reply, Answers} = signal_port_async:receive_response(Oldest, infinity),
    Answers ++ collect(InFlight, Frames, Room + 1);
collect([], [], _Room) ->
    [].

answers([Request]) ->
    [signal_port_dispatch:call(Request)];
answers(Requests) ->
    Count = length(Requests),
    case signal_port_dispatch:call(signal_port_codec:batch(Requests)) of
        Answers when tuple_size(Answers) =:= Count, element(1, Answers) =/= error ->
            tuple_to_list(Answers);
        {error, Why} when Why =:= timeout; Why =:= overloaded ->
            lists:duplicate(Count, {error, Why});
        {error, Why} when Why =:= too_large; Why =:= unavailable ->
            halves(Requests, Count);
        _WrongNumber ->
            lists:duplicate(Count, {error, unavailable})
    end.

%% The answers together are too large, or one of the requests kills its worker. The other requests
%% must still get their answers.
halves(Requests, Count) ->
    {Half, Rest} = lists:split(Count div 2, Requests),
    answers(Half) ++ answers(Rest).
