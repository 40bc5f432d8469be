%% Runs one suite, or a part of it, in this VM, as scripts/test_erlang.sh starts it. Common Test's
%% own output goes to a log. The result is a few lines for a person. This module is also the hook
%% that hears of each case that did not pass.
%%
%% If COVER is set, the file `coverdata' has the lines that were run.
-module(signal_port_run).

-export([main/0]).
-export([init/2, on_tc_fail/4, on_tc_skip/4]).  % Common Test's hook

%% @doc `erl -s signal_port_run main -extra FOLDER SUITE [CASE | GROUP]' writes the logs and the
%% file `result' into the folder. Exits with 1 if a case failed or no case was run.
-spec main() -> no_return().
main() ->
    [Folder, Suite | Part] = init:get_plain_arguments(),
    Covers = os:getenv("COVER", "") =/= "",
    _ = Covers andalso [{ok, _} = Compiled || Compiled <- cover:compile_beam_directory(ebin())],
    {Micros, Counts} = timer:tc(fun() -> run(Folder, list_to_atom(Suite), Part) end),
    ok = file:write_file(filename:join(Folder, "result"),
                         [result(Suite, Micros, Counts), broken()]),
    _ = Covers andalso (ok = cover:export(filename:join(Folder, "coverdata"))),
    halt(case Counts of {Passed, 0, {Skipped, 0}} when Passed + Skipped > 0 -> 0; _ -> 1 end).

run(Folder, Suite, Part) ->
    true = register(?MODULE, self()),
    ct:run_test([{logdir, Folder}, {dir, filename:dirname(code:which(?MODULE))}, {suite, Suite},
                 {auto_compile, false}, {ct_hooks, [?MODULE]}
                 | part(Suite, [list_to_atom(Name) || Name <- Part])]).

%% A case runs in its group, so that the group is set up.
part(_Suite, []) ->
    [];
part(Suite, [Name]) ->
    case [Group || {Group, Cases} <- Suite:groups(), lists:member(Name, Cases)] of
        [Group] -> [{group, Group}, {testcase, Name}];
        [] -> [{group, Name}]
    end.

ebin() ->
    filename:dirname(code:where_is_file("signal_port.app")).

result(Suite, Micros, {Passed, Failed, {Skipped, Unreached}}) ->
    Others = [io_lib:format(", ~b ~s", [Count, What])
              || {Count, What} <- [{Failed, "FAILED"}, {Skipped, "skipped"},
                                   {Unreached, "NOT REACHED"}], Count > 0],
    io_lib:format("~-28s ~3b passed~s, ~.1f s~n", [Suite, Passed, Others, Micros / 1_000_000]);
result(Suite, _Micros, {error, Reason}) ->
    io_lib:format("~s: ~0P~n", [Suite, Reason, 20]).

%% What the hook sent. A whole reason can have megabytes, so only its top is printed.
broken() ->
    receive
        {How, Case, Reason} ->
            [io_lib:format("    ~s ~0p: ~0P~n", [How, Case, Reason, 12]) | broken()]
    after 0 -> []
    end.

init(_Id, Options) ->
    {ok, Options}.

on_tc_fail(_Suite, Case, Reason, State) ->
    ?MODULE ! {"FAILED", Case, Reason},
    State.

on_tc_skip(_Suite, Case, Reason, State) ->
    ?MODULE ! {"skipped", Case, Reason},
    State.
