%% The codec: calls to bytes, bytes to answers. No process runs here.
-module(signal_port_codec_SUITE).
-compile([export_all, nowarn_export_all]).

all() ->
    [{group, requests}, {group, replies}, {group, answers}, {group, notices}].

groups() ->
    [{requests, [request_matches_the_protocol, binary_gets_the_shortest_form,
                 pre_key_info_is_encoded, length_is_clamped, integers_have_32_bits,
                 other_arguments_are_invalid,
                 short_names_are_completed, unknown_operation_is_badarg,
                 wrong_argument_count_is_badarg, badarg_has_no_argument,
                 batch_matches_the_protocol]},
     {replies, [tag_wraps_at_32_bits, own_tag_is_accepted, other_tag_is_refused]},
     {answers, [each_form_is_decoded, recorded_errors_are_decoded, listed_errors_are_decoded,
                unknown_names_of_any_length_are_refused, small_answer_keeps_no_large_frame,
                less_than_half_of_a_frame_is_copied,
                cut_answer_is_refused, long_answer_is_refused, other_types_are_refused,
                random_bytes_do_no_harm, unknown_name_creates_no_atom, wrong_size_is_refused]},
     {notices, [ready_notice_is_decoded, other_versions_are_left_out, unfit_notice_is_decoded,
                other_notices_are_refused]}].

request_matches_the_protocol(_) ->
    <<16#93, 16#C4, 4, 0, 0, 0, 5, 16#A6, "sha256", 16#91, 16#C4, 3, "abc">> =
        iolist_to_binary([signal_port_codec:tag(5)
                          | signal_port_codec:request(sha256, [<<"abc">>])]).

