%% @private A channel to a worker behind a Unix domain socket: one connection is one worker. What
%% accepts the connection starts the worker: `signal-port serve', systemd or a proxy.
%%
%% The connection uses the inet driver of gen_tcp, which is no NIF.
-module(signal_port_socket).
-behaviour(signal_port_channel).

-export([open/1, os_pid/1, write/2, event/2, finish/1, kill/1]).

-define(STOP_GRACE, 1000).       % milliseconds for a worker to end after an empty frame
-define(UNLIMITED, 16#7FFFFFFF). % bytes

%% gen_tcp:send/2 suspends its caller while the driver has more unsent bytes than the watermark.
%% So there is none: the window of signal_port_calls limits the bytes, and the watchdog the time.
%% Lingering would let the close of a stalled connection wait for a peer that reads nothing.
-define(OPTIONS, [local, binary, {packet, raw}, {active, true}, {linger, {true, 0}},
                  {high_watermark, ?UNLIMITED}, {high_msgq_watermark, ?UNLIMITED}]).

-spec open(signal_port_config:config()) ->
    {ok, gen_tcp:socket(), Path :: file:filename()} | {error, signal_port_reason:why()}.
open(#{socket := Path, start_timeout := Timeout}) ->
    case gen_tcp:connect({local, Path}, 0, ?OPTIONS, Timeout) of
        {ok, Socket} -> {ok, Socket, Path};
        {error, Posix} -> {error, {cannot_connect, Path, Posix}}
    end.

%% The worker is no child of this VM, and maybe not even of this machine.
-spec os_pid(gen_tcp:socket()) -> undefined.
os_pid(_Socket) ->
    undefined.

-spec write(iodata(), gen_tcp:socket()) -> true.
write(Data, Socket) ->
    _ = gen_tcp:send(Socket, Data),
    true.

-spec event(term(), gen_tcp:socket()) -> signal_port_channel:event().
event({tcp, Socket, Bytes}, Socket) -> {data, Bytes};
event({tcp_closed, Socket}, Socket) -> {closed, connection_closed};
event({tcp_error, Socket, _}, Socket) -> {closed, connection_closed};
event(_, _) -> none.

-spec finish(gen_tcp:socket()) -> boolean().
finish(Socket) ->
    case gen_tcp:send(Socket, signal_port_frame:pack([])) of
        ok -> receive {tcp_closed, Socket} -> true after ?STOP_GRACE -> false end;
        {error, _} -> false
    end.

-spec kill(gen_tcp:socket()) -> ok.
kill(Socket) ->
    gen_tcp:close(Socket).
