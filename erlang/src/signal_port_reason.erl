%% @private Why a worker, or another OS process, ended: in one sentence, and where it is an operator's to mend, how.
-module(signal_port_reason).

-export([explain/1, status/1, was_killed/1]).
-export_type([why/0]).

-define(MAX_SAID, 1000).  % characters of a worker's own sentence
-define(MAX_SIGNAL, 64).  % Linux has as many, others have fewer

-type why() ::
    no_python | {cannot_run, file:filename(), file:posix()} | {unfit, binary()}
    | {protocol, Theirs :: integer(), Ours :: integer()}
    | {not_ready, file:filename(), pos_integer()} | {ended, file:filename(), non_neg_integer()}
    | {exit_status, non_neg_integer()} | port_closed | garbage | stalled | {guard, term()}.

%% @doc The sentence for the reason with which a worker's process ended.
-spec explain(Reason :: term()) -> string().
explain({shutdown, Why}) ->
    explain(Why);
explain(no_python) ->
    "no Python was found: install Python 3.10 or later, or set signal_port's option {python, Path}";
explain({cannot_run, Path, Posix}) ->
    signal_port_sentence:format("Python cannot be run (~ts: ~ts): set signal_port's option {python, Path} to Python 3.10 or later",
             [Path, file:format_error(Posix)]);
explain({unfit, Reason}) ->
    case unicode:characters_to_list(Reason) of
        {_, Good, _} -> one_line(Good);
        Sentence -> one_line(Sentence)
    end;
explain({protocol, Theirs, Ours}) ->
    signal_port_sentence:format("the worker speaks version ~b of the protocol, and this application version ~b: build signal_port anew, so "
             "that the Python files in its priv folder are its own", [Theirs, Ours]);
explain({not_ready, Path, Milliseconds}) ->
    signal_port_sentence:format("the worker (~ts) was not ready within ~b ms: see what it wrote to standard error, or set signal_port's "
             "option {start_timeout, Milliseconds}", [Path, Milliseconds]);
explain({ended, Path, Status}) ->
    signal_port_sentence:format("the worker (~ts) ended with ~s before it was ready: see what it wrote to standard error",
             [Path, status(Status)]);
explain({exit_status, Status}) ->
    "the worker ended with " ++ status(Status);
explain(garbage) ->
    "the worker wrote what is not of the protocol";
explain(stalled) ->
    "the worker had requests and answered none";
explain(port_closed) ->
    "the worker's pipe was closed";
explain(killed) ->
    "the worker's process was killed";
explain(_) ->
    "the worker's process ended".

%% @doc Whether somebody ended it, by SIGKILL or SIGTERM, or its process by `kill', and not a fault of its own.
-spec was_killed(Reason :: term()) -> boolean().
was_killed({shutdown, {ended, _, Status}}) -> Status =:= 128 + 9 orelse Status =:= 128 + 15;
was_killed(Reason) -> Reason =:= killed.

%% @doc An exit status in words; over 128 it is the number of the signal that killed, where there is one of that number.
-spec status(non_neg_integer()) -> string().
status(Status) when Status > 128, Status - 128 =< ?MAX_SIGNAL -> "signal " ++ signal(Status - 128);
status(Status) -> signal_port_sentence:format("status ~b", [Status]).

%% What a worker says is for a log: no line of its own making, no terminal's commands, and not megabytes.
one_line(Text) ->
    [case Char < 32 orelse Char >= 127 andalso Char < 160 of true -> $\s; false -> Char end
     || Char <- lists:sublist(Text, ?MAX_SAID)].

signal(1) -> "1 (SIGHUP)";
signal(2) -> "2 (SIGINT)";
signal(3) -> "3 (SIGQUIT)";
signal(4) -> "4 (SIGILL)";
signal(5) -> "5 (SIGTRAP)";
signal(6) -> "6 (SIGABRT)";
signal(7) -> "7 (SIGBUS)";
signal(8) -> "8 (SIGFPE)";
signal(9) -> "9 (SIGKILL)";
signal(11) -> "11 (SIGSEGV)";
signal(13) -> "13 (SIGPIPE)";
signal(15) -> "15 (SIGTERM)";
signal(Number) -> integer_to_list(Number).

