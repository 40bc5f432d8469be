%% Start and stop of the application: what stop leaves behind, and what a failed start reports.
-module(signal_port_app_SUITE).
-compile([export_all, nowarn_export_all]).

-define(ROUNDS, signal_port_stage:thorough(20, 100)).
-define(CALLERS, 4).

all() ->
    [{group, lifecycle}, {group, python}, {group, worker}, {group, options}].

groups() ->
    [{lifecycle, [start_returns_when_ready, stop_leaves_no_os_process,
                  stop_under_load_leaves_no_os_process, stop_with_full_pipe_leaves_no_os_process,
                  stop_after_killed_worker_leaves_no_os_process, many_rounds_leave_nothing,
                  failed_start_can_be_retried, failed_start_leaves_no_os_process]},
     {python, [missing_python_is_reported, unknown_python_name_is_reported,
               unrunnable_python_is_reported, python_that_is_a_folder_is_reported,
               missing_package_is_reported, python_is_found_by_name]},
     {worker, [unfit_worker_is_reported, cut_sentence_is_reported,
               other_protocol_version_is_reported, silent_worker_is_reported,
               ended_worker_is_reported, invalid_first_frame_is_reported]},
     {options, [unknown_option_is_reported, mistyped_option_is_reported,
                application_needs_kernel_and_stdlib_only]}].

end_per_testcase(_, _) ->
    signal_port_stage:stop().

%% --- Start and stop ---

start_returns_when_ready(_) ->
    ok = signal_port_stage:start([{pool_size, 1}]),
    #{state := ready, restarts := 0} = signal_port_stage:worker(),
    ok = signal_port:init().

stop_leaves_no_os_process(_) ->
    ok = signal_port_stage:start([{pool_size, 2}]),
    OsPids = signal_port_stage:os_pids(),
    true = lists:all(fun signal_port_stage:is_alive/1, OsPids),
    ok = application:stop(signal_port),
    false = lists:any(fun signal_port_stage:is_alive/1, OsPids).

stop_under_load_leaves_no_os_process(_) ->
    ok = signal_port_stage:start([{pool_size, 2}]),
    OsPids = signal_port_stage:os_pids(),
    Callers = [spawn_monitor(fun call_until_it_stops/0) || _ <- lists:seq(1, 8)],
    signal_port_stage:until(fun() -> signal_port_stage:calls() > 100 end),
    ok = application:stop(signal_port),
    signal_port_stage:until_gone(OsPids),
    [receive {'DOWN', Monitor, process, Pid, normal} -> ok end || {Pid, Monitor} <- Callers].

%% The OS process does not read, so it does not see the empty frame that asks it to end.
stop_with_full_pipe_leaves_no_os_process(_) ->
    Options = [{pool_size, 1}, {stall_timeout, 60_000}, {call_timeout, 50}],
    ok = signal_port_stage:start_with("reads_nothing.py", Options),
    OsPids = signal_port_stage:os_pids(),
    [{error, timeout} = signal_port:sha256(binary:copy(<<0>>, 1 bsl 20)) || _ <- [1, 2]],
    ok = application:stop(signal_port),
    are_gone(OsPids).

stop_after_killed_worker_leaves_no_os_process(_) ->
    ok = signal_port_stage:start_with("ignores_term.py", [{pool_size, 1}]),
    OsPids = signal_port_stage:os_pids(),
    exit(signal_port_stage:pid(), kill),
    ok = application:stop(signal_port),
    are_gone(OsPids).

%% Kills what is left, so that it does not outlive the test.
are_gone(OsPids) ->
    try
        signal_port_stage:until_gone(OsPids)
    after
        [signal_port_stage:signal("KILL", OsPid) || OsPid <- OsPids]
    end.

%% Each stop comes during calls. A stand-in is used because it starts fast.
many_rounds_leave_nothing(_) ->
    one_round(),  % loads modules, which stay
    {Ports, Processes} = {erlang:ports(), processes()},
    Rounds = [timer:tc(fun one_round/0) || _ <- lists:seq(1, ?ROUNDS)],
    OsPids = [OsPid || {_, OsPid} <- Rounds],
    signal_port_stage:until_gone(OsPids),
    true = length(lists:usort(OsPids)) =:= ?ROUNDS,
    signal_port_stage:until(fun() ->
        {[], []} = {erlang:ports() -- Ports, processes() -- Processes}
    end),
    Slowest = lists:max([Micros || {Micros, _} <- Rounds]) div 1000,
    Format = "~b stops with ~b callers, slowest round ~b ms; no OS process, port or process left",
    signal_port_stage:comment(Format, [?ROUNDS, ?CALLERS, Slowest]).

one_round() ->
    ok = signal_port_stage:start_with("honest.py", [{pool_size, 1}]),
    [OsPid] = signal_port_stage:os_pids(),
    Callers = [spawn_monitor(fun call_until_it_stops/0) || _ <- lists:seq(1, ?CALLERS)],
    signal_port_stage:until(fun() -> signal_port_stage:calls() > 10 * ?CALLERS end),
    ok = application:stop(signal_port),
    [receive {'DOWN', Monitor, process, Pid, normal} -> ok end || {Pid, Monitor} <- Callers],
    OsPid.

