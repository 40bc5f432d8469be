%% The operations, as tests/vectors has them for both languages: operations.json has names, argument
%% types and errors. The recorded answers of the NIF say which of its modules has an operation.
-module(signal_port_operations).

-export([all/0, names/0, errors/0, errors/1, nif/0]).

-type type() :: binary | int32 | integer | pre_key_info.

%% @doc Returns each operation with the types of its arguments and its errors, in the file's terms.
-spec all() -> [{Name :: atom(), [type()], Errors :: [atom()]}].
all() ->
    {ok, Text} = file:read_file(signal_port_stage:root("tests/vectors/operations.json")),
    [{binary_to_atom(Name), atoms(Types), atoms(Errors)}
     || {Name, #{<<"arguments">> := Types, <<"errors">> := Errors}}
            <- maps:to_list(signal_port_vectors:json(Text))].

atoms(Names) ->
    [binary_to_atom(Name) || Name <- Names].

%% @doc Returns names and arities, sorted.
-spec names() -> [{atom(), arity()}].
names() ->
    lists:sort([{Name, length(Types)} || {Name, Types, _} <- all()]).

%% @doc Returns the errors of all operations, sorted.
-spec errors() -> [atom()].
errors() ->
    lists:usort(lists:append([Errors || {_, _, Errors} <- all()])).

%% @doc Returns the errors of one operation.
-spec errors(Name :: atom()) -> [atom()].
errors(Name) ->
    {Name, _, Errors} = lists:keyfind(Name, 1, all()),
    Errors.

%% @doc Returns the NIF's modules, and which operations each has.
-spec nif() -> [{module(), [{atom(), arity()}]}].
nif() ->
    Calls = lists:usort([{Module, {Op, length(Args)}}
                         || #{module := Module, op := Op, args := Args}
                                <- signal_port_vectors:recorded()]),
    [{Module, [Operation || {M, Operation} <- Calls, M =:= Module]}
     || Module <- lists:usort([Module || {Module, _} <- Calls])].
