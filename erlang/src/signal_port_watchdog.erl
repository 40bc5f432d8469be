%% @private The watchdog of a worker. It stands beside the worker process. It reports a worker that
%% has calls and sends no reply, and kills its child process. When the worker process has ended for
%% any reason, it makes sure that the child process ends too.
-module(signal_port_watchdog).

-export([start/3, dismiss/1, kill/1]).

-define(STOP_GRACE, 1000).  % milliseconds for an OS process to end after its pipe is closed
-define(SIGNAL_GRACE, 300). % milliseconds for a signal to take effect
-define(POLL, 30).          % milliseconds between two looks at an OS process

-record(watched, {
    worker :: pid(),
    os_pid :: pos_integer() | undefined,
    counters :: signal_port_counters:counters(),
    stall_timeout :: pos_integer()  % milliseconds
}).

%% @doc Starts the watchdog of the calling worker and links it. The watchdog sends the worker
%% `stalled' before it kills. Without a child process it only sends. The timeout is in milliseconds.
-spec start(OsPid :: pos_integer() | undefined, signal_port_counters:counters(),
            StallTimeout :: pos_integer()) -> pid().
start(OsPid, Counters, StallTimeout) ->
    Watched = #watched{worker = self(), os_pid = OsPid, counters = Counters,
                       stall_timeout = StallTimeout},
    spawn_link(fun() ->
        process_flag(trap_exit, true),
        group_leader(whereis(init), self()),  % outlives the application's own group leader
        watch(Watched, 0, signal_port_deadline:now_ms())
    end).

%% @doc Tells the watchdog that the child process is gone.
-spec dismiss(pid() | undefined) -> ok.
dismiss(undefined) ->
    ok;
dismiss(Watchdog) ->
    Watchdog ! gone,
    ok.

%% @doc Sends an OS process TERM, then KILL if it is still there. Returns whether it is gone.
-spec kill(OsPid :: pos_integer()) -> boolean().
kill(OsPid) ->
    end_by_signals(OsPid, [{"TERM", ?SIGNAL_GRACE}, {"KILL", ?SIGNAL_GRACE}]).

watch(#watched{worker = Worker, os_pid = OsPid} = Watched, Answered, Since) ->
    receive
        gone -> true;
        {'EXIT', Worker, _} -> end_child(OsPid)
    after max(1, Watched#watched.stall_timeout div 4) ->
        look(Watched, Answered, Since)
    end.

end_child(undefined) -> true;
end_child(OsPid) -> end_by_signals(OsPid, [{"0", ?STOP_GRACE}]) orelse kill(OsPid).

%% The worker is idle, or has had a reply since the last look, or is silent. Calls that wait count
%% too: a program to which nothing can be written is as stuck as one that does not reply.
look(#watched{counters = Counters, stall_timeout = StallTimeout} = Watched, Answered, Since) ->
    Now = signal_port_deadline:now_ms(),
    Later = signal_port_counters:answered(Counters),
    IsIdle = signal_port_counters:pending(Counters) =:= 0,
    IsIdle andalso count_missing(Watched),
    if
        IsIdle; Later =/= Answered -> watch(Watched, Later, Now);
        Now - Since < StallTimeout -> watch(Watched, Answered, Since);
        true -> kill_stalled(Watched)
    end.

%% A caller that was killed between counting its call and sending it would count as waiting until
%% the next call comes. If the queue is full of such calls, none comes.
count_missing(#watched{worker = Worker, counters = Counters}) ->
    signal_port_counters:waiting(Counters) > 0
        andalso (Worker ! {counted, signal_port_counters:sent(Counters)}).

kill_stalled(#watched{worker = Worker, os_pid = OsPid}) ->
    Worker ! stalled,
    OsPid =:= undefined orelse kill(OsPid).

%% Sends one signal after the other and waits for each. Signal 0 only gives the process time.
end_by_signals(_OsPid, []) ->
    false;
end_by_signals(OsPid, [{Signal, Milliseconds} | Signals]) ->
    _ = signal(Signal, OsPid),
    is_gone(OsPid, signal_port_deadline:from_timeout(Milliseconds))
        orelse end_by_signals(OsPid, Signals).

is_gone(OsPid, Deadline) ->
    not signal("0", OsPid) orelse
        (not signal_port_deadline:has_passed(Deadline) andalso sleep_and_look(OsPid, Deadline)).

sleep_and_look(OsPid, Deadline) ->
    timer:sleep(?POLL),
    is_gone(OsPid, Deadline).

%% Returns whether there was such an OS process.
signal(Name, OsPid) ->
    os:cmd("kill -s " ++ Name ++ " " ++ integer_to_list(OsPid) ++ " 2>&1") =:= "".
