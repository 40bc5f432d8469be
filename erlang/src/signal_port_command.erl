%% @private The command of a worker's OS process: program, arguments and environment.
-module(signal_port_command).

-export([make/1, python_command/1, environment/1]).
-export_type([command/0]).

-type command() :: #{program := file:filename(), args := [string()],
                     env := [{string(), string() | false}], option := python | command}.

%% What Python, its shims (pyenv, asdf, mise) and its libraries can need to start. All other
%% variables are removed: the VM's environment can hold, for example, a database password.
-define(KEPT, ["PATH", "HOME", "TMPDIR", "LANG", "LANGUAGE", "LD_LIBRARY_PATH", "LD_PRELOAD",
               "NIX_LD", "NIX_LD_LIBRARY_PATH", "OPENSSL_CONF", "OPENSSL_MODULES",
               "XDG_CONFIG_HOME", "XDG_DATA_HOME", "PYENV_ROOT", "PYENV_VERSION",
               "ASDF_DIR", "ASDF_DATA_DIR", "ASDF_CONFIG_FILE",
               "MISE_DATA_DIR", "MISE_CONFIG_DIR", "MISE_CACHE_DIR"]).
-define(KEPT_PREFIXES, ["LC_", "DYLD_"]).

%% Memory in large pages, if the C library supports them: a message of megabytes then takes half
%% the time.
-define(TUNABLES, "GLIBC_TUNABLES").
-define(LARGE_PAGES, "glibc.malloc.hugetlb=1").

%% @doc Returns the command for a configuration.
-spec make(signal_port_config:config()) -> {ok, command()} | {error, signal_port_reason:why()}.
make(#{command := [Wanted | Args]} = Config) ->
    Program = case filename:basename(Wanted) of
        Wanted -> os:find_executable(Wanted);
        _ -> filename:absname(Wanted)
    end,
    Env = limits(Config) ++ confinement(Config) ++ environment(os:env()),
    runnable(Wanted, #{program => Program, args => Args, env => Env, option => command});
make(#{python := Wanted, max_frame := MaxFrame, busy_wait := BusyWait} = Config) ->
    Arguments = ["worker", integer_to_list(MaxFrame), integer_to_list(BusyWait)],
    case signal_port_interpreter:find(Wanted) of
        {ok, Python} ->
            #{env := Env} = Command = signal_port(Python, Arguments),
            runnable(Wanted, Command#{env := confinement(Config) ++ Env});
        {error, Why} ->
            {error, Why}
    end.

%% A folder would pass the port's own test, since it is executable.
runnable(Wanted, #{program := false, option := Option}) ->
    {error, {cannot_run, Option, Wanted, enoent}};
runnable(_Wanted, #{program := Program, option := Option} = Command) ->
    case filelib:is_dir(Program) of
        true -> {error, {cannot_run, Option, Program, eisdir}};
        false -> {ok, Command}
    end.

%% @doc Returns the command that runs `signal-port' with arguments, by the Python of the option
%% `python' in the application's environment.
-spec python_command(Arguments :: [string()]) ->
    {ok, command()} | {error, signal_port_reason:why()}.
python_command(Arguments) ->
    case signal_port_interpreter:find(application:get_env(signal_port, python, auto)) of
        {ok, Python} -> {ok, signal_port(Python, Arguments)};
        {error, Why} -> {error, Why}
    end.

signal_port(Python, Arguments) ->
    Package = filename:join([signal_port_interpreter:priv_dir(), "python", "signal_port"]),
    #{program => Python, args => ["-I", "-B", Package | Arguments], env => environment(os:env()),
      option => python}.

%% How a worker confines itself before its first request (PROTOCOL.md).
confinement(#{sandbox := Sandbox, max_memory := MaxMemory}) ->
    [{"SIGNAL_PORT_SANDBOX", atom_to_list(Sandbox)},
     {"SIGNAL_PORT_MAX_MEMORY", signal_port_sentence:format("~w", [MaxMemory])}].

%% What the command line of Python's worker has as arguments (PROTOCOL.md).
limits(#{max_frame := MaxFrame, busy_wait := BusyWait}) ->
    [{"SIGNAL_PORT_MAX_FRAME", integer_to_list(MaxFrame)},
     {"SIGNAL_PORT_BUSY_WAIT", integer_to_list(BusyWait)}].

%% @doc Returns the changes to an environment. `false' removes a variable.
-spec environment([{string(), string()}]) -> [{string(), string() | false}].
environment(Variables) ->
    Tunables = case lists:keyfind(?TUNABLES, 1, Variables) of
        {_, Own} -> Own ++ ":" ++ ?LARGE_PAGES;
        false -> ?LARGE_PAGES
    end,
    Removed = [{Name, false} || {Name, _} <- Variables, Name =/= ?TUNABLES, not is_kept(Name)],
    [{?TUNABLES, Tunables} | Removed].

is_kept(Name) ->
    lists:member(Name, ?KEPT)
        orelse lists:any(fun(Prefix) -> lists:prefix(Prefix, Name) end, ?KEPT_PREFIXES).
