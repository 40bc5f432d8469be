%% @private Makes many requests at once. The requests are packed into frames that keep all workers
%% busy. Only a few frames are in flight at a time, so that other callers need not wait for the
%% whole batch.
-module(signal_port_batch).

-export([call/2]).

-define(MAX_LENGTH, 64).          % requests in a frame; the slowest 64 take a worker about 30 ms
-define(MAX_BYTES, 1024 * 1024).  % bytes in a frame, unless a single request is larger
-define(FRAMES_IN_FLIGHT, 2).     % for each worker: one in work, and one that waits

%% @doc Returns the answers, in the order of the requests. The observation is of the whole batch.
-spec call([signal_port_codec:request()], signal_port_observation:observation()) ->
    [term()].
call(Requests, Observation) ->
    Workers = max(1, length(signal_port_table:workers())),
    Share = (length(Requests) + Workers - 1) div Workers,
    Answers = fun(Frame) -> answers(Frame, Observation) end,
    case frames(Requests, max(1, min(?MAX_LENGTH, Share))) of
        [] -> [];
        [Only] -> Answers(Only);
        Frames -> collect([], Frames, ?FRAMES_IN_FLIGHT * Workers, Answers)
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
collect(InFlight, [Frame | Frames], Room, Answers) when Room > 0 ->
    Id = signal_port_async:send(fun() -> Answers(Frame) end),
    collect(InFlight ++ [Id], Frames, Room - 1, Answers);
collect([Oldest | InFlight], Frames, Room, Answers) ->
    {reply, Answered} = signal_port_async:receive_response(Oldest, infinity),
    Answered ++ collect(InFlight, Frames, Room + 1, Answers);
collect([], [], _Room, _Answers) ->
    [].

answers([Request], Observation) ->
    [signal_port_dispatch:call(Request, default, Observation)];
answers(Requests, Observation) ->
    Count = length(Requests),
    case signal_port_dispatch:call(signal_port_codec:batch(Requests), default, Observation) of
        Answers when tuple_size(Answers) =:= Count, element(1, Answers) =/= error ->
            tuple_to_list(Answers);
        {error, Why} when Why =:= timeout; Why =:= overloaded ->
            lists:duplicate(Count, {error, Why});
        {error, Why} when Why =:= too_large; Why =:= unavailable ->
            halves(Requests, Count, Observation);
        _WrongNumber ->
            lists:duplicate(Count, {error, unavailable})
    end.

%% The answers together are too large, or one of the requests kills its worker. The other requests
%% must still get their answers.
halves(Requests, Count, Observation) ->
    {Half, Rest} = lists:split(Count div 2, Requests),
    answers(Half, Observation) ++ answers(Rest, Observation).
