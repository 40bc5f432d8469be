%% Calls in flight: the answers come, in any order; what is given up, or whose caller has gone, leaves nothing.
-module(signal_port_async_SUITE).
-compile([export_all, nowarn_export_all]).
-behaviour(gen_server).

-define(PATIENT, 60_000). % milliseconds; for a time-out that is not to matter

all() ->
    [replies, replies_with_errors, knows_the_short_names, has_many_in_flight, replies_out_of_order,
     a_request_is_answered_once, waits_for_one_among_other_messages,
     a_timeout_gives_up, a_timeout_leaves_nothing, a_timeout_of_zero_takes_what_is_there,
     a_server_checks_its_messages, check_response_leaves_other_messages,
     wrong_type_is_badarg_at_once, wrong_timeout_is_badarg_at_once, badarg_shows_no_argument,
     a_request_may_have_its_own_timeout, a_request_may_have_no_timeout,
     a_killed_carrier_is_unavailable, a_failing_carrier_is_badarg, a_caller_that_dies_leaves_no_process,
     a_worker_killed_meanwhile_is_made_good, a_deadly_request_is_unavailable, is_unavailable_without_the_application,
     too_large_is_an_answer, the_nif_answers_what_it_has].

init_per_testcase(the_nif_answers_what_it_has = Case, Config) ->
    signal_port_backend_SUITE:init_per_testcase(Case, Config);
init_per_testcase(_, Config) ->
    Config.

end_per_testcase(the_nif_answers_what_it_has = Case, Config) ->
    signal_port_backend_SUITE:end_per_testcase(Case, Config);
end_per_testcase(_, _) ->
    signal_port_stage:stop().

%% --- Replies ---

