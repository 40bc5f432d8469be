%% @private A worker: one process, one channel, one program at its other end, one life. When one of
%% the three ends, all end. A worker is never repaired: the pool starts the next one.
%%
%% Callers send `{call, Number, Alias, Deadline, Request}', with the request hidden in a function.
%% They get `{Alias, Answer}', with the answer still encoded. If the worker ends, the caller of the
%% oldest open call gets 'DOWN', because that call probably was the cause. All other callers get
%% `{Alias, bystander}'.
%%
%% Any frame that the protocol does not allow ends the worker. So a caller never gets a wrong
%% answer from a worker that lost count.
%%
%% A watchdog stands beside each worker. It ends a worker that stalls, and it makes sure that no
%% child process outlives its worker.
-module(signal_port_worker).
-behaviour(gen_server).

-export([start_link/3, open/2, send/5, drain/1, report_invalid_reply/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2,
         format_status/1]).

-define(PROTOCOL, 1).             % the version of PROTOCOL.md
-define(WRITE_RETRY, 5).          % milliseconds between two writes to a channel that is full
-define(LONG_FRAME, 1024 * 1024). % bytes; after such a frame the heap is collected

-record(state, {
    pool :: pid(),
    channel :: signal_port_channel:channel() | undefined,
    watchdog :: pid() | undefined,
    counters :: signal_port_counters:counters(),
    calls :: signal_port_calls:calls(),
    ready = false :: boolean(),
    needs_sandbox :: boolean(),
    draining = false :: boolean(),    % the worker ends after its last call
    stalled = false :: boolean(),     % the watchdog kills the child process
    stream :: signal_port_secret:hidden(signal_port_frame:stream() | too_long),
    will_write = false :: boolean()   % the channel is full and a timer runs
}).

-type stop() :: {stop, {shutdown, signal_port_reason:why()}, #state{}}.

%% @doc Starts a worker. It sends its pool `{started, Pid, OsPid}' and `{ready, Pid, Versions}'. It
%% exits with `{shutdown, signal_port_reason:why()}'.
-spec start_link(Pool :: pid(), signal_port_counters:counters(), signal_port_config:config()) ->
    {ok, pid()} | {error, term()}.
start_link(Pool, Counters, Config) ->
    gen_server:start_link(?MODULE, {Pool, Counters, Config}, []).

%% @doc Lets the worker open its channel. The pool monitors it first: a channel that cannot be
%% opened ends the worker at once, and the monitor must see why.
-spec open(pid(), signal_port_config:config()) -> ok.
open(Worker, Config) ->
    gen_server:cast(Worker, {open, Config}).

%% @doc Sends a request. The process that made the alias, a monitor of the worker, gets
%% `{Alias, Answer}', `{Alias, bystander}' or 'DOWN'. After the deadline it might get nothing.
-spec send(pid(), signal_port_counters:counters(), Alias :: reference(),
           signal_port_deadline:deadline(),
           signal_port_secret:hidden(signal_port_codec:request())) -> ok.
send(Worker, Counters, Alias, Deadline, Request) ->
    Number = signal_port_counters:add_sent(Counters),
    Worker ! {call, Number, Alias, Deadline, Request},
    ok.

%% @doc Lets the worker answer the calls that it has, and then end. Callers must not find it any
%% more. A call that comes too late is told that it is a bystander.
-spec drain(pid()) -> ok.
drain(Worker) ->
    gen_server:cast(Worker, drain).

%% @doc Reports an answer that cannot be decoded. The worker ends, because its next answer cannot
%% be trusted.
-spec report_invalid_reply(pid()) -> ok.
report_invalid_reply(Worker) ->
    gen_server:cast(Worker, invalid_reply).

%% --- gen_server ---

