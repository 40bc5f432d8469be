%% Child VMs: what they return, how they end, and what they leave behind. The children call the
%% functions child_... of this module.
-module(signal_port_child_vm_SUITE).
-compile([export_all, nowarn_export_all]).

-define(TIMEOUT, 30_000).     % milliseconds; far more than a child takes
-define(MAX_OUTPUT, 65_536).  % bytes

all() ->
    [{group, returned}, {group, died}, {group, hung}, {group, output}, {group, environment}].

groups() ->
    [{returned, [term_is_returned, large_term_is_returned, new_atom_is_refused]},
     {died, [exit_status_is_returned, signal_is_returned, raised_error_is_in_the_output,
             missing_function_dies, silent_end_is_no_answer, missing_erlexec_cannot_run,
             every_outcome_is_described]},
     {hung, [hanging_child_is_stopped_in_time, hung_child_leaves_no_os_process,
             returned_child_leaves_no_os_process, child_leaves_no_watchdog, child_leaves_no_port,
             hung_child_leaves_no_message, noisy_hung_child_leaves_no_message,
             exit_trapping_caller_gets_no_message]},
     {output, [answer_is_found_in_noise, answer_is_found_after_standard_error, output_is_limited,
               answer_after_the_limit_is_lost, answer_cut_at_the_limit_is_lost,
               binary_output_is_noise]},
     {environment, [node_flags_are_removed, node_flags_of_the_release_are_removed,
                    other_flags_are_kept, two_children_start_with_node_flags,
                    more_arguments_are_passed, child_starts_no_application,
                    environment_is_inherited, crash_dump_is_disabled]}].

init_per_testcase(_, Config) ->
    [{environment, [{Name, os:getenv(Name)} || Name <- changed()]} | Config].

end_per_testcase(_, Config) ->
    [case Value of
         false -> os:unsetenv(Name);
         _ -> os:putenv(Name, Value)
     end || {Name, Value} <- proplists:get_value(environment, Config)],
    ok.

changed() ->
    ["BINDIR", "CHILD_FILE", "CHILD_NOISE", flags_of_this_release() | flags()].

flags() ->
    ["ERL_AFLAGS", "ERL_FLAGS", "ERL_ZFLAGS"].

flags_of_this_release() ->
    "ERL_OTP" ++ erlang:system_info(otp_release) ++ "_FLAGS".

run(Function) ->
    run(Function, []).

run(Function, Args) ->
    run(Function, Args, ?TIMEOUT).

run(Function, Args, Milliseconds) ->
    Path = filename:dirname(code:which(?MODULE)),
    signal_port_child_vm:run(?MODULE, Function, ["-pa", Path | Args], Milliseconds).

%% --- Returned ---

term_is_returned(_) ->
    Expected = child_returns(),
    {returned, Expected} = run(child_returns).

