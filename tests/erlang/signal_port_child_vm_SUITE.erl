%% A child VM: what it returned, or what became of it, and what it leaves behind. The children call functions of this
%% module.
-module(signal_port_child_vm_SUITE).
-compile([export_all, nowarn_export_all]).

-define(TIMEOUT, 30_000).     % milliseconds; far more than a child takes
-define(MAX_OUTPUT, 65_536).  % bytes

all() ->
    [gives_what_the_child_returned, gives_a_large_term, gives_no_atom_that_is_new_here,
     tells_the_status_of_a_child_that_died, tells_the_signal_of_a_child_that_died, tells_of_a_function_that_raised,
     tells_of_a_function_that_is_not_there, tells_of_a_child_that_ended_without_a_word,
     tells_that_no_child_can_be_run,
     tells_that_a_child_hung, leaves_no_os_process_of_one_that_hung, leaves_no_os_process_of_one_that_returned,
     leaves_no_guard_behind,
     leaves_no_port_behind, leaves_no_message_of_one_that_hung, leaves_no_message_of_a_noisy_one_that_hung,
     leaves_no_message_to_one_that_traps_exits,
     finds_the_answer_amid_noise, finds_the_answer_after_standard_error, keeps_no_more_output_than_it_may,
     an_answer_beyond_the_bound_is_none, an_answer_cut_off_at_the_bound_is_none, bytes_that_are_no_text_are_noise,
     is_no_node_though_flags_name_one, is_no_node_though_flags_of_this_release_name_one, keeps_other_flags,
     starts_beside_a_node_of_the_same_flags, takes_more_arguments, starts_no_application, has_this_ones_environment,
     writes_no_crash_dump, describes_every_end].

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
    signal_port_child_vm:run(?MODULE, Function, ["-pa", filename:dirname(code:which(?MODULE)) | Args], Milliseconds).

%% --- Returned ---

gives_what_the_child_returned(_) ->
    Expected = child_returns(),
    {returned, Expected} = run(child_returns).

