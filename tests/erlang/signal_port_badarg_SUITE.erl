%% What badarg says: which argument is wrong and what it must be, with the caller's function on top
%% of the stack trace and without any argument in it.
-module(signal_port_badarg_SUITE).
-compile([export_all, nowarn_export_all]).

all() ->
    [{group, texts}, {group, traces}, {group, printed}].

groups() ->
    [{texts, [wrong_argument_is_named, all_wrong_arguments_are_named,
              wrong_argument_of_a_request_is_named, wrong_call_of_a_batch_is_named]},
     {traces, [called_function_is_on_top, caller_is_next, observed_call_has_the_same_trace,
               badarg_of_the_nif_is_explained, badarg_that_only_the_nif_knows_is_plain]},
     {printed, [shell_shows_the_argument, explanations_have_no_secret]}].

end_per_testcase(_, _) ->
    signal_port_stage:stop(),
    signal_port_telemetry:unload().

%% --- Texts ---

wrong_argument_is_named(_) ->
    [#{Position := Text} = explained(Function, Args)
     || {Function, Args, Position, Text} <-
            [{sha256, [undefined], 1, "must be a binary"},
             {sha256, [[<<"io">>]], 1, "must be a binary"},
             {encrypt, [<<>>, "text"], 2, "must be a binary"},
             {generate_pre_key, [1 bsl 31], 1, "must be an integer of 32 bits, signed"},
             {hkdf_sha256, [<<>>, <<>>, <<>>, 1.0], 4, "must be an integer"},
             {dr_encrypt_prekey, [<<>>, <<>>, {1, 2, 3, <<4>>}], 3,
              "must be {RegistrationId, OneTimePreKeyId | undefined, SignedPreKeyId, BaseKey}, "
              "with ids from 0 to 4294967295 and a key of 32 bytes"}]].

all_wrong_arguments_are_named(_) ->
    #{1 := "must be a binary", 5 := "must be an integer of 32 bits, signed"} = Wrong =
        explained(dr_init, [secret, <<>>, <<>>, <<>>, first]),
    2 = map_size(Wrong).

