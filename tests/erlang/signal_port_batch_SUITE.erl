%% Many calls at once: the same answers as alone, in their order, whatever is too long, lost or killed on the way.
-module(signal_port_batch_SUITE).
-compile([export_all, nowarn_export_all]).

-define(PATIENT, 60_000). % milliseconds; for a time-out that is not to matter

all() ->
    [of_nothing_is_nothing, of_one_is_its_answer, of_ten_thousand_keeps_their_order, answers_as_the_calls_alone_do,
     knows_the_short_names, draws_fresh_randomness_for_each,
     wrong_type_is_badarg_before_anything_is_sent, what_is_no_list_of_calls_is_badarg, badarg_shows_no_argument,
     spreads_over_the_workers, sends_a_few_frames_at_a_time, leaves_nothing_behind,
     answers_too_long_together_all_come, an_answer_too_long_alone_is_told_alone, a_call_too_long_is_told_alone,
     requests_too_long_together_all_go, a_frame_has_a_bound_in_bytes,
     a_worker_killed_in_the_midst_loses_nothing, all_workers_killed_in_the_midst_lose_nothing,
     a_deadly_call_is_alone_in_its_fate, times_out_by_the_frame,
     is_unavailable_without_the_application, an_answer_of_another_shape_is_none, an_answer_too_few_is_none,
     the_nif_answers_what_it_has].

init_per_testcase(the_nif_answers_what_it_has = Case, Config) ->
    signal_port_backend_SUITE:init_per_testcase(Case, Config);
init_per_testcase(_, Config) ->
    Config.

end_per_testcase(the_nif_answers_what_it_has = Case, Config) ->
    signal_port_backend_SUITE:end_per_testcase(Case, Config);
end_per_testcase(_, _) ->
    signal_port_stage:stop().

%% --- The answers ---

of_nothing_is_nothing(_) ->
    start(1, []),
    [] = signal_port:batch([]),
    0 = signal_port_stage:calls().