child_returns() ->
    {ok, [1, 2.5, "text", <<"bytes">>, #{key => value}, undefined]}.

gives_a_large_term(_) ->
    Expected = child_returns_much(),
    {returned, Expected} = run(child_returns_much),
    ok.

child_returns_much() ->
    lists:seq(1, 5000).

%% An atom is never collected, so none is made here. What cannot be read is no answer.
gives_no_atom_that_is_new_here(_) ->
    {died, 0, _} = run(child_returns_a_new_atom).

child_returns_a_new_atom() ->
    list_to_atom("atom_" ++ os:getpid() ++ integer_to_list(erlang:unique_integer([positive]))).

%% --- Died ---

tells_the_status_of_a_child_that_died(_) ->
    {died, 7, <<>>} = run(child_halts).

child_halts() ->
    halt(7).

tells_the_signal_of_a_child_that_died(_) ->
    [{Name, {died, Status, _}} = {Name, run(Function)}
     || {Name, Function, Status} <- [{"SEGV", child_gets_segv, 139}, {"KILL", child_gets_kill, 137},
                                     {"ABRT", child_gets_abrt, 134}]].

child_gets_segv() -> gets("SEGV").
child_gets_kill() -> gets("KILL").
child_gets_abrt() -> gets("ABRT").

gets(Signal) ->
    _ = os:cmd("kill -s " ++ Signal ++ " " ++ os:getpid()),
    child_hangs().

tells_of_a_function_that_raised(_) ->
    {died, 1, Output} = run(child_raises),
    {_, _} = binary:match(Output, <<"what it raised">>).

child_raises() ->
    error("what it raised").

tells_of_a_function_that_is_not_there(_) ->
    {died, 1, _} = run(nobody_wrote_this_function).

tells_of_a_child_that_ended_without_a_word(_) ->
    {died, 0, <<>>} = run(child_ends).

child_ends() ->
    halt(0).

tells_that_no_child_can_be_run(_) ->
    true = os:putenv("BINDIR", "/nowhere"),
    {cannot_run, enoent} = run(child_returns).

%% --- Hung ---

%% Milliseconds in which a child gets to its function, on a slow machine too.
enough() ->
    {Took, {returned, _}} = timer:tc(fun() -> run(child_returns) end),
    1000 + Took div 500.

tells_that_a_child_hung(_) ->
    {Took, hung} = timer:tc(fun() -> run(child_hangs, [], 500) end),
    true = Took >= 500_000 andalso Took < 5_000_000.

child_hangs() ->
    receive after infinity -> ok end.

leaves_no_os_process_of_one_that_hung(Config) ->
    File = child_file(Config),
    hung = run(child_tells_its_pid_and_hangs, [], enough()),
    signal_port_stage:until_gone([os_pid_in(File)]).

child_tells_its_pid_and_hangs() ->
    ok = file:write_file(os:getenv("CHILD_FILE"), os:getpid()),
    child_hangs().

leaves_no_os_process_of_one_that_returned(_) ->
    {returned, OsPid} = run(child_returns_its_pid),
    signal_port_stage:until_gone([OsPid]).

child_returns_its_pid() ->
    list_to_integer(os:getpid()).

%% Two ports are open while it runs: the child's, and the one of its guard. To others than its owner a port that is just
%% being opened tells 0.
leaves_no_guard_behind(_) ->
    Before = erlang:ports(),
    {_, Monitor} = spawn_monitor(fun() -> hung = run(child_hangs, [], 3000) end),
    OsPids = signal_port_stage:until(fun() ->
        [_, _] = [OsPid || Port <- erlang:ports() -- Before, {os_pid, OsPid} <- [erlang:port_info(Port, os_pid)], OsPid > 0]
    end),
    receive {'DOWN', Monitor, process, _, normal} -> ok end,
    signal_port_stage:until_gone(OsPids).

leaves_no_port_behind(_) ->
    Before = erlang:ports(),
    {returned, _} = run(child_returns),
    hung = run(child_hangs, [], 500),
    [] = erlang:ports() -- Before.

leaves_no_message_of_one_that_hung(_) ->
    hung = run(child_hangs, [], 500),
    [] = messages().

leaves_no_message_of_a_noisy_one_that_hung(_) ->
    hung = run(child_is_noisy_for_ever, [], enough()),
    0 = length(messages()).

child_is_noisy_for_ever() ->
    io:format("noise~n"),
    child_is_noisy_for_ever().

%% A supervisor does, and would log what it does not expect.
leaves_no_message_to_one_that_traps_exits(_) ->
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

finds_the_answer_amid_noise(_) ->
    {returned, {amid, noise}} = run(child_is_noisy_and_returns).

%% What is said has no end of line, and somebody goes on saying it.
child_is_noisy_and_returns() ->
    io:put_chars("Loading the library... signal_port_child_vm "),
    spawn(fun Say() -> io:put_chars(" noise "), receive after 1 -> Say() end end),
    {amid, noise}.

finds_the_answer_after_standard_error(_) ->
    {returned, told} = run(child_is_noisy_on_standard_error).

child_is_noisy_on_standard_error() ->
    io:put_chars(standard_error, "a warning without an end"),
    told.

keeps_no_more_output_than_it_may(_) ->
    {died, 3, Output} = run(child_says_much_and_halts),
    ?MAX_OUTPUT = byte_size(Output).

child_says_much_and_halts() ->
    say(10 * ?MAX_OUTPUT),
    halt(3).

an_answer_beyond_the_bound_is_none(_) ->
    {died, 0, Output} = says(?MAX_OUTPUT),
    ?MAX_OUTPUT = byte_size(Output).

%% Wherever the bound falls: before the mark, in it, in the term, at its end.
an_answer_cut_off_at_the_bound_is_none(_) ->
    [case says(?MAX_OUTPUT - Before) of
         {died, 0, _} -> ok;
         {returned, {ok, <<"an answer">>}} when Before > 50 -> ok
     end || Before <- [1, 10, 28, 29, 32, 36, 40, 41, 44, 60, 80]].

says(Count) ->
    true = os:putenv("CHILD_NOISE", integer_to_list(Count)),
    run(child_says_much_and_returns).

child_says_much_and_returns() ->
    say(list_to_integer(os:getenv("CHILD_NOISE"))),
    {ok, <<"an answer">>}.

say(Count) ->
    io:put_chars(binary:copy(<<"x">>, Count)).

bytes_that_are_no_text_are_noise(_) ->
    {returned, told} = run(child_writes_bytes).

child_writes_bytes() ->
    ok = file:write_file("/dev/stdout", <<0, 255, 128, 10, 13, 254>>, [append]),
    told.

%% --- The child's surroundings ---

is_no_node_though_flags_name_one(_) ->
    [begin
         true = os:putenv(Name, Flags),
         {Name, Flags, {returned, nonode@nohost}} = {Name, Flags, run(child_node)},
         true = os:unsetenv(Name)
     end || Name <- flags(), Flags <- ["-sname someone", "-name someone@localhost.localdomain"]].

is_no_node_though_flags_of_this_release_name_one(_) ->
    true = os:putenv(flags_of_this_release(), "-sname someone"),
    {returned, false} = run(child_is_alive).

child_node() ->
    node().

%% Two nodes of a name would not both start.
starts_beside_a_node_of_the_same_flags(_) ->
    true = os:putenv("ERL_FLAGS", "-sname child_suite_" ++ os:getpid()),
    [{returned, false}, {returned, false}] =
        signal_port_stage:in_parallel(2, fun(_) -> run(child_is_alive) end).

child_is_alive() ->
    erlang:is_alive().

keeps_other_flags(_) ->
    true = os:putenv("ERL_FLAGS", "-kept by_the_child"),
    {returned, {ok, [["by_the_child"]]}} = run(child_argument_kept).

takes_more_arguments(_) ->
    {returned, {ok, [["by_the_child"]]}} = run(child_argument_kept, ["-kept", "by_the_child"]).

child_argument_kept() ->
    init:get_argument(kept).

%% Of signal_port's modules it can have any, and starts nothing that it is not told to.
starts_no_application(_) ->
    {returned, [kernel, stdlib]} = run(child_applications).

child_applications() ->
    lists:sort([Name || {Name, _, _} <- application:which_applications()]).

has_this_ones_environment(Config) ->
    File = child_file(Config),
    {returned, File} = run(child_file_name).

child_file_name() ->
    os:getenv("CHILD_FILE").

writes_no_crash_dump(_) ->
    {returned, "0"} = run(child_crash_dump_seconds).

child_crash_dump_seconds() ->
    os:getenv("ERL_CRASH_DUMP_SECONDS").

%% --- In words ---

describes_every_end(_) ->
    [{Outcome, Words} = {Outcome, signal_port_child_vm:describe(Outcome)}
     || {Outcome, Words} <- [{{died, 139, <<>>}, "killed a child VM by signal 11 (SIGSEGV)"},
                             {{died, 132, <<>>}, "killed a child VM by signal 4 (SIGILL)"},
                             {{died, 134, <<>>}, "killed a child VM by signal 6 (SIGABRT)"},
                             {{died, 135, <<>>}, "killed a child VM by signal 7 (SIGBUS)"},
                             {{died, 136, <<>>}, "killed a child VM by signal 8 (SIGFPE)"},
                             {{died, 137, <<>>}, "killed a child VM by signal 9 (SIGKILL)"},
                             {{died, 159, <<>>}, "killed a child VM by signal 31"},
                             {{died, 255, <<>>}, "ended a child VM with status 255"},
                             {{died, 128, <<>>}, "ended a child VM with status 128"},
                             {{died, 1, <<"said">>}, "ended a child VM with status 1"},
                             {{died, 0, <<>>}, "ended a child VM with status 0"},
                             {hung, "hung a child VM"},
                             {{cannot_run, enoent}, "could not be tried: no child VM starts (enoent)"}]].
