%% Compares the external functions of a Gleam module with the specs of the Erlang functions that
%% they name: the number of arguments, and their types. That needs no compiler of Gleam, which
%% does not check the types of externals either.
-module(gleam).

-export([check/1]).

%% Module, function, arguments and what it returns, up to the empty line behind it.
-define(EXTERNAL, "@external\\(erlang, \"(\\w+)\", \"(\\w+)\"\\)\\s*"
                  "pub fn \\w+\\(([^)]*)\\)\\s*->\\s*([^@{/]+?)\\s*(?=\\n\\n|$)").

-spec check(file:filename()) -> ok.
check(Path) ->
    {ok, Text} = file:read_file(Path),
    {match, Externals} = re:run(Text, ?EXTERNAL, [global, {capture, all_but_first, list}]),
    Count = length(Externals),
    Count = length(binary:matches(Text, <<"@external">>)),
    lists:foreach(fun check_external/1, Externals).

check_external([Module, Function, Arguments, Return]) ->
    Types = [string:trim(lists:last(string:split(Argument, ":"))) || Argument <- split(Arguments)],
    Declared = {Types, string:trim(Return)},
    case specified(list_to_atom(Module), {list_to_atom(Function), length(Types)}) of
        Declared -> ok;
        Other -> throw({"~s:~s is ~p, and its spec says ~p", [Module, Function, Declared, Other]})
    end.

split(Arguments) ->
    [Argument || Argument <- string:split(Arguments, ",", all), string:trim(Argument) =/= ""].

specified(Module, Function) ->
    {ok, {_, [{_, {_, Forms}}]}} = beam_lib:chunks(code:which(Module), [abstract_code]),
    Types = maps:from_list([{Name, Type} || {attribute, _, type, {Name, Type, []}} <- Forms]),
    case [Type || {attribute, _, spec, {Named, [Type]}} <- Forms, Named =:= Function] of
        [{type, _, 'fun', [{type, _, product, Arguments}, Return]}] ->
            {[type(Argument, Types) || Argument <- Arguments], type(Return, Types)};
        [] ->
            no_such_function
    end.

type({ann_type, _, [_, Type]}, Types) -> type(Type, Types);
type({user_type, _, Name, []}, Types) -> type(map_get(Name, Types), Types);
type({type, _, binary, _}, _) -> "BitArray";
type({type, _, integer, []}, _) -> "Int";
type({type, _, range, _}, _) -> "Int";
type({type, _, tuple, [{atom, _, ok}, Value]}, Types) ->
    "Result(" ++ type(Value, Types) ++ ", Atom)";
type({type, _, tuple, Elements}, Types) ->
    lists:flatten(["#(", lists:join(", ", [type(Element, Types) || Element <- Elements]), ")"]);
type({type, _, union, Choices}, Types) ->
    choice([Choice || Choice <- Choices, not is_error(Choice)], Types);
type(_, _) -> "none of Gleam's".

%% `key() | <<>>' is one type to Gleam.
choice(Choices, Types) ->
    case lists:usort([type(Choice, Types) || Choice <- Choices]) of
        [Only] -> Only;
        _ -> "none of Gleam's"
    end.

is_error({type, _, tuple, [{atom, _, error} | _]}) -> true;
is_error({user_type, _, bridge_error, []}) -> true;
is_error(_) -> false.
