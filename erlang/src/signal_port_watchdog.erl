%% @private The guard of an OS process: stands beside the worker process that owns it, kills it when it has requests and
%% answers none, and sees to it that it is gone when the worker process has ended, however that came.
-module(signal_port_watchdog).

-export([start/3, dismiss/1, kill/1]).

-define(STOP_GRACE, 1000).  % milliseconds for an OS process to end by itself when its pipe is closed
-define(SIGNAL_GRACE, 300). % milliseconds for a signal to have its effect
-define(POLL, 30).          % milliseconds

%% @doc Starts the guard of the calling worker's OS process; linked. It sends the worker `stalled' before it kills.
-spec start(OsPid :: pos_integer(), signal_port_counters:counters(), StallTimeout :: pos_integer()) -> pid().
start(OsPid, Counters, StallTimeout) ->
    Worker = self(),
    spawn_link(fun() ->
        process_flag(trap_exit, true),
        group_leader(whereis(init), self()),  % or the end of the application would be its end
        watch(Worker, OsPid, Counters, StallTimeout, 0, signal_port_deadline:now_ms())
    end).

%% @doc Says that the OS process is known to be gone.
-spec dismiss(pid() | undefined) -> ok.
dismiss(undefined) ->
    ok;
dismiss(Guard) ->
    Guard ! gone,
    ok.

%% @doc Kills an OS process, by TERM and if that does not help by KILL; returns when it is gone.
-spec kill(OsPid :: pos_integer()) -> boolean().
kill(OsPid) ->
    make_gone(OsPid, [{"TERM", ?SIGNAL_GRACE}, {"KILL", ?SIGNAL_GRACE}]).

%% Waits for the worker's end; meanwhile looks whether there are open requests and no answer has come for too long.
watch(Worker, OsPid, Counters, StallTimeout, Answered, Since) ->
    receive
        gone -> true;
        {'EXIT', Worker, _} -> make_gone(OsPid, [{"0", ?STOP_GRACE}]) orelse kill(OsPid)
    after max(1, StallTimeout div 4) ->
        Now = signal_port_deadline:now_ms(),
        Later = signal_port_counters:answered(Counters),
        IsIdle = signal_port_counters:taken(Counters) =:= Later,
        if
            IsIdle; Later =/= Answered ->
                watch(Worker, OsPid, Counters, StallTimeout, Later, Now);
            Now - Since < StallTimeout ->
                watch(Worker, OsPid, Counters, StallTimeout, Answered, Since);
            true ->
                Worker ! stalled,
                kill(OsPid)
        end
    end.

%% Sends one signal after the other, each time waiting for its effect; signal 0 has none, it only gives time.
make_gone(_OsPid, []) ->
    false;
make_gone(OsPid, [{Signal, Milliseconds} | Signals]) ->
    _ = signal(Signal, OsPid),
    is_gone(OsPid, signal_port_deadline:now_ms() + Milliseconds) orelse make_gone(OsPid, Signals).

is_gone(OsPid, Deadline) ->
    not signal("0", OsPid) orelse (signal_port_deadline:now_ms() < Deadline andalso begin timer:sleep(?POLL), is_gone(OsPid, Deadline) end).

%% Tells whether there was such a process.
signal(Name, OsPid) ->
    os:cmd("kill -s " ++ Name ++ " " ++ integer_to_list(OsPid) ++ " 2>&1") =:= "".