child_returns() ->
    {ok, [1, 2.5, "text", <<"bytes">>, #{key => value}, undefined]}.

large_term_is_returned(_) ->
    Expected = child_returns_much(),
    {returned, Expected} = run(child_returns_much),
    ok.

child_returns_much() ->
    lists:seq(1, 5000).

%% Atoms are never collected, so the answer of a child creates none.
new_atom_is_refused(_) ->
    {died, 0, _} = run(child_returns_a_new_atom).

child_returns_a_new_atom() ->
    list_to_atom("atom_" ++ os:getpid() ++ integer_to_list(erlang:unique_integer([positive]))).

%% --- Died ---

exit_status_is_returned(_) ->
    {died, 7, <<>>} = run(child_halts).

child_halts() ->
    halt(7).

signal_is_returned(_) ->
    [{Name, {died, Status, _}} = {Name, run(Function)}
     || {Name, Function, Status} <- [{"SEGV", child_gets_segv, 139},
                                     {"KILL", child_gets_kill, 137},
                                     {"ABRT", child_gets_abrt, 134}]].

child_gets_segv() -> gets("SEGV").
child_gets_kill() -> gets("KILL").
child_gets_abrt() -> gets("ABRT").

gets(Signal) ->
    _ = os:cmd("kill -s " ++ Signal ++ " " ++ os:getpid()),
    child_hangs().

raised_error_is_in_the_output(_) ->
    {died, 1, Output} = run(child_raises),
    {_, _} = binary:match(Output, <<"what it raised">>).

child_raises() ->
    error("what it raised").

missing_function_dies(_) ->
    {died, 1, _} = run(no_such_function).

silent_end_is_no_answer(_) ->
    {died, 0, <<>>} = run(child_ends).

child_ends() ->
    halt(0).

missing_erlexec_cannot_run(_) ->
    true = os:putenv("BINDIR", "/nowhere"),
    {cannot_run, enoent} = run(child_returns).

%% --- Hung ---

%% Milliseconds in which a child reaches its function, even on a slow machine.
enough() ->
    {Took, {returned, _}} = timer:tc(fun() -> run(child_returns) end),
    1000 + Took div 500.

hanging_child_is_stopped_in_time(_) ->
    {Took, hung} = timer:tc(fun() -> run(child_hangs, [], 500) end),
    true = Took >= 500_000 andalso Took < 5_000_000.

child_hangs() ->
    receive after infinity -> ok end.

hung_child_leaves_no_os_process(Config) ->
    File = child_file(Config),
    hung = run(child_writes_its_pid_and_hangs, [], enough()),
    signal_port_stage:until_gone([os_pid_in(File)]).

child_writes_its_pid_and_hangs() ->
    ok = file:write_file(os:getenv("CHILD_FILE"), os:getpid()),
    child_hangs().

returned_child_leaves_no_os_process(_) ->
    {returned, OsPid} = run(child_returns_its_pid),
    signal_port_stage:until_gone([OsPid]).

child_returns_its_pid() ->
    list_to_integer(os:getpid()).

%% Two ports are open while a child runs: the child's and its watchdog's. Until a port is open,
%% other processes read its OS pid as 0.
child_leaves_no_watchdog(_) ->
    Before = erlang:ports(),
    {_, Monitor} = spawn_monitor(fun() -> hung = run(child_hangs, [], 3000) end),
    OsPids = signal_port_stage:until(fun() ->
        [_, _] = [OsPid || Port <- erlang:ports() -- Before,
                           {os_pid, OsPid} <- [erlang:port_info(Port, os_pid)], OsPid > 0]
    end),
    receive {'DOWN', Monitor, process, _, normal} -> ok end,
    signal_port_stage:until_gone(OsPids).

child_leaves_no_port(_) ->
    Before = erlang:ports(),
    {returned, _} = run(child_returns),
    hung = run(child_hangs, [], 500),
    [] = erlang:ports() -- Before.

hung_child_leaves_no_message(_) ->
    hung = run(child_hangs, [], 500),
    [] = messages().

noisy_hung_child_leaves_no_message(_) ->
    hung = run(child_is_noisy_for_ever, [], enough()),
    0 = length(messages()).

child_is_noisy_for_ever() ->
    io:format("noise~n"),
    child_is_noisy_for_ever().

%% A supervisor traps exits, and would log the message.
exit_trapping_caller_gets_no_message(_) ->
    process_flag(trap_exit, true),
    {returned, _} = run(child_returns),
    [] = messages().

messages() ->
    receive Message -> [Message | messages()] after 100 -> [] end.

child_file(Config) ->
    File = filename:join(proplists:get_value(priv_dir, Config), "child"),
    _ = file:delete(File),
    true = os:putenv("CHILD_FILE", File),
    File.

os_pid_in(File) ->
    {ok, Text} = file:read_file(File),
    binary_to_integer(Text).

%% --- Noise ---

answer_is_found_in_noise(_) ->
    {returned, {amid, noise}} = run(child_is_noisy_and_returns).

%% The noise has no end of line, and goes on after the answer.
child_is_noisy_and_returns() ->
    io:put_chars("Loading the library... signal_port_child_vm "),
    spawn(fun Noise() -> io:put_chars(" noise "), receive after 1 -> Noise() end end),
    {amid, noise}.

answer_is_found_after_standard_error(_) ->
    {returned, printed} = run(child_is_noisy_on_standard_error).

child_is_noisy_on_standard_error() ->
    io:put_chars(standard_error, "a warning without an end"),
    printed.

output_is_limited(_) ->
    {died, 3, Output} = run(child_prints_much_and_halts),
    ?MAX_OUTPUT = byte_size(Output).

child_prints_much_and_halts() ->
    print(10 * ?MAX_OUTPUT),
    halt(3).

answer_after_the_limit_is_lost(_) ->
    {died, 0, Output} = printing(?MAX_OUTPUT),
    ?MAX_OUTPUT = byte_size(Output).

%% The limit falls before the mark, inside it, inside the term or at its end.
answer_cut_at_the_limit_is_lost(_) ->
    [case printing(?MAX_OUTPUT - Before) of
         {died, 0, _} -> ok;
         {returned, {ok, <<"an answer">>}} when Before > 50 -> ok
     end || Before <- [1, 10, 28, 29, 32, 36, 40, 41, 44, 60, 80]].

printing(Count) ->
    true = os:putenv("CHILD_NOISE", integer_to_list(Count)),
    run(child_prints_much_and_returns).

child_prints_much_and_returns() ->
    print(list_to_integer(os:getenv("CHILD_NOISE"))),
    {ok, <<"an answer">>}.

print(Count) ->
    io:put_chars(binary:copy(<<"x">>, Count)).

binary_output_is_noise(_) ->
    {returned, printed} = run(child_writes_bytes).

child_writes_bytes() ->
    ok = file:write_file("/dev/stdout", <<0, 255, 128, 10, 13, 254>>, [append]),
    printed.

%% --- The child's environment ---

node_flags_are_removed(_) ->
    [begin
         true = os:putenv(Name, Flags),
         {Name, Flags, {returned, nonode@nohost}} = {Name, Flags, run(child_node)},
         true = os:unsetenv(Name)
     end || Name <- flags(), Flags <- ["-sname someone", "-name someone@localhost.localdomain"]].

node_flags_of_the_release_are_removed(_) ->
    true = os:putenv(flags_of_this_release(), "-sname someone"),
    {returned, false} = run(child_is_alive).

child_node() ->
    node().

%% Two nodes with one name would not both start.
two_children_start_with_node_flags(_) ->
    true = os:putenv("ERL_FLAGS", "-sname child_suite_" ++ os:getpid()),
    [{returned, false}, {returned, false}] =
        signal_port_stage:in_parallel(2, fun(_) -> run(child_is_alive) end).

child_is_alive() ->
    erlang:is_alive().

other_flags_are_kept(_) ->
    true = os:putenv("ERL_FLAGS", "-kept by_the_child"),
    {returned, {ok, [["by_the_child"]]}} = run(child_argument_kept).

more_arguments_are_passed(_) ->
    {returned, {ok, [["by_the_child"]]}} = run(child_argument_kept, ["-kept", "by_the_child"]).

child_argument_kept() ->
    init:get_argument(kept).

%% The child has signal_port on its path, but does not start it.
child_starts_no_application(_) ->
    {returned, [kernel, stdlib]} = run(child_applications).

child_applications() ->
    lists:sort([Name || {Name, _, _} <- application:which_applications()]).

environment_is_inherited(Config) ->
    File = child_file(Config),
    {returned, File} = run(child_file_name).

child_file_name() ->
    os:getenv("CHILD_FILE").

crash_dump_is_disabled(_) ->
    {returned, "0"} = run(child_crash_dump_seconds).

child_crash_dump_seconds() ->
    os:getenv("ERL_CRASH_DUMP_SECONDS").

%% --- Descriptions ---

every_outcome_is_described(_) ->
    [{Outcome, Words} = {Outcome, signal_port_child_vm:describe(Outcome)}
     || {Outcome, Words} <- [{{died, 139, <<>>}, "killed a child VM by signal 11 (SIGSEGV)"},
                             {{died, 132, <<>>}, "killed a child VM by signal 4 (SIGILL)"},
                             {{died, 134, <<>>}, "killed a child VM by signal 6 (SIGABRT)"},
                             {{died, 135, <<>>}, "killed a child VM by signal 7 (SIGBUS)"},
                             {{died, 136, <<>>}, "killed a child VM by signal 8 (SIGFPE)"},
                             {{died, 137, <<>>}, "killed a child VM by signal 9 (SIGKILL)"},
                             {{died, 159, <<>>}, "killed a child VM by signal 31 (SIGSYS)"},
                             {{died, 255, <<>>}, "ended a child VM with status 255"},
                             {{died, 128, <<>>}, "ended a child VM with status 128"},
                             {{died, 1, <<"printed">>}, "ended a child VM with status 1"},
                             {{died, 0, <<>>}, "ended a child VM with status 0"},
                             {hung, "hung a child VM"},
                             {{cannot_run, enoent},
                              "could not be tried: no child VM starts (enoent)"}]].
