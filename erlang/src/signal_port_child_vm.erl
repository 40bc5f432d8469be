%% @private A child VM: the same `erl', without shell and distribution, that calls one function,
%% prints what it returned and halts. A crash or a hang hits the child and not this VM. A child
%% that hangs is killed when its time is over, and when this VM ends.
-module(signal_port_child_vm).

-export([run/4, is_crash/1, describe/1, main/1]).
-export_type([outcome/0]).

-type outcome() ::
    {returned, term()}
    | {died, ExitStatus :: non_neg_integer(), Output :: binary()}
    | hung
    | {cannot_run, term()}.

-define(MARK, "signal_port_child_vm returned ").

%% @doc Calls `Module:Function()' in a child VM that is started with these arguments too.
-spec run(module(), atom(), Args :: [string()], Milliseconds :: pos_integer()) -> outcome().
run(Module, Function, MoreArgs, Milliseconds) ->
    %% The outcome can have names of operations, and [safe] takes only atoms that this VM knows.
    {module, _} = code:ensure_loaded(signal_port_codec),
    Args = arguments(Module, Function, MoreArgs),
    Erl = filename:join(bindir(), "erlexec"),
    outcome(signal_port_os_process:run(Erl, Args, environment(), Milliseconds)).

outcome({exited, 0, Output}) ->
    try
        {match, [Encoded]} = re:run(Output, ?MARK ++ "(\\S+)", [{capture, [1], binary}]),
        {returned, binary_to_term(base64:decode(Encoded), [safe])}
    catch
        error:_ -> {died, 0, Output}  % the output has no answer, or half of one
    end;
outcome({exited, Status, Output}) ->
    {died, Status, Output};
outcome(Other) ->
    Other.

%% @doc Returns whether a signal ended the child.
-spec is_crash(outcome()) -> boolean().
is_crash({died, Status, _}) -> Status > 128;
is_crash(_) -> false.

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
