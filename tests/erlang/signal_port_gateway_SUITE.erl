%% A node that serves others, and what it does with messages of nodes that misbehave. The test is
%% the other node's node worker. No distribution is needed for that.
-module(signal_port_gateway_SUITE).
-compile([export_all, nowarn_export_all]).

-define(PATIENT, 15_000).  % milliseconds
-define(DIGEST, <<16#BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD:256>>).
-define(GARBAGE, [garbage, {}, {calls}, [], self(), make_ref(), <<"bytes">>, 1.0, #{},
                  fun() -> halt() end, {signal_port_hello, self(), make_ref()},
                  {signal_port_hello, client, make_ref(), #{}},
                  {signal_port_hello, self(), ref, #{}}, {'DOWN', make_ref(), process, self(), why},
                  {make_ref(), <<"answer">>}, {'$gen_cast', halt}, {system, now}]).

all() ->
    [{group, agreement}, {group, gateway}, {group, calls}, {group, invalid}, {group, limit}].

groups() ->
    [{agreement, [equal_offers_agree, server_can_have_more_operations,
                  missing_operation_is_named, other_protocol_is_named,
                  malformed_offer_is_another_protocol, offer_is_text]},
     {gateway, [hello_is_welcomed, repeated_hello_gets_the_same_session, unfit_hello_is_refused,
                garbage_is_ignored, call_to_the_gateway_is_badarg,
                dead_client_leaves_no_session]},
     {calls, [many_calls_of_one_message_are_answered, batch_is_answered,
              call_over_max_frame_is_too_large, lost_worker_has_a_suspect_and_bystanders,
              call_without_ready_worker_is_not_here, stop_answers_not_here,
              call_whose_time_is_over_is_expired, state_has_no_secret]},
     {invalid, [invalid_call_ends_its_session_only, garbage_is_ignored_by_the_session]},
     {limit, [call_over_the_limit_is_not_here, hundred_thousand_calls_are_answered,
              dead_client_gives_its_room_back, killed_session_gives_its_room_back]}].

init_per_testcase(_, Config) ->
    process_flag(trap_exit, true),
    Config.

end_per_testcase(_, _) ->
    signal_port_stage:stop().

%% --- The agreement ---

equal_offers_agree(_) ->
    ok = compare(offer(), offer()).

server_can_have_more_operations(_) ->
    #{operations := Operations} = offer(),
    ok = compare(offer(), (offer())#{operations := [<<"new_one binary">> | Operations]}).

missing_operation_is_named(_) ->
    #{operations := [First | Others]} = offer(),
    {error, {operation, First}} = compare(offer(), (offer())#{operations := Others}),
    Changed = (offer())#{operations := [<<First/binary, " binary">> | Others]},
    {error, {operation, First}} = compare(offer(), Changed).

other_protocol_is_named(_) ->
    {error, {protocol, 2, 1}} = compare(offer(), (offer())#{protocol := 2}).

malformed_offer_is_another_protocol(_) ->
    [{error, _} = compare(Offer, offer())
     || Offer <- [[], garbage, #{}, #{protocol => 1}, (offer())#{operations := [<<"a">> | b]},
                  (offer())#{operations := [sha256]}]],
    [{error, {protocol, none, 1}} = compare(offer(), Offer) || Offer <- [garbage, #{}]].

%% A VM makes no atom of an operation that it does not have.
offer_is_text(_) ->
    #{operations := Operations, version := Version} = offer(),
    true = lists:all(fun is_binary/1, [Version | Operations]),
    true = lists:member(<<"dr_encrypt_prekey binary binary pre_key_info">>, Operations).

compare(User, Server) -> signal_port_agreement:compare(User, Server).

offer() -> signal_port_agreement:offer().

%% --- The gateway ---

hello_is_welcomed(_) ->
    serve([{pool_size, 2}, {serve_limit, 10}]),
    Offer = offer(),
    {welcome, Session, Offer, port, 20} = hello(Offer),
    {ok, ?DIGEST} = answer(Session, sha256, [<<"abc">>]).

repeated_hello_gets_the_same_session(_) ->
    serve([]),
    {welcome, Session, _, _, _} = hello(offer()),
    {welcome, Session, _, _, _} = hello(offer()).

unfit_hello_is_refused(_) ->
    serve([]),
    Own = offer(),
    [{refused, Own} = hello(Offer)
     || Offer <- [garbage, #{}, Own#{protocol := 2}, Own#{operations := [<<"later">>]}]].

garbage_is_ignored(_) ->
    serve([]),
    Gateway = whereis(signal_port_gateway),
    [Gateway ! Garbage || Garbage <- ?GARBAGE],
    {welcome, _, _, _, _} = hello(offer()),
    Gateway = whereis(signal_port_gateway).

call_to_the_gateway_is_badarg(_) ->
    serve([]),
    {error, badarg} = gen_server:call(signal_port_gateway, {halt, []}).

dead_client_leaves_no_session(_) ->
    serve([]),
    Client = spawn(fun() -> ok end),
    signal_port_gateway ! {signal_port_hello, Client, make_ref(), offer()},
    {welcome, Session, _, _, _} = hello(offer()),
    signal_port_stage:until(fun() -> [Session] =:= sessions() end).

%% --- Calls ---

many_calls_of_one_message_are_answered(_) ->
    Session = session([{pool_size, 2}]),
    Calls = [{Number, infinity, request(sha256, [<<Number:32>>])} || Number <- lists:seq(1, 100)],
    Session ! {calls, Calls},
    Answers = answers(Session, 100),
    [] = [Number || {Number, _, _} <- Calls,
                    decoded(maps:get(Number, Answers)) =/= signal_port:sha256(<<Number:32>>)].

batch_is_answered(_) ->
    Session = session([]),
    Requests = [signal_port_codec:request(Op, Args)
                || {Op, Args} <- [{sha256, [<<"abc">>]}, {init, []}]],
    Session ! {calls, [{tag, 5000, iolist_to_binary(signal_port_codec:batch(Requests))}]},
    #{tag := Answer} = answers(Session, 1),
    {{ok, ?DIGEST}, ok} = decoded(Answer).

call_over_max_frame_is_too_large(_) ->
    Session = session([{max_frame, 16384}]),
    {error, too_large} = answer(Session, sha256, [<<0:(8 * 16384)>>]),
    {ok, _} = answer(Session, sha256, [<<0:(8 * 8192)>>]).

%% The session begins no call again: the caller's node decides.
lost_worker_has_a_suspect_and_bystanders(_) ->
    Session = session([{python, stand_in("exits_on_marker.py")}]),
    Deadly = request(sha256, [signal_port_stage:marker()]),
    Session ! {calls, [{1, infinity, Deadly}, {2, infinity, Deadly}, {3, infinity, Deadly}]},
    #{1 := suspect, 2 := bystander, 3 := bystander} = answers(Session, 3).

call_without_ready_worker_is_not_here(Config) ->
    Switch = signal_port_stage:switch(Config),
    Session = session([{python, stand_in("exits_while_told.py")}]),
    ok = file:write_file(Switch, <<>>),
    signal_port_stage:kill(signal_port_stage:os_pids()),
    signal_port_stage:until(fun() -> signal_port_table:workers() =:= [] end),
    not_here = answer(Session, sha256, [<<"abc">>]).

stop_answers_not_here(_) ->
    Session = session([{python, stand_in("hangs_on_marker.py")}]),
    Session ! {calls, [{1, infinity, request(sha256, [signal_port_stage:marker()])}]},
    signal_port_stage:until(fun() -> signal_port_stage:in_flight() =:= 1 end),
    Stop = signal_port_stage:async(fun() -> application:stop(signal_port) end),
    #{1 := not_here} = answers(Session, 1),
    ok = signal_port_stage:await(Stop).

call_whose_time_is_over_is_expired(_) ->
    Session = session([{python, stand_in("hangs_on_marker.py")}]),
    Request = request(sha256, [signal_port_stage:marker()]),
    Session ! {calls, [{1, 0, Request}, {2, 50, Request}]},
    #{1 := expired, 2 := expired} = answers(Session, 2).

state_has_no_secret(_) ->
    Session = session([{python, stand_in("hangs_on_marker.py")}]),
    Session ! {calls, [{1, 5000, request(sha256, [signal_port_stage:marker()])}]},
    signal_port_stage:until(fun() -> signal_port_stage:in_flight() =:= 1 end),
    Printed = lists:flatten(io_lib:format("~p", [{sys:get_state(Session), sys:get_status(Session),
                                                  process_info(Session)}])),
    nomatch = string:find(Printed, binary_to_list(signal_port_stage:marker())),
    nomatch = string:find(Printed, lists:join(",", [integer_to_list(Byte) || <<Byte>>
                                                        <= signal_port_stage:marker()])).

%% --- Invalid messages ---

%% The session of the other client does not notice.
invalid_call_ends_its_session_only(_) ->
    Other = session([]),
    Valid = request(sha256, [<<"abc">>]),
    Invalid = [[{1, 5000, <<"garbage">>}], [{1, 5000, sha256}], [{1, 5000, {sha256, [<<>>]}}],
               [{1, 5000, request(sha256, [<<"abc">>]), more}], [{1, -1, Valid}],
               [{1, 16#100000000, Valid}], [{1, 1.5, Valid}], [{1, never, Valid}], no_list,
               [{1, 5000, Valid} | improper], [{1, 5000, <<Valid/binary, 0>>}], [call]],
    [begin
         Session = session_of_another_client(),
         Monitor = monitor(process, Session),
         Session ! {calls, Calls},
         receive
             {'DOWN', Monitor, process, Session, {shutdown, invalid_call}} -> ok
         after ?PATIENT -> error({still_there, Calls})
         end
     end || Calls <- Invalid],
    {ok, ?DIGEST} = answer(Other, sha256, [<<"abc">>]).

garbage_is_ignored_by_the_session(_) ->
    Session = session([]),
    [Session ! Garbage || Garbage <- ?GARBAGE],
    {ok, ?DIGEST} = answer(Session, sha256, [<<"abc">>]).

%% --- The limit ---

call_over_the_limit_is_not_here(_) ->
    Session = session([{serve_limit, 1}, {python, stand_in("hangs_on_marker.py")}]),
    Session ! {calls, [{1, infinity, request(sha256, [signal_port_stage:marker()])}]},
    not_here = answer(Session, sha256, [<<"abc">>]),
    not_here = answer(session_of_another_client_here(), sha256, [<<"abc">>]).

%% They are more than the limit, so some are not here. Afterwards all have room again.
hundred_thousand_calls_are_answered(_) ->
    Session = session([{pool_size, 2}]),
    Request = request(sha256, [<<"abc">>]),
    Session ! {calls, [{Number, infinity, Request} || Number <- lists:seq(1, 100_000)]},
    Answers = answers(Session, 100_000),
    128 = length([Answer || Answer <- maps:values(Answers), is_binary(Answer)]),
    {ok, ?DIGEST} = answer(Session, sha256, [<<"abc">>]).

dead_client_gives_its_room_back(_) ->
    gives_room_back(fun(Client, _Session) -> exit(Client, kill) end).

killed_session_gives_its_room_back(_) ->
    gives_room_back(fun(_Client, Session) -> exit(Session, kill) end).

gives_room_back(End) ->
    Own = session([{serve_limit, 1}, {pool_size, 2}, {python, stand_in("hangs_on_marker.py")}]),
    {Client, Session} = client(),
    Request = request(sha256, [signal_port_stage:marker()]),
    Session ! {calls, [{1, infinity, Request}, {2, infinity, Request}]},
    signal_port_stage:until(fun() -> signal_port_stage:in_flight() =:= 2 end),
    not_here = answer(Own, sha256, [<<"abc">>]),
    true = End(Client, Session),
    signal_port_stage:until(fun() -> [Own] =:= sessions() end),
    #{in_flight := InFlight} = room(),
    0 = InFlight.

%% The gateway's counter of all calls in flight.
room() ->
    Counters = [Counter || Counter <- tuple_to_list(sys:get_state(signal_port_gateway)),
                           is_reference(Counter)],
    [All] = Counters,
    #{in_flight => atomics:get(All, 1)}.

%% --- Clients ---

serve(Options) ->
    ok = signal_port_stage:start_ready(
        [{serve_nodes, true}, {distribution, clear_text}, {backend, port}, {pool_size, 1},
         {stall_timeout, 60_000} | Options]).

session(Options) ->
    serve(Options),
    session_of_another_client_here().

session_of_another_client_here() ->
    {welcome, Session, _, _, _} = hello(offer()),
    Session.

%% Another client that only lives.
session_of_another_client() ->
    {_Client, Session} = client(),
    Session.

client() ->
    Test = self(),
    Client = spawn(fun() ->
        Test ! {self(), session_of_another_client_here()},
        receive stop -> ok end
    end),
    receive {Client, Session} -> {Client, Session} after ?PATIENT -> error(no_session) end.

hello(Offer) ->
    Ref = make_ref(),
    signal_port_gateway ! {signal_port_hello, self(), Ref, Offer},
    receive {Ref, Reply} -> Reply after ?PATIENT -> error(no_reply) end.

sessions() ->
    [Pid || {_, Pid, _, _} <- supervisor:which_children(signal_port_session_sup)].

answer(Session, Operation, Args) ->
    Session ! {calls, [{the_call, 5000, request(Operation, Args)}]},
    #{the_call := Answer} = answers(Session, 1),
    case is_binary(Answer) of true -> decoded(Answer); false -> Answer end.

answers(Session, Count) ->
    answers(Session, Count, #{}).

answers(_Session, Count, Answers) when map_size(Answers) =:= Count ->
    Answers;
answers(Session, Count, Answers) ->
    receive
        {answers, Session, More} ->
            answers(Session, Count, maps:merge(Answers, maps:from_list(More)))
    after ?PATIENT -> error({missing, Count - map_size(Answers)})
    end.

decoded(Answer) ->
    {ok, Decoded} = signal_port_codec:answer(Answer),
    Decoded.

request(Operation, Args) ->
    iolist_to_binary(signal_port_codec:request(Operation, Args)).

stand_in(Name) ->
    signal_port_stage:stand_in(Name).
