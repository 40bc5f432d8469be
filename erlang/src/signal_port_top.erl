%% @private The live table of `signal_port:top/0'. The calling process reads the keyboard. A painter
%% beside it asks for the figures once a second and prints them to the same terminal.
-module(signal_port_top).

-export([run/1, page/4]).

-define(EVERY, 1000).  % milliseconds between two pages
-define(HOME, "\e[H").
-define(CLEAR_LINE, "\e[K\n").
-define(CLEAR_REST, "\e[J").

-type info() :: map() | not_running.
%% The result of `signal_port:info/0'.

%% @doc Shows the table until the user enters `q'.
-spec run(fun(() -> info())) -> ok | {error, Sentence :: string()}.
run(Info) ->
    case signal_port_latency:has_table() of
        true ->
            {error, "signal_port:top() runs in another shell of this node: leave it there first"};
        false ->
            Painter = spawn_link(fun() -> start(Info) end),
            read_until_q(),
            stop(Painter)
    end.

read_until_q() ->
    case io:get_line("") of
        Line when is_list(Line); is_binary(Line) ->
            string:trim(unicode:characters_to_list(Line)) =:= "q" orelse read_until_q();
        _ ->
            true  % the terminal is gone
    end.

stop(Painter) ->
    Monitor = monitor(process, Painter),
    Painter ! stop,
    receive {'DOWN', Monitor, process, Painter, _} -> ok end.

start(Info) ->
    signal_port_latency:new(),
    io:put_chars([?HOME, ?CLEAR_REST]),
    paint(Info, Info(), erlang:monotonic_time()).

paint(Info, Before, Since) ->
    {Now, Current} = {erlang:monotonic_time(), Info()},
    Seconds = max(1, erlang:convert_time_unit(Now - Since, native, millisecond)) / 1000,
    Lines = page(Current, Before, signal_port_latency:take(), Seconds),
    io:put_chars([?HOME, [[Line, ?CLEAR_LINE] || Line <- Lines], ?CLEAR_REST]),
    receive
        stop -> signal_port_latency:delete()
    after ?EVERY ->
        paint(Info, Current, Now)
    end.

%% @doc Returns the lines of a page: the figures now, those before, the times of the calls between
%% them, and the seconds between them.
-spec page(info(), Before :: info(), [signal_port_latency:summary()], Seconds :: float()) ->
    [io_lib:chars()].
page(not_running, _Before, _Times, _Seconds) ->
    ["signal_port is not running", leave()];
page(#{workers := Workers} = Info, Before, Times, Seconds) ->
    [head(Info), "", line(worker, {"worker", "state", "OS process", "calls/s", "in flight",
                                   "queued", "restarts"})]
        ++ [worker(Place, Worker, (calls(Worker) - calls_before(Place, Before)) / Seconds)
            || {Place, Worker} <- lists:enumerate(Workers)]
        ++ ["", line(operation, {"operation", "calls/s", "p50, us", "p99, us"})]
        ++ [line(operation, {Operation, rate(Calls / Seconds), round(P50), round(P99)})
            || {Operation, Calls, P50, P99} <- Times]
        ++ ["", leave()].

head(#{backend := Backend, totals := #{queued := Queued, refused := Refused}}) ->
    io_lib:format("signal_port  backend ~s  queued ~b  refused ~b", [Backend, Queued, Refused]).

leave() ->
    "q and Enter: leave".

worker(Place, #{state := State, os_pid := OsPid, in_flight := InFlight, queued := Queued,
                restarts := Restarts}, Rate) ->
    line(worker, {Place, State, OsPid, rate(Rate), InFlight, Queued, Restarts}).

calls(#{calls := Calls}) -> Calls.

calls_before(Place, #{workers := Workers}) when Place =< length(Workers) ->
    calls(lists:nth(Place, Workers));
calls_before(_, _) ->
    0.

rate(Rate) ->
    io_lib:format("~.1f", [max(0.0, Rate)]).

line(worker, Cells) -> cells("~-8ts~-10ts~12ts~12ts~12ts~10ts~10ts", Cells);
line(operation, Cells) -> cells("~-30ts~12ts~12ts~12ts", Cells).

cells(Format, Cells) ->
    io_lib:format(Format, [text(Cell) || Cell <- tuple_to_list(Cells)]).

text(undefined) -> "-";
text(Cell) when is_atom(Cell) -> atom_to_list(Cell);
text(Cell) when is_integer(Cell) -> integer_to_list(Cell);
text(Cell) -> Cell.
