%% The channel to a child process: what a full pipe does to its worker, and how both end.
-module(signal_port_child_SUITE).
-compile([export_all, nowarn_export_all]).

-define(HOUR, 3_600_000).  % milliseconds; no call and no stall is found by its timeout here
-define(LONG, 4 bsl 20).   % bytes; more than a pipe holds

all() ->
    [{group, full_pipe}, {group, ends}].

groups() ->
    [{full_pipe, [full_pipe_does_not_suspend_the_worker, full_pipe_is_tried_again]},
     {ends, [stopped_worker_is_asked_to_end, watchdog_of_worker_that_exited_sends_no_signal,
             watchdog_of_worker_that_was_ended_sends_no_signal]}].

end_per_testcase(_, _) ->
    signal_port_stage:stop().

%% --- A full pipe ---

full_pipe_does_not_suspend_the_worker(_) ->
    start("reads_nothing.py"),
    _ = fill_pipe(),
    true = has_handled_its_messages().

%% The first request is read, but no reply comes before the second one.
full_pipe_is_tried_again(Config) ->
    File = signal_port_stage:switch(Config),
    start("answers_in_pairs.py"),
    Calls = fill_pipe(),
    true = has_handled_its_messages(),
    ok = file:write_file(File, <<>>),
    [{ok, <<_:256>>} = signal_port_stage:await(Call) || Call <- Calls].

%% Makes a call that fills the pipe, and then another one.
fill_pipe() ->
    [begin
         Data = binary:copy(<<0>>, Size),
         Call = signal_port_stage:async(fun() -> signal_port:sha256(Data) end),
         signal_port_stage:await_in_flight(InFlight),
         Call
     end || {InFlight, Size} <- [{1, ?LONG}, {2, 1}]].

has_handled_its_messages() ->
    Worker = signal_port_stage:pid(),
    State = signal_port_stage:async(fun() -> sys:get_state(Worker, infinity) end),
    is_tuple(signal_port_stage:await(State)).

%% --- Ends ---

stopped_worker_is_asked_to_end(_) ->
    start("honest.py"),
    {links, Links} = process_info(signal_port_stage:pid(), links),
    [Port] = [Port || Port <- Links, is_port(Port)],
    1 = erlang:trace(Port, true, ['receive']),
    ok = application:stop(signal_port),
    [<<0:32>>] = written(Port).

written(Port) ->
    Delivered = erlang:trace_delivered(all),
    receive {trace_delivered, all, Delivered} -> commands(Port) end.

commands(Port) ->
    receive
        {trace, Port, 'receive', {_, {command, Data}}} ->
            [iolist_to_binary(Data) | commands(Port)]
    after 0 -> []
    end.

%% Another OS process could have the number meanwhile.
watchdog_of_worker_that_exited_sends_no_signal(_) ->
    start("exits_on_call.py"),
    runs_no_command(fun signal_port:init/0).

watchdog_of_worker_that_was_ended_sends_no_signal(_) ->
    start("garbage_reply.py"),
    runs_no_command(fun signal_port:init/0).

%% Ends the worker. Its watchdog runs no command, so it sends no signal.
runs_no_command(End) ->
    {links, Links} = process_info(signal_port_stage:pid(), links),
    [Watchdog] = [Pid || Pid <- Links, is_pid(Pid), Pid =/= whereis(signal_port_worker_sup)],
    Monitor = monitor(process, Watchdog),
    1 = erlang:trace(Watchdog, true, [call]),
    true = erlang:trace_pattern({os, cmd, '_'}, true, [global]) > 0,
    {error, unavailable} = End(),
    receive {'DOWN', Monitor, process, Watchdog, _} -> ok end,
    Delivered = erlang:trace_delivered(all),
    receive {trace_delivered, all, Delivered} -> ok end,
    _ = erlang:trace_pattern({os, cmd, '_'}, false, [global]),
    receive {trace, Watchdog, call, Call} -> error({called, Call}) after 0 -> ok end.

%% --- Internals ---

start(StandIn) ->
    Options = [{pool_size, 1}, {call_timeout, ?HOUR}, {stall_timeout, ?HOUR}],
    ok = signal_port_stage:start_with(StandIn, Options).
