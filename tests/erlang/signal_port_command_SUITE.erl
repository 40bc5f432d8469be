%% The OS process of a worker: its command, its environment and its descriptors.
-module(signal_port_command_SUITE).
-compile([export_all, nowarn_export_all]).

-define(PLANTED, "SIGNAL_PORT_PLANTED_PASSWORD").

all() ->
    [{group, environment}, {group, program}, {group, linux}].

groups() ->
    [{environment, [variables_for_python_are_kept, other_variables_are_removed,
                    longer_names_are_removed, tunables_are_appended,
                    each_variable_is_removed_once]},
     {program, [command_has_the_limits, unknown_program_is_no_python,
                system_python_is_the_fallback]},
     {linux, [worker_lacks_planted_variables, worker_has_kept_variables,
              worker_starts_with_odd_environment, worker_has_no_file_of_the_vm,
              worker_leaves_no_core, worker_is_a_child_of_the_vm]}].

%% These cases read /proc.
init_per_group(linux, Config) ->
    case filelib:is_dir("/proc/self/fd") of
        true -> Config;
        false -> {skip, "there is no /proc"}
    end;
init_per_group(_, Config) ->
    Config.

end_per_group(_, _) ->
    ok.

end_per_testcase(_, _) ->
    [os:unsetenv(Name) || Name <- [?PLANTED, "ODD_LINES", "LANGCHAIN_API_KEY",
                                   "HOMEBREW_GITHUB_API_TOKEN"]],
    signal_port_stage:stop().

%% --- The command ---

variables_for_python_are_kept(_) ->
    Names = ["PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH",
             "DYLD_LIBRARY_PATH", "NIX_LD", "OPENSSL_CONF", "PYENV_ROOT", "PYENV_VERSION",
             "ASDF_DIR", "MISE_DATA_DIR"],
    [] = removed([{Name, "as it was"} || Name <- Names]).

other_variables_are_removed(_) ->
    Names = ["DATABASE_URL", "AWS_SECRET_ACCESS_KEY", "RELEASE_COOKIE", "ERL_AFLAGS", "PYTHONPATH",
             "PYTHONSTARTUP", "SSH_AUTH_SOCK", "path", "", "USERPASSWORD", "XPATH"],
    Names = removed([{Name, "secret"} || Name <- Names]).

longer_names_are_removed(_) ->
    Names = ["PATHFINDER_TOKEN", "HOMEBREW_GITHUB_API_TOKEN", "LANGCHAIN_API_KEY", "TMPDIR_KEY",
             "MISE_GITHUB_TOKEN", "LD_SDK_KEY", "NIX_CONFIG"],
    Names = removed([{Name, "secret"} || Name <- Names]).

tunables_are_appended(_) ->
    [{"GLIBC_TUNABLES", "glibc.malloc.check=3:glibc.malloc.hugetlb=1"}] =
        signal_port_command:environment([{"GLIBC_TUNABLES", "glibc.malloc.check=3"}]),
    [{"GLIBC_TUNABLES", "glibc.malloc.hugetlb=1"}] = signal_port_command:environment([]).

each_variable_is_removed_once(_) ->
    Environment = signal_port_command:environment(os:env()),
    true = length(Environment) =:= length(lists:usort(Environment)),
    Own = [Name || {Name, _} <- os:env()],
    [] = [Name || {Name, false} <- Environment, not lists:member(Name, Own)].

removed(Variables) ->
    [Name || {Name, false} <- signal_port_command:environment(Variables)].

