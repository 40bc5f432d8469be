%% A worker's surroundings: what of the VM's environment it has, which descriptors, and that nobody reads its memory.
-module(signal_port_command_SUITE).
-compile([export_all, nowarn_export_all]).

-define(PLANTED, "SIGNAL_PORT_PLANTED_PASSWORD").

all() ->
    [{group, pure}, {group, linux}].

%% What a process has can be seen where /proc is.
groups() ->
    [{pure, [keeps_what_python_needs_to_start, takes_away_what_is_none_of_its_business,
             a_name_that_begins_as_a_kept_one_is_no_kept_one, what_is_added_stands_behind_what_was_there,
             takes_each_variable_away_once, the_command_has_the_limits, takes_no_program_that_is_not_there,
             takes_the_systems_python_where_it_has_none]},
     {linux, [a_worker_has_no_variable_that_was_planted, a_worker_has_what_it_needs, a_worker_starts_with_an_odd_environment,
              a_worker_has_no_file_of_the_vm, a_worker_leaves_no_core,
              a_worker_is_a_child_of_the_vm]}].

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
    [os:unsetenv(Name) || Name <- [?PLANTED, "ODD_LINES", "LANGCHAIN_API_KEY", "HOMEBREW_GITHUB_API_TOKEN"]],
    signal_port_stage:stop().

%% --- The command ---

keeps_what_python_needs_to_start(_) ->
    Kept = [{Name, "as it was"} || Name <- ["PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH",
                                            "DYLD_LIBRARY_PATH", "NIX_LD", "OPENSSL_CONF", "PYENV_ROOT", "PYENV_VERSION",
                                            "ASDF_DIR", "MISE_DATA_DIR"]],
    [] = taken_away(Kept).

takes_away_what_is_none_of_its_business(_) ->
    Names = ["DATABASE_URL", "AWS_SECRET_ACCESS_KEY", "RELEASE_COOKIE", "ERL_AFLAGS", "PYTHONPATH", "PYTHONSTARTUP",
             "SSH_AUTH_SOCK", "path", "", "USERPASSWORD", "XPATH"],
    Names = taken_away([{Name, "secret"} || Name <- Names]).

a_name_that_begins_as_a_kept_one_is_no_kept_one(_) ->
    Names = ["PATHFINDER_TOKEN", "HOMEBREW_GITHUB_API_TOKEN", "LANGCHAIN_API_KEY", "TMPDIR_KEY", "MISE_GITHUB_TOKEN",
             "LD_SDK_KEY", "NIX_CONFIG"],
    Names = taken_away([{Name, "secret"} || Name <- Names]).

what_is_added_stands_behind_what_was_there(_) ->
    [{"GLIBC_TUNABLES", "glibc.malloc.check=3:glibc.malloc.hugetlb=1"}] =
        signal_port_command:environment([{"GLIBC_TUNABLES", "glibc.malloc.check=3"}]),
    [{"GLIBC_TUNABLES", "glibc.malloc.hugetlb=1"}] = signal_port_command:environment([]).

takes_each_variable_away_once(_) ->
    Environment = signal_port_command:environment(os:env()),
    true = length(Environment) =:= length(lists:usort(Environment)),
    Own = [Name || {Name, _} <- os:env()],
    [] = [Name || {Name, false} <- Environment, not lists:member(Name, Own)].

taken_away(Variables) ->
    [Name || {Name, false} <- signal_port_command:environment(Variables)].

