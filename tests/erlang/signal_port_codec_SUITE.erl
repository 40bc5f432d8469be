%% The wire: calls to bytes, bytes to answers. Nothing runs here but the module itself.
-module(signal_port_codec_SUITE).
-compile([export_all, nowarn_export_all]).

all() ->
    [request_is_as_the_protocol_says, request_picks_the_size_of_a_binary, request_has_pre_key_information,
     request_keeps_a_length_in_range, request_refuses_an_unknown_operation, request_refuses_a_wrong_count,
     request_shows_no_argument, batch_is_as_the_protocol_says,
     tag_wraps_at_32_bits, reply_takes_its_own_tag, reply_refuses_another,
     answer_reads_each_form, answer_reads_every_error_of_the_nif, answer_reads_the_errors_of_rare_curves,
     answer_refuses_names_of_any_length_that_it_does_not_know, answer_keeps_no_large_frame,
     answer_refuses_what_is_cut_short, answer_refuses_what_is_too_long, answer_refuses_other_types,
     answer_refuses_random_bytes_or_reads_them, answer_makes_no_atom, answer_refuses_a_lie_about_a_size,
     notice_reads_ready, notice_ignores_other_versions, notice_reads_unfit, notice_refuses_the_rest].

request_is_as_the_protocol_says(_) ->
    <<16#93, 16#C4, 4, 0, 0, 0, 5, 16#A6, "sha256", 16#91, 16#C4, 3, "abc">> =
        iolist_to_binary([signal_port_codec:tag(5) | signal_port_codec:request(sha256, [<<"abc">>])]).

