%% Line coverage of the application: a table of all modules, from the files that signal_port_run
%% wrote. Pure modules must be covered completely. Lines that run in child VMs are not counted.
-module(signal_port_cover).

-export([main/0]).

-define(PURE, [signal_port_calls, signal_port_codec, signal_port_command, signal_port_config,
               signal_port_counters, signal_port_deadline, signal_port_frame, signal_port_reason,
               signal_port_secret, signal_port_sentence]).

%% @doc `erl -s signal_port_cover main -extra FILE ...'. Exits with 1 if a pure module is not
%% covered completely.
-spec main() -> no_return().
main() ->
    [_ | _] = Files = init:get_plain_arguments(),
    ok = start_silently(),
    [ok = cover:import(File) || File <- Files],
    Modules = [{Module, lines(Module)} || Module <- lists:sort(cover:imported_modules())],
    [print(Module, Lines) || {Module, Lines} <- Modules],
    print("all", lists:append([Lines || {_, Lines} <- Modules])),
    [] = ?PURE -- [Module || {Module, _} <- Modules],
    Short = [Module || {Module, Lines} <- Modules, lists:member(Module, ?PURE),
                       missed(Lines) =/= []],
    Short =:= [] orelse io:format("pure, but not covered completely: ~p~n", [Short]),
    halt(min(1, length(Short))).

%% cover prints a line for each file, to the group leader of its starter.
start_silently() ->
    {Ours, {ok, Nowhere}} = {group_leader(), file:open("/dev/null", [write])},
    true = group_leader(Nowhere, self()),
    {ok, _} = cover:start(),
    true = group_leader(Ours, self()),
    ok.

%% Each line, and whether it was run. A line with several expressions has several entries.
lines(Module) ->
    {ok, Entries} = cover:analyse(Module, coverage, line),
    Lines = [{Line, Run > 0} || {{_, Line}, {Run, _}} <- Entries, Line > 0],
    maps:to_list(maps:from_list(lists:sort(Lines))).

missed(Lines) ->
    lists:sort([Line || {Line, false} <- Lines]).

print(Name, Lines) ->
    Count = length(Lines),
    Left = missed(Lines),
    Numbers = case Name of "all" -> []; _ -> Left end,
    io:format("~-24s ~4b lines  ~5.1f %  ~s~n",
              [Name, Count, 100 * (Count - length(Left)) / max(Count, 1),
               lists:join(" ", [integer_to_list(Number) || Number <- Numbers])]).
