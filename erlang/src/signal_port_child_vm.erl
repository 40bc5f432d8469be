%% @private A child VM: the same `erl', without shell and distribution, that calls one function,
%% prints what it returned and halts. A crash or a hang hits the child and not this VM. A child
%% that hangs is killed when its time is over, and when this VM ends.
-module(signal_port_child_vm).

-export([run/4, describe/1, main/1]).
-export_type([outcome/0]).

-type outcome() ::
    {returned, term()}
    | {died, ExitStatus :: non_neg_integer(), Output :: binary()}
    | hung
    | {cannot_run, term()}.

-define(MARK, "signal_port_child_vm returned ").
-define(MAX_OUTPUT, 65536).  % bytes of the child's output that are kept

%% @doc Calls `Module:Function()' in a child VM that is started with these arguments too.
-spec run(module(), atom(), Args :: [string()], Milliseconds :: pos_integer()) -> outcome().
run(Module, Function, MoreArgs, Milliseconds) ->
    Args = arguments(Module, Function, MoreArgs),
    %% A process of its own gets the port's messages, so that the caller's mailbox stays clean.
    Caller = self(),
    {Pid, Monitor} = spawn_monitor(fun() -> Caller ! {self(), attend(Args, Milliseconds)} end),
    receive
        {Pid, Outcome} ->
            demonitor(Monitor, [flush]),
            Outcome;
        {'DOWN', Monitor, process, Pid, Reason} ->
            {cannot_run, Reason}
    end.

%% @doc Returns what happened to a child that did not return. The text continues a sentence whose
%% subject is what the child tried.
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

%% @doc Runs in the child.
-spec main(Call :: string()) -> no_return().
main(Call) ->
    [Module, Function] = [list_to_atom(Name) || Name <- string:lexemes(Call, " ")],
    Returned = Module:Function(),
    io:put_chars(["\n", ?MARK, base64:encode(term_to_binary(Returned)), "\n"]),
    halt(0).

arguments(Module, Function, MoreArgs) ->
    Call = atom_to_list(Module) ++ " " ++ atom_to_list(Function),
    ["-noshell", "-noinput", "-boot_var", "RELEASE_LIB", filename:join(code:root_dir(), "lib")]
        ++ boot() ++ ["-pa", own_ebin()] ++ MoreArgs
        ++ ["-eval", "signal_port_child_vm:main(\"" ++ Call ++ "\")."].

%% --- The child's port ---

attend(Args, Milliseconds) ->
    Options = [{args, Args}, {env, environment()}, binary, exit_status, stderr_to_stdout, hide],
    try open_port({spawn_executable, filename:join(bindir(), "erlexec")}, Options) of
        Port ->
            Deadline = signal_port_deadline:from_timeout(Milliseconds),
            watched(erlang:port_info(Port, os_pid), fun() -> collect(Port, Deadline, <<>>) end)
    catch
        error:Reason -> {cannot_run, Reason}
    end.

%% A child that hangs does not notice that this VM has ended. A shell beside it notices: its pipe
%% is then closed, and it kills the child.
watched({os_pid, OsPid}, Attend) ->
    Script = "read -r word || kill -s KILL " ++ integer_to_list(OsPid),
    Watchdog = open_port({spawn_executable, "/bin/sh"}, [{args, ["-c", Script]}, hide]),
    Outcome = Attend(),
    Outcome =:= hung andalso signal_port_watchdog:kill(OsPid),
    _ = catch port_command(Watchdog, "gone\n"),
    Outcome;
watched(undefined, Attend) ->
    Attend().  % the child has already ended

collect(Port, Deadline, Output) ->
    receive
        {Port, {data, Data}} -> collect(Port, Deadline, shortened(<<Output/binary, Data/binary>>));
        {Port, {exit_status, Status}} -> outcome(Status, Output)
    after signal_port_deadline:remaining(Deadline) ->
        hung
    end.

shortened(<<Output:?MAX_OUTPUT/binary, _/binary>>) -> Output;
shortened(Output) -> Output.

outcome(0, Output) ->
    try
        {match, [Encoded]} = re:run(Output, ?MARK ++ "(\\S+)", [{capture, [1], binary}]),
        {returned, binary_to_term(base64:decode(Encoded), [safe])}
    catch
        error:_ -> {died, 0, Output}  % the output has no answer, or half of one
    end;
outcome(Status, Output) ->
    {died, Status, Output}.

%% --- The installation of this VM ---

bindir() ->
    os:getenv("BINDIR", filename:join(code:root_dir(), "bin")).

own_ebin() ->
    filename:dirname(code:where_is_file("signal_port.app")).

%% The smallest boot file. A release's own boot file would start the release.
boot() ->
    Found = [Boot || Pattern <- ["bin/start_clean.boot", "releases/*/start_clean.boot"],
                     Boot <- filelib:wildcard(Pattern, code:root_dir())],
    case Found of
        [Boot | _] -> ["-boot", filename:join(code:root_dir(), filename:rootname(Boot))];
        [] -> []
    end.

%% This VM's environment, without flags that would make the child a node, and without crash dumps.
environment() ->
    Flags = ["ERL_AFLAGS", "ERL_FLAGS", "ERL_ZFLAGS",
             "ERL_OTP" ++ erlang:system_info(otp_release) ++ "_FLAGS"],
    [{"ERL_CRASH_DUMP_SECONDS", "0"}
     | [{Name, false} || Name <- Flags, re:run(os:getenv(Name, ""), "-s?name") =/= nomatch]].
