%% Which Python is used: a virtual environment in any state is the one that is meant, or the start
%% fails with a sentence that names it.
-module(signal_port_interpreter_SUITE).
-compile([export_all, nowarn_export_all]).

all() ->
    [{group, venv}, {group, option}].

groups() ->
    [{venv, [own_venv_is_used, missing_venv_leaves_the_system_python,
             venv_without_python_is_broken, venv_whose_base_is_gone_is_broken,
             venv_of_another_architecture_is_broken, venv_that_is_a_file_is_broken,
             dangling_venv_is_broken, script_as_python_is_taken,
             broken_venv_sentence_names_folder_python_and_remedy]},
     {option, [path_is_taken_as_it_is, name_is_looked_up, unknown_name_is_no_python]}].

%% The application in a folder of its own: its priv is the test's.
init_per_testcase(Case, Config) ->
    App = filename:join(proplists:get_value(priv_dir, Config), Case),
    Ebin = filename:join(App, "ebin"),
    ok = filelib:ensure_path(Ebin),
    ok = filelib:ensure_path(filename:join(App, "priv")),
    {ok, _} = file:copy(code:where_is_file("signal_port.app"),
                        filename:join(Ebin, "signal_port.app")),
    true = code:add_patha(Ebin),
    [{ebin, Ebin}, {venv, filename:join([App, "priv", "venv"])} | Config].

end_per_testcase(_, Config) ->
    code:del_path(proplists:get_value(ebin, Config)).

%% --- The virtual environment ---

own_venv_is_used(Config) ->
    Python = python(Config),
    ok = file:make_symlink(os:find_executable("python3"), Python),
    {ok, Python} = find().

missing_venv_leaves_the_system_python(_) ->
    {ok, Python} = find(),
    Python = os:find_executable("python3").

venv_without_python_is_broken(Config) ->
    _ = python(Config),
    {broken_venv, _, _, enoent} = broken().

venv_whose_base_is_gone_is_broken(Config) ->
    Python = python(Config),
    ok = file:make_symlink("/nowhere/bin/python3.9", Python),
    {broken_venv, _, "/nowhere/bin/python3.9", enoent} = broken().

venv_of_another_architecture_is_broken(Config) ->
    Python = python(Config),
    PowerPc = <<16#7F, "ELF", 0:(14 * 8), 21:16/little>>,
    ok = file:write_file(Python, PowerPc),
    {broken_venv, _, Python, other_architecture} = broken().

venv_that_is_a_file_is_broken(Config) ->
    ok = file:write_file(proplists:get_value(venv, Config), ""),
    {broken_venv, _, _, enotdir} = broken().

dangling_venv_is_broken(Config) ->
    ok = file:make_symlink("/nowhere/venv", proplists:get_value(venv, Config)),
    {broken_venv, _, _, enoent} = broken().

script_as_python_is_taken(Config) ->
    Python = python(Config),
    ok = file:write_file(Python, "#!/bin/sh\n"),
    {ok, Python} = find().

broken_venv_sentence_names_folder_python_and_remedy(_) ->
    [true = string:find(Sentence, Part) =/= nomatch
     || Why <- [enoent, eacces, other_architecture, enotdir],
        Sentence <- [signal_port_reason:explain(
                         {broken_venv, "/app/priv/venv", "/usr/bin/python3.9", Why})],
        Part <- ["/app/priv/venv", "/usr/bin/python3.9", "'sh /app/priv/install'"]].

%% --- The option python ---

path_is_taken_as_it_is(_) ->
    {ok, "/opt/python3"} = signal_port_interpreter:find("/opt/python3").

name_is_looked_up(_) ->
    {ok, Sh} = signal_port_interpreter:find("sh"),
    Sh = os:find_executable("sh").

unknown_name_is_no_python(_) ->
    {error, no_python} = signal_port_interpreter:find("no-python-has-this-name").

%% --- Internals ---

%% The folder of a virtual environment, and where its Python belongs.
python(Config) ->
    Bin = filename:join(proplists:get_value(venv, Config), "bin"),
    ok = filelib:ensure_path(Bin),
    filename:join(Bin, "python3").

find() ->
    signal_port_interpreter:find(auto).

broken() ->
    {error, Why} = find(),
    Why.
