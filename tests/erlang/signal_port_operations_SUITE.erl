%% The list of operations, tests/vectors/operations.json, against every place that repeats it: the
%% codec, the facade, the drop-in, PROTOCOL.md, and the recorded answers of the NIF.
-module(signal_port_operations_SUITE).
-compile([export_all, nowarn_export_all]).

%% Functions of the facade that are no operations.
-define(SHORT_NAMES, [{encrypt, 2}, {decrypt, 2}]).
-define(CALLS, [{batch, 1}, {send_request, 2}, {send_request, 3}, {receive_response, 1},
                {receive_response, 2}, {check_response, 2}]).
-define(APPLICATION, [{info, 0}, {metrics, 0}, {dispatch_stats, 0}, {top, 0}, {ready, 0},
                      {replace_workers, 0}, {resize, 1}, {child_spec, 1}, {doctor, 0}]).

%% Operations that no release of the NIF has, and functions of the NIF that are no operations.
-define(NEW, [{x25519, 2}, {hkdf_sha256, 4}]).
-define(TEST_FUNCTIONS, [{test_function, 0}, {test_crypto, 0}]).

%% Atoms of answers that are no errors of an operation.
-define(OTHER_ATOMS, [ok, error, undefined, too_large]).

all() ->
    [{group, codec}, {group, exports}, {group, protocol}, {group, recorded}].

groups() ->
    [{codec, [codec_has_every_operation, codec_checks_every_argument_type,
              codec_knows_every_error_and_no_other_atom]},
     {exports, [facade_exports_every_operation, drop_in_exports_every_operation_of_the_nif]},
     {protocol, [protocol_has_every_operation, protocol_has_every_argument,
                 protocol_has_every_error]},
     {recorded, [recorded_operations_are_listed, recorded_errors_are_listed]}].

%% --- The codec ---

codec_has_every_operation(_) ->
    Names = signal_port_operations:names(),
    Names = lists:sort(signal_port_codec:operations()).

codec_checks_every_argument_type(_) ->
    [{Name, Index, Value, Expected} =
         {Name, Index, Value, is_accepted(Name, replaced(Index, Value, Types))}
     || {Name, Types, _} <- signal_port_operations:all(),
        {Index, Type} <- lists:enumerate(Types),
        Value <- values(), Expected <- [fits(Type, Value)]].

