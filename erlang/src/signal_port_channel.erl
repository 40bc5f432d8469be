%% @private A worker's channel: the byte stream between a worker's process and the program at its
%% other end. The worker does not know what kind of channel it has:
%%
%%   signal_port_child    a child process of this VM: the options `python' and `command'
%%   signal_port_socket   a connection to a Unix domain socket: the option `socket'
%%
%% A channel belongs to the process that opened it, and ends with it.
-module(signal_port_channel).

-export([open/1, name/1, os_pid/1, write/2, event/2, finish/1, kill/1]).
-export_type([channel/0, event/0]).

-record(channel, {
    module :: module(),
    name :: file:filename(),
    handle :: term()
}).

-opaque channel() :: #channel{}.
-type event() ::
    {data, binary()}
    | {closed, {exit_status, Status :: non_neg_integer()} | port_closed | connection_closed}
    | none.

%% Opens a channel. The name stands in sentences for an operator: a program or a socket.
-callback open(signal_port_config:config()) ->
    {ok, Handle :: term(), Name :: file:filename()} | {error, signal_port_reason:why()}.
-callback os_pid(Handle :: term()) -> pos_integer() | undefined.
-callback write(Data :: iodata(), Handle :: term()) -> IsAccepted :: boolean().
-callback event(Message :: term(), Handle :: term()) -> event().
-callback finish(Handle :: term()) -> HasEnded :: boolean().
-callback kill(Handle :: term()) -> ok.

%% @doc Opens the channel of a configuration.
-spec open(signal_port_config:config()) -> {ok, channel()} | {error, signal_port_reason:why()}.
open(#{socket := Socket} = Config) ->
    Module = case Socket of none -> signal_port_child; _ -> signal_port_socket end,
    case Module:open(Config) of
        {ok, Handle, Name} -> {ok, #channel{module = Module, name = Name, handle = Handle}};
        {error, Why} -> {error, Why}
    end.

%% @doc Returns the program or the socket.
-spec name(channel()) -> file:filename().
name(#channel{name = Name}) ->
    Name.

%% @doc Returns the OS process at the other end, if it is a child of this VM.
-spec os_pid(channel()) -> pos_integer() | undefined.
os_pid(#channel{module = Module, handle = Handle}) ->
    Module:os_pid(Handle).

%% @doc Writes without suspending the caller. Returns `false' if nothing was accepted. Returns
%% `true' for a channel that is closed: its closing event is in the mailbox.
-spec write(iodata(), channel()) -> boolean().
write(Data, #channel{module = Module, handle = Handle}) ->
    Module:write(Data, Handle).

%% @doc Returns what a message of the owner's mailbox says about the channel.
-spec event(Message :: term(), channel()) -> event().
event(Message, #channel{module = Module, handle = Handle}) ->
    Module:event(Message, Handle).

%% @doc Asks the other end to end, by an empty frame, and waits. Returns whether it has ended.
-spec finish(channel()) -> boolean().
finish(#channel{module = Module, handle = Handle}) ->
    Module:finish(Handle).

%% @doc Ends the channel. An OS process that is a child of this VM has ended afterwards.
-spec kill(channel()) -> ok.
kill(#channel{module = Module, handle = Handle}) ->
    Module:kill(Handle).