call_until_it_stops() ->
    case signal_port:sha256(<<"load">>) of
        {ok, _} -> call_until_it_stops();
        {error, unavailable} -> ok
    end.

failed_start_can_be_retried(_) ->
    {error, _} = signal_port_stage:start([{python, "/nowhere"}]),
    ok = signal_port_stage:start([{pool_size, 1}]),
    ok = signal_port:init().

failed_start_leaves_no_os_process(_) ->
    Before = length(erlang:ports()),
    Options = [{pool_size, 2}, {start_timeout, 100}],
    {error, _} = signal_port_stage:start_with("no_ready.py", Options),
    signal_port_stage:until(fun() -> length(erlang:ports()) =< Before end),
    undefined = whereis(signal_port_sup).

%% --- What a failed start reports ---

missing_python_is_reported(_) ->
    reports(cannot_run("/nowhere", "no such file or directory"), [{python, "/nowhere"}]).

unknown_python_name_is_reported(_) ->
    reports("no Python was found: install Python 3.10 or later, or set signal_port's option "
            "{python, Path}", [{python, "no-python-has-this-name"}]).

unrunnable_python_is_reported(Config) ->
    File = filename:join(proplists:get_value(priv_dir, Config), "not_executable"),
    ok = file:write_file(File, <<"print()">>),
    reports(cannot_run(File, "permission denied"), [{python, File}]).

python_that_is_a_folder_is_reported(Config) ->
    Folder = filename:absname(proplists:get_value(priv_dir, Config)),
    reports(cannot_run(Folder, "illegal operation on a directory"), [{python, Folder}]).

cannot_run(Path, Why) ->
    "Python cannot be run (" ++ Path ++ ": " ++ Why ++ "): "
    "set signal_port's option {python, Path} to Python 3.10 or later".

missing_package_is_reported(_) ->
    {error, Sentence} = fails([{python, signal_port_stage:stand_in("no_packages.sh")}]),
    Lacks = ") cannot import cryptography (No module named 'cryptography'): run 'sh ",
    Advice = " and leave signal_port's option python away, or let it name a Python that has them",
    ["Python 3." ++ _, Rest] = string:split(Sentence, Lacks),
    [Installer, Advice] = string:split(Rest, "'"),
    true = filelib:is_regular(Installer).

unfit_worker_is_reported(_) ->
    reports("this Python lacks a wheel", [{python, signal_port_stage:stand_in("unfit.py")}]).

cut_sentence_is_reported(_) ->
    {error, "this Python lacks a wheel" ++ _} =
        fails([{python, signal_port_stage:stand_in("unfit_cut_short.py")}]).

other_protocol_version_is_reported(_) ->
    reports("the worker uses version 2 of the protocol, and this application version 1: rebuild "
            "signal_port, to replace the Python files in its priv folder",
            [{python, signal_port_stage:stand_in("wrong_protocol.py")}]).

silent_worker_is_reported(_) ->
    StandIn = signal_port_stage:stand_in("no_ready.py"),
    reports("the worker (" ++ StandIn ++ ") was not ready within 300 ms: "
            "read its standard error, or raise signal_port's option {start_timeout, Milliseconds}",
            [{python, StandIn}, {start_timeout, 300}]).

ended_worker_is_reported(_) ->
    StandIn = signal_port_stage:stand_in("exits_at_start.py"),
    reports("the worker (" ++ StandIn ++ ") ended with status 3 before it was ready: "
            "read its standard error", [{python, StandIn}]).

invalid_first_frame_is_reported(_) ->
    reports("the worker sent invalid protocol data",
            [{python, signal_port_stage:stand_in("garbage_first_frame.py")}]).

unknown_option_is_reported(_) ->
    {error, "signal_port has no option pool_sise; its options are " ++ _} = fails([{pool_sise, 2}]).

mistyped_option_is_reported(_) ->
    reports("signal_port's option call_timeout must be milliseconds or infinity, but is \"15 s\"",
            [{call_timeout, "15 s"}]).

%% The application controller adds only the callback to the sentence.
reports(Sentence, Options) ->
    {error, Sentence} = fails(Options).

fails(Options) ->
    {error, Reason} = signal_port_stage:start([{pool_size, 1} | Options]),
    {Sentence, {signal_port_app, start, [normal, []]}} = Reason,
    true = io_lib:char_list(Sentence) orelse error({not_flat, Sentence}),
    {error, Sentence}.

python_is_found_by_name(_) ->
    Path = os:getenv("PATH"),
    os:putenv("PATH", signal_port_stage:root("tests/workers") ++ ":" ++ Path),
    try
        ok = signal_port_stage:start([{pool_size, 1}, {python, "honest.py"}]),
        ok = signal_port:init()
    after
        os:putenv("PATH", Path)
    end.

application_needs_kernel_and_stdlib_only(_) ->
    _ = application:load(signal_port),
    {ok, [kernel, stdlib]} = application:get_key(signal_port, applications).
