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

-export([call/1, call/3, call_here/2, call_by/3, send_here/2]).

-define(RETRY_BUDGET, 30).  % of a call, in units of its own
-define(SUSPECT, 10).       % cost of a retry after the call was the oldest of its worker
-define(BYSTANDER, 1).      % cost of a retry after another call was the oldest
-define(RESTART, 10).       % milliseconds between two looks at a pool that restarts
-define(REFUSED, 10).       % milliseconds to wait after all nodes refused a call

-record(call, {
    request :: signal_port_codec:request(),
    deadline :: signal_port_deadline:deadline(),
    observation = none :: signal_port_observation:observation(),
    budget = ?RETRY_BUDGET :: integer(),
    dead = [] :: [pid()],     % workers that ended with this call
    refused = [] :: [pid()],  % workers of other nodes that have no room for this call now
    is_local = false :: boolean()
}).

%% @doc Returns the answer to a request, or the bridge's own error.
-spec call(signal_port_codec:request()) -> term().
call(Request) ->
    call(Request, default, none).

%% @doc Like call/1, with a timeout in milliseconds for all attempts together, and an observation.
-spec call(signal_port_codec:request(), default | timeout(),
           signal_port_observation:observation()) -> term().
call(Request, Timeout, Observation) ->
    begin_call(#call{request = Request, deadline = infinity, observation = Observation}, Timeout).

%% @doc Like call/3, but only workers of this node get the call.
-spec call_here(signal_port_codec:request(), timeout()) -> term().
call_here(Request, Timeout) ->
    begin_call(#call{request = Request, deadline = infinity, is_local = true}, Timeout).

%% @doc Makes one attempt with this worker, and no other.
-spec call_by(signal_port_table:worker(), signal_port_codec:request(), timeout()) -> term().
call_by(Worker, Request, Timeout) ->
    Deadline = signal_port_deadline:from_timeout(Timeout),
    case send(Worker, #call{request = Request, deadline = Deadline}) of
        {ok, Answer} -> Answer;
        timeout -> {error, timeout};
        _EndedOrRefused -> {error, unavailable}
    end.

begin_call(#call{request = Request} = Call, Timeout) ->
    case signal_port_table:read() of
        {Workers, Default, MaxFrame, Queue} ->
            case refusal(Request, MaxFrame, Workers, Queue) of
                none -> attempt(Call#call{deadline = deadline(Timeout, Default)}, Workers);
                Why -> {error, Why}
            end;
        not_running ->
            {error, unavailable}
    end.

%% Only a new call is refused: a retry has waited already.
refusal(Request, MaxFrame, Workers, Queue) ->
    case iolist_size(Request) + byte_size(signal_port_codec:tag(0)) =< MaxFrame of
        true -> refusal(signal_port_queue:refuses(Queue, waited_for(Workers)));
        false -> too_large
    end.

refusal(true) -> overloaded;
refusal(false) -> none.

%% Without a worker of this node, calls wait for other nodes.
waited_for([]) -> signal_port_placement:elsewhere();
waited_for(Workers) -> Workers.

deadline(default, Default) -> signal_port_deadline:from_timeout(Default);
deadline(Timeout, _Default) -> signal_port_deadline:from_timeout(Timeout).

%% @doc Sends a request to a worker of this node and returns the alias at once. The calling process
%% gets the reply, as signal_port_worker describes it.
-spec send_here(signal_port_codec:request(), signal_port_deadline:deadline()) ->
    Alias :: reference() | too_large | not_here.
send_here(Request, Deadline) ->
    case signal_port_table:read() of
        {Workers, _, MaxFrame, Queue} ->
            case {refusal(Request, MaxFrame, Workers, Queue),
                  signal_port_placement:pick_here(Workers)} of
                {too_large, _} -> too_large;
                {none, {_, _} = Worker} -> start(Worker, Request, Deadline);
                _ -> not_here
            end;
        not_running ->
            not_here
    end.

attempt(#call{budget = Budget}, _Local) when Budget =< 0 ->
    {error, unavailable};
attempt(Call, Local) ->
    case pick(Call, Local) of
        none -> wait(Call);
        {Pid, _} = Worker -> attempted(send(Worker, Call), Pid, Call)
    end.

pick(#call{is_local = true}, Local) ->
    signal_port_placement:pick_here(Local);
pick(#call{request = Request, dead = Dead, refused = Refused}, Local) ->
    signal_port_placement:pick(Local, Refused ++ Dead, Request).

attempted({ok, Answer}, _Pid, _Call) ->
    Answer;
attempted(timeout, _Pid, _Call) ->
    {error, timeout};
attempted({ended, Cost}, Pid, #call{budget = Budget, dead = Dead} = Call) ->
    retry(Call#call{budget = Budget - Cost, dead = [Pid | Dead]});
attempted({lost, Cost}, _Pid, #call{budget = Budget} = Call) ->
    retry(Call#call{budget = Budget - Cost});
attempted(refused, Pid, #call{refused = Refused} = Call) ->
    retry(Call#call{refused = [Pid | Refused]}).

%% The pool might not know yet that a worker is dead.
retry(#call{dead = Dead} = Call) ->
    Workers = signal_port_table:workers(),
    attempt(Call, [Worker || {Pid, _} = Worker <- Workers, not lists:member(Pid, Dead)]).

%% The alias is made in the function that receives: the VM then skips all older messages.
send({Pid, Counters}, #call{request = Request, deadline = Deadline, observation = Observation}) ->
    signal_port_observation:add_attempt(Observation, Counters),
    Hidden = signal_port_observation:hide(Observation, Request),
    Alias = monitor(process, Pid, [{alias, reply_demonitor}]),
    signal_port_worker:send(Pid, Counters, Alias, Deadline, Hidden),
    receive
        {Alias, Bytes} when is_binary(Bytes) -> answer(Pid, Bytes);
        {Alias, Status} -> status(Status);
        {'DOWN', Alias, process, _, noproc} -> {ended, 0};  % the request never arrived
        {'DOWN', Alias, process, _, _} -> {ended, ?SUSPECT}
    after signal_port_deadline:remaining(Deadline) ->
        demonitor(Alias, [flush]),
        receive {Alias, _} -> ok after 0 -> ok end,
        timeout
    end.

start({Pid, Counters}, Request, Deadline) ->
    Alias = monitor(process, Pid, [{alias, reply_demonitor}]),
    signal_port_worker:send(Pid, Counters, Alias, Deadline, signal_port_secret:hide(Request)),
    Alias.

%% The last three are a node worker's: a worker of its node ended, or took no call.
status(bystander) -> {ended, ?BYSTANDER};
status({elsewhere, suspect}) -> {lost, ?SUSPECT};
status({elsewhere, bystander}) -> {lost, ?BYSTANDER};
status({elsewhere, not_here}) -> refused.

answer(Pid, Bytes) ->
    case signal_port_codec:answer(Bytes) of
        {ok, Answer} ->
            {ok, Answer};
        error ->
            signal_port_worker:report_invalid_reply(Pid),
            {ended, ?SUSPECT}
    end.

%% Callers wait for a pool that restarts, but not for a pool that was stopped.
wait(#call{refused = [_ | _]} = Call) ->
    timer:sleep(?REFUSED),
    retry_in_time(Call#call{refused = []});
wait(#call{dead = Dead, deadline = Deadline} = Call) ->
    case signal_port_pool:wait(unfit(Call) ++ Dead, signal_port_deadline:remaining(Deadline)) of
        ok -> retry(Call);
        restarting -> wait_for_restart(Call, signal_port_table:read());
        Error -> Error
    end.

%% The pool does not know that other nodes are out of the question for this call.
unfit(#call{is_local = true}) -> [Pid || {Pid, _} <- signal_port_placement:elsewhere()];
unfit(#call{request = Request}) -> signal_port_placement:too_small(Request).

wait_for_restart(_Call, not_running) ->
    {error, unavailable};
wait_for_restart(Call, _Running) ->
    timer:sleep(?RESTART),
    retry_in_time(Call).

retry_in_time(#call{deadline = Deadline} = Call) ->
    case signal_port_deadline:has_passed(Deadline) of
        true -> {error, timeout};
        false -> retry(Call)
    end.
