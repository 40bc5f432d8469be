%% Compiles a source and runs the cases of suites against it until one fails. The cases run as plain
%% functions, because Common Test takes seconds to start, and each source needs a VM of its own.
-module(signal_port_cases).

-export([main/0]).

-define(FAILED, 1).
-define(INVALID, 2).

%% @doc `erl -s signal_port_cases main -extra FOLDER SOURCE SUITE[:GROUP] ...'. The folder is for
%% files of the cases. Exits with 0 if all cases pass, 1 if one fails, 2 if the source is invalid.
-spec main() -> no_return().
main() ->
    [Folder, Source | Suites] = init:get_plain_arguments(),
    ok = logger:remove_handler(default),
    case compile:file(Source, [binary, debug_info]) of
        {ok, Module, Beam} ->
            {module, Module} = code:load_binary(Module, Source, Beam),
            lists:foreach(fun(Suite) -> run(string:split(Suite, ":"), Folder) end, Suites),
            halt();
        error ->
            halt(?INVALID)
    end.

run([Name | Group], Folder) ->
    {module, Suite} = code:ensure_loaded(list_to_atom("signal_port_" ++ Name ++ "_SUITE")),
    Config = apply_if_exported(Suite, init_per_suite, [[{priv_dir, Folder}]], [{priv_dir, Folder}]),
    [run_case(Suite, Case, Config)
     || {In, Cases} <- Suite:groups(), Group =:= [] orelse Group =:= [atom_to_list(In)],
        Case <- Cases],
    apply_if_exported(Suite, end_per_suite, [Config], ok).

%% Each case has a process of its own, as in Common Test.
run_case(Suite, Case, Config) ->
    {Pid, Monitor} = spawn_monitor(fun() ->
        case apply_if_exported(Suite, init_per_testcase, [Case, Config], Config) of
            {skip, _} -> ok;
            Prepared -> Suite:Case(Prepared),
                        apply_if_exported(Suite, end_per_testcase, [Case, Prepared], ok)
        end
    end),
    receive
        {'DOWN', Monitor, process, Pid, normal} ->
            ok;
        {'DOWN', Monitor, process, Pid, Reason} ->
            io:format("~s:~s: ~0P~n", [Suite, Case, Reason, 12]),
            halt(?FAILED)
    end.

apply_if_exported(Suite, Function, Args, Default) ->
    case erlang:function_exported(Suite, Function, length(Args)) of
        true -> apply(Suite, Function, Args);
        false -> Default
    end.
