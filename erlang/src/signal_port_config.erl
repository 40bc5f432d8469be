%% @private The configuration: options in, a checked map out. A wrong option is refused with a
%% sentence that names the option and what it can be.
-module(signal_port_config).

-export([check/1, is_workers/1]).
-export_type([config/0]).

-type config() :: #{
    backend := auto | probe | port | nif,
    python := auto | file:filename(),
    command := none | [string()],    % a program and its arguments
    socket := none | file:filename(),
    start_without_worker := boolean(),
    log := default_handler | none,
    sandbox := auto | required | off,
    max_memory := auto | infinity | pos_integer(),  % bytes of one worker
    pool_size := non_neg_integer(),  % workers
    busy_wait := non_neg_integer(),  % microseconds
    max_queue := infinity | pos_integer(),  % calls that wait in the VM
    call_timeout := timeout(),       % milliseconds, for all attempts of a call together
    stall_timeout := pos_integer(),  % milliseconds
    start_timeout := pos_integer(),  % milliseconds
    max_frame := pos_integer(),      % bytes
    serve_nodes := boolean(),
    serve_limit := pos_integer(),    % calls in flight of other nodes, for each worker
    use_nodes := never | fallback | overflow,
    node_max_frame := pos_integer(), % bytes of a call that another node gets
    distribution := encrypted | clear_text
}.

