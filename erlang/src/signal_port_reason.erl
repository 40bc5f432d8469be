%% @private Why a worker or another OS process ended, as one sentence. If an operator can fix the
%% cause, the sentence says how.
-module(signal_port_reason).

-export([explain/1, status/1, was_killed/1]).
-export_type([why/0]).

-define(MAX_LENGTH, 1000).  % characters of a worker's own sentence
-define(MAX_SIGNAL, 64).    % of Linux; other systems have fewer
-define(SIGKILL, 9).
-define(SIGTERM, 15).

-type why() ::
    no_python
    | {cannot_run, file:filename(), file:posix()}
    | {unfit, binary()}
    | {protocol, Theirs :: integer(), Ours :: integer()}
    | {not_ready, file:filename(), Milliseconds :: pos_integer()}
    | {ended, file:filename(), Status :: non_neg_integer()}
    | {exit_status, Status :: non_neg_integer()}
    | port_closed
    | invalid_data
    | stalled
    | {watchdog, term()}.

%% @doc Returns the sentence for the exit reason of a worker process.
-spec explain(Reason :: term()) -> string().
explain({shutdown, Why}) ->
    explain(Why);
explain(no_python) ->
    "no Python was found: install Python 3.10 or later, or set signal_port's option {python, Path}";
explain({cannot_run, Path, Posix}) ->
    sentence("Python cannot be run (~ts: ~ts): set signal_port's option {python, Path} to Python "
             "3.10 or later", [Path, file:format_error(Posix)]);
explain({unfit, Reason}) ->
    case unicode:characters_to_list(Reason) of
        {_, Good, _} -> one_line(Good);
        Sentence -> one_line(Sentence)
    end;
explain({protocol, Theirs, Ours}) ->
    sentence("the worker uses version ~b of the protocol, and this application version ~b: "
             "rebuild signal_port, to replace the Python files in its priv folder",
             [Theirs, Ours]);
explain({not_ready, Path, Milliseconds}) ->
    sentence("the worker (~ts) was not ready within ~b ms: read its standard error, or raise "
             "signal_port's option {start_timeout, Milliseconds}", [Path, Milliseconds]);
explain({ended, Path, Status}) ->
    sentence("the worker (~ts) ended with ~s before it was ready: read its standard error",
             [Path, status(Status)]);
explain({exit_status, Status}) ->
    "the worker ended with " ++ status(Status);
explain(invalid_data) ->
    "the worker sent invalid protocol data";
explain(stalled) ->
    "the worker had requests and sent no reply within stall_timeout";
explain(port_closed) ->
    "the worker's pipe was closed";
explain(killed) ->
    "the worker's Erlang process was killed";
explain(_) ->
    "the worker's Erlang process ended".

%% @doc Returns whether the end says little about the worker: its OS process got SIGKILL or SIGTERM
%% before it was ready, or its Erlang process was killed.
-spec was_killed(Reason :: term()) -> boolean().
was_killed({shutdown, {ended, _, Status}}) ->
    Status =:= 128 + ?SIGKILL orelse Status =:= 128 + ?SIGTERM;
was_killed(Reason) ->
    Reason =:= killed.

%% @doc Returns an exit status in words. A status over 128 is the number of a signal, if there is
%% such a signal.
-spec status(non_neg_integer()) -> string().
status(Status) when Status > 128, Status - 128 =< ?MAX_SIGNAL -> "signal " ++ signal(Status - 128);
status(Status) -> sentence("status ~b", [Status]).

%% A worker's sentence goes to a log: no line breaks, no terminal codes, and no megabytes.
one_line(Text) ->
    [case Char < 32 orelse Char >= 127 andalso Char < 160 of true -> $\s; false -> Char end
     || Char <- lists:sublist(Text, ?MAX_LENGTH)].

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

sentence(Format, Args) ->
    signal_port_sentence:format(Format, Args).