binary_gets_the_shortest_form(_) ->
    [begin
         Request = iolist_to_binary(signal_port_codec:request(sha256, [binary:copy(<<1>>, Size)])),
         true = lists:prefix(binary_to_list(Header), lists:nthtail(8, binary_to_list(Request)))
     end || {Size, Header} <- [{0, <<16#C4, 0>>}, {255, <<16#C4, 255>>}, {256, <<16#C5, 256:16>>},
                               {65535, <<16#C5, 65535:16>>}, {65536, <<16#C6, 65536:32>>}]].

pre_key_info_is_encoded(_) ->
    Info = {16#FFFFFFFF, undefined, 0, <<9:256>>},
    Request = iolist_to_binary(signal_port_codec:request(dr_encrypt_prekey, [<<>>, <<>>, Info])),
    <<16#B1, "dr_encrypt_prekey", 16#93, 16#C4, 0, 16#C4, 0, 16#94, 16#CE, 16#FFFFFFFF:32,
      16#C7, 9, 1, "undefined", 16#CE, 0:32, 16#C4, 32, 9:256>> = Request.

%% Any integer is accepted as a length. All lengths that HKDF refuses get the same answer.
length_is_clamped(_) ->
    [Expected = encoded_length(Length)
     || {Length, Expected} <- [{42, <<16#D2, 42:32>>}, {-1 bsl 70, <<16#D2, -1:32>>},
                               {1 bsl 70, <<16#D2, 16#7FFFFFFF:32>>}]].

encoded_length(Length) ->
    Request = signal_port_codec:request(hkdf_sha256, [<<>>, <<>>, <<>>, Length]),
    binary:part(iolist_to_binary(Request), iolist_size(Request), -5).

integers_have_32_bits(_) ->
    [IsValid = signal_port_codec:is_valid(int32, Integer)
     || {Integer, IsValid} <- [{-1 bsl 31, true}, {(1 bsl 31) - 1, true},
                               {(-1 bsl 31) - 1, false}, {1 bsl 31, false}]],
    [IsValid = signal_port_codec:is_valid(pre_key_info, {Id, Id, Id, <<9:256>>})
     || {Id, IsValid} <- [{0, true}, {(1 bsl 32) - 1, true}, {-1, false}, {1 bsl 32, false}]].

other_arguments_are_invalid(_) ->
    [false = signal_port_codec:is_valid(Type, Arg)
     || {Type, Args} <- [{binary, [<<1:7>>, atom, "list", 1]}, {int32, [1.0, atom, <<1>>]},
                         {integer, [1.0, atom, <<1>>]}, {pre_key_info, [{1, 2, 3, <<9:248>>}]}],
        Arg <- Args].

short_names_are_completed(_) ->
    [dr_encrypt, dr_decrypt, sha256] =
        [signal_port_codec:full_name(Name) || Name <- [encrypt, decrypt, sha256]].

unknown_operation_is_badarg(_) ->
    badarg = raised(fun() -> signal_port_codec:request(exec, [<<"ls">>]) end).

wrong_argument_count_is_badarg(_) ->
    badarg = raised(fun() -> signal_port_codec:request(sha256, []) end),
    badarg = raised(fun() -> signal_port_codec:request(sha256, [<<>>, <<>>]) end).

%% A secret in the place of the operation is not shown either.
badarg_has_no_argument(_) ->
    [try signal_port_codec:request(Operation, Args) of
         Request -> error({made, Request})
     catch
         error:badarg:Trace ->
             [] = [Call || {_, _, Arity, _} = Call <- Trace, not is_integer(Arity)]
     end || {Operation, Args} <- [{<<7:256>>, [<<8:256>>]}, {[<<7:256>>], sha256},
                                  {sha256, <<7:256>>}, {sha256, [<<7:256>> | <<8:256>>]},
                                  {exec, [<<7:256>>]}]].

batch_matches_the_protocol(_) ->
    Requests = [signal_port_codec:request(sha256, [<<"abc">>]),
                signal_port_codec:request(init, [])],
    <<16#A5, "batch", 16#DC, 2:16, 16#92, 16#A6, "sha256", 16#91, 16#C4, 3, "abc",
      16#92, 16#A4, "init", 16#90>> = iolist_to_binary(signal_port_codec:batch(Requests)).

tag_wraps_at_32_bits(_) ->
    Tag = signal_port_codec:tag(3),
    Tag = signal_port_codec:tag((1 bsl 32) + 3),
    {ok, <<"x">>} = signal_port_codec:reply((1 bsl 32) + 3, <<16#92, 16#C4, 4, 3:32, "x">>).

own_tag_is_accepted(_) ->
    Frame = <<16#92, 16#C4, 4, 7:32, 16#D5, 1, "ok">>,
    {ok, <<16#D5, 1, "ok">>} = signal_port_codec:reply(7, Frame).

other_tag_is_refused(_) ->
    [error = signal_port_codec:reply(7, Frame)
     || Frame <- [<<16#92, 16#C4, 4, 6:32, 16#D5, 1, "ok">>,
                  <<16#92, 16#C4, 4, 8:32, 16#D5, 1, "ok">>,
                  <<16#92, 16#C4, 3, 7:24, 16#D5, 1, "ok">>, <<16#93, 16#C4, 4, 7:32>>,
                  <<16#92, 16#C4, 4>>, <<>>]].

each_form_is_decoded(_) ->
    [{ok, Value} = signal_port_codec:answer(Bytes)
     || {Value, Bytes} <- [{0, <<0>>}, {127, <<127>>}, {-1, <<255>>}, {-32, <<16#E0>>},
                           {255, <<16#CC, 255>>}, {65535, <<16#CD, -1:16>>},
                           {4294967295, <<16#CE, -1:32>>}, {-128, <<16#D0, 128>>},
                           {-32768, <<16#D1, 32768:16>>}, {-2147483648, <<16#D2, 16#80000000:32>>},
                           {<<"ab">>, <<16#C4, 2, "ab">>}, {<<"ab">>, <<16#C5, 2:16, "ab">>},
                           {<<"ab">>, <<16#C6, 2:32, "ab">>}, {ok, <<16#D5, 1, "ok">>},
                           {<<"ab">>, <<16#D9, 2, "ab">>}, {<<"ab">>, <<16#DA, 2:16, "ab">>},
                           {signature_failed, <<16#D8, 1, "signature_failed">>},
                           {undefined, <<16#C7, 9, 1, "undefined">>}, {{}, <<16#90>>},
                           {{}, <<16#DC, 0:16>>}, {{1, ok}, <<16#DC, 2:16, 1, 16#D5, 1, "ok">>},
                           {{ok, {1, <<>>}}, <<16#92, 16#D5, 1, "ok", 16#92, 1, 16#C4, 0>>}]].

%% The recorded answers have every error that the NIF was seen to return.
recorded_errors_are_decoded(_) ->
    Atoms = lists:usort([Atom || #{result := {error, Atom}} <- signal_port_vectors:recorded()]),
    true = length(Atoms) > 20,
    [{ok, {error, Atom}} =
         signal_port_codec:answer(<<16#92, (atom(error))/binary, (atom(Atom))/binary>>)
     || Atom <- Atoms].

%% Among them are errors that no known key causes, so that no recorded answer has them.
listed_errors_are_decoded(_) ->
    [{ok, Atom} = signal_port_codec:answer(atom(Atom)) || Atom <- signal_port_operations:errors()].

%% msgpack has a form for each of these lengths.
unknown_names_of_any_length_are_refused(_) ->
    [error = signal_port_codec:answer(<<Form, 1, (binary:copy(<<"x">>, Length))/binary>>)
     || {Form, Length} <- [{16#D5, 2}, {16#D6, 4}, {16#D7, 8}, {16#D8, 16}]].

small_answer_keeps_no_large_frame(_) ->
    Bytes = <<16#92, 16#C4, 65, (binary:copy(<<1>>, 65))/binary, 16#C5, 60000:16, 0:(60000 * 8)>>,
    {ok, {Small, _}} = signal_port_codec:answer(Bytes),
    true = binary:referenced_byte_size(Small) < 1000.

%% Around the 100 bytes and behind them are 5 bytes of headers, and zeros.
less_than_half_of_a_frame_is_copied(_) ->
    [begin
         Zeros = Size - 105,
         Frame = [<<16#92, 16#C4, 100>>, binary:copy(<<1>>, 100), <<16#C4, Zeros, 0:Zeros/unit:8>>],
         {ok, {Part, _}} = signal_port_codec:answer(iolist_to_binary(Frame)),
         Kept = binary:referenced_byte_size(Part)
     end || {Size, Kept} <- [{200, 200}, {201, 100}]].

cut_answer_is_refused(_) ->
    Whole = <<16#93, 16#D5, 1, "ok", 16#C4, 3, "abc", 16#94, 1, 16#CD, 500:16,
              16#C7, 9, 1, "undefined", 16#C5, 2:16, "ab">>,
    {ok, {ok, <<"abc">>, {1, 500, undefined, <<"ab">>}}} = signal_port_codec:answer(Whole),
    [error = signal_port_codec:answer(binary:part(Whole, 0, Size))
     || Size <- lists:seq(0, byte_size(Whole) - 1)].

long_answer_is_refused(_) ->
    error = signal_port_codec:answer(<<16#D5, 1, "ok", 0>>).

%% No answer has nil, booleans, floats, 64-bit integers, array 32, long maps or other extensions.
other_types_are_refused(_) ->
    [error = signal_port_codec:answer(Bytes)
     || Bytes <- [<<16#C0>>, <<16#C1>>, <<16#C2>>, <<16#C3>>, <<16#CA, 0:32>>, <<16#CB, 0:64>>,
                  <<16#CF, 0:64>>, <<16#D3, 0:64>>, <<16#DD, 0:32>>, <<16#DE, 0:16>>,
                  <<16#DF, 0:32>>, <<16#D5, 2, "ok">>, <<131, 100, 0, 2, "ok">>]].

random_bytes_do_no_harm(_) ->
    [case signal_port_codec:answer(rand:bytes(rand:uniform(64))) of
         error -> ok;
         {ok, _} -> ok
     end || _ <- lists:seq(1, 20_000)].

unknown_name_creates_no_atom(_) ->
    Name = <<"surely_not_an_atom_before_",
             (integer_to_binary(erlang:unique_integer([positive])))/binary>>,
    error = signal_port_codec:answer(<<16#C7, (byte_size(Name)), 1, Name/binary>>),
    badarg = raised(fun() -> binary_to_existing_atom(Name) end).

wrong_size_is_refused(_) ->
    error = signal_port_codec:answer(<<16#C6, 16#FFFFFFFF:32, "little">>),
    error = signal_port_codec:answer(<<16#9F>>).

ready_notice_is_decoded(_) ->
    Notice = <<16#93, 16#A5, "ready", 1, 16#81, 16#A6, "python", 16#A6, "3.11.7">>,
    {ready, 1, #{python := <<"3.11.7">>}} = signal_port_codec:notice(Notice).

other_versions_are_left_out(_) ->
    Notice = <<16#93, 16#A5, "ready", 9, 16#81, 16#A6, "os_pid", 16#CE, 77:32>>,
    {ready, 9, Versions} = signal_port_codec:notice(Notice),
    0 = map_size(Versions).

unfit_notice_is_decoded(_) ->
    {unfit, <<"too old">>} =
        signal_port_codec:notice(<<16#92, 16#A5, "unfit", 16#D9, 7, "too old">>).

other_notices_are_refused(_) ->
    [error = signal_port_codec:notice(Frame)
     || Frame <- [<<>>, <<"Python 2.7.18">>, <<16#92, 16#A5, "ready", 1>>,
                  <<16#93, 16#A5, "ready", 16#A1, "1", 16#80>>, <<16#D5, 1, "ok">>,
                  <<16#93, 16#A5, "ready", 1, 16#90>>, <<16#92, 16#A5, "unfit", 1>>]].

atom(Atom) ->
    Name = atom_to_binary(Atom),
    <<16#C7, (byte_size(Name)), 1, Name/binary>>.

raised(Fun) ->
    try Fun() of
        Value -> {returned, Value}
    catch
        error:Reason -> Reason
    end.