-spec init({pid(), signal_port_counters:counters(), signal_port_config:config()}) ->
    {ok, #state{}}.
init({Pool, Counters, #{max_frame := MaxFrame, sandbox := Sandbox}}) ->
    process_flag(trap_exit, true),
    process_flag(sensitive, true),
    Stream = signal_port_secret:hide(signal_port_frame:new(MaxFrame)),
    {ok, #state{pool = Pool, counters = Counters, calls = signal_port_calls:new(Counters),
                needs_sandbox = Sandbox =:= required, stream = Stream}}.

-spec handle_info(term(), #state{}) ->
    {noreply, #state{}} | {noreply, #state{}, hibernate} | stop().
handle_info({call, _, _, _, _} = Call, #state{calls = Calls} = State) ->
    next(write(State#state{calls = signal_port_mailbox:add_all(Call, Calls)}));
handle_info({counted, Number}, #state{calls = Calls} = State) ->
    {noreply, State#state{calls = signal_port_calls:expect(Number, Calls)}};
handle_info(write, State) ->
    next(write(State#state{will_write = false}));
handle_info(stalled, #state{channel = Channel} = State) ->
    case signal_port_channel:os_pid(Channel) of
        undefined -> stop(stalled, State);
        _ -> {noreply, State#state{stalled = true}}  % the child's end follows
    end;
handle_info({start_timeout, Milliseconds}, #state{ready = false, channel = Channel} = State) ->
    stop({not_ready, signal_port_channel:name(Channel), Milliseconds}, State);
handle_info({'EXIT', Watchdog, _}, #state{watchdog = Watchdog, stalled = true} = State) ->
    stop(stalled, State#state{channel = undefined});  % it saw the child end before the port did
handle_info({'EXIT', Watchdog, Reason}, #state{watchdog = Watchdog} = State) ->
    stop({watchdog, Reason}, State);
handle_info(Message, #state{channel = Channel} = State) when Channel =/= undefined ->
    case signal_port_channel:event(Message, Channel) of
        {data, Bytes} -> data(Bytes, State);
        {closed, How} -> closed(How, State);
        none -> {noreply, State}
    end;
handle_info(_, State) ->
    {noreply, State}.

-spec handle_call(term(), gen_server:from(), #state{}) -> {reply, {error, badarg}, #state{}}.
handle_call(_, _From, State) ->
    {reply, {error, badarg}, State}.

-spec handle_cast(term(), #state{}) -> {noreply, #state{}} | stop().
handle_cast({open, #{start_timeout := Timeout} = Config}, State) ->
    case signal_port_channel:open(Config) of
        {ok, Channel} ->
            erlang:send_after(Timeout, self(), {start_timeout, Timeout}),
            {noreply, watch(Config, State#state{channel = Channel})};
        {error, Why} ->
            stop(Why, State)
    end;
handle_cast(drain, State) ->
    next(State#state{draining = true});
handle_cast(invalid_reply, State) ->
    stop(invalid_data, State);
handle_cast(_, State) ->
    {noreply, State}.

-spec terminate(term(), #state{}) -> ok.
terminate(Reason, #state{calls = Calls} = State) ->
    end_channel(Reason, State),
    {_Suspect, Bystanders} = signal_port_calls:oldest_and_others(Calls),
    signal_port_mailbox:tell_bystanders(Bystanders).

-spec format_status(gen_server:format_status()) -> gen_server:format_status().
format_status(Status) ->
    signal_port_secret:format_status(Status).

%% --- The channel ---

watch(#{stall_timeout := StallTimeout}, #state{pool = Pool, channel = Channel} = State) ->
    OsPid = signal_port_channel:os_pid(Channel),
    OsPid =:= undefined orelse (Pool ! {started, self(), OsPid}),
    Watchdog = signal_port_watchdog:start(OsPid, State#state.counters, StallTimeout),
    State#state{watchdog = Watchdog}.

%% --- Replies ---

data(Bytes, #state{stream = Stream} = State) ->
    {Frames, Rest} = signal_port_frame:feed(Bytes, signal_port_secret:reveal(Stream)),
    collect_garbage(Frames, received(Frames, State#state{stream = signal_port_secret:hide(Rest)})).

received([], #state{stream = Stream} = State) ->
    case signal_port_secret:reveal(Stream) of
        too_long -> stop(invalid_data, State);
        _ -> next(write(State))
    end;
received([Frame | Frames], #state{ready = true, calls = Calls} = State) ->
    case signal_port_calls:reply(Frame, Calls) of
        {Alias, Answer, Others} ->
            Alias ! {Alias, Answer},
            received(Frames, State#state{calls = Others});
        error ->
            stop(invalid_data, State)
    end;
received([Notice | Frames], #state{ready = false} = State) ->
    case signal_port_codec:notice(Notice) of
        {ready, ?PROTOCOL, Versions} ->
            ready(Versions, Frames, State);
        {ready, Other, _} ->
            stop({protocol, Other, ?PROTOCOL}, State);
        {unfit, Reason} ->
            stop({unfit, Reason}, State);
        error ->
            stop(invalid_data, State)
    end.

ready(Versions, _Frames, #state{needs_sandbox = true, channel = Channel} = State)
  when map_get(sandbox, Versions) =/= <<"seccomp">>; not is_map_key(sandbox, Versions) ->
    stop({no_sandbox, signal_port_channel:name(Channel)}, State);
ready(Versions, Frames, #state{pool = Pool} = State) ->
    Pool ! {ready, self(), Versions},
    received(Frames, State#state{ready = true}).

%% An idle process does not collect its garbage: it would keep a long frame and its chunks.
collect_garbage([Frame | _], {noreply, State}) when byte_size(Frame) > ?LONG_FRAME ->
    {noreply, State, hibernate};
collect_garbage(_, Next) ->
    Next.

%% --- Requests ---

%% A write must not suspend this process, which also reads replies. So calls that the channel does
%% not accept wait for the next reply or for a timer.
write(#state{calls = Calls, channel = Channel} = State) ->
    Current = signal_port_calls:drop_expired(Calls),
    case signal_port_calls:take(Current) of
        {[], _} ->
            State#state{calls = Current};
        {Frames, Taken} ->
            case signal_port_channel:write(Frames, Channel) of
                true ->
                    signal_port_counters:add_taken(State#state.counters, length(Frames)),
                    State#state{calls = Taken};
                false ->
                    write_later(State#state{calls = Current})
            end
    end.

write_later(#state{will_write = true} = State) ->
    State;
write_later(#state{will_write = false} = State) ->
    erlang:send_after(?WRITE_RETRY, self(), write),
    State#state{will_write = true}.

%% --- The end ---

next(#state{draining = false} = State) ->
    {noreply, State};
next(#state{draining = true, calls = Calls} = State) ->
    case signal_port_calls:is_empty(Calls) of
        true -> stop(drained, State);
        false -> {noreply, State}
    end.

stop(Why, State) ->
    {stop, {shutdown, Why}, State}.

closed({exit_status, _} = How, State) ->
    signal_port_watchdog:dismiss(State#state.watchdog),
    stop(why(How, State), State#state{channel = undefined});
closed(How, State) ->
    stop(why(How, State), State#state{channel = undefined}).

why(_How, #state{stalled = true}) ->
    stalled;
why(port_closed, #state{channel = Channel}) ->
    {port_closed, signal_port_channel:os_pid(Channel)};
why(How, #state{ready = true}) ->
    How;
why({exit_status, Status}, #state{channel = Channel}) ->
    {ended, signal_port_channel:name(Channel), Status};
why(connection_closed, #state{channel = Channel}) ->
    {closed_at_start, signal_port_channel:name(Channel)}.

is_regular(Reason) ->
    Reason =:= shutdown orelse Reason =:= {shutdown, drained}.

end_channel(_Reason, #state{channel = undefined}) ->
    ok;
end_channel(Reason, #state{channel = Channel, watchdog = Watchdog}) ->
    (is_regular(Reason) andalso signal_port_channel:finish(Channel))
        orelse signal_port_channel:kill(Channel),
    signal_port_watchdog:dismiss(Watchdog).
