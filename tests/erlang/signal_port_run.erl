%% One suite, or one case of it, in a VM of its own, as tests/erlang.sh starts it: Common Test's own output is for a log,
%% and the result is a few lines that a person reads. It is also the hook that hears of each case that did not pass. With
%% COVER in the environment it leaves beside the result which lines were run.
-module(signal_port_run).

-export([main/0]).
-export([init/2, on_tc_fail/4, on_tc_skip/4]). % Common Test's hook

%% @doc `erl -s signal_port_run main -extra FOLDER SUITE [CASE]': the logs go to the folder, with the `result'; the VM's
%% status is 1 where a case failed or none was there to run.
-spec main() -> no_return().
main() ->
    [Folder, Suite | Cases] = init:get_plain_arguments(),
    Covers = os:getenv("COVER", "") =/= "",
    _ = Covers andalso [{ok, _} = Compiled || Compiled <- cover:compile_beam_directory(ebin())],
    {Micros, Counts} = timer:tc(fun() -> run(Folder, Suite, Cases) end),
    ok = file:write_file(filename:join(Folder, "result"), [result(Suite, Micros, Counts), broken()]),
    _ = Covers andalso (ok = cover:export(filename:join(Folder, "coverdata"))),
    halt(case Counts of {Passed, 0, {Skipped, 0}} when Passed + Skipped > 0 -> 0; _ -> 1 end).

run(Folder, Suite, Cases) ->
    true = register(?MODULE, self()),
    ct:run_test([{logdir, Folder}, {dir, filename:dirname(code:which(?MODULE))}, {suite, list_to_atom(Suite)},
                 {auto_compile, false}, {ct_hooks, [?MODULE]}
                 | [{testcase, list_to_atom(Case)} || Case <- Cases]]).

ebin() ->
    filename:dirname(code:where_is_file("signal_port.app")).

result(Suite, Micros, {Passed, Failed, {Skipped, Unreached}}) ->
    Others = [io_lib:format(", ~b ~s", [Count, What])
              || {Count, What} <- [{Failed, "FAILED"}, {Skipped, "skipped"}, {Unreached, "NOT REACHED"}], Count > 0],
    io_lib:format("~-27s ~3b passed~s, ~.1f s~n", [Suite, Passed, Others, Micros / 1_000_000]);
result(Suite, _Micros, {error, Reason}) ->
    io_lib:format("~s: ~0P~n", [Suite, Reason, 20]).

%% What the hook has told; to its depth alone, for a whole reason may have megabytes.
broken() ->
    receive
        {How, Case, Reason} -> [io_lib:format("    ~s ~0p: ~0P~n", [How, Case, Reason, 12]) | broken()]
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