of_one_is_its_answer(_) ->
    start(1, []),
    [{ok, <<16#BA7816BF:32, _/binary>>}] = signal_port:batch([{sha256, [<<"abc">>]}]).

of_ten_thousand_keeps_their_order(_) ->
    start(2, []),
    Numbers = lists:seq(1, 10_000),
    Answers = signal_port:batch([{generate_pre_key, [Number]} || Number <- Numbers]),
    Numbers = [Number || {ok, {Number, <<_:256>>, <<_:256>>}} <- Answers].

answers_as_the_calls_alone_do(_) ->
    start(2, []),
    Calls = lists:append(lists:duplicate(20, mixed())),
    Alone = [apply(signal_port, Operation, Args) || {Operation, Args} <- Calls],
    [{ok, _}, {error, _}, {error, _}, invalid_signature, ok | _] = Alone,
    Alone = signal_port:batch(Calls).

%% Some of each form of an answer; none of chance.
mixed() ->
    Key = <<7:256>>,
    [{sha256, [<<"abc">>]}, {hkdf_sha256, [Key, <<>>, <<>>, -1]}, {dr_decrypt, [<<>>, <<>>]},
     {verify_signature, [Key, <<>>, <<9:512>>]}, {init, []}, {aes_gcm_encrypt, [Key, <<2:96>>, <<"text">>, <<>>, 16]},
     {hkdf_sha256, [Key, <<>>, <<>>, 0]}, {x25519, [Key, <<0:256>>]}, {pksm_decode, [<<"no message">>]},
     {sha512, [binary:copy(<<"long">>, 20_000)]}].

knows_the_short_names(_) ->
    start(2, []),
    {Alice, Bob} = signal_port_parties:hello(),
    [{ok, {Short, _}}, {ok, {Long, _}}] =
        signal_port:batch([{encrypt, [Alice, <<"a">>]}, {dr_encrypt, [Alice, <<"b">>]}]),
    [{ok, {<<"a">>, _}}, {ok, {<<"b">>, _}}, {error, message_too_short}] =
        signal_port:batch([{decrypt, [Bob, Short]}, {dr_decrypt, [Bob, Long]}, {decrypt, [Bob, <<>>]}]).

draws_fresh_randomness_for_each(_) ->
    start(2, []),
    Answers = signal_port:batch(lists:duplicate(1000, {generate_curve25519_keypair, []})),
    1000 = length(lists:usort([Private || {ok, {_, Private}} <- Answers])).

%% --- Wrong types ---

wrong_type_is_badarg_before_anything_is_sent(_) ->
    start(1, []),
    Good = lists:duplicate(200, {init, []}),
    [badarg = raised(Good ++ [Wrong | Good]) || Wrong <- wrong()],
    #{calls := 0, in_flight := 0} = signal_port_stage:worker().

what_is_no_list_of_calls_is_badarg(_) ->
    start(1, []),
    [badarg = raised(Calls) || Calls <- no_lists()].

badarg_shows_no_argument(_) ->
    [try signal_port:batch(Calls) of
         Answers -> error({answered, Answers})
     catch
         error:badarg:Trace -> [] = [Call || {_, _, Shown, _} = Call <- Trace, not is_integer(Shown)]
     end || Calls <- no_lists() ++ [[Wrong] || Wrong <- wrong()]].

wrong() ->
    [{sha256, [undefined]}, {sha256, []}, {sha256, <<7:256>>}, {sha256, [<<7:256>> | <<8:256>>]}, {exec, [<<"ls">>]},
     {batch, [[]]}, {<<"sha256">>, [<<7:256>>]}, {sha256, [<<7:256>>], 1000}, sha256, <<7:256>>, [<<7:256>>],
     {encrypt, [<<7:256>>, "text"]}].

no_lists() ->
    [{sha256, [<<7:256>>]}, <<7:256>>, sha256, #{sha256 => [<<7:256>>]}, [{sha256, [<<7:256>>]} | {init, []}]].

raised(Calls) ->
    try signal_port:batch(Calls) of
        Answers -> {answered, Answers}
    catch
        error:Reason -> Reason
    end.

%% --- The way ---

spreads_over_the_workers(_) ->
    start(3, []),
    true = lists:all(fun is_hash/1, signal_port:batch(hashes(30))),
    [1, 1, 1] = lists:sort([Calls || #{calls := Calls} <- signal_port_stage:workers()]),
    true = lists:all(fun is_hash/1, signal_port:batch(hashes(64 * 300))),
    true = lists:min([Calls || #{calls := Calls} <- signal_port_stage:workers()]) > 30.

%% What others ask for meanwhile stands behind these few, and before all the rest.
sends_a_few_frames_at_a_time(Config) ->
    File = signal_port_stage:switch(Config),
    stand_in("slow_on_marker.py", []),
    Marker = signal_port_stage:marker(),
    Long = called(fun() -> signal_port:batch([{hmac_sha256, [Marker, <<>>]} | lists:duplicate(2000, {init, []})]) end),
    signal_port_stage:until(fun() -> in_flight() >= 2 end),
    Others = [called(fun signal_port:init/0) || _ <- lists:seq(1, 5)],
    signal_port_stage:until(fun() -> in_flight() >= 7 end),
    7 = in_flight(),
    ok = file:write_file(File, <<>>),
    [ok = answer(Other) || Other <- Others],
    2001 = length([ok || ok <- answer(Long)]),
    #{calls := 37} = signal_port_stage:worker().

in_flight() ->
    maps:get(in_flight, signal_port_stage:worker()).

leaves_nothing_behind(_) ->
    start(2, []),
    true = lists:all(fun is_hash/1, signal_port:batch(hashes(3000))),
    {messages, []} = process_info(self(), messages),
    {monitors, []} = process_info(self(), monitors),
    ok.

%% --- Too long ---

%% Two of these fit no frame together.
answers_too_long_together_all_come(_) ->
    start(2, [{max_frame, 16384}]),
    Calls = [{hkdf_sha256, [<<Number:32>>, <<>>, <<>>, 8160]} || Number <- lists:seq(1, 150)],
    Alone = [apply(signal_port, Operation, Args) || {Operation, Args} <- Calls],
    150 = length(lists:usort([Okm || {ok, <<Okm:8160/binary>>} <- Alone])),
    Alone = signal_port:batch(Calls),
    0 = signal_port_stage:restarts().

%% The wire message is longer than the plaintext, so the call fits a frame that its answer does not.
an_answer_too_long_alone_is_told_alone(_) ->
    start(1, [{max_frame, 16384}]),
    {Alice, _} = signal_port_parties:sessions(),
    Plain = binary:copy(<<0>>, 16384 - byte_size(Alice) - 40),
    [ok, {error, too_large}, {ok, {_, _}}, ok] =
        signal_port:batch([{init, []}, {encrypt, [Alice, Plain]}, {encrypt, [Alice, <<>>]}, {init, []}]).

a_call_too_long_is_told_alone(_) ->
    start(2, [{max_frame, 16384}]),
    {Before, After} = {hashes(100), hashes(57)},
    Answers = signal_port:batch(Before ++ [{sha256, [binary:copy(<<0>>, 16384)]} | After]),
    158 = length(Answers),
    [{101, {error, too_large}}] = [One || {_, Answer} = One <- lists:enumerate(Answers), not is_hash(Answer)].

requests_too_long_together_all_go(_) ->
    start(2, [{max_frame, 16384}]),
    true = lists:all(fun is_hash/1, signal_port:batch([{sha256, [<<Number:80000>>]} || Number <- lists:seq(1, 200)])).

%% 64 of these would be 16 MiB.
a_frame_has_a_bound_in_bytes(_) ->
    start(1, []),
    Quarter = binary:copy(<<0>>, 256 * 1024 - 100),
    true = lists:all(fun is_hash/1, signal_port:batch(lists:duplicate(64, {sha256, [Quarter]}))),
    16 = signal_port_stage:calls().

%% --- Losses ---

a_worker_killed_in_the_midst_loses_nothing(_) ->
    loses_nothing(fun() -> "" = signal_port_stage:signal("KILL", hd(signal_port_stage:os_pids())) end).

all_workers_killed_in_the_midst_lose_nothing(_) ->
    loses_nothing(fun() ->
        ["" = signal_port_stage:signal("KILL", OsPid) || OsPid <- signal_port_stage:os_pids()]
    end).

loses_nothing(Loss) ->
    start(2, [{call_timeout, ?PATIENT}]),
    Calls = [{hkdf_sha256, [<<Number:32>>, <<>>, <<>>, 8160]} || Number <- lists:seq(1, 3000)],
    Expected = signal_port:batch(Calls),
    3000 = length(lists:usort([Okm || {ok, <<Okm:8160/binary>>} <- Expected])),
    Before = signal_port_stage:calls(),
    Batch = called(fun() -> signal_port:batch(Calls) end),
    signal_port_stage:until(fun() -> signal_port_stage:calls() > Before + 2 end),
    Loss(),
    true = Expected =:= answer(Batch),
    signal_port_stage:until(fun() -> signal_port_stage:restarts() > 0 end).

a_deadly_call_is_alone_in_its_fate(_) ->
    ok = signal_port_stage:start_with("exits_on_marker.py", [{pool_size, 2}, {call_timeout, ?PATIENT}]),
    signal_port_stage:until(fun all_ready/0),
    Deadly = {sha256, [signal_port_stage:marker()]},
    Answers = signal_port:batch(lists:duplicate(640, {init, []}) ++ [Deadly] ++ lists:duplicate(639, {init, []})),
    1280 = length(Answers),
    {error, unavailable} = lists:nth(641, Answers),
    1279 = length([ok || ok <- Answers]).

times_out_by_the_frame(_) ->
    stand_in("hangs.py", [{call_timeout, 200}]),
    [{error, timeout} = Answer || Answer <- signal_port:batch(lists:duplicate(100, {init, []}))],
    {messages, []} = process_info(self(), messages).

is_unavailable_without_the_application(_) ->
    signal_port_stage:stop(),
    [[{error, unavailable} = Answer || Answer <- signal_port:batch(lists:duplicate(Count, {init, []}))]
     || Count <- [1, 2, 100]],
    100 = length(signal_port:batch(lists:duplicate(100, {init, []}))),
    [] = signal_port:batch([]).

%% The fault is the worker's: to the caller it is no answer, and no badarg.
an_answer_of_another_shape_is_none(_) ->
    stand_in("flat_batch.py", [{call_timeout, ?PATIENT}]),
    [{error, unavailable}, {error, unavailable}] = signal_port:batch([{init, []}, {init, []}]).

an_answer_too_few_is_none(_) ->
    stand_in("short_batch.py", [{call_timeout, ?PATIENT}]),
    [{error, unavailable}, {error, unavailable}, {error, unavailable}] =
        signal_port:batch(lists:duplicate(3, {init, []})).

%% --- Beside a NIF ---

the_nif_answers_what_it_has(Config) ->
    _ = signal_port_backend_SUITE:healthy(Config),
    start(1, [{backend, nif}]),
    [ok, ok] = signal_port:batch([{init, []}, {init, []}]),
    #{state := idle} = signal_port_stage:worker(),
    {error, badarg} = try signal_port:batch([{init, []}, {sha256, [1]}]) catch error:Reason -> {error, Reason} end,
    [{ok, <<16#BA7816BF:32, _/binary>>}, {ok, <<_:42/binary>>}] =
        signal_port:batch([{sha256, [<<"abc">>]}, {hkdf_sha256, [<<1>>, <<>>, <<>>, 42]}]),
    #{backend := nif} = signal_port:info().

%% --- Internals ---

start(PoolSize, Options) ->
    ok = signal_port_stage:start([{pool_size, PoolSize} | Options]),
    proplists:get_value(backend, Options) =:= nif orelse signal_port_stage:until(fun all_ready/0).

stand_in(Name, Options) ->
    ok = signal_port_stage:start_with(Name, [{pool_size, 1}, {stall_timeout, ?PATIENT} | Options]).

all_ready() ->
    lists:all(fun(#{state := SlotState}) -> SlotState =:= ready end, signal_port_stage:workers()).

hashes(Count) ->
    [{sha256, [<<Number:32>>]} || Number <- lists:seq(1, Count)].

is_hash({ok, <<_:256>>}) -> true;
is_hash(_) -> false.

called(Fun) ->
    Parent = self(),
    spawn_link(fun() -> Parent ! {self(), Fun()} end).

answer(Pid) ->
    receive {Pid, Answer} -> Answer after ?PATIENT -> error(no_answer) end.