-define(MAX_AUTO_POOL_SIZE, 8).      % each worker uses about 25 MiB
-define(MAX_POOL_SIZE, 256).
-define(AUTO_BUSY_WAIT, 100).        % microseconds; about what a tiny call and its caller take
-define(SERVING_BUSY_WAIT, 300).     % microseconds; the same for a caller on another node
-define(MAX_BUSY_WAIT, 10_000).      % microseconds
-define(MIN_FRAME, 16 * 1024).       % bytes
-define(MAX_FRAME, 16#7FFFFFFF).     % bytes; the most that a port accepts at once
-define(MIN_MEMORY, 64 * 1024 * 1024). % bytes; a worker without a call uses about 27 MiB
-define(MAX_SERVE_LIMIT, 4096).      % calls for each worker
-define(MAX_SOCKET_PATH, 107).       % bytes; the system's limit

%% At most one of these says what the workers are; the values are the defaults.
-define(WORKERS, #{python => auto, command => none, socket => none}).

%% A row for each option: name, default, check, and the check in words.
options() ->
    [{backend, auto, fun is_backend/1, "auto, probe, port or nif"},
     {python, auto, fun is_path/1, "auto or the path of a Python"},
     {command, none, fun is_command/1,
      "none or a list of a program and its arguments, each a string"},
     {socket, none, fun is_socket/1,
      "none or the path of a Unix domain socket, of at most 107 bytes"},
     {start_without_worker, false, fun is_boolean/1, "true or false"},
     {log, default_handler, fun is_log/1, "default_handler or none"},
     {sandbox, auto, fun is_sandbox/1, "auto, required or off"},
     {max_memory, auto, fun is_max_memory/1, "auto, infinity or bytes, at least 67108864"},
     {pool_size, auto, fun is_pool_size/1, "auto or a number of workers from 0 to 256"},
     {busy_wait, auto, fun is_busy_wait/1, "auto or microseconds from 0 to 10000"},
     {max_queue, infinity, fun is_max_queue/1, "infinity or a number of calls, at least 1"},
     {call_timeout, 15_000, fun is_timeout/1, "milliseconds or infinity"},
     {stall_timeout, 5_000, fun is_milliseconds/1, "milliseconds"},
     {start_timeout, 15_000, fun is_milliseconds/1, "milliseconds"},
     {max_frame, 128 * 1024 * 1024, fun is_max_frame/1, "bytes from 16384 to 2147483647"},
     {serve_nodes, false, fun is_boolean/1, "true or false"},
     {serve_limit, 64, fun is_serve_limit/1, "a number of calls for each worker from 1 to 4096"},
     {use_nodes, never, fun is_use_nodes/1, "never, fallback or overflow"},
     {node_max_frame, 1024 * 1024, fun is_max_frame/1, "bytes from 16384 to 2147483647"},
     {distribution, encrypted, fun is_distribution/1, "encrypted or clear_text"}].

%% @doc Returns the configuration of these options, with the defaults of all others.
-spec check([{atom(), term()}]) -> {ok, config()} | {error, Sentence :: string()}.
check(Options) ->
    %% The application controller keeps a key of its own in every environment.
    Own = proplists:delete(included_applications, Options),
    check(proplists:unfold(Own), options(), #{}).

check([], [], Config) ->
    case [atom_to_list(Name) || {Name, Default} <- maps:to_list(?WORKERS),
                                maps:get(Name, Config) =/= Default] of
        [One, Other | _] ->
            invalid("signal_port's options ~s and ~s exclude each other: remove one of them",
                    [One, Other]);
        _ ->
            check_size(resolve(Config))
    end;
check([Unknown | _], [], _Config) ->
    Name = case Unknown of {Key, _} -> Key; _ -> Unknown end,
    Known = lists:join(", ", [atom_to_list(Option) || {Option, _, _, _} <- options()]),
    invalid("signal_port has no option ~0tp; its options are ~s", [Name, Known]);
check(Options, [{Name, Default, IsValid, InWords} | Rest], Config) ->
    {Given, Others} = lists:partition(fun(Option) -> is_named(Name, Option) end, Options),
    case value(Name, Given, Default, IsValid) of
        {ok, Value} ->
            check(Others, Rest, Config#{Name => Value});
        {invalid, Value} ->
            invalid("signal_port's option ~s must be ~s, but is ~0tp", [Name, InWords, Value]);
        malformed ->
            invalid("signal_port's option ~s must be given as {~s, Value}", [Name, Name])
    end.

%% A node without workers needs others, and cannot be one of these others.
check_size(#{pool_size := 0, use_nodes := never}) ->
    invalid("signal_port's option pool_size is 0, and use_nodes is never: set use_nodes to "
            "fallback, to let other nodes answer the calls, or raise pool_size", []);
check_size(#{pool_size := 0, serve_nodes := true}) ->
    invalid("signal_port's option serve_nodes is true, but pool_size is 0: raise pool_size, or "
            "set serve_nodes to false", []);
check_size(Config) ->
    {ok, Config}.

is_named(Name, Option) ->
    is_tuple(Option) andalso tuple_size(Option) > 0 andalso element(1, Option) =:= Name.

value(Name, [], Default, _IsValid) ->
    {ok, resolve(Name, Default)};
value(Name, [{Name, Value} | _], _Default, IsValid) ->
    case IsValid(Value) of
        true -> {ok, resolve(Name, Value)};
        false -> {invalid, Value}
    end;
value(_Name, [_ | _], _Default, _IsValid) ->
    malformed.

resolve(pool_size, auto) -> min(erlang:system_info(schedulers_online), ?MAX_AUTO_POOL_SIZE);
resolve(command, [_ | _] = Command) -> lists:map(fun as_string/1, Command);
resolve(Name, Path) when is_binary(Path), (Name =:= python orelse Name =:= socket) ->
    as_string(Path);
resolve(_, Value) -> Value.

as_string(Text) when is_binary(Text) -> unicode:characters_to_list(Text);
as_string(Text) -> Text.

%% What depends on another option.
resolve(#{busy_wait := auto, serve_nodes := Serves} = Config) ->
    Config#{busy_wait := auto_busy_wait(erlang:system_info(schedulers_online), Serves)};
resolve(Config) ->
    Config.

%% On one core a worker that spins takes the time of its caller.
auto_busy_wait(1, _) -> 0;
auto_busy_wait(_, false) -> ?AUTO_BUSY_WAIT;
auto_busy_wait(_, true) -> ?SERVING_BUSY_WAIT.

is_backend(Value) -> lists:member(Value, [auto, probe, port, nif]).

is_path(auto) -> true;
is_path(Path) -> is_string(Path) andalso Path =/= <<>> andalso Path =/= [].

is_command(none) -> true;
is_command([Program | Args]) -> is_path(Program) andalso are_strings(Args);
is_command(_) -> false.

are_strings([Arg | Args]) -> is_string(Arg) andalso are_strings(Args);
are_strings(Args) -> Args =:= [].

is_string(Text) when is_binary(Text) -> is_list(unicode:characters_to_list(Text));
is_string(Text) -> is_list(Text) andalso io_lib:char_list(Text).

is_socket(none) -> true;
is_socket(Path) ->
    Path =/= auto andalso is_path(Path)
        andalso byte_size(unicode:characters_to_binary(Path)) =< ?MAX_SOCKET_PATH.

is_log(Value) -> lists:member(Value, [default_handler, none]).

is_sandbox(Value) -> lists:member(Value, [auto, required, off]).

is_max_memory(Value) ->
    lists:member(Value, [auto, infinity]) orelse is_integer(Value) andalso Value >= ?MIN_MEMORY.

is_pool_size(Value) -> Value =:= auto orelse Value =:= 0 orelse is_workers(Value).

%% @doc Returns whether a pool with workers can have this number of them.
-spec is_workers(term()) -> boolean().
is_workers(Value) -> in_range(Value, 1, ?MAX_POOL_SIZE).

is_max_queue(Value) -> Value =:= infinity orelse is_integer(Value) andalso Value >= 1.

is_busy_wait(Value) -> Value =:= auto orelse in_range(Value, 0, ?MAX_BUSY_WAIT).

is_timeout(Value) -> Value =:= infinity orelse is_milliseconds(Value).

is_milliseconds(Value) -> in_range(Value, 1, 16#FFFFFFFF).

is_max_frame(Value) -> in_range(Value, ?MIN_FRAME, ?MAX_FRAME).

is_serve_limit(Value) -> in_range(Value, 1, ?MAX_SERVE_LIMIT).

is_use_nodes(Value) -> lists:member(Value, [never, fallback, overflow]).

is_distribution(Value) -> lists:member(Value, [encrypted, clear_text]).

in_range(Value, Low, High) -> is_integer(Value) andalso Low =< Value andalso Value =< High.

invalid(Format, Args) ->
    {error, signal_port_sentence:format(Format, Args)}.
