%% The option `command': any program as a worker, run as it is.
-module(signal_port_program_SUITE).
-compile([export_all, nowarn_export_all]).

all() ->
    [{group, calls}, {group, refused}].

groups() ->
    [{calls, [program_answers_calls, arguments_arrive_as_they_are, limits_travel_in_the_environment,
              program_is_found_on_the_path, binaries_are_strings_too,
              application_starts_without_worker_if_asked, sandbox_is_reported]},
     {refused, [missing_program_is_told, folder_is_told, file_without_x_is_told,
                program_that_ends_is_told, program_that_writes_garbage_is_told,
                python_beside_command_is_refused, socket_beside_command_is_refused,
                malformed_command_is_refused, long_socket_path_is_refused,
                too_many_open_files_are_told, worker_without_required_sandbox_is_refused]}].

init_per_testcase(_, Config) ->
    signal_port_stage:stop(),
    Config.

end_per_testcase(_, _) ->
    signal_port_stage:stop().

%% --- Calls ---

program_answers_calls(_) ->
    ok = start(worker(), []),
    {ok, <<16#BA, 16#78, _/binary>>} = signal_port:sha256(<<"abc">>),
    [#{os_pid := OsPid}] = signal_port_stage:workers(),
    true = signal_port_stage:is_alive(OsPid).

arguments_arrive_as_they_are(Config) ->
    File = filename:join(proplists:get_value(priv_dir, Config), "it's two words"),
    Script = "import sys; open(sys.argv[1], 'w').write('|'.join(sys.argv[2:]))",
    {error, _} = start([python(), "-c", Script, File, "", "$HOME", "a b"], []),
    {ok, <<"|$HOME|a b">>} = file:read_file(File).

limits_travel_in_the_environment(Config) ->
    File = filename:join(proplists:get_value(priv_dir, Config), "environment"),
    Script = "import os, sys; names = ('MAX_FRAME', 'BUSY_WAIT', 'SANDBOX', 'MAX_MEMORY'); "
        "values = [os.environ['SIGNAL_PORT_' + name] for name in names]; "
        "open(sys.argv[1], 'w').write(' '.join(values))",
    Options = [{max_frame, 65536}, {busy_wait, 7}, {sandbox, auto}, {max_memory, 100_000_000}],
    {error, _} = start([python(), "-c", Script, File], Options),
    {ok, <<"65536 7 auto 100000000">>} = file:read_file(File).

program_is_found_on_the_path(_) ->
    ok = start(["python3" | tl(worker())], []),
    {ok, _} = signal_port:sha256(<<"abc">>).

binaries_are_strings_too(_) ->
    ok = start(lists:map(fun unicode:characters_to_binary/1, worker()), []),
    {ok, _} = signal_port:sha256(<<"abc">>).

application_starts_without_worker_if_asked(Config) ->
    Program = filename:join(proplists:get_value(priv_dir, Config), "later"),
    _ = file:delete(Program),
    ok = start([Program], [{start_without_worker, true}, {call_timeout, 60_000}]),
    signal_port_stage:until(fun() -> {error, unavailable} = signal_port:sha256(<<"abc">>) end),
    Script = ["#!/bin/sh\nexec ", lists:join(" ", worker()), "\n"],
    ok = file:write_file(Program ++ ".new", Script),
    ok = file:change_mode(Program ++ ".new", 8#755),
    ok = file:rename(Program ++ ".new", Program),
    signal_port_stage:until(fun() -> {ok, _} = signal_port:sha256(<<"abc">>) end).

sandbox_is_reported(_) ->
    ok = start(worker(), [{sandbox, off}]),
    [#{sandbox := {none, _}}] = signal_port_stage:workers(),
    ok = start([signal_port_stage:stand_in("honest.py")], []),
    [#{sandbox := {none, <<"the worker does not say">>}}] = signal_port_stage:workers().

%% --- Refused ---

missing_program_is_told(_) ->
    "the command cannot be run (/nowhere/worker: no such file or directory): correct signal_port's "
        "option {command, " ++ _ = refused(["/nowhere/worker"]),
    "the command cannot be run (no-such-worker: no such" ++ _ = refused(["no-such-worker"]).

folder_is_told(_) ->
    "the command cannot be run (/tmp: illegal operation on a directory)" ++ _ = refused(["/tmp"]).

file_without_x_is_told(Config) ->
    File = filename:join(proplists:get_value(priv_dir, Config), "no_x"),
    ok = file:write_file(File, "#!/bin/sh\n"),
    true = contains(refused([File]), "permission denied").

program_that_ends_is_told(_) ->
    true = contains(refused(["/bin/sh", "-c", "exit 3"]),
                    "(/bin/sh) ended with status 3 before it was ready").

program_that_writes_garbage_is_told(_) ->
    "the worker sent invalid protocol data" = refused(["/bin/sh", "-c", "yes & sleep 60"]).

python_beside_command_is_refused(_) ->
    "signal_port's options command and python exclude each other: remove one of them" =
        refused(["/bin/sh"], [{python, "/usr/bin/python3"}]).

socket_beside_command_is_refused(_) ->
    "signal_port's options command and socket exclude each other: remove one of them" =
        refused(["/bin/sh"], [{socket, "/run/worker.sock"}]).

malformed_command_is_refused(_) ->
    [true = contains(refused(Command), "signal_port's option command must be none or a list")
     || Command <- ["/bin/sh", [], [""], [sh], [["/bin/sh"]], ["/bin/sh", 7], <<"/bin/sh">>,
                    ["/bin/sh" | "-c"]]].

long_socket_path_is_refused(_) ->
    {error, Sentence} = signal_port_config:check([{socket, "/" ++ lists:duplicate(107, $s)}]),
    true = contains(Sentence, "of at most 107 bytes"),
    {ok, _} = signal_port_config:check([{socket, "/" ++ lists:duplicate(106, $s)}]).

too_many_open_files_are_told(_) ->
    Sentence = signal_port_reason:explain({cannot_run, python, "/usr/bin/python3", emfile}),
    true = contains(Sentence, "too many open files"),
    false = contains(Sentence, "Python").

worker_without_required_sandbox_is_refused(_) ->
    true = contains(refused([signal_port_stage:stand_in("honest.py")], [{sandbox, required}]),
                    "is in no sandbox, and signal_port's option sandbox is required").

%% --- Internals ---

%% The worker of this repository, as a program like any other.
worker() ->
    [python(), "-I", "-B", filename:absname(signal_port_stage:root("signal_port")), "worker"].

python() ->
    os:find_executable("python3").

start(Command, Options) ->
    signal_port_stage:start([{command, Command}, {pool_size, 1} | Options]).

refused(Command) ->
    refused(Command, []).

refused(Command, Options) ->
    {error, {Sentence, _}} = start(Command, Options),
    Sentence.

contains(Text, Part) ->
    string:find(Text, Part) =/= nomatch.
