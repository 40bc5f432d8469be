%% @private A channel to a child process of this VM, by a port.
-module(signal_port_child).
-behaviour(signal_port_channel).

-export([open/1, os_pid/1, write/2, event/2, finish/1, kill/1]).

-define(STOP_GRACE, 1000).  % milliseconds for an OS process to end after an empty frame

-record(child, {
    port :: port(),
    os_pid :: pos_integer() | undefined
}).

%% The port is a stream: signal_port_frame cuts it, because the port itself would accept a length
%% of gigabytes. Without busy limits for its message queue, only the pipe makes a port busy.
-define(PORT, [stream, binary, exit_status, use_stdio, hide, {busy_limits_msgq, disabled}]).

-spec open(signal_port_config:config()) ->
    {ok, #child{}, Program :: file:filename()} | {error, signal_port_reason:why()}.
open(Config) ->
    case signal_port_command:make(Config) of
        {ok, Command} -> start(Command);
        {error, Why} -> {error, Why}
    end.

start(#{program := Program, args := Args, env := Env, option := Option}) ->
    try open_port({spawn_executable, Program}, [{args, Args}, {env, Env} | ?PORT]) of
        Port -> {ok, #child{port = Port, os_pid = find_os_pid(Port)}, Program}
    catch
        error:Posix -> {error, {cannot_run, Option, Program, Posix}}
    end.

%% A child that has already ended has none. Its exit message is in the mailbox.
find_os_pid(Port) ->
    case erlang:port_info(Port, os_pid) of
        {os_pid, OsPid} -> OsPid;
        undefined -> undefined
    end.

-spec os_pid(#child{}) -> pos_integer() | undefined.
os_pid(#child{os_pid = OsPid}) ->
    OsPid.

-spec write(iodata(), #child{}) -> boolean().
write(Data, #child{port = Port}) ->
    try
        port_command(Port, Data, [nosuspend])
    catch
        error:badarg -> true
    end.

-spec event(term(), #child{}) -> signal_port_channel:event().
event({Port, {data, Bytes}}, #child{port = Port}) -> {data, Bytes};
event({Port, {exit_status, Status}}, #child{port = Port}) -> {closed, {exit_status, Status}};
event({'EXIT', Port, _}, #child{port = Port}) -> {closed, port_closed};
event(_, _) -> none.

-spec finish(#child{}) -> boolean().
finish(#child{port = Port}) ->
    try port_command(Port, signal_port_frame:pack([]), [nosuspend]) of
        true -> receive {Port, {exit_status, _}} -> true after ?STOP_GRACE -> false end;
        false -> false
    catch
        error:badarg -> false
    end.

-spec kill(#child{}) -> ok.
kill(#child{os_pid = undefined}) ->
    ok;
kill(#child{os_pid = OsPid}) ->
    _ = signal_port_watchdog:kill(OsPid),
    ok.
