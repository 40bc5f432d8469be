%% Asynchronous calls: they are answered in any order, and a cancelled call leaves nothing.
-module(signal_port_async_SUITE).
-compile([export_all, nowarn_export_all]).
-behaviour(gen_server).

-define(PATIENT, 60_000).  % milliseconds; a timeout that no test reaches

all() ->
    [{group, replies}, {group, timeouts}, {group, messages}, {group, types}, {group, losses},
     {group, context}, {group, nif}].

groups() ->
    [{replies, [request_is_answered, request_is_answered_with_error, short_names_are_accepted,
                many_requests_are_answered, fast_request_overtakes_slow_one,
                request_is_answered_once, other_messages_stay_in_the_mailbox,
                too_large_request_is_answered]},
     {timeouts, [timeout_cancels_request, timeout_leaves_nothing,
                 timeout_of_zero_returns_present_answer, own_timeout_replaces_call_timeout,
                 infinite_timeout_outlasts_call_timeout]},
     {messages, [server_finds_its_answers, check_response_ignores_other_messages]},
     {types, [wrong_type_is_badarg_at_once, wrong_timeout_is_badarg_at_once,
              badarg_has_no_argument]},
     {losses, [killed_carrier_is_unavailable, failing_carrier_is_badarg,
               dead_caller_leaves_no_process, killed_worker_loses_no_request,
               deadly_request_is_unavailable, request_without_application_is_unavailable]},
     {context, [handler_has_the_callers_context, handler_without_context_has_none]},
     {nif, [nif_handles_its_operations]}].

init_per_group(nif, Config) ->
    signal_port_nifs:set_up(nif, Config);
init_per_group(_, Config) ->
    Config.

end_per_group(nif, Config) ->
    signal_port_nifs:clean_up(Config);
end_per_group(_, _) ->
    ok.

end_per_testcase(_, _) ->
    signal_port_stage:stop(),
    signal_port_telemetry:unload().

%% --- Replies ---