values() ->
    [<<>>, <<7:256>>, <<1:1>>, "text", undefined, 1.0, {}, 0, -1, 16#7FFFFFFF, 16#80000000,
     -16#80000000, -16#80000001, 1 bsl 70, pre_key_info()].

pre_key_info() ->
    {1, undefined, 2, <<7:256>>}.

fits(binary, Value) -> is_binary(Value);
fits(integer, Value) -> is_integer(Value);
fits(int32, Value) -> is_integer(Value) andalso abs(2 * Value + 1) < 1 bsl 32;
fits(pre_key_info, Value) -> Value =:= pre_key_info().

%% Arguments of the right types, but for one.
replaced(Index, Value, Types) ->
    [case Number of Index -> Value; _ -> right(Type) end
     || {Number, Type} <- lists:enumerate(Types)].

right(binary) -> <<>>;
right(pre_key_info) -> pre_key_info();
right(_) -> 0.

is_accepted(Name, Args) ->
    try signal_port_codec:request(Name, Args) of
        _ -> true
    catch
        error:badarg -> false
    end.

codec_knows_every_error_and_no_other_atom(_) ->
    Expected = lists:sort(?OTHER_ATOMS ++ signal_port_operations:errors()),
    Known = known_atoms(),
    [] = [{Name, Atom} || {Name, Atom} <- Known, Name =/= atom_to_list(Atom)],
    Expected = lists:sort([Atom || {_, Atom} <- Known]).

%% The clauses of known_atom/1, from the debug information of the codec.
known_atoms() ->
    Beam = code:where_is_file("signal_port_codec.beam"),
    {ok, {_, [{abstract_code, {_, Forms}}]}} = beam_lib:chunks(Beam, [abstract_code]),
    [Clauses] = [Clauses || {function, _, known_atom, 1, Clauses} <- Forms],
    [{Name, Atom} || {clause, _, [{bin, _, [{bin_element, _, {string, _, Name}, _, _}]}], [],
                      [{atom, _, Atom}]} <- Clauses].

%% --- Exports ---

facade_exports_every_operation(_) ->
    Expected = lists:sort(signal_port_operations:names() ++ ?SHORT_NAMES ++ ?CALLS ++ ?APPLICATION),
    Expected = exported(signal_port).

drop_in_exports_every_operation_of_the_nif(Config) ->
    Path = code:get_path(),
    _ = signal_port_drop_in_SUITE:build(Config),
    try
        Exported = exported(libsignal_protocol_nif) ++ exported(signal_nif),
        Expected = lists:sort((signal_port_operations:names() -- ?NEW) ++ ?TEST_FUNCTIONS),
        Expected = lists:sort(Exported)
    after
        true = code:set_path(Path),
        signal_port_nifs:unload()
    end.

exported(Module) ->
    lists:sort(Module:module_info(exports) -- [{module_info, 0}, {module_info, 1}]).

%% --- PROTOCOL.md ---

protocol_has_every_operation(_) ->
    Names = lists:sort([Name || {Name, _} <- signal_port_operations:names()]),
    Names = lists:sort([Name || {Name, _, _} <- protocol()]).

protocol_has_every_argument(_) ->
    [{Name, Arity} = {Name, Count}
     || {Name, Count, _} <- protocol(),
        Arity <- [proplists:get_value(Name, signal_port_operations:names())]].

protocol_has_every_error(_) ->
    [{Name, Expected} = {Name, Errors}
     || {Name, _, Errors} <- protocol(), Expected <- [signal_port_operations:errors(Name)]].

%% The rows of the table of operations: name, number of arguments, errors. A row can have two names.
protocol() ->
    {ok, Text} = file:read_file(signal_port_stage:root("PROTOCOL.md")),
    [_, Section] = string:split(Text, "\n## Operations\n"),
    [{binary_to_atom(Name), arguments(Arguments), errors(Errors)}
     || <<"| `", _/binary>> = Row <- string:split(Section, "\n", all),
        [_, Names, Arguments, _Value, Errors, _] <- [string:split(Row, "|", all)],
        Name <- quoted(Names)].

%% Commas inside backquotes or parentheses separate no arguments.
arguments(Cell) ->
    Plain = re:replace(Cell, "`[^`]*`|\\([^)]*\\)", "x", [global, {return, binary}]),
    length([Argument || Argument <- string:split(Plain, ",", all), string:trim(Argument) =/= <<>>]).

%% `dh1_...' .. `dh4_...' is a range, and `dr_encrypt' stands for its errors.
errors(Cell) ->
    case [binary_to_atom(Name) || Name <- quoted(Cell)] of
        [Operation] when Operation =:= dr_encrypt -> signal_port_operations:errors(Operation);
        Errors -> lists:flatmap(fun in_range/1, Errors)
    end.

in_range(dh1_calculation_failed) ->
    [dh1_calculation_failed, dh2_calculation_failed, dh3_calculation_failed];
in_range(Error) ->
    [Error].

quoted(Cell) ->
    case re:run(Cell, "`([^`]*)`", [global, {capture, [1], binary}]) of
        {match, Found} -> lists:append(Found);
        nomatch -> []
    end.

%% --- The recorded answers ---

recorded_operations_are_listed(_) ->
    Recorded = lists:append([Operations || {_, Operations} <- signal_port_operations:nif()]),
    Expected = signal_port_operations:names() -- ?NEW,
    Expected = lists:sort(Recorded).

recorded_errors_are_listed(_) ->
    [_ | _] = Recorded = lists:usort([{Op, Error} || #{op := Op, result := {error, Error}}
                                                         <- signal_port_vectors:recorded()]),
    [] = [{Op, Error} || {Op, Error} <- Recorded,
                         not lists:member(Error, signal_port_operations:errors(Op))].
