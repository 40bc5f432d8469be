%% @private A worker: one process, one port, one OS process, one life. When any of the three ends, all end, and the pool starts
%% the next; no worker is ever mended.
%%
%% Callers send `{call, Number, Alias, Deadline, fun(() -> Request)}' and get `{Alias, Answer}', the answer still encoded. Of
%% those whose worker ends the oldest gets 'DOWN', for its call may have been the cause; the others get `{Alias, bystander}'.
%% Replies come in the order of the requests, and each must bear the tag of the oldest open one. A reply that does not, or
%% anything else that the protocol does not know, ends the worker: it is never a wrong answer.
%%
%% The OS process is given no more calls than keep it busy. The others wait here, where those whose callers have given up
%% can be forgotten: else a crowd in a hurry would be answered too late for ever.
%%
%% A guard stands beside it, which kills an OS process that stalls, and sees to it that none is left behind.
-module(signal_port_worker).
-behaviour(gen_server).

-export([start_link/3, send/5, liar/1]).
-export([init/1, handle_continue/2, handle_call/3, handle_cast/2, handle_info/2, terminate/2, format_status/1]).

-define(PROTOCOL, 1).
-define(STOP_GRACE, 1000).  % milliseconds for an OS process to end when it is asked to
-define(WRITE_AGAIN, 5).    % milliseconds
-define(WINDOW, 64).        % calls that the OS process is given before it answers
-define(LONG, 1024 * 1024). % bytes

-type call() :: {Alias :: reference(), Deadline :: signal_port_deadline:deadline(), signal_port_secret:hidden(signal_port_codec:request())}.

-record(state, {
    pool :: pid(),
    port :: port() | undefined,
    os_pid :: pos_integer() | undefined,
    guard :: pid() | undefined,
    counters :: signal_port_counters:counters(),
    latest = 0 :: non_neg_integer(),                 % the highest number of a call that has come
    python :: file:filename() | undefined,
    ready = false :: boolean(),
    stalled = false :: boolean(),                    % the guard is at it
    waiting = queue:new() :: queue:queue(call()),    % not given to the OS process yet, oldest first
    open = queue:new() :: queue:queue(reference()),  % aliases of the callers of those that were, oldest first
    next = 0 :: non_neg_integer(),                   % tag of the next request
    due = 0 :: non_neg_integer(),                    % tag of the next reply
    stream :: signal_port_secret:hidden(signal_port_frame:stream() | too_long),  % what has come and is not a whole frame
    will_write = false :: boolean()                  % the pipe is full; a timer is running
}).

-type stop() :: {stop, {shutdown, signal_port_reason:why()}, #state{}}.

%% @doc Starts a worker, which sends its pool `{started, Pid, OsPid}' and `{ready, Pid, Versions}'. It ends with
%% `{shutdown, signal_port_reason:why()}'.
-spec start_link(pid(), signal_port_counters:counters(), signal_port_config:config()) -> {ok, pid()} | {error, term()}.
start_link(Pool, Counters, Config) ->
    gen_server:start_link(?MODULE, {Pool, Counters, Config}, []).

%% @doc Sends a request. Whoever made the alias, a monitor of the worker, gets `{Alias, Answer}', the answer encoded, or
%% `{Alias, bystander}', or 'DOWN'; after the deadline, in monotonic milliseconds, maybe nothing.
-spec send(pid(), signal_port_counters:counters(), Alias :: reference(), Deadline :: signal_port_deadline:deadline(), signal_port_codec:request()) -> ok.
send(Worker, Counters, Alias, Deadline, Request) ->
    Number = signal_port_counters:add_sent(Counters),
    Worker ! {call, Number, Alias, Deadline, signal_port_secret:hide(Request)},
    ok.

%% @doc Says that an answer of this worker made no sense: it must not give another.
-spec liar(pid()) -> ok.
liar(Worker) ->
    gen_server:cast(Worker, liar).

%% --- gen_server ---

-spec init({pid(), signal_port_counters:counters(), signal_port_config:config()}) -> {ok, #state{}, {continue, term()}}.
init({Pool, Counters, Config}) ->
    process_flag(trap_exit, true),
    process_flag(sensitive, true),
    #{max_frame := MaxFrame} = Config,
    Stream = signal_port_frame:new(MaxFrame),
    {ok, #state{pool = Pool, counters = Counters, stream = signal_port_secret:hide(Stream)}, {continue, {open, Config}}}.

-spec handle_continue({open, signal_port_config:config()}, #state{}) -> {noreply, #state{}} | stop().
handle_continue({open, #{start_timeout := StartTimeout, stall_timeout := StallTimeout} = Config}, State) ->
    case open(Config) of
        {ok, Port, Python} ->
            erlang:send_after(StartTimeout, self(), {start_timeout, StartTimeout}),
            {noreply, guarded(erlang:port_info(Port, os_pid), StallTimeout, State#state{port = Port, python = Python})};
        {error, Why} ->
            stop(Why, State)
    end.

guarded({os_pid, OsPid}, StallTimeout, #state{pool = Pool, counters = Counters} = State) ->
    Pool ! {started, self(), OsPid},
    State#state{os_pid = OsPid, guard = signal_port_watchdog:start(OsPid, Counters, StallTimeout)};
guarded(undefined, _StallTimeout, State) ->
    State.  % it has ended already: the message about that is there

-spec handle_info(term(), #state{}) -> {noreply, #state{}} | {noreply, #state{}, hibernate} | stop().
handle_info({call, Number, Alias, Deadline, Request}, State) ->
    {noreply, write(enqueue_all(enqueue(Number, {Alias, Deadline, Request}, State)))};
handle_info({Port, {data, Bytes}}, #state{port = Port, stream = Stream} = State) ->
    {Frames, Rest} = signal_port_frame:feed(Bytes, signal_port_secret:reveal(Stream)),
    release(Frames, received(Frames, State#state{stream = signal_port_secret:hide(Rest)}));
handle_info(write, State) ->
    {noreply, write(State#state{will_write = false})};
handle_info({Port, {exit_status, Status}}, #state{port = Port} = State) ->
    signal_port_watchdog:dismiss(State#state.guard),
    stop(why(Status, State), State#state{port = undefined});
handle_info({'EXIT', Port, _}, #state{port = Port, stalled = Stalled} = State) ->
    stop(case Stalled of true -> stalled; false -> port_closed end, State#state{port = undefined});
handle_info(stalled, State) ->
    {noreply, State#state{stalled = true}};
handle_info({start_timeout, Milliseconds}, #state{ready = false, python = Python} = State) ->
    stop({not_ready, Python, Milliseconds}, State);
handle_info({'EXIT', Guard, _}, #state{guard = Guard, stalled = true} = State) ->
    stop(stalled, State#state{port = undefined});  % it has seen the end of the OS process, and the port has not told it
handle_info({'EXIT', Guard, Reason}, #state{guard = Guard} = State) ->
    stop({guard, Reason}, State);
handle_info(_, State) ->
    {noreply, State}.

-spec handle_call(term(), gen_server:from(), #state{}) -> {reply, {error, badarg}, #state{}}.
handle_call(_, _From, State) ->
    {reply, {error, badarg}, State}.

-spec handle_cast(term(), #state{}) -> {noreply, #state{}} | stop().
handle_cast(liar, State) ->
    stop(garbage, State);
handle_cast(_, State) ->
    {noreply, State}.

%% --- Replies ---

received([], #state{stream = Stream} = State) ->
    case signal_port_secret:reveal(Stream) of
        too_long -> stop(garbage, State);
        _ -> {noreply, write(State)}
    end;
received([Frame | Frames], #state{ready = true, open = Open, due = Due} = State) ->
    case {queue:out(Open), signal_port_codec:reply(Due, Frame)} of
        {{{value, Alias}, Rest}, {ok, Answer}} ->
            signal_port_counters:add_answered(State#state.counters),
            Alias ! {Alias, Answer},
            received(Frames, State#state{open = Rest, due = Due + 1});
        _ ->
            stop(garbage, State)
    end;
received([Frame | Frames], #state{ready = false, pool = Pool} = State) ->
    case signal_port_codec:notice(Frame) of
        {ready, ?PROTOCOL, Versions} ->
            Pool ! {ready, self(), Versions},
            received(Frames, State#state{ready = true});
        {ready, Other, _} ->
            stop({protocol, Other, ?PROTOCOL}, State);
        {unfit, Reason} ->
            stop({unfit, Reason}, State);
        error ->
            stop(garbage, State)
    end.

%% An idle process is not garbage-collected by itself: it would keep a long frame, and the chunks in which that came.
release([Frame | _], {noreply, State}) when byte_size(Frame) > ?LONG -> {noreply, State, hibernate};
release(_, Next) -> Next.

%% --- Requests ---

enqueue(Number, Call, #state{waiting = Waiting, latest = Latest, counters = Counters} = State) ->
    count_in(Number, Latest, Counters),
    State#state{waiting = queue:in(Call, Waiting), latest = max(Number, Latest)}.

%% A number that is left out is of a caller that was killed before it sent its call, or whose call comes after all.
count_in(Number, Latest, _Counters) when Number =:= Latest + 1 -> ok;
count_in(Number, Latest, Counters) when Number > Latest -> signal_port_counters:add_dropped(Counters, Number - Latest - 1);
count_in(_Number, _Latest, Counters) -> signal_port_counters:add_dropped(Counters, -1).

%% Those that have come meanwhile go with the first in one write: under load one system call serves many.
enqueue_all(State) ->
    receive
        {call, Number, Alias, Deadline, Request} -> enqueue_all(enqueue(Number, {Alias, Deadline, Request}, State))
    after 0 -> State
    end.

%% Writing to a full pipe would suspend this process, and with it everything it is there for. So what the pipe does not
%% take waits until a reply says that the other side has read, or a moment has passed.
write(State) ->
    Current = forget(State),
    case fill([], Current) of
        {[], _} ->
            Current;
        {Frames, Filled} ->
            case takes(State#state.port, lists:reverse(Frames)) of
                true ->
                    signal_port_counters:add_taken(State#state.counters, length(Frames)),
                    Filled;
                false ->
                    State#state.will_write orelse erlang:send_after(?WRITE_AGAIN, self(), write),
                    Current#state{will_write = true}
            end
    end.

%% Calls come in the order of their deadlines, or nearly so: looking at the oldest is enough.
forget(#state{waiting = Waiting} = State) ->
    case queue:peek(Waiting) of
        {value, {_, Deadline, _}} ->
            case signal_port_deadline:has_passed(Deadline) of
                false ->
                    State;
                true ->
                    signal_port_counters:add_dropped(State#state.counters, 1),
                    forget(State#state{waiting = queue:drop(Waiting)})
            end;
        empty ->
            State
    end.

fill(Frames, #state{waiting = Waiting, open = Open, next = Next, due = Due} = State) when Next - Due < ?WINDOW ->
    case queue:out(Waiting) of
        {{value, {Alias, _, Request}}, Rest} ->
            Frame = signal_port_frame:pack([signal_port_codec:tag(Next) | signal_port_secret:reveal(Request)]),
            fill([Frame | Frames], State#state{waiting = Rest, open = queue:in(Alias, Open), next = Next + 1});
        {empty, _} ->
            {Frames, State}
    end;
fill(Frames, State) ->
    {Frames, State}.

takes(Port, Frames) ->
    try
        port_command(Port, Frames, [nosuspend])
    catch
        error:badarg -> true  % the port is closed: its message about that is on its way
    end.

%% --- The end ---

stop(Why, State) ->
    {stop, {shutdown, Why}, State}.

why(_Status, #state{stalled = true}) -> stalled;
why(Status, #state{ready = true}) -> {exit_status, Status};
why(Status, #state{python = Python}) -> {ended, Python, Status}.

-spec terminate(term(), #state{}) -> ok.
terminate(Reason, State) ->
    end_os_process(Reason, State),
    tell_bystanders(State).

tell_bystanders(#state{open = Open, waiting = Waiting}) ->
    Others = case queue:is_empty(Open) of true -> []; false -> queue:to_list(queue:drop(Open)) end,
    _ = [Alias ! {Alias, bystander} || Alias <- Others ++ [Alias || {Alias, _, _} <- queue:to_list(Waiting)]],
    tell_late_bystanders().

tell_late_bystanders() ->
    receive
        {call, _, Alias, _, _} ->
            Alias ! {Alias, bystander},
            tell_late_bystanders()
    after 0 -> ok
    end.

end_os_process(_Reason, #state{port = undefined}) ->
    ok;
end_os_process(Reason, #state{port = Port, os_pid = OsPid, guard = Guard}) ->
    %% A worker that is to be trusted is asked to end, by an empty frame; it answers what it has begun.
    Asked = Reason =:= shutdown andalso (catch port_command(Port, signal_port_frame:pack([]), [nosuspend])) =:= true,
    (Asked andalso ended(Port)) orelse OsPid =:= undefined orelse signal_port_watchdog:kill(OsPid),
    signal_port_watchdog:dismiss(Guard).

%% A message may be a piece of an answer. The state has its secrets in functions.
-spec format_status(gen_server:format_status()) -> gen_server:format_status().
format_status(Status) ->
    signal_port_secret:format_status(Status).

%% --- The OS process ---

open(Config) ->
    case signal_port_command:make(Config) of
        {ok, #{program := Program, args := Args, env := Env}} ->
            try open_port({spawn_executable, Program},
                          [stream, binary, exit_status, use_stdio, hide, {args, Args}, {env, Env}]) of
                Port -> {ok, Port, Program}
            catch
                error:Posix -> {error, {cannot_run, Program, Posix}}
            end;
        {error, Why} ->
            {error, Why}
    end.

ended(Port) ->
    receive
        {Port, {exit_status, _}} -> true
    after ?STOP_GRACE -> false
    end.
