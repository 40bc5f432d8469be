%% @private Dispatches a call: picks its worker, waits for the reply, retries if the worker ends.
%%
%% The caller picks the ready worker with the fewest calls in flight. If that worker ends, the call
%% goes to another one. A retry is safe: an operation depends on its arguments and on fresh
%% randomness only, and nobody has seen the lost reply.
%%
%% Each call has a retry budget, so that a call that kills its workers does not retry for ever. The
%% oldest call of a worker probably ended it and pays for three attempts. The calls behind it pay a
%% tenth of that, because a worker can end over a call that was not quite the oldest.
%%
%% This module knows nothing of frames, and nothing of workers that are not ready.
-module(signal_port_dispatch).

-export([call/1, call/2]).

-define(RETRY_BUDGET, 30).  % of a call, in units of its own
-define(SUSPECT, 10).       % cost of a retry after the call was the oldest of its worker
-define(BYSTANDER, 1).      % cost of a retry after another call was the oldest
-define(RESTART, 10).       % milliseconds between two looks at a pool that restarts

%% @doc Returns the answer to a request, or the bridge's own error.
-spec call(signal_port_codec:request()) -> term().
call(Request) ->
    call(Request, default).

%% @doc Like call/1, with a timeout in milliseconds for all attempts together.
-spec call(signal_port_codec:request(), default | timeout()) -> term().
call(Request, Timeout) ->
    case signal_port_table:read() of
        {Workers, Default, MaxFrame, Queue} ->
            case refusal(Request, MaxFrame, Workers, Queue) of
                none -> attempt(Request, deadline(Timeout, Default), ?RETRY_BUDGET, [], Workers);
                Why -> {error, Why}
            end;
        not_running ->
            {error, unavailable}
    end.

%% Only a new call is refused: a retry has waited already.
refusal(Request, MaxFrame, Workers, Queue) ->
    case iolist_size(Request) + byte_size(signal_port_codec:tag(0)) =< MaxFrame of
        true -> refusal(signal_port_queue:refuses(Queue, Workers));
        false -> too_large
    end.

refusal(true) -> overloaded;
refusal(false) -> none.

deadline(default, Default) -> signal_port_deadline:from_timeout(Default);
deadline(Timeout, _Default) -> signal_port_deadline:from_timeout(Timeout).

attempt(_Request, _Deadline, Budget, _Dead, _Workers) when Budget =< 0 ->
    {error, unavailable};
attempt(Request, Deadline, Budget, Dead, []) ->
    case wait(Dead, Deadline) of
        ok -> attempt(Request, Deadline, Budget, Dead, living(Dead));
        Error -> Error
    end;
attempt(Request, Deadline, Budget, Dead, Workers) ->
    {Pid, _} = Worker = least_busy(Workers),
    case send(Worker, Request, Deadline) of
        {ok, Answer} ->
            Answer;
        timeout ->
            {error, timeout};
        {ended, Cost} ->
            NowDead = [Pid | Dead],
            attempt(Request, Deadline, Budget - Cost, NowDead, living(NowDead))
    end.

%% The pool might not know yet that a worker is dead.
living(Dead) ->
    [Worker || {Pid, _} = Worker <- signal_port_table:workers(), not lists:member(Pid, Dead)].

least_busy([Only]) ->
    Only;
least_busy([{_, Counters} = First | Others]) ->
    least_busy(Others, First, signal_port_counters:in_flight(Counters)).

least_busy([{_, Counters} = Next | Others], Best, Fewest) ->
    case signal_port_counters:in_flight(Counters) of
        Fewer when Fewer < Fewest -> least_busy(Others, Next, Fewer);
        _ -> least_busy(Others, Best, Fewest)
    end;
least_busy([], Best, _Fewest) ->
    Best.

%% The alias is made in the function that receives: the VM then skips all older messages.
send({Pid, Counters}, Request, Deadline) ->
    Alias = monitor(process, Pid, [{alias, reply_demonitor}]),
    signal_port_worker:send(Pid, Counters, Alias, Deadline, Request),
    receive
        {Alias, bystander} -> {ended, ?BYSTANDER};
        {Alias, Bytes} -> answer(Pid, Bytes);
        {'DOWN', Alias, process, _, noproc} -> {ended, 0};  % the request never arrived
        {'DOWN', Alias, process, _, _} -> {ended, ?SUSPECT}
    after signal_port_deadline:remaining(Deadline) ->
        demonitor(Alias, [flush]),
        receive {Alias, _} -> ok after 0 -> ok end,
        timeout
    end.

answer(Pid, Bytes) ->
    case signal_port_codec:answer(Bytes) of
        {ok, Answer} ->
            {ok, Answer};
        error ->
            signal_port_worker:report_invalid_reply(Pid),
            {ended, ?SUSPECT}
    end.

%% Callers wait for a pool that restarts, but not for a pool that was stopped.
wait(Dead, Deadline) ->
    case signal_port_pool:wait(Dead, signal_port_deadline:remaining(Deadline)) of
        restarting -> wait_for_restart(Deadline, signal_port_table:read());
        Answer -> Answer
    end.

wait_for_restart(_Deadline, not_running) ->
    {error, unavailable};
wait_for_restart(Deadline, _Running) ->
    case signal_port_deadline:has_passed(Deadline) of
        true -> {error, timeout};
        false -> timer:sleep(?RESTART)
    end.