command_has_the_limits(_) ->
    {ok, Config} =
        signal_port_config:check([{python, "/a/python"}, {max_frame, 65536}, {busy_wait, 7}]),
    {ok, #{program := "/a/python", args := Args, env := [_ | _]}} =
        signal_port_command:make(Config),
    ["-I", "-B", Package, "worker", "65536", "7"] = Args,
    true = filelib:is_regular(filename:join(Package, "__main__.py")).

unknown_program_is_no_python(_) ->
    {ok, Config} = signal_port_config:check([{python, "no-python-has-this-name"}]),
    {error, no_python} = signal_port_command:make(Config).

%% The application is in another folder, without a virtual environment.
system_python_is_the_fallback(Config) ->
    Ebin = filename:join([proplists:get_value(priv_dir, Config), "bare", "ebin"]),
    ok = filelib:ensure_path(Ebin),
    {ok, _} = file:copy(code:where_is_file("signal_port.app"),
                        filename:join(Ebin, "signal_port.app")),
    {ok, Auto} = signal_port_config:check([{python, auto}]),
    {ok, #{program := Own}} = signal_port_command:make(Auto),
    true = code:add_patha(Ebin),
    try signal_port_command:make(Auto) of
        {ok, #{program := System}} ->
            {true, System} = {System =/= Own, os:find_executable("python3")}
    after
        code:del_path(Ebin)
    end.

%% --- A real worker ---

worker_lacks_planted_variables(_) ->
    true = os:putenv(?PLANTED, "hunter2"),
    true = os:putenv("LANGCHAIN_API_KEY", "hunter2"),
    true = os:putenv("HOMEBREW_GITHUB_API_TOKEN", "hunter2"),
    Environment = environ(started()),
    nomatch = binary:match(Environment, <<"hunter2">>),
    nomatch = binary:match(Environment, <<"PLANTED">>),
    Kept = length([Name || {Name, _} <- os:env()]) - length(removed(os:env())),
    Added = ["GLIBC_TUNABLES", "SIGNAL_PORT_SANDBOX", "SIGNAL_PORT_MAX_MEMORY"],
    true = length(binary:split(Environment, <<0>>, [global, trim])) =< Kept + length(Added).

worker_has_kept_variables(_) ->
    Variables = binary:split(environ(started()), <<0>>, [global, trim]),
    true = lists:member(iolist_to_binary(["PATH=", os:getenv("PATH")]), Variables),
    true = lists:member(<<"GLIBC_TUNABLES=glibc.malloc.hugetlb=1">>, Variables).

worker_starts_with_odd_environment(_) ->
    true = os:putenv("ODD_LINES", "a line\nPATH=/nowhere\n=" ++ [16#E4, 16#20AC]),
    true = os:putenv("GLIBC_TUNABLES", "nonsense"),
    try
        nomatch = binary:match(environ(started()), [<<"ODD">>, <<"nowhere">>]),
        ok = signal_port:init()
    after
        os:unsetenv("GLIBC_TUNABLES")
    end.

%% The worker has its pipes and standard error, but no file, socket or other pipe of the VM.
worker_has_no_file_of_the_vm(Config) ->
    File = filename:join(proplists:get_value(priv_dir, Config), "open"),
    {ok, Device} = file:open(File, [write, raw]),
    {ok, Socket} = gen_tcp:listen(0, []),
    ok = signal_port_stage:start_ready([{pool_size, 2}]),
    [First, Second] = signal_port_stage:os_pids(),
    has_only_own_pipes(First, Second),
    has_only_own_pipes(Second, First),
    ok = gen_tcp:close(Socket),
    ok = file:close(Device).

has_only_own_pipes(OsPid, Other) ->
    Links = links(OsPid),
    [] = [Link || Link <- Links, Foreign <- ["socket", "/open"],
                  string:find(Link, Foreign) =/= nomatch],
    Pipes = [Link || "pipe:" ++ _ = Link <- Links],
    true = length(lists:usort(Pipes)) =< 3,
    [] = [Link || Link <- Pipes, lists:member(Link, links(Other)),
                  not lists:member(Link, shared(OsPid))].

%% The open descriptors of a process. A hardened process shows them to root only.
links(OsPid) ->
    Folder = "/proc/" ++ integer_to_list(OsPid) ++ "/fd",
    [Link || File <- filelib:wildcard("*", Folder),
             {ok, Link} <- [file:read_link(filename:join(Folder, File))]].

%% Standard error is inherited from the VM.
shared(OsPid) ->
    [Link || {ok, Link} <- [file:read_link("/proc/" ++ integer_to_list(OsPid) ++ "/fd/2")]].

worker_leaves_no_core(_) ->
    {ok, Limits} = file:read_file("/proc/" ++ integer_to_list(started()) ++ "/limits"),
    Lines = string:split(Limits, "\n", all),
    [Core] = [Rest || <<"Max core file size", Rest/binary>> <- Lines],
    [<<"0">>, <<"0">> | _] = string:lexemes(Core, " ").

%% The worker ends with its parent (see signal_port_fault_SUITE), so no shell is in between.
worker_is_a_child_of_the_vm(_) ->
    {ok, Stat} = file:read_file("/proc/" ++ integer_to_list(started()) ++ "/stat"),
    [_, Rest] = binary:split(Stat, <<") ">>),
    [_, Parent | _] = string:lexemes(binary_to_list(Rest), " "),
    {ok, <<"erl_child_setup", _/binary>>} = file:read_file("/proc/" ++ Parent ++ "/comm").

started() ->
    ok = signal_port_stage:start([{pool_size, 1}]),
    [OsPid] = signal_port_stage:os_pids(),
    OsPid.

environ(OsPid) ->
    {ok, Environment} = file:read_file("/proc/" ++ integer_to_list(OsPid) ++ "/environ"),
    Environment.
