%% Batches: the answers of single calls, in order, even if frames are too large or workers die.
-module(signal_port_batch_SUITE).
-compile([export_all, nowarn_export_all]).

-define(PATIENT, 60_000).  % milliseconds; a timeout that no test reaches

all() ->
    [{group, answers}, {group, types}, {group, frames}, {group, losses}, {group, nif}].

groups() ->
    [{answers, [empty_batch_is_empty, batch_of_one_is_answered, large_batch_keeps_order,
                batch_equals_single_calls, short_names_are_accepted,
                each_call_gets_fresh_randomness]},
     {types, [wrong_type_is_badarg_before_sending, batch_of_other_type_is_badarg,
              badarg_has_no_argument]},
     {frames, [batch_spreads_over_workers, few_frames_are_in_flight, batch_leaves_no_message,
               answers_over_max_frame_are_split, too_large_answer_fails_alone,
               too_large_call_fails_alone, calls_over_max_frame_are_split,
               frame_is_limited_in_bytes]},
     {losses, [killed_worker_loses_no_call, killed_workers_lose_no_call, deadly_call_fails_alone,
               silent_worker_times_out, batch_without_application_is_unavailable,
               flat_batch_reply_is_rejected, short_batch_reply_is_rejected]},
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
    signal_port_stage:stop().

%% --- The answers ---

empty_batch_is_empty(_) ->
    start(1, []),
    [] = signal_port:batch([]),
    0 = signal_port_stage:calls().

batch_of_one_is_answered(_) ->
    start(1, []),
    [{ok, <<16#BA7816BF:32, _/binary>>}] = signal_port:batch([{sha256, [<<"abc">>]}]).

large_batch_keeps_order(_) ->
    start(2, []),
    Numbers = lists:seq(1, 10_000),
    Answers = signal_port:batch([{generate_pre_key, [Number]} || Number <- Numbers]),
    Numbers = [Number || {ok, {Number, <<_:256>>, <<_:256>>}} <- Answers].

batch_equals_single_calls(_) ->
    start(2, []),
    Calls = lists:append(lists:duplicate(20, mixed())),
    Alone = [apply(signal_port, Operation, Args) || {Operation, Args} <- Calls],
    [{ok, _}, {error, _}, {error, _}, invalid_signature, ok | _] = Alone,
    Alone = signal_port:batch(Calls).

%% Answers of each form. All are deterministic.
mixed() ->
    Key = <<7:256>>,
    [{sha256, [<<"abc">>]}, {hkdf_sha256, [Key, <<>>, <<>>, -1]}, {dr_decrypt, [<<>>, <<>>]},
     {verify_signature, [Key, <<>>, <<9:512>>]}, {init, []},
     {aes_gcm_encrypt, [Key, <<2:96>>, <<"text">>, <<>>, 16]},
     {hkdf_sha256, [Key, <<>>, <<>>, 0]}, {x25519, [Key, <<0:256>>]},
     {pksm_decode, [<<"no message">>]}, {sha512, [binary:copy(<<"long">>, 20_000)]}].

short_names_are_accepted(_) ->
    start(2, []),
    {Alice, Bob} = signal_port_parties:hello(),
    [{ok, {Short, _}}, {ok, {Long, _}}] =
        signal_port:batch([{encrypt, [Alice, <<"a">>]}, {dr_encrypt, [Alice, <<"b">>]}]),
    [{ok, {<<"a">>, _}}, {ok, {<<"b">>, _}}, {error, message_too_short}] =
        signal_port:batch([{decrypt, [Bob, Short]}, {dr_decrypt, [Bob, Long]},
                           {decrypt, [Bob, <<>>]}]).

each_call_gets_fresh_randomness(_) ->
    start(2, []),
    Answers = signal_port:batch(lists:duplicate(1000, {generate_curve25519_keypair, []})),
    1000 = length(lists:usort([Private || {ok, {_, Private}} <- Answers])).

%% --- Wrong types ---

wrong_type_is_badarg_before_sending(_) ->
    start(1, []),
    Good = lists:duplicate(200, {init, []}),
    [badarg = raised(Good ++ [Wrong | Good]) || Wrong <- wrong()],
    #{calls := 0, in_flight := 0} = signal_port_stage:worker().

batch_of_other_type_is_badarg(_) ->
    start(1, []),
    [badarg = raised(Calls) || Calls <- no_lists()].

badarg_has_no_argument(_) ->
    [try signal_port:batch(Calls) of
         Answers -> error({answered, Answers})
     catch
         error:badarg:Trace ->
             [] = [Call || {_, _, Arity, _} = Call <- Trace, not is_integer(Arity)]
     end || Calls <- no_lists() ++ [[Wrong] || Wrong <- wrong()]].

wrong() ->
    [{sha256, [undefined]}, {sha256, []}, {sha256, <<7:256>>}, {sha256, [<<7:256>> | <<8:256>>]},
     {exec, [<<"ls">>]}, {batch, [[]]}, {<<"sha256">>, [<<7:256>>]}, {sha256, [<<7:256>>], 1000},
     sha256, <<7:256>>, [<<7:256>>], {encrypt, [<<7:256>>, "text"]}].

no_lists() ->
    [{sha256, [<<7:256>>]}, <<7:256>>, sha256, #{sha256 => [<<7:256>>]},
     [{sha256, [<<7:256>>]} | {init, []}]].

raised(Calls) ->
    try signal_port:batch(Calls) of
        Answers -> {answered, Answers}
    catch
        error:Reason -> Reason
    end.

%% --- Frames ---

batch_spreads_over_workers(_) ->
    start(3, []),
    true = lists:all(fun is_hash/1, signal_port:batch(hashes(30))),
    [1, 1, 1] = lists:sort([Calls || #{calls := Calls} <- signal_port_stage:workers()]),
    true = lists:all(fun is_hash/1, signal_port:batch(hashes(64 * 300))),
    true = lists:min([Calls || #{calls := Calls} <- signal_port_stage:workers()]) > 30.

%% Calls of others stand behind these few frames, and before all the rest.
few_frames_are_in_flight(Config) ->
    File = signal_port_stage:switch(Config),
    stand_in("slow_on_marker.py", []),
    Marker = signal_port_stage:marker(),
    Long = signal_port_stage:async(fun() ->
        signal_port:batch([{hmac_sha256, [Marker, <<>>]} | lists:duplicate(2000, {init, []})])
    end),
    signal_port_stage:until(fun() -> signal_port_stage:in_flight() >= 2 end),
    Others = [signal_port_stage:async(fun signal_port:init/0) || _ <- lists:seq(1, 5)],
    signal_port_stage:until(fun() -> signal_port_stage:in_flight() >= 7 end),
    7 = signal_port_stage:in_flight(),
    ok = file:write_file(File, <<>>),
    [ok = signal_port_stage:await(Other) || Other <- Others],
    2001 = length([ok || ok <- signal_port_stage:await(Long)]),
    #{calls := 37} = signal_port_stage:worker().

batch_leaves_no_message(_) ->
    start(2, []),
    true = lists:all(fun is_hash/1, signal_port:batch(hashes(3000))),
    {messages, []} = process_info(self(), messages),
    {monitors, []} = process_info(self(), monitors),
    ok.

%% --- Frames that are too large ---

%% Two of these answers do not fit a frame.
answers_over_max_frame_are_split(_) ->
    start(2, [{max_frame, 16384}]),
    Calls = [{hkdf_sha256, [<<Number:32>>, <<>>, <<>>, 8160]} || Number <- lists:seq(1, 150)],
    Alone = [apply(signal_port, Operation, Args) || {Operation, Args} <- Calls],
    150 = length(lists:usort([Okm || {ok, <<Okm:8160/binary>>} <- Alone])),
    Alone = signal_port:batch(Calls),
    0 = signal_port_stage:restarts().

%% The encrypted message is longer than its plaintext: the call fits a frame, the answer does not.
too_large_answer_fails_alone(_) ->
    start(1, [{max_frame, 16384}]),
    {Alice, _} = signal_port_parties:sessions(),
    Plain = binary:copy(<<0>>, 16384 - byte_size(Alice) - 40),
    [ok, {error, too_large}, {ok, {_, _}}, ok] =
        signal_port:batch([{init, []}, {encrypt, [Alice, Plain]}, {encrypt, [Alice, <<>>]},
                           {init, []}]).

too_large_call_fails_alone(_) ->
    start(2, [{max_frame, 16384}]),
    {Before, After} = {hashes(100), hashes(57)},
    Answers = signal_port:batch(Before ++ [{sha256, [binary:copy(<<0>>, 16384)]} | After]),
    158 = length(Answers),
    [{101, {error, too_large}}] =
        [One || {_, Answer} = One <- lists:enumerate(Answers), not is_hash(Answer)].

calls_over_max_frame_are_split(_) ->
    start(2, [{max_frame, 16384}]),
    Calls = [{sha256, [<<Number:80000>>]} || Number <- lists:seq(1, 200)],
    true = lists:all(fun is_hash/1, signal_port:batch(Calls)).

%% 64 of these would be 16 MiB.
frame_is_limited_in_bytes(_) ->
    start(1, []),
    Quarter = binary:copy(<<0>>, 256 * 1024 - 100),
    true = lists:all(fun is_hash/1, signal_port:batch(lists:duplicate(64, {sha256, [Quarter]}))),
    16 = signal_port_stage:calls().

%% --- Losses ---

killed_worker_loses_no_call(_) ->
    loses_nothing(fun() ->
        "" = signal_port_stage:signal("KILL", hd(signal_port_stage:os_pids()))
    end).

killed_workers_lose_no_call(_) ->
    loses_nothing(fun() ->
        ["" = signal_port_stage:signal("KILL", OsPid) || OsPid <- signal_port_stage:os_pids()]
    end).

loses_nothing(Loss) ->
    start(2, [{call_timeout, ?PATIENT}]),
    Calls = [{hkdf_sha256, [<<Number:32>>, <<>>, <<>>, 8160]} || Number <- lists:seq(1, 3000)],
    Expected = signal_port:batch(Calls),
    3000 = length(lists:usort([Okm || {ok, <<Okm:8160/binary>>} <- Expected])),
    Before = signal_port_stage:calls(),
    Batch = signal_port_stage:async(fun() -> signal_port:batch(Calls) end),
    signal_port_stage:until(fun() -> signal_port_stage:calls() > Before + 2 end),
    Loss(),
    true = Expected =:= signal_port_stage:await(Batch),
    signal_port_stage:until(fun() -> signal_port_stage:restarts() > 0 end).

deadly_call_fails_alone(_) ->
    start(2, [{python, signal_port_stage:stand_in("exits_on_marker.py")},
              {call_timeout, ?PATIENT}]),
    Deadly = {sha256, [signal_port_stage:marker()]},
    {Before, After} = {lists:duplicate(640, {init, []}), lists:duplicate(639, {init, []})},
    Answers = signal_port:batch(Before ++ [Deadly | After]),
    1280 = length(Answers),
    {error, unavailable} = lists:nth(641, Answers),
    1279 = length([ok || ok <- Answers]).

silent_worker_times_out(_) ->
    stand_in("hangs.py", [{call_timeout, 200}]),
    [{error, timeout} = Answer || Answer <- signal_port:batch(lists:duplicate(100, {init, []}))],
    {messages, []} = process_info(self(), messages).

batch_without_application_is_unavailable(_) ->
    signal_port_stage:stop(),
    [[{error, unavailable} = Answer
      || Answer <- signal_port:batch(lists:duplicate(Count, {init, []}))]
     || Count <- [1, 2, 100]],
    100 = length(signal_port:batch(lists:duplicate(100, {init, []}))),
    [] = signal_port:batch([]).

%% The worker is at fault, so the caller gets no badarg.
flat_batch_reply_is_rejected(_) ->
    stand_in("flat_batch.py", [{call_timeout, ?PATIENT}]),
    [{error, unavailable}, {error, unavailable}] = signal_port:batch([{init, []}, {init, []}]).

short_batch_reply_is_rejected(_) ->
    stand_in("short_batch.py", [{call_timeout, ?PATIENT}]),
    [{error, unavailable}, {error, unavailable}, {error, unavailable}] =
        signal_port:batch(lists:duplicate(3, {init, []})).

%% --- Beside a NIF ---

nif_handles_its_operations(Config) ->
    _ = signal_port_nifs:healthy(Config),
    start(1, [{backend, nif}]),
    [ok, ok] = signal_port:batch([{init, []}, {init, []}]),
    #{state := idle} = signal_port_stage:worker(),
    badarg = raised([{init, []}, {sha256, [1]}]),
    [{ok, <<16#BA7816BF:32, _/binary>>}, {ok, <<_:42/binary>>}] =
        signal_port:batch([{sha256, [<<"abc">>]}, {hkdf_sha256, [<<1>>, <<>>, <<>>, 42]}]),
    #{backend := nif} = signal_port:info().

%% --- Internals ---

start(PoolSize, Options) ->
    ok = signal_port_stage:start([{pool_size, PoolSize} | Options]),
    proplists:get_value(backend, Options) =:= nif orelse signal_port_stage:await_ready().

stand_in(Name, Options) ->
    ok = signal_port_stage:start_with(Name, [{pool_size, 1}, {stall_timeout, ?PATIENT} | Options]).

hashes(Count) ->
    [{sha256, [<<Number:32>>]} || Number <- lists:seq(1, Count)].

is_hash({ok, <<_:256>>}) -> true;
is_hash(_) -> false.
