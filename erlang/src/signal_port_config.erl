%% @private The configuration: options in, a checked map out. An option that is unknown or of a wrong type is refused with a
%% sentence that says which, and what it may be.
-module(signal_port_config).

-export([check/1]).
-export_type([config/0]).

-type config() :: #{
    backend := auto | port | nif,
    python := auto | file:filename(),
    pool_size := pos_integer(),
    busy_wait := non_neg_integer(),  % microseconds
    call_timeout := timeout(),       % milliseconds, all attempts of a call together
    stall_timeout := pos_integer(),  % milliseconds
    start_timeout := pos_integer(),  % milliseconds
    max_frame := pos_integer()       % bytes
}.

-define(MAX_AUTO_POOL_SIZE, 8).      % each worker holds some 25 MiB
-define(AUTO_BUSY_WAIT, 100).        % microseconds; what a tiny call and its caller take
-define(MAX_POOL_SIZE, 256).
-define(MAX_MAX_FRAME, 16#7FFFFFFF). % bytes; what a port takes at once

%% One row an option: its default, what it must be, and that in words.
options() ->
    [{backend, auto, fun(V) -> lists:member(V, [auto, port, nif]) end, "auto, port or nif"},
     {python, auto, fun is_path/1, "auto or the path of a Python"},
     {pool_size, auto, fun(V) -> V =:= auto orelse in_range(V, 1, ?MAX_POOL_SIZE) end,
      "auto or a number of workers from 1 to 256"},
     {busy_wait, auto, fun(V) -> V =:= auto orelse in_range(V, 0, 10_000) end, "auto or microseconds from 0 to 10000"},
     {call_timeout, 15000, fun(V) -> V =:= infinity orelse is_milliseconds(V) end, "milliseconds or infinity"},
     {stall_timeout, 5000, fun is_milliseconds/1, "milliseconds"},
     {start_timeout, 15000, fun is_milliseconds/1, "milliseconds"},
     {max_frame, 128 * 1024 * 1024, fun(V) -> in_range(V, 16 * 1024, ?MAX_MAX_FRAME) end,
      "bytes from 16384 to 2147483647"}].

-spec check([{atom(), term()}]) -> {ok, config()} | {error, Sentence :: string()}.
check(Options) ->
    %% The application controller keeps a key of its own in every environment.
    check(proplists:unfold(proplists:delete(included_applications, Options)), options(), #{}).

check([], [], Config) ->
    {ok, Config};
check([Unknown | _], [], _Config) ->
    Name = case Unknown of {Key, _} -> Key; _ -> Unknown end,
    Known = lists:join(", ", [atom_to_list(Option) || {Option, _, _, _} <- options()]),
    invalid("signal_port has no option ~0tp; its options are ~s", [Name, Known]);
check(Options, [{Name, Default, IsValid, InWords} | Rest], Config) ->
    IsGiven = fun(Option) -> is_tuple(Option) andalso tuple_size(Option) > 0 andalso element(1, Option) =:= Name end,
    {Given, Others} = lists:partition(IsGiven, Options),
    case Given of
        [] ->
            check(Others, Rest, Config#{Name => value(Name, Default)});
        [{Name, Value} | _] ->
            case IsValid(Value) of
                true -> check(Others, Rest, Config#{Name => value(Name, Value)});
                false -> invalid("signal_port's option ~s must be ~s, and is ~0tp", [Name, InWords, Value])
            end;
        [_ | _] ->
            invalid("signal_port's option ~s must be given as {~s, Value}", [Name, Name])
    end.

value(pool_size, auto) -> min(erlang:system_info(schedulers_online), ?MAX_AUTO_POOL_SIZE);
value(busy_wait, auto) -> case erlang:system_info(schedulers_online) of 1 -> 0; _ -> ?AUTO_BUSY_WAIT end;
value(python, Path) when is_binary(Path) -> unicode:characters_to_list(Path);
value(_, Value) -> Value.

is_path(auto) -> true;
is_path(Path) when is_binary(Path) -> Path =/= <<>>;
is_path(Path) -> is_list(Path) andalso Path =/= [] andalso io_lib:char_list(Path).

is_milliseconds(Value) -> in_range(Value, 1, 16#FFFFFFFF).

in_range(Value, Low, High) -> is_integer(Value) andalso Low =< Value andalso Value =< High.

invalid(Format, Args) ->
    {error, signal_port_sentence:format(Format, Args)}.
