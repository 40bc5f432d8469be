%% @private The way of a call: to the ready worker with the fewest calls in flight, and to another if that one ends.
%%
%% A call whose worker ends is tried again with another: every operation is a function of its arguments and fresh
%% randomness, and an answer that never came was never seen. It is given up after three attempts at which it was the
%% oldest call of a worker that ended, so that one that kills its worker cannot go round for ever; or after thirty at
%% which it stood behind another, for a worker may end over a call that was not quite the oldest.
-module(signal_port_dispatch).

-export([call/1, call/2]).

-define(PATIENCE, 30).   % of a call; an attempt takes as much of it as is written here:
-define(SUSPECT, 10).    % it was the worker's oldest call
-define(BYSTANDER, 1).   % it was not
-define(RESTART, 10).    % milliseconds between two looks at a pool that is being started anew

%% @doc The answer to a request, or the bridge's own error.
-spec call(signal_port_codec:request()) -> term().
call(Request) ->
    call(Request, default).

%% @doc The same, with a time of its own in milliseconds.
-spec call(signal_port_codec:request(), default | timeout()) -> term().
call(Request, Wanted) ->
    case signal_port_table:read() of
        {Workers, Default, MaxFrame} ->
            Timeout = case Wanted of default -> Default; _ -> Wanted end,
            case iolist_size(Request) + byte_size(signal_port_codec:tag(0)) =< MaxFrame of
                true -> attempt(Request, signal_port_deadline:from_timeout(Timeout), ?PATIENCE, [], Workers);
                false -> {error, too_large}
            end;
        not_running ->
            {error, unavailable}
    end.

attempt(_Request, _Deadline, Patience, _Dead, _Workers) when Patience =< 0 ->
    {error, unavailable};
attempt(Request, Deadline, Patience, Dead, []) ->
    case wait(Dead, Deadline) of
        ok -> attempt(Request, Deadline, Patience, Dead, living(Dead));
        Error -> Error
    end;
attempt(Request, Deadline, Patience, Dead, Workers) ->
    {Pid, Counters} = least_busy(Workers),
    case send(Pid, Counters, Request, Deadline) of
        {ok, Answer} ->
            Answer;
        timeout ->
            {error, timeout};
        {ended, Cost} ->
            attempt(Request, Deadline, Patience - Cost, [Pid | Dead], living([Pid | Dead]))
    end.

%% The pool may not know yet of some that are dead.
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

send(Pid, Counters, Request, Deadline) ->
    %% Made in this function, so that the receive need not look at the messages that were there before.
    Alias = monitor(process, Pid, [{alias, reply_demonitor}]),
    signal_port_worker:send(Pid, Counters, Alias, Deadline, Request),
    receive
        {Alias, bystander} ->
            {ended, ?BYSTANDER};
        {Alias, Bytes} ->
            case signal_port_codec:answer(Bytes) of
                {ok, Answer} ->
                    {ok, Answer};
                error ->
                    signal_port_worker:liar(Pid),
                    {ended, ?SUSPECT}
            end;
        {'DOWN', Alias, process, _, noproc} ->
            {ended, 0};  % it was gone before it had the request
        {'DOWN', Alias, process, _, _} ->
            {ended, ?SUSPECT}
    after signal_port_deadline:remaining(Deadline) ->
        demonitor(Alias, [flush]),
        receive {Alias, _} -> ok after 0 -> ok end,
        timeout
    end.

%% A pool that is being started anew is waited for; one that has been stopped is not.
wait(Dead, Deadline) ->
    case {signal_port_pool:wait(Dead, signal_port_deadline:remaining(Deadline)), signal_port_table:read()} of
        {restarting, not_running} ->
            {error, unavailable};
        {restarting, _} ->
            case signal_port_deadline:has_passed(Deadline) of
                true -> {error, timeout};
                false -> timer:sleep(?RESTART)
            end;
        {Answer, _} ->
            Answer
    end.