the_command_has_the_limits(_) ->
    {ok, Config} = signal_port_config:check([{python, "/a/python"}, {max_frame, 65536}, {busy_wait, 7}]),
    {ok, #{program := "/a/python", args := Args, env := [_ | _]}} = signal_port_command:make(Config),
    ["-I", "-B", Package, "worker", "65536", "7"] = Args,
    true = filelib:is_regular(filename:join(Package, "__main__.py")).

takes_no_program_that_is_not_there(_) ->
    {ok, Config} = signal_port_config:check([{python, "no-python-has-this-name"}]),
    {error, no_python} = signal_port_command:make(Config).

%% The application in another folder, without a virtual environment.
takes_the_systems_python_where_it_has_none(Config) ->
    Ebin = filename:join([proplists:get_value(priv_dir, Config), "bare", "ebin"]),
    ok = filelib:ensure_path(Ebin),
    {ok, _} = file:copy(code:where_is_file("signal_port.app"), filename:join(Ebin, "signal_port.app")),
    {ok, Auto} = signal_port_config:check([{python, auto}]),
    {ok, #{program := Own}} = signal_port_command:make(Auto),
    true = code:add_patha(Ebin),
    try signal_port_command:make(Auto) of
        {ok, #{program := System}} -> {true, System} = {System =/= Own, os:find_executable("python3")}
    after
        code:del_path(Ebin)
    end.

%% --- A true worker ---

a_worker_has_no_variable_that_was_planted(_) ->
    true = os:putenv(?PLANTED, "hunter2"),
    true = os:putenv("LANGCHAIN_API_KEY", "hunter2"),
    true = os:putenv("HOMEBREW_GITHUB_API_TOKEN", "hunter2"),
    Environment = environ(started()),
    nomatch = binary:match(Environment, <<"hunter2">>),
    nomatch = binary:match(Environment, <<"PLANTED">>),
    Kept = length([Name || {Name, _} <- os:env()]) - length(taken_away(os:env())),
    true = length(binary:split(Environment, <<0>>, [global, trim])) =< Kept + 1.

a_worker_has_what_it_needs(_) ->
    Variables = binary:split(environ(started()), <<0>>, [global, trim]),
    true = lists:member(iolist_to_binary(["PATH=", os:getenv("PATH")]), Variables),
    true = lists:member(<<"GLIBC_TUNABLES=glibc.malloc.hugetlb=1">>, Variables).

a_worker_starts_with_an_odd_environment(_) ->
    true = os:putenv("ODD_LINES", "a line\nPATH=/nowhere\n=" ++ [16#E4, 16#20AC]),
    true = os:putenv("GLIBC_TUNABLES", "nonsense"),
    try
        nomatch = binary:match(environ(started()), [<<"ODD">>, <<"nowhere">>]),
        ok = signal_port:init()
    after
        os:unsetenv("GLIBC_TUNABLES")
    end.

%% Its two pipes, standard error, and nothing of what the VM has open: no file, no socket, no pipe of another worker.
a_worker_has_no_file_of_the_vm(Config) ->
    {ok, Device} = file:open(filename:join(proplists:get_value(priv_dir, Config), "open"), [write, raw]),
    {ok, Socket} = gen_tcp:listen(0, []),
    ok = signal_port_stage:start([{pool_size, 2}]),
    OsPids = signal_port_stage:until(fun() -> [_, _] = signal_port_stage:os_pids() end),
    signal_port_stage:until(fun() -> lists:all(fun(#{state := S}) -> S =:= ready end, signal_port_stage:workers()) end),
    [begin
         Links = links(OsPid),
         [] = [Link || Link <- Links, string:find(Link, "socket") =/= nomatch orelse string:find(Link, "/open") =/= nomatch],
         Own = [Link || "pipe:" ++ _ = Link <- Links],
         true = length(lists:usort(Own)) =< 3,
         [] = [Link || Link <- Own, Other <- OsPids, Other =/= OsPid, lists:member(Link, links(Other)),
                       not lists:member(Link, shared(OsPid))]
     end || OsPid <- OsPids],
    ok = gen_tcp:close(Socket),
    ok = file:close(Device).

%% What a process has open; nothing for one whose memory is its own, unless who asks may see everything.
links(OsPid) ->
    Folder = "/proc/" ++ integer_to_list(OsPid) ++ "/fd",
    [Link || File <- filelib:wildcard("*", Folder), {ok, Link} <- [file:read_link(filename:join(Folder, File))]].

%% Standard error, which it has from the VM.
shared(OsPid) ->
    [Link || {ok, Link} <- [file:read_link("/proc/" ++ integer_to_list(OsPid) ++ "/fd/2")]].

a_worker_leaves_no_core(_) ->
    {ok, Limits} = file:read_file("/proc/" ++ integer_to_list(started()) ++ "/limits"),
    [<<"0">>, <<"0">> | _] = hd([string:lexemes(Rest, " ")
                                 || <<"Max core file size", Rest/binary>> <- string:split(Limits, "\n", all)]).

%% With its parent it is to end (see signal_port_fault_SUITE), so there must be no shell or shim between.
a_worker_is_a_child_of_the_vm(_) ->
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
