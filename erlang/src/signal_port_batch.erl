%% @private Many requests at once: cut into frames that keep all workers busy, a few in flight at a time, so that other
%% callers need not wait for the end of it.
-module(signal_port_batch).

-export([call/1]).

-define(MAX_LENGTH, 64).          % requests of one frame; 64 of the dearest hold a worker for some 30 ms
-define(MAX_BYTES, 1024 * 1024).  % of one frame, unless a single request has more
-define(FRAMES_IN_FLIGHT, 2).     % for each worker: one that it works at, and one for it to go on with

%% @doc The answers, in the order of the requests.
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

%% Waits for the oldest frame, then sends another.
collect(InFlight, [Frame | Frames], Room) when Room > 0 ->
    collect(InFlight ++ [signal_port_async:send(fun() -> answers(Frame) end)], Frames, Room - 1);
collect([Oldest | InFlight], Frames, Room) ->
    {reply, Answers} = signal_port_async:receive_response(Oldest, infinity),
    Answers ++ collect(InFlight, Frames, Room + 1);
collect([], [], _Room) ->
    [].

answers([Request]) ->
    [signal_port_dispatch:call(Request)];
answers(Requests) ->
    case signal_port_dispatch:call(signal_port_codec:batch(Requests)) of
        Answers when tuple_size(Answers) =:= length(Requests), element(1, Answers) =/= error ->
            tuple_to_list(Answers);
        {error, Why} when Why =:= too_large; Why =:= unavailable ->
            %% The answers together are too long, or one of the requests is deadly: the others shall not suffer for it.
            {Half, Rest} = lists:split(length(Requests) div 2, Requests),
            answers(Half) ++ answers(Rest);
        {error, timeout} ->
            [{error, timeout} || _ <- Requests];
        _ ->
            [{error, unavailable} || _ <- Requests]  % not one answer for each
    end.
