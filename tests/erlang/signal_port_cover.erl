%% Which lines of the application the suites have run: a table of all modules, from what signal_port_run left, and a
%% demand: a module that is pure has no line that no test runs. What runs in a child VM alone, as most of the doctor does,
%% is not seen.
-module(signal_port_cover).

-export([main/0]).

-define(PURE, [signal_port_command, signal_port_config, signal_port_frame, signal_port_reason, signal_port_codec]).

%% @doc `erl -s signal_port_cover main -extra FILE ...'. The VM's status is 1 where a pure module has a line left out.
-spec main() -> no_return().
main() ->
    [_ | _] = Files = init:get_plain_arguments(),
    ok = start_silently(),
    [ok = cover:import(File) || File <- Files],
    Modules = [{Module, lines(Module)} || Module <- lists:sort(cover:imported_modules())],
    [tell(Module, Lines) || {Module, Lines} <- Modules],
    tell("all", lists:append([Lines || {_, Lines} <- Modules])),
    [] = ?PURE -- [Module || {Module, _} <- Modules],
    halt(case [Module || {Module, Lines} <- Modules, lists:member(Module, ?PURE), left_out(Lines) =/= []] of
        [] -> 0;
        Short -> io:format("not whole, and pure: ~p~n", [Short]), 1
    end).

%% For each module its server tells of each file, and its output goes where that of its starter goes.
start_silently() ->
    {Ours, {ok, Nowhere}} = {group_leader(), file:open("/dev/null", [write])},
    true = group_leader(Nowhere, self()),
    {ok, _} = cover:start(),
    true = group_leader(Ours, self()),
    ok.

%% Each line with whether it was run. A line has more than one entry where several expressions stand in it.
lines(Module) ->
    {ok, Entries} = cover:analyse(Module, coverage, line),
    maps:to_list(maps:from_list(lists:sort([{Line, Run > 0} || {{_, Line}, {Run, _}} <- Entries, Line > 0]))).

left_out(Lines) ->
    lists:sort([Line || {Line, false} <- Lines]).

tell(Name, Lines) ->
    Count = length(Lines),
    Left = left_out(Lines),
    Numbers = case Name of "all" -> []; _ -> Left end,
    io:format("~-24s ~4b lines  ~5.1f %  ~s~n",
              [Name, Count, 100 * (Count - length(Left)) / max(Count, 1),
               lists:join(" ", [integer_to_list(Number) || Number <- Numbers])]).
