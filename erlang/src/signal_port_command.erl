%% @private The command of a worker's OS process: program, arguments and environment.
-module(signal_port_command).

-export([make/1, environment/1]).
-export_type([command/0]).

-type command() :: #{program := file:filename(), args := [string()],
                     env := [{string(), string() | false}]}.

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
make(#{python := Wanted, max_frame := MaxFrame, busy_wait := BusyWait}) ->
    case python(Wanted) of
        false ->
            {error, no_python};
        Python ->
            case filelib:is_dir(Python) of
                true -> {error, {cannot_run, Python, eisdir}};
                false -> {ok, command(Python, MaxFrame, BusyWait)}
            end
    end.

command(Python, MaxFrame, BusyWait) ->
    Package = filename:join([priv_dir(), "python", "signal_port"]),
    Limits = [integer_to_list(MaxFrame), integer_to_list(BusyWait)],
    #{program => Python, args => ["-I", "-B", Package, "worker" | Limits],
      env => environment(os:env())}.

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

%% The configured Python by its path or name; else that of the application's own virtual
%% environment; else that of the system.
python(auto) ->
    Own = filename:join([priv_dir(), "venv", "bin", "python3"]),
    case filelib:is_regular(Own) of
        true -> Own;
        false -> os:find_executable("python3")
    end;
python(Wanted) ->
    case filename:basename(Wanted) of
        Wanted -> os:find_executable(Wanted);
        _ -> filename:absname(Wanted)
    end.

%% code:priv_dir/1 does not find an application in a folder of another name.
priv_dir() ->
    Ebin = filename:dirname(code:where_is_file("signal_port.app")),
    filename:join(filename:dirname(Ebin), "priv").
