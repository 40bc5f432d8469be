%% @private A child VM: the same `erl', with no shell and no distribution, that calls one function, says what it returned and
%% halts. What would kill this VM, or hang it, kills or hangs the child. One that hangs is killed when its time is over, and
%% when this VM ends.
-module(signal_port_child_vm).

-export([run/4, describe/1, main/1]).
-export_type([outcome/0]).

-type outcome() ::
    {returned, term()}
    | {died, ExitStatus :: non_neg_integer(), Output :: binary()}
    | hung
    | {cannot_run, term()}.

-define(MARK, "signal_port_child_vm returned ").
-define(MAX_OUTPUT, 65536). % bytes kept of what the child prints

%% @doc Calls `Module:Function()' in a child VM that is started with these arguments too.
-spec run(module(), atom(), Args :: [string()], Milliseconds :: pos_integer()) -> outcome().
run(Module, Function, MoreArgs, Milliseconds) ->
    Call = atom_to_list(Module) ++ " " ++ atom_to_list(Function),
    Args = ["-noshell", "-noinput", "-boot_var", "RELEASE_LIB", filename:join(code:root_dir(), "lib")]
        ++ boot() ++ ["-pa", own_ebin()] ++ MoreArgs
        ++ ["-eval", "signal_port_child_vm:main(\"" ++ Call ++ "\")."],
    %% The port's messages are for a process of their own, so that none is left to the caller.
    Caller = self(),
    {Pid, Monitor} = spawn_monitor(fun() -> Caller ! {self(), attend(Args, Milliseconds)} end),
    receive
        {Pid, Outcome} ->
            demonitor(Monitor, [flush]),
            Outcome;
        {'DOWN', Monitor, process, Pid, Reason} ->
            {cannot_run, Reason}
    end.

%% @doc What became of a child that did not return, to follow what it was to do.
-spec describe(outcome()) -> string().
describe({died, Status, _}) ->
    case signal_port_reason:status(Status) of
        "signal " ++ _ = Signal -> "killed a child VM by " ++ Signal;
        Other -> "ended a child VM with " ++ Other
    end;
describe(hung) ->
    "hung a child VM";
describe({cannot_run, Reason}) ->
    signal_port_sentence:format("could not be tried: no child VM starts (~tp)", [Reason]).

%% @doc The child's side.
-spec main(Call :: string()) -> no_return().
main(Call) ->
    [Module, Function] = [list_to_atom(Name) || Name <- string:lexemes(Call, " ")],
    Returned = Module:Function(),
    io:put_chars(["\n", ?MARK, base64:encode(term_to_binary(Returned)), "\n"]),
    halt(0).

attend(Args, Milliseconds) ->
    Options = [{args, Args}, {env, environment()}, binary, exit_status, stderr_to_stdout, hide],
    try open_port({spawn_executable, filename:join(bindir(), "erlexec")}, Options) of
        Port ->
            Deadline = signal_port_deadline:from_timeout(Milliseconds),
            guarded(erlang:port_info(Port, os_pid), fun() -> collect(Port, Deadline, <<>>) end)
    catch
        error:Reason -> {cannot_run, Reason}
    end.

%% A child that hangs does not see that this VM has ended. A shell beside it does: its pipe is closed without a word.
guarded({os_pid, OsPid}, Attend) ->
    Script = "read -r word || kill -s KILL " ++ integer_to_list(OsPid),
    Guard = open_port({spawn_executable, "/bin/sh"}, [{args, ["-c", Script]}, hide]),
    Outcome = Attend(),
    Outcome =:= hung andalso signal_port_watchdog:kill(OsPid),
    _ = catch port_command(Guard, "gone\n"),
    Outcome;
guarded(undefined, Attend) ->
    Attend().  % it has ended already

collect(Port, Deadline, Output) ->
    receive
        {Port, {data, Data}} ->
            collect(Port, Deadline, binary:part(<<Output/binary, Data/binary>>, 0,
                                                min(?MAX_OUTPUT, byte_size(Output) + byte_size(Data))));
        {Port, {exit_status, Status}} ->
            outcome(Status, Output)
    after signal_port_deadline:remaining(Deadline) ->
        hung
    end.

outcome(0, Output) ->
    try
        {match, [Encoded]} = re:run(Output, ?MARK ++ "(\\S+)", [{capture, [1], binary}]),
        {returned, binary_to_term(base64:decode(Encoded), [safe])}
    catch
        error:_ -> {died, 0, Output}  % no answer, or one cut off
    end;
outcome(Status, Output) ->
    {died, Status, Output}.

%% --- Where this VM came from ---

bindir() ->
    case os:getenv("BINDIR") of
        false -> filename:join(code:root_dir(), "bin");
        Folder -> Folder
    end.

own_ebin() ->
    filename:dirname(code:where_is_file("signal_port.app")).

%% The smallest boot file there is. A release's own would start the release.
boot() ->
    Found = [Boot || Pattern <- ["bin/start_clean.boot", "releases/*/start_clean.boot"],
                     Boot <- filelib:wildcard(Pattern, code:root_dir())],
    case Found of
        [Boot | _] -> ["-boot", filename:join(code:root_dir(), filename:rootname(Boot))];
        [] -> []
    end.

%% The parent's environment, but for flags that would name the child a node; and no crash dump.
environment() ->
    [{"ERL_CRASH_DUMP_SECONDS", "0"}
     | [{Name, false} || Name <- ["ERL_AFLAGS", "ERL_FLAGS", "ERL_ZFLAGS",
                                    "ERL_OTP" ++ erlang:system_info(otp_release) ++ "_FLAGS"],
                         re:run(os:getenv(Name, ""), "-s?name") =/= nomatch]].