request_is_answered(_) ->
    start(1, []),
    Id = signal_port:send_request(sha256, [<<"abc">>]),
    {reply, {ok, <<16#BA7816BF:32, _:28/binary>>}} = signal_port:receive_response(Id),
    left_nothing().

request_is_answered_with_error(_) ->
    start(1, []),
    Id = signal_port:send_request(x25519, [<<7:256>>, <<0:256>>]),
    {reply, {error, key_agreement_failed}} = signal_port:receive_response(Id, ?PATIENT).

short_names_are_accepted(_) ->
    start(1, []),
    {Alice, Bob} = signal_port_parties:sessions(),
    {reply, {ok, {Wire, _}}} =
        signal_port:receive_response(signal_port:send_request(encrypt, [Alice, <<"short">>])),
    {reply, {ok, {<<"short">>, _}}} =
        signal_port:receive_response(signal_port:send_request(decrypt, [Bob, Wire])).

many_requests_are_answered(_) ->
    start(2, []),
    Ids = [{Number, signal_port:send_request(generate_pre_key, [Number])}
           || Number <- lists:seq(1, 2000)],
    [{reply, {ok, {Number, <<_:256>>, <<_:256>>}}} = signal_port:receive_response(Id)
     || {Number, Id} <- lists:reverse(Ids)],
    left_nothing().

fast_request_overtakes_slow_one(Config) ->
    {Slow, File} = slow(Config, 2, []),
    [{reply, ok} = signal_port:receive_response(signal_port:send_request(init, []))
     || _ <- lists:seq(1, 50)],
    true = is_process_alive(carrier(Slow)),
    ok = file:write_file(File, <<>>),
    {reply, {ok, _}} = signal_port:receive_response(Slow),
    left_nothing().

request_is_answered_once(_) ->
    start(1, []),
    Id = signal_port:send_request(init, []),
    {reply, ok} = signal_port:receive_response(Id),
    timeout = signal_port:receive_response(Id, 0),
    left_nothing().

other_messages_stay_in_the_mailbox(_) ->
    start(1, []),
    Id = signal_port:send_request(init, []),
    self() ! hello,
    self() ! {'DOWN', make_ref(), process, self(), {answer, error}},
    {reply, ok} = signal_port:receive_response(Id),
    receive hello -> ok after 0 -> error(taken) end,
    receive {'DOWN', _, process, _, {answer, error}} -> ok after 0 -> error(taken) end.

%% --- Timeouts ---

timeout_cancels_request(Config) ->
    {Slow, File} = slow(Config, 1, []),
    timeout = signal_port:receive_response(Slow, 50),
    signal_port_stage:until(fun() -> not is_process_alive(carrier(Slow)) end),
    timeout = signal_port:receive_response(Slow, 0),
    ok = file:write_file(File, <<>>),
    ok = signal_port:init().

timeout_leaves_nothing(Config) ->
    {Slow, File} = slow(Config, 1, []),
    Others = [signal_port:send_request(init, []) || _ <- lists:seq(1, 20)],
    [timeout = signal_port:receive_response(Id, 1) || Id <- [Slow | Others]],
    signal_port_stage:until(fun() ->
        not lists:any(fun is_process_alive/1, [carrier(Id) || Id <- [Slow | Others]])
    end),
    ok = file:write_file(File, <<>>),
    signal_port_stage:await_in_flight(0),
    left_nothing().

timeout_of_zero_returns_present_answer(_) ->
    start(1, []),
    Id = signal_port:send_request(init, []),
    signal_port_stage:until(fun() ->
        process_info(self(), message_queue_len) =:= {message_queue_len, 1}
    end),
    {reply, ok} = signal_port:receive_response(Id, 0).

%% --- A server that checks its messages ---

%% The server sends a request for each call, and replies when a message carries the answer.
server_finds_its_answers(Config) ->
    {Slow, File} = slow(Config, 2, []),
    {ok, Server} = gen_server:start_link(?MODULE, self(), []),
    Late = gen_server:send_request(Server, {sha256, [signal_port_stage:marker()]}),
    Soon = [gen_server:send_request(Server, {generate_pre_key, [Number]})
            || Number <- lists:seq(1, 100)],
    Server ! hello,
    ok = file:write_file(File, <<>>),
    [{reply, ok} = gen_server:receive_response(One, ?PATIENT) || One <- Soon],
    {reply, {ok, <<_:256>>}} = gen_server:receive_response(Late, ?PATIENT),
    receive {unknown, hello} -> ok after ?PATIENT -> error(taken) end,
    {reply, {ok, _}} = signal_port:receive_response(Slow),
    ok = gen_server:stop(Server).

init(Test) ->
    {ok, {Test, []}}.

handle_call({Operation, Args}, From, {Test, Ids}) ->
    {noreply, {Test, [{signal_port:send_request(Operation, Args), From} | Ids]}}.

handle_cast(_, State) ->
    {noreply, State}.

handle_info(Message, {Test, Ids}) ->
    Answers = [{One, Answer} || {Id, _} = One <- Ids,
                                {reply, Answer} <- [signal_port:check_response(Message, Id)]],
    case Answers of
        [{{_, From} = One, Answer}] ->
            gen_server:reply(From, Answer),
            {noreply, {Test, lists:delete(One, Ids)}};
        [] ->
            Test ! {unknown, Message},
            {noreply, {Test, Ids}}
    end.

check_response_ignores_other_messages(Config) ->
    {Slow, File} = slow(Config, 1, []),
    Other = signal_port:send_request(init, []),
    [no_reply = signal_port:check_response(Message, Slow)
     || Message <- [hello, {}, {'DOWN', make_ref(), process, self(), normal},
                    {'DOWN', make_ref(), port, self(), x}, {answer, ok}, {carrier(Slow), ok}]],
    ok = file:write_file(File, <<>>),
    First = receive One -> One after ?PATIENT -> error(no_message) end,
    Second = receive Two -> Two after ?PATIENT -> error(no_message) end,
    [[no_reply, {reply, _}], [no_reply, {reply, _}]] =
        [lists:sort([signal_port:check_response(Message, Id) || Message <- [First, Second]])
         || Id <- [Slow, Other]].

%% --- Wrong types ---

wrong_type_is_badarg_at_once(_) ->
    start(1, []),
    [badarg = raised(Operation, Args, default) || {Operation, Args} <- wrong()],
    #{calls := 0, in_flight := 0} = signal_port_stage:worker(),
    left_nothing().

%% A later error would hit the code that waits for the answer.
wrong_timeout_is_badarg_at_once(_) ->
    start(1, []),
    [badarg = raised(init, [], Timeout)
     || Timeout <- [never, -1, 1.5, <<"15">>, undefined, 1 bsl 32, {1}]],
    left_nothing().

badarg_has_no_argument(_) ->
    [try signal_port:send_request(Operation, Args) of
         Id -> error({sent, Id})
     catch
         error:badarg:Trace ->
             [] = [Call || {_, _, Arity, _} = Call <- Trace, not is_integer(Arity)]
     end || {Operation, Args} <- wrong()].

wrong() ->
    [{sha256, [undefined]}, {sha256, []}, {sha256, <<7:256>>}, {sha256, [<<7:256>> | <<8:256>>]},
     {exec, [<<"ls">>]}, {batch, [[]]}, {"sha256", [<<7:256>>]}, {<<7:256>>, [<<7:256>>]},
     {[<<7:256>>], sha256}, {encrypt, [<<7:256>>, "text"]}].

raised(Operation, Args, Timeout) ->
    try signal_port:send_request(Operation, Args, Timeout) of
        Id -> {sent, Id, catch signal_port:receive_response(Id)}
    catch
        error:Reason -> Reason
    end.

%% --- Timeouts of their own ---

own_timeout_replaces_call_timeout(_) ->
    stand_in("hangs.py", 1, []),
    {Took, {reply, {error, timeout}}} = timer:tc(fun() ->
        signal_port:receive_response(signal_port:send_request(init, [], 100))
    end),
    true = Took >= 100_000,
    left_nothing().

infinite_timeout_outlasts_call_timeout(Config) ->
    File = signal_port_stage:switch(Config),
    stand_in("slow_on_marker.py", 1, [{call_timeout, 1}]),
    Id = signal_port:send_request(sha256, [signal_port_stage:marker()], infinity),
    signal_port_stage:await_in_flight(1),
    {error, timeout} = signal_port:init(),
    ok = file:write_file(File, <<>>),
    {reply, {ok, <<_:256>>}} = signal_port:receive_response(Id).

%% --- Losses ---

killed_carrier_is_unavailable(Config) ->
    {Slow, File} = slow(Config, 1, []),
    exit(carrier(Slow), kill),
    {reply, {error, unavailable}} = signal_port:receive_response(Slow),
    ok = file:write_file(File, <<>>),
    ok = signal_port:init(),
    left_nothing().

%% A NIF raises badarg too.
failing_carrier_is_badarg(_) ->
    Fails = fun() -> error(badarg) end,
    Id = signal_port_async:send(Fails),
    {badarg, _} = catch_error(fun() -> signal_port_async:receive_response(Id, ?PATIENT) end),
    Other = signal_port_async:send(Fails),
    Message = receive
        {'DOWN', _, process, _, _} = Down -> Down
    after ?PATIENT -> error(no_message)
    end,
    {badarg, _} = catch_error(fun() -> signal_port_async:check_response(Message, Other) end).

catch_error(Fun) ->
    try Fun() of
        Value -> {returned, Value}
    catch
        error:Reason:Trace -> {Reason, Trace}
    end.

%% The requests are answered or time out. Then their carriers end.
dead_caller_leaves_no_process(_) ->
    stand_in("hangs.py", 1, [{call_timeout, 300}]),
    Test = self(),
    {_, Monitor} = spawn_monitor(fun() ->
        Test ! {carriers, [carrier(signal_port:send_request(init, [])) || _ <- lists:seq(1, 10)]}
    end),
    Carriers = receive {carriers, Pids} -> Pids after ?PATIENT -> error(no_message) end,
    receive {'DOWN', Monitor, process, _, normal} -> ok after ?PATIENT -> error(no_message) end,
    10 = length(Carriers),
    signal_port_stage:until(fun() -> not lists:any(fun is_process_alive/1, Carriers) end),
    left_nothing().

killed_worker_loses_no_request(Config) ->
    {Slow, File} = slow(Config, 1, []),
    Others = [signal_port:send_request(init, []) || _ <- lists:seq(1, 20)],
    signal_port_stage:await_in_flight(21),
    "" = signal_port_stage:signal("KILL", hd(signal_port_stage:os_pids())),
    signal_port_stage:until(fun() -> signal_port_stage:restarts() =:= 1 end),
    ok = file:write_file(File, <<>>),
    {reply, {ok, <<_:256>>}} = signal_port:receive_response(Slow),
    [{reply, ok} = signal_port:receive_response(Id) || Id <- Others].

deadly_request_is_unavailable(_) ->
    stand_in("exits_on_marker.py", 1, [{call_timeout, ?PATIENT}]),
    Id = signal_port:send_request(sha256, [signal_port_stage:marker()]),
    {reply, {error, unavailable}} = signal_port:receive_response(Id),
    ok = signal_port:init().

request_without_application_is_unavailable(_) ->
    signal_port_stage:stop(),
    {reply, {error, unavailable}} =
        signal_port:receive_response(signal_port:send_request(init, [])).

too_large_request_is_answered(_) ->
    start(1, [{max_frame, 16384}]),
    {reply, {error, too_large}} =
        signal_port:receive_response(signal_port:send_request(sha256, [binary:copy(<<0>>, 16384)])).

%% --- The caller's context ---

handler_has_the_callers_context(_) ->
    Context = #{span => make_ref()},
    Metadata = #{request_id => <<"7">>},
    {Context, Metadata} = seen_by_a_handler(fun() ->
        undefined = put('$__current_otel_ctx', Context),
        logger:set_process_metadata(Metadata)
    end).

handler_without_context_has_none(_) ->
    {undefined, undefined} = seen_by_a_handler(fun() -> ok end).

%% Returns what a telemetry handler sees of a request that a process sends after Prepare.
seen_by_a_handler(Prepare) ->
    start(1, []),
    Test = self(),
    See = fun(_, _, _, _) ->
        Test ! {seen, {get('$__current_otel_ctx'), logger:get_process_metadata()}}
    end,
    ok = signal_port_telemetry:start(),
    ok = telemetry:attach(?MODULE, [signal_port, call, stop], See, []),
    {reply, ok} = signal_port_stage:await(signal_port_stage:async(fun() ->
        Prepare(),
        signal_port:receive_response(signal_port:send_request(init, []))
    end)),
    receive {seen, Seen} -> Seen after 0 -> error(no_event) end.

%% --- Beside a NIF ---

nif_handles_its_operations(Config) ->
    _ = signal_port_nifs:healthy(Config),
    ok = signal_port_stage:start([{pool_size, 1}, {backend, nif}]),
    {reply, ok} = signal_port:receive_response(signal_port:send_request(init, [])),
    #{state := idle} = signal_port_stage:worker(),
    {reply, {ok, <<_:42/binary>>}} =
        signal_port:receive_response(
            signal_port:send_request(hkdf_sha256, [<<1>>, <<>>, <<>>, 42])),
    #{backend := nif, workers := [#{state := ready}]} = signal_port:info().

%% --- Internals ---

start(PoolSize, Options) ->
    ok = signal_port_stage:start_ready([{pool_size, PoolSize} | Options]).

stand_in(Name, PoolSize, Options) ->
    start(PoolSize, [{python, signal_port_stage:stand_in(Name)}, {stall_timeout, ?PATIENT}
                     | Options]).

%% Returns a request that a worker has. It is answered once the file exists.
slow(Config, PoolSize, Options) ->
    File = signal_port_stage:switch(Config),
    stand_in("slow_on_marker.py", PoolSize, Options),
    Id = signal_port:send_request(sha256, [signal_port_stage:marker()]),
    signal_port_stage:await_in_flight(1),
    {Id, File}.

%% An id is opaque to users. This suite tests the process behind it.
carrier({Carrier, _}) ->
    Carrier.

left_nothing() ->
    {messages, []} = process_info(self(), messages),
    {monitors, []} = process_info(self(), monitors),
    ok.
