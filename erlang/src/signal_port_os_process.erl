%% @private One run of a program: its exit status and what it printed. A program that takes too
%% long is killed, and so is one that still runs when this VM ends.
%%
%% The caller's mailbox stays as it is: a process of its own takes the port's messages.
-module(signal_port_os_process).

-export([run/4]).
-export_type([outcome/0, env/0]).

-type outcome() ::
    {exited, Status :: non_neg_integer(), Output :: binary()} | hung | {cannot_run, term()}.
%% A status over 128 is a signal's number and 128.
-type env() :: [{Name :: string(), Value :: string() | false}].
%% Changes to this VM's environment; `false' removes a variable.

-define(MAX_OUTPUT, 65536).  % bytes kept of what the program prints

%% @doc Runs a program and returns how it ended. Standard error is part of the output.
-spec run(file:filename(), Args :: [string()], env(), Milliseconds :: pos_integer()) -> outcome().
run(Program, Args, Env, Milliseconds) ->
    Caller = self(),
    {Pid, Monitor} = spawn_monitor(fun() ->
        Caller ! {self(), attend(Program, Args, Env, Milliseconds)}
    end),
    receive
        {Pid, Outcome} ->
            demonitor(Monitor, [flush]),
            Outcome;
        {'DOWN', Monitor, process, Pid, Reason} ->
            {cannot_run, Reason}
    end.

attend(Program, Args, Env, Milliseconds) ->
    Options = [{args, Args}, {env, Env}, binary, exit_status, stderr_to_stdout, hide],
    try open_port({spawn_executable, Program}, Options) of
        Port ->
            Deadline = signal_port_deadline:from_timeout(Milliseconds),
            guarded(erlang:port_info(Port, os_pid), fun() -> collect(Port, Deadline, <<>>) end)
    catch
        error:Reason -> {cannot_run, Reason}
    end.

%% A program that hangs does not see that this VM has ended. A shell beside it does: the end of
%% this VM closes the shell's pipe.
guarded({os_pid, OsPid}, Attend) ->
    Script = "read -r word || kill -s KILL " ++ integer_to_list(OsPid),
    Guard = open_port({spawn_executable, "/bin/sh"}, [{args, ["-c", Script]}, hide]),
    Outcome = Attend(),
    Outcome =:= hung andalso signal_port_watchdog:kill(OsPid),
    dismiss(Guard),
    Outcome;
guarded(undefined, Attend) ->
    Attend().  % it has ended already

dismiss(Guard) ->
    try
        port_command(Guard, "gone\n")
    catch
        error:badarg -> true  % it was killed
    end.

collect(Port, Deadline, Output) ->
    receive
        {Port, {data, Data}} ->
            collect(Port, Deadline, capped(<<Output/binary, Data/binary>>));
        {Port, {exit_status, Status}} ->
            {exited, Status, Output}
    after signal_port_deadline:remaining(Deadline) ->
        hung
    end.

capped(Output) ->
    binary:part(Output, 0, min(?MAX_OUTPUT, byte_size(Output))).
