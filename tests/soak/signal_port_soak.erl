%% A soak: callers of every kind, for any time, while workers are killed, stopped and lost. At the
%% end each call must have its answer, each answer must be right, and memory, processes and
%% throughput must be as at the beginning. `make soak' calls it.
%%
%% Environment: SECONDS, default 600.
-module(signal_port_soak).

-export([main/0]).

-define(CALLERS, 24).
-define(WORKERS, 4).
-define(FAULT_EVERY, 200).      % milliseconds
-define(STALL_TIMEOUT, 1000).   % milliseconds; how soon a stopped worker is killed
-define(LONGEST_CALL, 10_000).  % milliseconds; two stalls, and starts, one after the other
-define(MEMORY_GROWTH, 32).     % MiB that the VM may have more at the end
-define(THROUGHPUT_KEPT, 0.5).  % of the first quarter's; machines are shared
-define(MEANINGFUL, 60).        % seconds; the quarters of a shorter run are too short to compare

-define(CALLS, 1).    % counters
-define(SLOWEST, 2).  % microseconds

-spec main() -> no_return().
main() ->
    Seconds = list_to_integer(os:getenv("SECONDS", "600")),
    logger:set_primary_config(level, critical),
    [application:set_env(signal_port, Key, Value)
     || {Key, Value} <- [{backend, port}, {pool_size, ?WORKERS}, {stall_timeout, ?STALL_TIMEOUT}]],
    {ok, _} = application:ensure_all_started(signal_port),
    Counters = atomics:new(2, []),
    Kinds = [lists:nth(Index rem 4 + 1, [talk, agree, batch, request])
             || Index <- lists:seq(1, ?CALLERS)],
    Callers = [spawn_monitor(fun() -> call_forever(Kind, Counters) end) || Kind <- Kinds],
    Leavers = spawn_link(fun leavers/0),
    timer:sleep(1000),
    Before = figures(),
    Quarters = [quarter(Seconds * 250, Counters) || _ <- lists:seq(1, 4)],
    unlink(Leavers),
    exit(Leavers, kill),
    [exit(Pid, kill) || {Pid, _} <- Callers],
    Ends = [receive {'DOWN', Monitor, process, _, Reason} -> Reason end || {_, Monitor} <- Callers],
    until_idle(),
    After = figures(),
    ok = application:stop(signal_port),
    report(Seconds, [Reason || Reason <- Ends, Reason =/= killed], Quarters, Before, After,
           atomics:get(Counters, ?SLOWEST) div 1000).

%% --- Callers: each checks what it gets, and ends with the reason if it is wrong ---

call_forever(Kind, Counters) ->
    call_forever(Kind, Counters, begin_with(Kind)).

call_forever(Kind, Counters, State) ->
    Begin = erlang:monotonic_time(microsecond),
    {Calls, Next} = make(Kind, State),
    Took = erlang:monotonic_time(microsecond) - Begin,
    atomics:add(Counters, ?CALLS, Calls),
    Took > atomics:get(Counters, ?SLOWEST) andalso atomics:put(Counters, ?SLOWEST, Took),
    call_forever(Kind, Counters, Next).

begin_with(talk) ->
    {Alice, Bob, _} = meet(),
    {ok, {Wire, Alice1}} = signal_port:encrypt(Alice, <<"hello">>),
    {ok, {<<"hello">>, Bob1}} = signal_port:decrypt(Bob, Wire),
    {Bob1, Alice1};
begin_with(_) ->
    undefined.

make(talk, {Sender, Receiver}) ->
    Plain = binary:copy(<<"message ">>, rand:uniform(100)),
    {ok, {Wire, Sender1}} = signal_port:encrypt(Sender, Plain),
    {ok, {Plain, Receiver1}} = signal_port:decrypt(Receiver, Wire),
    {error, bad_mac} = signal_port:decrypt(Receiver1, Wire),
    {3, {Receiver1, Sender1}};
make(agree, _) ->
    {_, _, Calls} = meet(),
    {Calls, undefined};
make(batch, _) ->
    Data = [integer_to_binary(N) || N <- lists:seq(1, 100)],
    Answers = signal_port:batch([{sha256, [D]} || D <- Data]),
    [{ok, <<16#4E074085:32, _/binary>>}] =
        [Answer || {<<"3">>, Answer} <- lists:zip(Data, Answers)],
    {100, undefined};
make(request, _) ->
    [GivenUp | Others] = [signal_port:send_request(hmac_sha256, [<<Key>>, <<"data">>])
                          || Key <- lists:seq(1, 10)],
    _ = signal_port:receive_response(GivenUp, 0),
    Responses = [signal_port:receive_response(Request) || Request <- Others],
    Macs = [Mac || {reply, {ok, Mac}} <- Responses],
    9 = length(lists:usort(Macs)),
    {10, undefined}.

meet() ->
    {ok, {AlicePublic, AliceSecret}} = signal_port:generate_identity_key_pair(),
    {ok, {BobPublic, BobSecret}} = signal_port:generate_identity_key_pair(),
    {ok, {1, Signed, SignedPrivate, Signature}} = signal_port:generate_signed_pre_key(BobSecret, 1),
    Bundle = <<BobPublic/binary, Signed/binary, Signature/binary>>,
    {ok, {Secret, Base}} = signal_port:process_pre_key_bundle(AliceSecret, Bundle),
    {ok, Secret} =
        signal_port:process_pre_key_bundle_bob(BobSecret, SignedPrivate, <<>>, AlicePublic, Base),
    {ok, Alice} = signal_port:dr_init(Secret, AlicePublic, BobPublic, AliceSecret, 1),
    {ok, Bob} = signal_port:dr_init(Secret, BobPublic, AlicePublic, BobSecret, 0),
    {Alice, Bob, 7}.

%% Callers that are killed during a call.
leavers() ->
    Pid = spawn(fun() -> signal_port:sha256(binary:copy(<<"x">>, 1024 * 1024)) end),
    timer:sleep(rand:uniform(5)),
    exit(Pid, kill),
    leavers().

%% --- Faults ---

%% Calls a second in a quarter of the time, while faults happen.
quarter(Milliseconds, Counters) ->
    {Calls, Begin} = {atomics:get(Counters, ?CALLS), erlang:monotonic_time(millisecond)},
    faults(Begin + Milliseconds, 1),
    (atomics:get(Counters, ?CALLS) - Calls) * 1000 / (erlang:monotonic_time(millisecond) - Begin).

faults(End, Number) ->
    timer:sleep(?FAULT_EVERY),
    case erlang:monotonic_time(millisecond) < End of
        true -> fault(Number), faults(End, Number + 1);
        false -> ok
    end.

fault(Number) when Number rem 75 =:= 0 -> exit(whereis(signal_port_pool), kill);
fault(Number) when Number rem 50 =:= 0 -> [signal("KILL", OsPid) || OsPid <- os_pids()];
fault(Number) when Number rem 25 =:= 0 -> one(fun(OsPid) -> signal("STOP", OsPid) end, os_pids());
fault(Number) when Number rem 10 =:= 0 ->
    one(fun({_, Pid, _, _}) -> is_pid(Pid) andalso exit(Pid, kill) end,
        supervisor:which_children(signal_port_worker_sup));
fault(_) -> one(fun(OsPid) -> signal("KILL", OsPid) end, os_pids()).

one(_, []) -> ok;
one(Do, Choices) -> Do(lists:nth(rand:uniform(length(Choices)), Choices)).

os_pids() ->
    try [OsPid || #{os_pid := OsPid} <- maps:get(workers, signal_port:info()), is_integer(OsPid)]
    catch exit:_ -> []  % the pool is restarting
    end.

signal(Name, OsPid) ->
    os:cmd("kill -s " ++ Name ++ " " ++ integer_to_list(OsPid)).

%% --- What is compared ---

figures() ->
    [garbage_collect(Pid) || Pid <- processes()],
    Queues = [process_info(Pid, message_queue_len) || Pid <- processes()],
    #{memory_mib => erlang:memory(total) / 1024 / 1024,
      ports => length(erlang:ports()),
      tables => length(ets:all()),
      messages => lists:sum([Length || {_, Length} <- Queues]),
      processes => erlang:system_info(process_count)}.

until_idle() ->
    case maps:get(workers, signal_port:info()) of
        Workers when length(Workers) =:= ?WORKERS ->
            Busy = fun(#{state := State, in_flight := N}) -> State =/= ready orelse N > 0 end,
            case lists:any(Busy, Workers) of
                false -> ok;
                true -> timer:sleep(100), until_idle()
            end
    end.

report(Seconds, Wrong, [First | _] = Quarters, Before, After, Slowest) ->
    io:format("~b s, ~b callers, ~b workers, a fault every ~b ms~n",
              [Seconds, ?CALLERS, ?WORKERS, ?FAULT_EVERY]),
    io:format("calls a second, by quarter: ~p; slowest ~b ms~n",
              [[round(Rate) || Rate <- Quarters], Slowest]),
    [io:format("~-10s ~8.1f before ~8.1f after~n",
               [Key, float(maps:get(Key, Before)), float(maps:get(Key, After))])
     || Key <- lists:sort(maps:keys(Before))],
    [io:format("a caller ended: ~0P~n", [Reason, 12]) || Reason <- Wrong],
    Grown = maps:get(memory_mib, After) - maps:get(memory_mib, Before),
    Faults = [Sentence || {true, Sentence} <- [
        {Wrong =/= [], "calls failed, or got wrong answers"},
        {Slowest > ?LONGEST_CALL, "a call took too long"},
        {Grown > ?MEMORY_GROWTH, "the VM needs more memory than before"},
        {maps:get(messages, After) > 0, "messages are left"},
        {maps:get(processes, After) > maps:get(processes, Before), "processes are left"},
        {Seconds >= ?MEANINGFUL andalso lists:last(Quarters) < First * ?THROUGHPUT_KEPT,
         "calls became slower"}]],
    [io:format("~s~n", [Sentence]) || Sentence <- Faults],
    halt(case Faults of [] -> 0; _ -> 1 end).