wrong_argument_of_a_request_is_named(_) ->
    [Explained = explained(send_request, Args)
     || {Args, Explained} <-
            [{[exec, []], #{1 => "must be the name of an operation"}},
             {["sha256", [<<>>]], #{1 => "must be the name of an operation"}},
             {[sha256, []], #{2 => "must be the list of the 1 arguments of sha256"}},
             {[sha256, [<<>> | <<>>]], #{2 => "must be the list of the 1 arguments of sha256"}},
             {[sha256, <<>>], #{2 => "must be the list of the 1 arguments of sha256"}},
             {[encrypt, [<<>>, x]], #{2 => "argument 2 of encrypt must be a binary"}},
             {[encrypt, [<<>>, x], 5], #{2 => "argument 2 of encrypt must be a binary"}},
             {[init, [], never],
              #{3 => "must be milliseconds from 0 to 4294967295, infinity or default"}}]].

wrong_call_of_a_batch_is_named(_) ->
    Good = {sha256, [<<>>]},
    [#{1 := Text} = explained(batch, [Calls])
     || {Calls, Text} <-
            [{[Good, {encrypt, [<<>>, x]}], "call 2: argument 2 of encrypt must be a binary"},
             {[{sha256, [x]}, Good, {sha256, []}], "call 1: argument 1 of sha256 must be a binary"},
             {[Good, Good, {sha256, []}], "call 3 must have the 1 arguments of sha256"},
             {[{exec, [<<"ls">>]}], "call 1 must begin with the name of an operation"},
             {[Good, sha256], "call 2 must be {Operation, Arguments}"},
             {[Good | Good], "must be a list of {Operation, Arguments}"},
             {sha256, "must be a list of {Operation, Arguments}"}]].

%% --- Stack traces ---

called_function_is_on_top(_) ->
    [[{signal_port, Function, Arity, [{error_info, #{module := signal_port_badarg}}]} | _] =
         trace(Function, Args)
     || {Function, Args} <- wrong(), Arity <- [length(Args)]].

caller_is_next(_) ->
    [[_, {?MODULE, trace, 2, _} | _] = trace(Function, Args) || {Function, Args} <- wrong()].

observed_call_has_the_same_trace(_) ->
    Plain = traces(),
    ok = signal_port_telemetry:start(),
    Plain = traces().

traces() ->
    [lists:sublist(trace(Function, Args), 2) || {Function, Args} <- wrong()].

%% The stack trace of the NIF's own badarg has the arguments.
badarg_of_the_nif_is_explained(_) ->
    with_nif("binary_part(Key, Message)"),
    #{1 := "must be a binary"} = explained(sign_data, [key, <<>>]),
    [] = [Args || {_, _, Args, _} <- trace(sign_data, [<<7:512>>, "text"]), is_list(Args)].

badarg_that_only_the_nif_knows_is_plain(_) ->
    with_nif("binary_part(Key, Message)"),
    [{signal_port, sign_data, 2, []}, {?MODULE, trace, 2, _} | _] =
        trace(sign_data, [<<7:512>>, <<>>]).

%% --- Printed ---

shell_shows_the_argument(_) ->
    Trace = trace(encrypt, [<<>>, "text"]),
    Text = lists:flatten(erl_error:format_exception(error, badarg, Trace)),
    true = lists:prefix("exception error: bad argument\n"
                        "  in function  signal_port:encrypt/2 \n"
                        "     *** argument 2: must be a binary\n", Text).

explanations_have_no_secret(_) ->
    Secret = rand:bytes(64),
    Planted = [{Name, Secret} || Name <- [secret, session, plain]],
    Errors = [{trace(Function, Args), explained(Function, Args)}
              || {Function, Args} <- wrong(Secret)],
    signal_port_search:finds_nothing(Planted, Errors).

%% --- Internals ---

wrong() ->
    wrong(<<7:512>>).

wrong(Secret) ->
    [{sha256, [{Secret}]}, {sign_data, [Secret, [Secret]]}, {encrypt, [Secret, {Secret}]},
     {decrypt, [[Secret], Secret]}, {dr_encrypt, [Secret, {Secret}]},
     {process_pre_key_bundle_bob, [Secret, {Secret}, Secret, Secret, Secret]},
     {dr_encrypt_prekey, [Secret, Secret, {1, 2, 3, {Secret}}]},
     {send_request, [sign_data, [Secret, [Secret]]]}, {send_request, [Secret, []]},
     {send_request, [init, [], Secret]}, {send_request, [{init, Secret}, [Secret], 5]},
     {batch, [[{init, []}, {sign_data, [Secret, [Secret]]}]]}, {batch, [[{Secret, []}]]},
     {batch, [Secret]}, {batch, [[{sha256, [Secret]} | Secret]]}].

trace(Function, Args) ->
    try apply(signal_port, Function, Args) of
        Answer -> error({answered, Answer})
    catch
        error:badarg:Trace -> Trace
    end.

explained(Function, Args) ->
    [{_, _, _, Info} | _] = Trace = trace(Function, Args),
    #{module := Module} = proplists:get_value(error_info, Info),
    Module:format_error(badarg, Trace).

%% Starts the application with a NIF that has one operation.
with_nif(Body) ->
    Nif = signal_port_badarg_nif,
    Forms = [form("-module(" ++ atom_to_list(Nif) ++ ")."), form("-export([sign_data/2])."),
             form("sign_data(Key, Message) -> " ++ Body ++ ".")],
    {ok, Nif, Beam} = compile:forms(Forms, []),
    {module, Nif} = code:load_binary(Nif, "", Beam),
    ok = signal_port_stage:start_with("honest.py", [{pool_size, 1}]),
    true = ets:insert(signal_port_table, {{nif, sign_data}, Nif}),
    ok.

form(Text) ->
    {ok, Tokens, _} = erl_scan:string(Text),
    {ok, Form} = erl_parse:parse_form(Tokens),
    Form.