request_picks_the_size_of_a_binary(_) ->
    [begin
         Request = iolist_to_binary(signal_port_codec:request(sha256, [binary:copy(<<1>>, Size)])),
         true = lists:prefix(binary_to_list(Header), lists:nthtail(8, binary_to_list(Request)))
     end || {Size, Header} <- [{0, <<16#C4, 0>>}, {255, <<16#C4, 255>>}, {256, <<16#C5, 256:16>>},
                               {65535, <<16#C5, 65535:16>>}, {65536, <<16#C6, 65536:32>>}]].

request_has_pre_key_information(_) ->
    Info = {16#FFFFFFFF, undefined, 0, <<9:256>>},
    Request = iolist_to_binary(signal_port_codec:request(dr_encrypt_prekey, [<<>>, <<>>, Info])),
    <<16#B1, "dr_encrypt_prekey", 16#93, 16#C4, 0, 16#C4, 0, 16#94, 16#CE, 16#FFFFFFFF:32, 16#C7, 9, 1, "undefined",
      16#CE, 0:32, 16#C4, 32, 9:256>> = Request.

%% Any integer is a length, and all that are no length of HKDF have the same answer.
request_keeps_a_length_in_range(_) ->
    [Expected = binary:part(Request, byte_size(Request), -5)
     || {Length, Expected} <- [{42, <<16#D2, 42:32>>}, {-1 bsl 70, <<16#D2, -1:32>>},
                               {1 bsl 70, <<16#D2, 16#7FFFFFFF:32>>}],
        Request <- [iolist_to_binary(signal_port_codec:request(hkdf_sha256, [<<>>, <<>>, <<>>, Length]))]].

request_refuses_an_unknown_operation(_) ->
    badarg = raised(fun() -> signal_port_codec:request(exec, [<<"ls">>]) end).

request_refuses_a_wrong_count(_) ->
    badarg = raised(fun() -> signal_port_codec:request(sha256, []) end),
    badarg = raised(fun() -> signal_port_codec:request(sha256, [<<>>, <<>>]) end).

%% Not even one given for the operation's name.
request_shows_no_argument(_) ->
    [try signal_port_codec:request(Operation, Args) of
         Request -> error({made, Request})
     catch
         error:badarg:Trace -> [] = [Call || {_, _, Shown, _} = Call <- Trace, not is_integer(Shown)]
     end || {Operation, Args} <- [{<<7:256>>, [<<8:256>>]}, {[<<7:256>>], sha256}, {sha256, <<7:256>>},
                                  {sha256, [<<7:256>> | <<8:256>>]}, {exec, [<<7:256>>]}]].

batch_is_as_the_protocol_says(_) ->
    Requests = [signal_port_codec:request(sha256, [<<"abc">>]), signal_port_codec:request(init, [])],
    <<16#A5, "batch", 16#DC, 2:16, 16#92, 16#A6, "sha256", 16#91, 16#C4, 3, "abc", 16#92, 16#A4, "init", 16#90>> =
        iolist_to_binary(signal_port_codec:batch(Requests)).

tag_wraps_at_32_bits(_) ->
    Tag = signal_port_codec:tag(3),
    Tag = signal_port_codec:tag((1 bsl 32) + 3),
    {ok, <<"x">>} = signal_port_codec:reply((1 bsl 32) + 3, <<16#92, 16#C4, 4, 3:32, "x">>).

reply_takes_its_own_tag(_) ->
    {ok, <<16#D5, 1, "ok">>} = signal_port_codec:reply(7, <<16#92, 16#C4, 4, 7:32, 16#D5, 1, "ok">>).

reply_refuses_another(_) ->
    [error = signal_port_codec:reply(7, Frame)
     || Frame <- [<<16#92, 16#C4, 4, 6:32, 16#D5, 1, "ok">>, <<16#92, 16#C4, 4, 8:32, 16#D5, 1, "ok">>,
                  <<16#92, 16#C4, 3, 7:24, 16#D5, 1, "ok">>, <<16#93, 16#C4, 4, 7:32>>, <<16#92, 16#C4, 4>>, <<>>]].

answer_reads_each_form(_) ->
    [{ok, Value} = signal_port_codec:answer(Bytes)
     || {Value, Bytes} <- [{0, <<0>>}, {127, <<127>>}, {-1, <<255>>}, {-32, <<16#E0>>}, {255, <<16#CC, 255>>},
                           {65535, <<16#CD, -1:16>>}, {4294967295, <<16#CE, -1:32>>}, {-128, <<16#D0, 128>>},
                           {-32768, <<16#D1, 32768:16>>}, {-2147483648, <<16#D2, 16#80000000:32>>},
                           {<<"ab">>, <<16#C4, 2, "ab">>}, {<<"ab">>, <<16#C5, 2:16, "ab">>},
                           {<<"ab">>, <<16#C6, 2:32, "ab">>},
                           {ok, <<16#D5, 1, "ok">>}, {undefined, <<16#C7, 9, 1, "undefined">>}, {{}, <<16#90>>},
                           {{}, <<16#DC, 0:16>>}, {{1, ok}, <<16#DC, 2:16, 1, 16#D5, 1, "ok">>},
                           {{ok, {1, <<>>}}, <<16#92, 16#D5, 1, "ok", 16#92, 1, 16#C4, 0>>}]].

%% The recorded answers have every atom that the NIF has been seen to answer.
answer_reads_every_error_of_the_nif(_) ->
    Atoms = lists:usort([Atom || #{result := {error, Atom}} <- signal_port_vectors:recorded()]),
    true = length(Atoms) > 20,
    [{ok, {error, Atom}} = signal_port_codec:answer(<<16#92, (atom(error))/binary, (atom(Atom))/binary>>)
     || Atom <- Atoms].

%% They come of keys that nobody has found, so that no answer with them was recorded.
answer_reads_the_errors_of_rare_curves(_) ->
    [{ok, Atom} = signal_port_codec:answer(atom(Atom))
     || Atom <- [dh3_calculation_failed, dh4_calculation_failed, dh_failed]].

%% msgpack has a form of its own for each of these lengths.
answer_refuses_names_of_any_length_that_it_does_not_know(_) ->
    [error = signal_port_codec:answer(<<Form, 1, (binary:copy(<<"x">>, Length))/binary>>)
     || {Form, Length} <- [{16#D5, 2}, {16#D6, 4}, {16#D7, 8}, {16#D8, 16}]].

answer_keeps_no_large_frame(_) ->
    Bytes = <<16#92, 16#C4, 65, (binary:copy(<<1>>, 65))/binary, 16#C5, 60000:16, 0:(60000 * 8)>>,
    {ok, {Small, _}} = signal_port_codec:answer(Bytes),
    true = binary:referenced_byte_size(Small) < 1000.

answer_refuses_what_is_cut_short(_) ->
    Whole = <<16#93, 16#D5, 1, "ok", 16#C4, 3, "abc", 16#94, 1, 16#CD, 500:16, 16#C7, 9, 1, "undefined",
              16#C5, 2:16, "ab">>,
    {ok, {ok, <<"abc">>, {1, 500, undefined, <<"ab">>}}} = signal_port_codec:answer(Whole),
    [error = signal_port_codec:answer(binary:part(Whole, 0, Size)) || Size <- lists:seq(0, byte_size(Whole) - 1)].

answer_refuses_what_is_too_long(_) ->
    error = signal_port_codec:answer(<<16#D5, 1, "ok", 0>>).

%% nil, booleans, floats, 64 bits, arrays with lengths of 32, long maps, extensions of other types: no answer has them.
answer_refuses_other_types(_) ->
    [error = signal_port_codec:answer(Bytes)
     || Bytes <- [<<16#C0>>, <<16#C1>>, <<16#C2>>, <<16#C3>>, <<16#CA, 0:32>>, <<16#CB, 0:64>>, <<16#CF, 0:64>>,
                  <<16#D3, 0:64>>, <<16#DD, 0:32>>, <<16#DE, 0:16>>, <<16#DF, 0:32>>,
                  <<16#D5, 2, "ok">>, <<131, 100, 0, 2, "ok">>]].

answer_refuses_random_bytes_or_reads_them(_) ->
    [case signal_port_codec:answer(rand:bytes(rand:uniform(64))) of
         error -> ok;
         {ok, _} -> ok
     end || _ <- lists:seq(1, 20_000)].

answer_makes_no_atom(_) ->
    Name = <<"surely_not_an_atom_before_", (integer_to_binary(erlang:unique_integer([positive])))/binary>>,
    error = signal_port_codec:answer(<<16#C7, (byte_size(Name)), 1, Name/binary>>),
    badarg = raised(fun() -> binary_to_existing_atom(Name) end).

answer_refuses_a_lie_about_a_size(_) ->
    error = signal_port_codec:answer(<<16#C6, 16#FFFFFFFF:32, "little">>),
    error = signal_port_codec:answer(<<16#9F>>).

notice_reads_ready(_) ->
    {ready, 1, #{python := <<"3.11.7">>}} =
        signal_port_codec:notice(<<16#93, 16#A5, "ready", 1, 16#81, 16#A6, "python", 16#A6, "3.11.7">>).

notice_ignores_other_versions(_) ->
    {ready, 9, #{}} = signal_port_codec:notice(<<16#93, 16#A5, "ready", 9, 16#81, 16#A6, "os_pid", 16#CE, 77:32>>).

notice_reads_unfit(_) ->
    {unfit, <<"too old">>} = signal_port_codec:notice(<<16#92, 16#A5, "unfit", 16#D9, 7, "too old">>).

notice_refuses_the_rest(_) ->
    [error = signal_port_codec:notice(Frame)
     || Frame <- [<<>>, <<"Python 2.7.18">>, <<16#92, 16#A5, "ready", 1>>, <<16#93, 16#A5, "ready", 16#A1, "1", 16#80>>,
                  <<16#93, 16#A5, "ready", 1, 16#90>>, <<16#92, 16#A5, "unfit", 1>>, <<16#D5, 1, "ok">>]].

atom(Atom) ->
    Name = atom_to_binary(Atom),
    <<16#C7, (byte_size(Name)), 1, Name/binary>>.

raised(Fun) ->
    try Fun() of
        Value -> {returned, Value}
    catch
        error:Reason -> Reason
    end.
