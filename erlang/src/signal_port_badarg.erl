%% @private `badarg' that says which argument is wrong, and what it must be (EEP 54).
%%
%% An argument can be a key. So neither the text nor the stack trace has a value of an argument. The
%% stack trace begins with the function that the caller called. The shell, Elixir and crash
%% reports find format_error/2 there.
-module(signal_port_badarg).

-export([in_call/3, in_request/3, in_timeout/1, in_batch/1, in_resize/0, format_error/2]).

-type requirement() ::
    signal_port_codec:type()
    | operation
    | timeout
    | calls
    | pool_size
    | {arguments, Operation :: atom(), arity()}
    | {argument, Position :: pos_integer(), Operation :: atom(), signal_port_codec:type()}
    | {call, Number :: pos_integer(), requirement()}.
%% What an argument must be.

%% @doc Raises `badarg' in the function of an operation, under its full or short name.
-spec in_call(Function :: atom(), Operation :: atom(), Args :: [term()]) -> no_return().
in_call(Function, Operation, Args) ->
    Wrong = wrong(signal_port_codec:types(Operation), Args, 1),
    raise(Function, length(Args), maps:from_list(Wrong)).

%% @doc Raises `badarg' in `send_request' for its first two arguments.
-spec in_request(arity(), Operation :: term(), Args :: term()) -> no_return().
in_request(Arity, Operation, Args) ->
    Cause = case requirement({Operation, Args}) of
        operation -> #{1 => operation};
        Other -> #{2 => Other}
    end,
    raise(send_request, Arity, Cause).

%% @doc Raises `badarg' in `send_request' for its timeout.
-spec in_timeout(arity()) -> no_return().
in_timeout(Arity) ->
    raise(send_request, Arity, #{Arity => timeout}).

%% @doc Raises `badarg' in `batch'. Names the first call that is invalid.
-spec in_batch(Calls :: term()) -> no_return().
in_batch(Calls) ->
    raise(batch, 1, #{1 => first_wrong(Calls, 1)}).

%% @doc Raises `badarg' in `resize'.
-spec in_resize() -> no_return().
in_resize() ->
    raise(resize, 1, #{1 => pool_size}).

-spec raise(Function :: atom(), arity(), #{Position :: pos_integer() => requirement()}) ->
    no_return().
raise(Function, Arity, Cause) ->
    Info = [{error_info, #{module => ?MODULE, cause => Cause}} || Cause =/= #{}],
    erlang:raise(error, badarg, [{signal_port, Function, Arity, Info} | callers()]).

%% The trace of the original error can have arguments. This one never has.
callers() ->
    {current_stacktrace, Trace} = process_info(self(), current_stacktrace),
    lists:dropwhile(fun is_inside/1, Trace).

is_inside({Module, _, _, _}) ->
    lists:member(Module, [?MODULE, signal_port, signal_port_span]).

%% --- What is wrong ---

first_wrong([Call | Calls], Number) ->
    case requirement(Call) of
        none -> first_wrong(Calls, Number + 1);
        Requirement -> {call, Number, Requirement}
    end;
first_wrong(_, _Number) ->
    calls.

-spec requirement(Call :: term()) -> none | requirement().
requirement({Name, Args}) ->
    try signal_port_codec:types(signal_port_codec:full_name(Name)) of
        Types -> requirement(Name, Types, Args)
    catch
        error:badarg -> operation
    end;
requirement(_) ->
    calls.

requirement(Name, Types, Args) ->
    try wrong(Types, Args, 1) of
        [] -> none;
        [{Position, Type} | _] -> {argument, Position, Name, Type}
    catch
        error:badarg -> {arguments, Name, length(Types)}
    end.

wrong([Type | Types], [Arg | Args], Position) ->
    case signal_port_codec:is_valid(Type, Arg) of
        true -> wrong(Types, Args, Position + 1);
        false -> [{Position, Type} | wrong(Types, Args, Position + 1)]
    end;
wrong([], [], _Position) -> [];
wrong(_, _, _Position) -> error(badarg).

%% --- In words ---

%% @doc Returns a sentence for each wrong argument, by its position.
-spec format_error(Reason :: term(), erlang:stacktrace()) -> #{pos_integer() => string()}.
format_error(_Reason, [{_, _, _, Info} | _]) ->
    #{cause := Cause} = proplists:get_value(error_info, Info),
    maps:map(fun(_Position, Requirement) -> text(Requirement) end, Cause).

text(binary) ->
    "must be a binary";
text(int32) ->
    "must be an integer of 32 bits, signed";
text(integer) ->
    "must be an integer";
text(pre_key_info) ->
    "must be {RegistrationId, OneTimePreKeyId | undefined, SignedPreKeyId, BaseKey}, with ids from "
    "0 to 4294967295 and a key of 32 bytes";
text(operation) ->
    "must be the name of an operation";
text(timeout) ->
    "must be milliseconds from 0 to 4294967295, infinity or default";
text(calls) ->
    "must be a list of {Operation, Arguments}";
text(pool_size) ->
    "must be a number of workers from 1 to 256";
text({arguments, Operation, Arity}) ->
    signal_port_sentence:format("must be the list of the ~b arguments of ~s", [Arity, Operation]);
text({argument, Position, Operation, Type}) ->
    signal_port_sentence:format("argument ~b of ~s ~s", [Position, Operation, text(Type)]);
text({call, Number, calls}) ->
    signal_port_sentence:format("call ~b must be {Operation, Arguments}", [Number]);
text({call, Number, operation}) ->
    signal_port_sentence:format("call ~b must begin with the name of an operation", [Number]);
text({call, Number, {arguments, Operation, Arity}}) ->
    signal_port_sentence:format("call ~b must have the ~b arguments of ~s",
                                [Number, Arity, Operation]);
text({call, Number, Requirement}) ->
    signal_port_sentence:format("call ~b: ~s", [Number, text(Requirement)]).
