%% @private What a worker's OS process is: which program, with which arguments, and in which surroundings.
-module(signal_port_command).

-export([make/1, environment/1]).
-export_type([command/0]).

-type command() :: #{program := file:filename(), args := [string()], env := [{string(), string() | false}]}.

%% What Python, its shims (pyenv, asdf, mise) and its libraries may need to start; the rest of the VM's environment, where
%% a password of a database may be, is none of a worker's business.
-define(KEPT, ["PATH", "HOME", "TMPDIR", "LANG", "LANGUAGE", "LD_LIBRARY_PATH", "LD_PRELOAD", "NIX_LD",
               "NIX_LD_LIBRARY_PATH", "OPENSSL_CONF", "OPENSSL_MODULES", "XDG_CONFIG_HOME", "XDG_DATA_HOME",
               "PYENV_ROOT", "PYENV_VERSION", "ASDF_DIR", "ASDF_DATA_DIR", "ASDF_CONFIG_FILE", "MISE_DATA_DIR",
               "MISE_CONFIG_DIR", "MISE_CACHE_DIR"]).
-define(KEPT_PREFIXES, ["LC_", "DYLD_"]).

%% Memory in large pages, where the system's C library knows how: a message of megabytes takes half the time.
-define(TUNABLES, "GLIBC_TUNABLES").
-define(LARGE_PAGES, "glibc.malloc.hugetlb=1").

%% @doc The command of a configuration.
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
    #{program => Python, env => environment(os:env()),
      args => ["-I", "-B", Package, "worker", integer_to_list(MaxFrame), integer_to_list(BusyWait)]}.

%% @doc What to change of an environment: `false' takes a variable away.
-spec environment([{string(), string()}]) -> [{string(), string() | false}].
environment(Variables) ->
    Tunables = case lists:keyfind(?TUNABLES, 1, Variables) of
        {_, Own} -> Own ++ ":" ++ ?LARGE_PAGES;
        false -> ?LARGE_PAGES
    end,
    [{?TUNABLES, Tunables} | [{Name, false} || {Name, _} <- Variables, Name =/= ?TUNABLES, not is_kept(Name)]].

is_kept(Name) ->
    lists:member(Name, ?KEPT) orelse lists:any(fun(Prefix) -> lists:prefix(Prefix, Name) end, ?KEPT_PREFIXES).

%% The one that is configured, by its path or its name; else the one in the virtual environment that belongs to the
%% application; else the system's.
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

%% Not code:priv_dir/1: it does not know an application that lies in a folder of another name.
priv_dir() ->
    filename:join(filename:dirname(filename:dirname(code:where_is_file("signal_port.app"))), "priv").
