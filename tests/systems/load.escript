#!/usr/bin/env escript
%% -*- erlang -*-
%% The load of load.py, by the application itself: the same arguments, lines and figures, but for
%% the retries, which only the application knows.
%%
%%   load.escript [--connections N] [--callers N] [--ebin FOLDER] SOCKET
%%
%% Answers are compared with those of the first, undisturbed round, and that round with a known one.
-mode(compile).

-define(INPUTS, 256).

main(Arguments) ->
    Options = options(Arguments, #{"connections" => "4", "callers" => "16", "ebin" => default()}),
    code:add_pathsa(filelib:wildcard(maps:get("ebin", Options))),
    logger:set_primary_config(level, critical),
    start(maps:get(socket, Options), number("connections", Options)),
    Answers = answers(),
    Tally = spawn_link(fun() -> tally(nothing()) end),
    [spawn_link(fun() -> call_forever(Index, Answers, Tally) end)
     || Index <- lists:seq(1, number("callers", Options))],
    answer_lines(Tally, restarts()).

default() ->
    Systems = filename:dirname(filename:absname(escript:script_name())),
    filename:join([filename:dirname(filename:dirname(Systems)), "_build/default/lib/*/ebin"]).

options(["--" ++ Name, Value | Rest], Options) -> options(Rest, Options#{Name => Value});
options([Socket], Options) -> Options#{socket => Socket}.

number(Name, Options) ->
    list_to_integer(maps:get(Name, Options)).

start(Socket, Connections) ->
    Environment = [{backend, port}, {socket, Socket}, {pool_size, Connections}],
    [ok = application:set_env(signal_port, Name, Value) || {Name, Value} <- Environment],
    {ok, _} = application:ensure_all_started(signal_port),
    false = is_list(code:is_loaded(crypto)).

answers() ->
    {ok, <<16#ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad:256>>} =
        signal_port:sha256(<<"abc">>),
    list_to_tuple([signal_port:sha256(input(Index)) || Index <- lists:seq(1, ?INPUTS)]).

input(Index) ->
    <<Index:512>>.

call_forever(Count, Answers, Tally) ->
    Index = Count rem ?INPUTS + 1,
    Begin = erlang:monotonic_time(microsecond),
    Answer = signal_port:sha256(input(Index)),
    Took = erlang:monotonic_time(microsecond) - Begin,
    Tally ! case Answer of
        {ok, _} when Answer =:= element(Index, Answers) -> {right, Took};
        {ok, _} -> wrong;
        {error, _} -> failed
    end,
    call_forever(Count + 7, Answers, Tally).

nothing() ->
    #{right => [], failed => 0, wrong => 0}.

tally(#{right := Right, failed := Failed, wrong := Wrong} = Figures) ->
    receive
        {right, Took} -> tally(Figures#{right := [Took | Right]});
        failed -> tally(Figures#{failed := Failed + 1});
        wrong -> tally(Figures#{wrong := Wrong + 1});
        {report, From} -> From ! {figures, Figures}, tally(nothing())
    end.

answer_lines(Tally, RestartsBefore) ->
    case io:get_line("") of
        eof ->
            halt(0);
        _ ->
            Tally ! {report, self()},
            Figures = receive {figures, Found} -> Found end,
            Restarts = restarts(),
            io:put_chars([json(Figures, Restarts - RestartsBefore), $\n]),
            answer_lines(Tally, Restarts)
    end.

restarts() ->
    maps:get(restarts, maps:get(totals, signal_port:info())).

json(#{right := Right, failed := Failed, wrong := Wrong}, Lost) ->
    Ready = length([ready || #{state := ready} <- maps:get(workers, signal_port:info())]),
    Times = list_to_tuple(lists:sort([0 | Right])),
    At = fun(Share) -> element(1 + trunc(Share * (tuple_size(Times) - 1)), Times) / 1000 end,
    io_lib:format("{\"calls\": ~b, \"failed\": ~b, \"wrong\": ~b, \"lost\": ~b, \"ready\": ~b, "
                  "\"slowest_ms\": ~.1f, \"p99_ms\": ~.2f, \"p50_ms\": ~.2f}",
                  [length(Right), Failed, Wrong, Lost, Ready, At(1.0), At(0.99), At(0.5)]).
