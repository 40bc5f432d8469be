%% @private Which Python runs the workers.
%%
%% The application's own virtual environment, `priv/venv', is made by `priv/install'. If it exists
%% in any state, it is the one that is meant: no other Python silently takes its place.
-module(signal_port_interpreter).

-export([find/1, priv_dir/0]).

-include_lib("kernel/include/file.hrl").

-define(MAX_LINKS, 40).      % symbolic links behind each other; the limit of Linux
-define(MACHINE_OFFSET, 18). % bytes; e_machine in the header of an ELF file
-define(X86_64, 62).
-define(AARCH64, 183).

%% @doc Returns the program for the value of the option `python'. `auto' is the Python of
%% `priv/venv', and `python3' on the path only if there is no such folder.
-spec find(auto | file:filename_all()) ->
    {ok, file:filename()} | {error, signal_port_reason:why()}.
find(auto) ->
    Venv = filename:join(priv_dir(), "venv"),
    case file:read_link_info(Venv) of
        {ok, _} -> of_venv(Venv);
        {error, _} -> on_path("python3")
    end;
find(Wanted) ->
    case filename:basename(Wanted) of
        Wanted -> on_path(Wanted);
        _ -> {ok, filename:absname(Wanted)}
    end.

on_path(Name) ->
    case os:find_executable(Name) of
        false -> {error, no_python};
        Path -> {ok, Path}
    end.

of_venv(Venv) ->
    Python = filename:join([Venv, "bin", "python3"]),
    case file:read_file_info(Python) of
        {ok, #file_info{type = regular}} -> of_this_machine(Venv, Python);
        {ok, #file_info{}} -> broken(Venv, Python, enoent);
        {error, Posix} -> broken(Venv, Python, Posix)
    end.

of_this_machine(Venv, Python) ->
    case machine(header(Python)) of
        {elf, Machine} ->
            case machine_of(erlang:system_info(system_architecture)) of
                Other when is_integer(Other), Other =/= Machine ->
                    broken(Venv, Python, other_architecture);
                _ ->
                    {ok, Python}
            end;
        Other when Other =:= no_elf ->
            {ok, Python};
        Posix ->
            broken(Venv, Python, Posix)
    end.

broken(Venv, Python, Why) ->
    {error, {broken_venv, Venv, target(Python, ?MAX_LINKS), Why}}.

header(Python) ->
    case file:open(Python, [read, raw, binary]) of
        {ok, File} ->
            Header = file:read(File, ?MACHINE_OFFSET + 2),
            ok = file:close(File),
            Header;
        {error, Posix} ->
            {error, Posix}
    end.

machine({ok, <<16#7F, "ELF", _:(?MACHINE_OFFSET - 4)/binary, Machine:16/little>>}) ->
    {elf, Machine};
machine({error, Posix}) ->
    Posix;
machine(_) ->
    no_elf.  % a script, or a program of another system

machine_of("x86_64" ++ _) -> ?X86_64;
machine_of("aarch64" ++ _) -> ?AARCH64;
machine_of(_) -> unknown.

%% The file at the end of the links, also if it does not exist.
target(Path, 0) ->
    Path;
target(Path, Links) ->
    case file:read_link_all(Path) of
        {ok, Next} -> target(filename:absname(Next, filename:dirname(Path)), Links - 1);
        {error, _} -> Path
    end.

%% @doc Returns the application's `priv'. code:priv_dir/1 does not find an application in a folder
%% of another name.
-spec priv_dir() -> file:filename().
priv_dir() ->
    Ebin = filename:dirname(code:where_is_file("signal_port.app")),
    filename:join(filename:dirname(Ebin), "priv").
