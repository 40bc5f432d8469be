%% The codec of a serving node is the other half of signal_port_codec: what one writes, the other
%% one reads. Everything else is refused.
-module(signal_port_server_codec_SUITE).
-compile([export_all, nowarn_export_all]).

-define(RANDOM, 20_000).  % mutated requests

all() ->
    [{group, requests}, {group, invalid}, {group, answers}].

groups() ->
    [{requests, [recorded_calls_are_read_as_written, batch_is_read_as_written,
                 optional_id_is_read_as_written]},
     {invalid, [other_terms_are_refused, unknown_operation_is_refused,
                wrong_number_of_arguments_is_refused, cut_request_is_refused,
                longer_request_is_refused, long_or_empty_batch_is_refused,
                batch_in_a_batch_is_refused, mutated_request_is_valid_or_refused,
                unknown_names_make_no_atom]},
     {answers, [recorded_answers_are_read_as_written, wrong_answer_raises_badarg]}].

%% --- Requests ---

recorded_calls_are_read_as_written(_) ->
    [_ | _] = Calls = [{Op, Args} || #{op := Op, args := Args, result := Result}
                                         <- signal_port_vectors:recorded(),
                                     Result =/= {raise, badarg}],
    [] = [Op || {Op, Args} = Call <- Calls, read(written(Op, Args)) =/= Call].

batch_is_read_as_written(_) ->
    Calls = [{sha256, [<<"abc">>]}, {init, []}, {generate_pre_key, [-1]}],
    Batch = signal_port_codec:batch([signal_port_codec:request(Op, Args) || {Op, Args} <- Calls]),
    {batch, Calls} = read(iolist_to_binary(Batch)).

optional_id_is_read_as_written(_) ->
    [begin
         Call = {dr_encrypt_prekey, [<<>>, <<>>, {0, Id, 16#FFFFFFFF, <<7:256>>}]},
         {Op, Args} = Call,
         Call = read(written(Op, Args))
     end || Id <- [undefined, 0, 16#FFFFFFFF]].

%% --- Invalid requests ---

other_terms_are_refused(_) ->
    [error = read(Term) || Term <- [<<>>, sha256, {sha256, [<<>>]}, [], [<<"abc">>], 7, self(),
                                    <<1:1>>, fun() -> <<>> end, #{}]].

unknown_operation_is_refused(_) ->
    [error = read(<<5:3, (byte_size(Name)):5, Name/binary, 9:4, 0:4>>)
     || Name <- [<<>>, <<"halt">>, <<"sha25">>, <<"INIT">>, <<"init ">>]].

wrong_number_of_arguments_is_refused(_) ->
    <<Head:7/binary, 9:4, 1:4, Arg/binary>> = written(sha256, [<<>>]),
    [error = read(<<Head/binary, 9:4, Count:4, (binary:copy(Arg, Count))/binary>>)
     || Count <- [0, 2, 15]].

cut_request_is_refused(_) ->
    Request = written(dr_encrypt_prekey, [<<1>>, <<2>>, {1, undefined, 3, <<7:256>>}]),
    [error = read(binary:part(Request, 0, Size)) || Size <- lists:seq(0, byte_size(Request) - 1)].

longer_request_is_refused(_) ->
    error = read(<<(written(sha256, [<<>>]))/binary, 0>>).

long_or_empty_batch_is_refused(_) ->
    Batch = fun(Count) ->
        iolist_to_binary(signal_port_codec:batch(
            lists:duplicate(Count, signal_port_codec:request(init, []))))
    end,
    {batch, [_ | _]} = read(Batch(1024)),
    error = read(Batch(1025)),
    error = read(Batch(0)).

batch_in_a_batch_is_refused(_) ->
    Inner = signal_port_codec:batch([signal_port_codec:request(init, [])]),
    error = read(iolist_to_binary(signal_port_codec:batch([Inner]))).

%% What is not refused has the right number of arguments, each of its type.
mutated_request_is_valid_or_refused(_) ->
    Requests = [written(aes_gcm_encrypt, [<<1:256>>, <<2:96>>, <<"plain">>, <<>>, 16]),
                written(dr_encrypt_prekey, [<<1>>, <<2>>, {1, 2, 3, <<7:256>>}]),
                written(hkdf_sha256, [<<>>, <<>>, <<>>, -1])],
    [case read(mutated(lists:nth(rand:uniform(3), Requests))) of
         error -> ok;
         {Op, Args} when is_atom(Op) -> _ = signal_port_codec:request(Op, Args)
     end || _ <- lists:seq(1, ?RANDOM)].

mutated(Bytes) ->
    Position = rand:uniform(byte_size(Bytes)) - 1,
    <<Before:Position/binary, _, After/binary>> = Bytes,
    <<Before/binary, (rand:uniform(256) - 1), After/binary>>.

unknown_names_make_no_atom(_) ->
    Table = signal_port_server_codec:new(),
    Before = erlang:system_info(atom_count),
    [error = signal_port_server_codec:calls(<<5:3, 9:5, "x", Number:64, 9:4, 0:4>>, Table)
     || Number <- lists:seq(1, 1000)],
    Before = erlang:system_info(atom_count).

%% --- Answers ---

recorded_answers_are_read_as_written(_) ->
    [_ | _] = Answers = [Result || #{result := Result} <- signal_port_vectors:recorded(),
                                   Result =/= {raise, badarg}],
    [] = [Answer || Answer <- Answers,
                    signal_port_codec:answer(signal_port_server_codec:answer(Answer))
                        =/= {ok, Answer}].

wrong_answer_raises_badarg(_) ->
    [{'EXIT', {badarg, _}} = (catch signal_port_server_codec:answer(Term))
     || Term <- [1.5, [<<>>], #{}, self(), {ok, 1 bsl 32}, {ok, -1 bsl 40}, {ok, <<1:1>>}]].

read(Request) ->
    signal_port_server_codec:calls(Request, signal_port_server_codec:new()).

written(Operation, Args) ->
    iolist_to_binary(signal_port_codec:request(Operation, Args)).
