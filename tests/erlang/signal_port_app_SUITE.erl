%% The application's start and stop: what it leaves behind, and what it says where it cannot start.
-module(signal_port_app_SUITE).
-compile([export_all, nowarn_export_all]).

-define(ROUNDS, signal_port_stage:thorough(20, 100)).
-define(CALLERS, 4).

all() ->
    [is_ready_when_it_has_started, stop_leaves_no_os_process, stop_under_load_leaves_no_os_process,
     stop_with_a_full_pipe_leaves_no_os_process,
     stop_after_a_killed_worker_leaves_no_os_process, starts_and_stops_many_times, starts_again_after_a_failed_start,
     a_failed_start_leaves_no_os_process,
     says_that_there_is_no_python, says_that_a_python_cannot_be_found, says_that_a_python_cannot_be_run, says_that_a_python_is_a_folder,
     says_what_a_python_lacks, says_what_an_unfit_worker_says, says_what_is_left_of_a_cut_sentence,
     says_that_the_protocol_is_another, says_that_a_worker_is_not_ready, says_that_a_worker_ended,
     says_that_a_worker_is_no_worker, says_that_an_option_is_unknown, says_that_an_option_is_mistyped,
     takes_a_python_by_its_name, relies_on_kernel_and_stdlib_alone].

end_per_testcase(_, _) ->
    signal_port_stage:stop().

%% --- Start and stop ---

is_ready_when_it_has_started(_) ->
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

%% The worker's process is held up in its write, so nobody can ask it to end.
stop_with_a_full_pipe_leaves_no_os_process(_) ->
    Options = [{pool_size, 1}, {stall_timeout, 60_000}, {call_timeout, 50}],
    ok = signal_port_stage:start_with("reads_nothing.py", Options),
    OsPids = signal_port_stage:os_pids(),
    [{error, timeout} = signal_port:sha256(binary:copy(<<0>>, 1 bsl 20)) || _ <- [1, 2]],
    ok = application:stop(signal_port),
    are_gone(OsPids).

stop_after_a_killed_worker_leaves_no_os_process(_) ->
    ok = signal_port_stage:start_with("ignores_term.py", [{pool_size, 1}]),
    OsPids = signal_port_stage:os_pids(),
    exit(signal_port_stage:pid(), kill),
    ok = application:stop(signal_port),
    are_gone(OsPids).

%% What is left after all is ended here, so that it does not outlive the test.
are_gone(OsPids) ->
    try
        signal_port_stage:until_gone(OsPids)
    after
        [signal_port_stage:signal("KILL", OsPid) || OsPid <- OsPids]
    end.

%% Each time in the midst of calls; with a stand-in, because it starts fast.
starts_and_stops_many_times(_) ->
    one_round(),  % what the first one loads stays
    {Ports, Processes} = {erlang:ports(), processes()},
    Rounds = [timer:tc(fun one_round/0) || _ <- lists:seq(1, ?ROUNDS)],
    OsPids = [OsPid || {_, OsPid} <- Rounds],
    signal_port_stage:until_gone(OsPids),
    true = length(lists:usort(OsPids)) =:= ?ROUNDS,
    signal_port_stage:until(fun() -> {[], []} = {erlang:ports() -- Ports, processes() -- Processes} end),
    Slowest = lists:max([Micros || {Micros, _} <- Rounds]) div 1000,
    Told = "~b stops with ~b callers, the slowest round ~b ms; no OS process, port or process left",
    {comment, lists:flatten(io_lib:format(Told, [?ROUNDS, ?CALLERS, Slowest]))}.

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

starts_again_after_a_failed_start(_) ->
    {error, _} = signal_port_stage:start([{python, "/nowhere"}]),
    ok = signal_port_stage:start([{pool_size, 1}]),
    ok = signal_port:init().

a_failed_start_leaves_no_os_process(_) ->
    Before = length(erlang:ports()),
    {error, _} = signal_port_stage:start_with("no_ready.py", [{pool_size, 2}, {start_timeout, 100}]),
    signal_port_stage:until(fun() -> length(erlang:ports()) =< Before end),
    undefined = whereis(signal_port_sup).

%% --- What it says ---

