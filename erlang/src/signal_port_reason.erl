%% @private Why a worker or another OS process ended, as one sentence. If an operator can fix the
%% cause, the sentence says how.
-module(signal_port_reason).

-export([explain/1, status/1, is_transient/1]).
-export_type([why/0]).

-define(MAX_LENGTH, 1000).  % characters of a worker's own sentence
-define(MAX_SIGNAL, 64).    % of Linux; other systems have fewer
-define(SIGKILL, 9).
-define(SIGTERM, 15).
-define(SIGSYS, 31).
-define(MEMORY, 71).        % exit status of a worker that needs too much memory (PROTOCOL.md)

-type why() ::
    no_python
    | {cannot_run, Option :: python | command, file:filename(), file:posix()}
    | {broken_venv, Venv :: file:filename(), Python :: file:filename(), Why :: atom()}
    | {cannot_connect, Socket :: file:filename(), file:posix() | timeout}
    | {closed_at_start, Socket :: file:filename()}
    | {unfit, binary()}
    | {protocol, Theirs :: integer(), Ours :: integer()}
    | {no_sandbox, file:filename()}
    | {not_ready, file:filename(), Milliseconds :: pos_integer()}
    | {ended, file:filename(), Status :: non_neg_integer()}
    | {exit_status, Status :: non_neg_integer()}
    | {port_closed, OsPid :: pos_integer() | undefined}
    | connection_closed
    | invalid_data
    | stalled
    | drained
    | {watchdog, term()}.

%% @doc Returns the sentence for the exit reason of a worker process.
-spec explain(Reason :: term()) -> string().
explain({shutdown, Why}) ->
    explain(Why);
explain(no_python) ->
    "no Python was found: install Python 3.10 or later, or set signal_port's option {python, Path}";
explain({cannot_run, _Option, _Path, Posix}) when Posix =:= emfile; Posix =:= enfile ->
    "no worker can be started, because this VM has too many open files: raise its limit (ulimit "
    "-n), or lower signal_port's option pool_size";
explain({cannot_run, python, Path, Posix}) ->
    sentence("Python cannot be run (~ts: ~ts): set signal_port's option {python, Path} to Python "
             "3.10 or later", [Path, error_text(Posix)]);
explain({cannot_run, command, Path, Posix}) ->
    sentence("the command cannot be run (~ts: ~ts): correct signal_port's option "
             "{command, [Program | Arguments]}", [Path, error_text(Posix)]);
explain({broken_venv, Venv, Python, Why}) ->
    Install = filename:join(filename:dirname(Venv), "install"),
    sentence("the virtual environment ~ts cannot be used, because its Python (~ts) ~ts 'sh ~ts'",
             [Venv, Python, broken(Why), Install]);
explain({cannot_connect, Socket, Posix}) ->
    sentence("no connection to ~ts (~ts): start 'signal-port serve --socket ~ts', or correct "
             "signal_port's option {socket, Path}", [Socket, error_text(Posix), Socket]);
explain({closed_at_start, Socket}) ->
    sentence("~ts closed the connection before its worker was ready: read the log of what serves "
             "that socket", [Socket]);
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
explain({no_sandbox, Path}) ->
    sentence("the worker (~ts) is in no sandbox, and signal_port's option sandbox is required: use "
             "a worker that enters one, or set the option to auto", [Path]);
explain({ended, Path, Status}) ->
    sentence("the worker (~ts) ended with ~s before it was ready: read its standard error",
             [Path, status(Status)]);
explain({exit_status, ?MEMORY}) ->
    "the worker ended with status 71: a call needed more memory than signal_port's option "
    "max_memory allows; raise it, or lower max_frame";
explain({exit_status, Status}) when Status =:= 128 + ?SIGSYS ->
    "the worker ended with signal 31 (SIGSYS): its sandbox stopped a system call that no worker "
    "needs; treat the message that caused it as an attack";
explain({exit_status, Status}) ->
    "the worker ended with " ++ status(Status);
explain(invalid_data) ->
    "the worker sent invalid protocol data";
explain(stalled) ->
    "the worker had requests and sent no reply within stall_timeout";
explain(drained) ->
    "the worker answered its last call and ended";
explain({port_closed, OsPid}) ->
    %% OTP drops the exit status of a port that was closed by a write that failed.
    sentence("the worker's pipe was closed during a write, so its exit status is unknown: if the "
             "kernel ended OS process ~p, its log (dmesg) says why", [OsPid]);
explain(connection_closed) ->
    "the worker's connection was closed";
explain(killed) ->
    "the worker's Erlang process was killed";
explain(_) ->
    "the worker's Erlang process ended".

%% @doc Returns whether the cause of a failed start can pass quickly: the child process got SIGKILL
%% or SIGTERM, the Erlang process was killed, or the server of a socket is not there.
-spec is_transient(Reason :: term()) -> boolean().
is_transient({shutdown, {ended, _, Status}}) ->
    Status =:= 128 + ?SIGKILL orelse Status =:= 128 + ?SIGTERM;
is_transient({shutdown, {cannot_connect, _, Posix}}) ->
    lists:member(Posix, [enoent, econnrefused, eagain, timeout]);
is_transient({shutdown, {closed_at_start, _}}) ->
    true;
is_transient(Reason) ->
    Reason =:= killed.

%% @doc Returns an exit status in words. A status over 128 is the number of a signal, if there is
%% such a signal.
-spec status(non_neg_integer()) -> string().
status(Status) when Status > 128, Status - 128 =< ?MAX_SIGNAL -> "signal " ++ signal(Status - 128);
status(Status) -> sentence("status ~b", [Status]).

broken(eacces) ->
    "cannot be executed by this user: let PYTHON name one that every user can execute, and run";
broken(other_architecture) ->
    "is built for another architecture: run, on this machine,";
broken(_) ->
    "is gone: run again".

error_text(timeout) -> "no answer within start_timeout";
error_text(Posix) -> file:format_error(Posix).

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
signal(31) -> "31 (SIGSYS)";
signal(Number) -> integer_to_list(Number).

sentence(Format, Args) ->
    signal_port_sentence:format(Format, Args).