replies(_) ->
    start(1, []),
    Id = signal_port:send_request(sha256, [<<"abc">>]),
    {reply, {ok, <<16#BA7816BF:32, _:28/binary>>}} = signal_port:receive_response(Id),
    left_nothing().

replies_with_errors(_) ->
    start(1, []),
    Id = signal_port:send_request(x25519, [<<7:256>>, <<0:256>>]),
    {reply, {error, key_agreement_failed}} = signal_port:receive_response(Id, ?PATIENT).

knows_the_short_names(_) ->
    start(1, []),
    {Alice, Bob} = signal_port_parties:sessions(),
    {reply, {ok, {Wire, _}}} = signal_port:receive_response(signal_port:send_request(encrypt, [Alice, <<"short">>])),
    {reply, {ok, {<<"short">>, _}}} = signal_port:receive_response(signal_port:send_request(decrypt, [Bob, Wire])).

has_many_in_flight(_) ->
    start(2, []),
    Ids = [{Number, signal_port:send_request(generate_pre_key, [Number])} || Number <- lists:seq(1, 2000)],
    [{reply, {ok, {Number, <<_:256>>, <<_:256>>}}} = signal_port:receive_response(Id)
     || {Number, Id} <- lists:reverse(Ids)],
    left_nothing().

replies_out_of_order(Config) ->
    {Slow, File} = slow(Config, 2, []),
    [{reply, ok} = signal_port:receive_response(signal_port:send_request(init, [])) || _ <- lists:seq(1, 50)],
    true = is_process_alive(carrier(Slow)),
    ok = file:write_file(File, <<>>),
    {reply, {ok, _}} = signal_port:receive_response(Slow),
    left_nothing().

a_request_is_answered_once(_) ->
    start(1, []),
    Id = signal_port:send_request(init, []),
    {reply, ok} = signal_port:receive_response(Id),
    timeout = signal_port:receive_response(Id, 0),
    left_nothing().

waits_for_one_among_other_messages(_) ->
    start(1, []),
    Id = signal_port:send_request(init, []),
    self() ! hello,
    self() ! {'DOWN', make_ref(), process, self(), {answer, error}},
    {reply, ok} = signal_port:receive_response(Id),
    receive hello -> ok after 0 -> error(taken) end,
    receive {'DOWN', _, process, _, {answer, error}} -> ok after 0 -> error(taken) end.

%% --- Given up ---

a_timeout_gives_up(Config) ->
    {Slow, File} = slow(Config, 1, []),
    timeout = signal_port:receive_response(Slow, 50),
    signal_port_stage:until(fun() -> not is_process_alive(carrier(Slow)) end),
    timeout = signal_port:receive_response(Slow, 0),
    ok = file:write_file(File, <<>>),
    ok = signal_port:init().

a_timeout_leaves_nothing(Config) ->
    {Slow, File} = slow(Config, 1, []),
    Others = [signal_port:send_request(init, []) || _ <- lists:seq(1, 20)],
    [timeout = signal_port:receive_response(Id, 1) || Id <- [Slow | Others]],
    signal_port_stage:until(fun() -> not lists:any(fun is_process_alive/1, [carrier(Id) || Id <- [Slow | Others]]) end),
    ok = file:write_file(File, <<>>),
    signal_port_stage:until(fun() -> maps:get(in_flight, signal_port_stage:worker()) =:= 0 end),
    left_nothing().

a_timeout_of_zero_takes_what_is_there(_) ->
    start(1, []),
    Id = signal_port:send_request(init, []),
    signal_port_stage:until(fun() -> process_info(self(), message_queue_len) =:= {message_queue_len, 1} end),
    {reply, ok} = signal_port:receive_response(Id, 0).

%% --- In a server ---

%% The server sends for each call, serves others meanwhile, and replies when a message brings the answer.
a_server_checks_its_messages(Config) ->
    {Slow, File} = slow(Config, 2, []),
    {ok, Server} = gen_server:start_link(?MODULE, self(), []),
    Late = gen_server:send_request(Server, {sha256, [signal_port_stage:marker()]}),
    Soon = [gen_server:send_request(Server, {generate_pre_key, [Number]}) || Number <- lists:seq(1, 100)],
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
    case [{One, Answer} || {Id, _} = One <- Ids, {reply, Answer} <- [signal_port:check_response(Message, Id)]] of
        [{{_, From} = One, Answer}] ->
            gen_server:reply(From, Answer),
            {noreply, {Test, lists:delete(One, Ids)}};
        [] ->
            Test ! {unknown, Message},
            {noreply, {Test, Ids}}
    end.

check_response_leaves_other_messages(Config) ->
    {Slow, File} = slow(Config, 1, []),
    Other = signal_port:send_request(init, []),
    [no_reply = signal_port:check_response(Message, Slow)
     || Message <- [hello, {}, {'DOWN', make_ref(), process, self(), normal}, {'DOWN', make_ref(), port, self(), x},
                    {answer, ok}, {carrier(Slow), ok}]],
    ok = file:write_file(File, <<>>),
    First = receive One -> One after ?PATIENT -> error(no_message) end,
    Second = receive Two -> Two after ?PATIENT -> error(no_message) end,
    [[no_reply, {reply, _}], [no_reply, {reply, _}]] =
        [lists:sort([signal_port:check_response(Message, Id) || Message <- [First, Second]]) || Id <- [Slow, Other]].

%% --- Wrong types ---

wrong_type_is_badarg_at_once(_) ->
    start(1, []),
    [badarg = raised(Operation, Args, default) || {Operation, Args} <- wrong()],
    #{calls := 0, in_flight := 0} = signal_port_stage:worker(),
    left_nothing().

%% Else whoever waits for the answer, maybe another's code in another place, would come upon it.
wrong_timeout_is_badarg_at_once(_) ->
    start(1, []),
    [badarg = raised(init, [], Timeout) || Timeout <- [never, -1, 1.5, <<"15">>, undefined, 1 bsl 32, {1}]],
    left_nothing().

badarg_shows_no_argument(_) ->
    [try signal_port:send_request(Operation, Args) of
         Id -> error({sent, Id})
     catch
         error:badarg:Trace -> [] = [Call || {_, _, Shown, _} = Call <- Trace, not is_integer(Shown)]
     end || {Operation, Args} <- wrong()].

wrong() ->
    [{sha256, [undefined]}, {sha256, []}, {sha256, <<7:256>>}, {sha256, [<<7:256>> | <<8:256>>]}, {exec, [<<"ls">>]},
     {batch, [[]]}, {"sha256", [<<7:256>>]}, {<<7:256>>, [<<7:256>>]}, {[<<7:256>>], sha256},
     {encrypt, [<<7:256>>, "text"]}].

raised(Operation, Args, Timeout) ->
    try signal_port:send_request(Operation, Args, Timeout) of
        Id -> {sent, Id, catch signal_port:receive_response(Id)}
    catch
        error:Reason -> Reason
    end.

%% --- Time ---

a_request_may_have_its_own_timeout(_) ->
    stand_in("hangs.py", 1, []),
    {Took, {reply, {error, timeout}}} =
        timer:tc(fun() -> signal_port:receive_response(signal_port:send_request(init, [], 100)) end),
    true = Took >= 100_000,
    left_nothing().

a_request_may_have_no_timeout(Config) ->
    File = signal_port_stage:switch(Config),
    stand_in("slow_on_marker.py", 1, [{call_timeout, 1}]),
    Id = signal_port:send_request(sha256, [signal_port_stage:marker()], infinity),
    signal_port_stage:until(fun() -> maps:get(in_flight, signal_port_stage:worker()) =:= 1 end),
    {error, timeout} = signal_port:init(),
    ok = file:write_file(File, <<>>),
    {reply, {ok, <<_:256>>}} = signal_port:receive_response(Id).

%% --- Losses ---

a_killed_carrier_is_unavailable(Config) ->
    {Slow, File} = slow(Config, 1, []),
    exit(carrier(Slow), kill),
    {reply, {error, unavailable}} = signal_port:receive_response(Slow),
    ok = file:write_file(File, <<>>),
    ok = signal_port:init(),
    left_nothing().

%% As a NIF that refuses its arguments would have it.
a_failing_carrier_is_badarg(_) ->
    Fails = fun() -> error(badarg) end,
    Id = signal_port_async:send(Fails),
    {badarg, _} = catch_error(fun() -> signal_port_async:receive_response(Id, ?PATIENT) end),
    Other = signal_port_async:send(Fails),
    Message = receive {'DOWN', _, process, _, _} = Down -> Down after ?PATIENT -> error(no_message) end,
    {badarg, _} = catch_error(fun() -> signal_port_async:check_response(Message, Other) end).

catch_error(Fun) ->
    try Fun() of
        Value -> {returned, Value}
    catch
        error:Reason:Trace -> {Reason, Trace}
    end.

%% What it asked for is answered, or times out; then its carrier ends.
a_caller_that_dies_leaves_no_process(_) ->
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

a_worker_killed_meanwhile_is_made_good(Config) ->
    {Slow, File} = slow(Config, 1, []),
    Others = [signal_port:send_request(init, []) || _ <- lists:seq(1, 20)],
    signal_port_stage:until(fun() -> maps:get(in_flight, signal_port_stage:worker()) =:= 21 end),
    "" = signal_port_stage:signal("KILL", hd(signal_port_stage:os_pids())),
    signal_port_stage:until(fun() -> signal_port_stage:restarts() =:= 1 end),
    ok = file:write_file(File, <<>>),
    {reply, {ok, <<_:256>>}} = signal_port:receive_response(Slow),
    [{reply, ok} = signal_port:receive_response(Id) || Id <- Others].

a_deadly_request_is_unavailable(_) ->
    stand_in("exits_on_marker.py", 1, [{call_timeout, ?PATIENT}]),
    Id = signal_port:send_request(sha256, [signal_port_stage:marker()]),
    {reply, {error, unavailable}} = signal_port:receive_response(Id),
    ok = signal_port:init().

is_unavailable_without_the_application(_) ->
    signal_port_stage:stop(),
    {reply, {error, unavailable}} = signal_port:receive_response(signal_port:send_request(init, [])).

too_large_is_an_answer(_) ->
    start(1, [{max_frame, 16384}]),
    {reply, {error, too_large}} =
        signal_port:receive_response(signal_port:send_request(sha256, [binary:copy(<<0>>, 16384)])).

%% --- Beside a NIF ---

the_nif_answers_what_it_has(Config) ->
    _ = signal_port_backend_SUITE:healthy(Config),
    ok = signal_port_stage:start([{pool_size, 1}, {backend, nif}]),
    {reply, ok} = signal_port:receive_response(signal_port:send_request(init, [])),
    #{state := idle} = signal_port_stage:worker(),
    {reply, {ok, <<_:42/binary>>}} =
        signal_port:receive_response(signal_port:send_request(hkdf_sha256, [<<1>>, <<>>, <<>>, 42])),
    #{backend := nif, workers := [#{state := ready}]} = signal_port:info().

%% --- Internals ---

start(PoolSize, Options) ->
    ok = signal_port_stage:start([{pool_size, PoolSize} | Options]),
    signal_port_stage:until(fun all_ready/0).

stand_in(Name, PoolSize, Options) ->
    ok = signal_port_stage:start_with(Name, [{pool_size, PoolSize}, {stall_timeout, ?PATIENT} | Options]),
    signal_port_stage:until(fun all_ready/0).

all_ready() ->
    lists:all(fun(#{state := SlotState}) -> SlotState =:= ready end, signal_port_stage:workers()).

%% A request that is with a worker, and is answered when the file is there.
slow(Config, PoolSize, Options) ->
    File = signal_port_stage:switch(Config),
    stand_in("slow_on_marker.py", PoolSize, Options),
    Id = signal_port:send_request(sha256, [signal_port_stage:marker()]),
    signal_port_stage:until(fun() -> lists:sum([N || #{in_flight := N} <- signal_port_stage:workers()]) =:= 1 end),
    {Id, File}.

%% An id is opaque to users; that a process stands behind it is what is tested here.
carrier({Carrier, _}) ->
    Carrier.

left_nothing() ->
    {messages, []} = process_info(self(), messages),
    {monitors, []} = process_info(self(), monitors),
    ok.