says_that_there_is_no_python(_) ->
    says("Python cannot be run (/nowhere: no such file or directory): set signal_port's option {python, Path} to "
         "Python 3.10 or later", [{python, "/nowhere"}]).

says_that_a_python_cannot_be_found(_) ->
    says("no Python was found: install Python 3.10 or later, or set signal_port's option {python, Path}",
         [{python, "no-python-has-this-name"}]).

says_that_a_python_cannot_be_run(Config) ->
    File = filename:join(proplists:get_value(priv_dir, Config), "not_executable"),
    ok = file:write_file(File, <<"print()">>),
    says("Python cannot be run (" ++ File ++ ": permission denied): set signal_port's option {python, Path} to "
         "Python 3.10 or later", [{python, File}]).

says_that_a_python_is_a_folder(Config) ->
    Folder = filename:absname(proplists:get_value(priv_dir, Config)),
    says("Python cannot be run (" ++ Folder ++ ": illegal operation on a directory): set signal_port's option {python, "
         "Path} to Python 3.10 or later", [{python, Folder}]).

says_what_a_python_lacks(_) ->
    {error, Sentence} = fails([{python, signal_port_stage:stand_in("no_packages.sh")}]),
    ["Python (/" ++ _, Rest] =
        string:split(Sentence, ") cannot import cryptography (No module named 'cryptography'): run 'sh "),
    [Installer, " and leave signal_port's option python away, or let it name a Python that has them"] =
        string:split(Rest, "'"),
    true = filelib:is_regular(Installer).

says_what_an_unfit_worker_says(_) ->
    says("this Python lacks a wheel", [{python, signal_port_stage:stand_in("unfit.py")}]).

says_what_is_left_of_a_cut_sentence(_) ->
    {error, "this Python lacks a wheel" ++ _} = fails([{python, signal_port_stage:stand_in("unfit_cut_short.py")}]).

says_that_the_protocol_is_another(_) ->
    says("the worker uses version 2 of the protocol, and this application version 1: rebuild signal_port, to replace "
         "the Python files in its priv folder",
         [{python, signal_port_stage:stand_in("wrong_protocol.py")}]).

says_that_a_worker_is_not_ready(_) ->
    StandIn = signal_port_stage:stand_in("no_ready.py"),
    says("the worker (" ++ StandIn ++ ") was not ready within 300 ms: read its standard error, or raise "
         "signal_port's option {start_timeout, Milliseconds}", [{python, StandIn}, {start_timeout, 300}]).

says_that_a_worker_ended(_) ->
    StandIn = signal_port_stage:stand_in("exits_at_start.py"),
    says("the worker (" ++ StandIn ++ ") ended with status 3 before it was ready: read its standard error",
         [{python, StandIn}]).

says_that_a_worker_is_no_worker(_) ->
    says("the worker sent invalid protocol data",
         [{python, signal_port_stage:stand_in("garbage_first_frame.py")}]).

says_that_an_option_is_unknown(_) ->
    {error, "signal_port has no option pool_sise; its options are " ++ _} = fails([{pool_sise, 2}]).

says_that_an_option_is_mistyped(_) ->
    says("signal_port's option call_timeout must be milliseconds or infinity, but is \"15 s\"",
         [{call_timeout, "15 s"}]).

%% The controller adds nothing that is not a sentence: its reason is the sentence and the application's callback.
says(Sentence, Options) ->
    {error, Sentence} = fails(Options).

fails(Options) ->
    {error, Reason} = signal_port_stage:start([{pool_size, 1} | Options]),
    {Sentence, {signal_port_app, start, [normal, []]}} = Reason,
    true = io_lib:char_list(Sentence) orelse error({not_flat, Sentence}),
    {error, Sentence}.

takes_a_python_by_its_name(_) ->
    Path = os:getenv("PATH"),
    os:putenv("PATH", signal_port_stage:root("tests/workers") ++ ":" ++ Path),
    try
        ok = signal_port_stage:start([{pool_size, 1}, {python, "honest.py"}]),
        ok = signal_port:init()
    after
        os:putenv("PATH", Path)
    end.

relies_on_kernel_and_stdlib_alone(_) ->
    _ = application:load(signal_port),
    {ok, [kernel, stdlib]} = application:get_key(signal_port, applications).
