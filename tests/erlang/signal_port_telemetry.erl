%% The telemetry of tests: tests/telemetry has a stand-in for that library.
-module(signal_port_telemetry).

-export([load/0, start/0, attach_all/3, unload/0]).

-spec load() -> ok.
load() ->
    Source = signal_port_stage:root("tests/telemetry/telemetry.erl"),
    {ok, telemetry, Beam} = compile:file(Source, [binary, report]),
    {module, telemetry} = code:load_binary(telemetry, Source, Beam),
    ok.

%% @doc Loads and starts telemetry.
-spec start() -> ok.
start() ->
    load(),
    telemetry:start().

%% @doc Attaches a handler to all events of signal_port.
-spec attach_all(Id :: term(), fun((list(), map(), map(), term()) -> term()), term()) -> ok.
attach_all(Id, Handler, HandlerConfig) ->
    Names = [[call, start], [call, stop], [call, exception], [worker, up], [worker, down]],
    [ok = telemetry:attach(Id, [signal_port | Name], Handler, HandlerConfig) || Name <- Names],
    ok.

-spec unload() -> boolean().
unload() ->
    whereis(telemetry_handler_table) =:= undefined orelse apply(telemetry, stop, []),
    _ = code:delete(telemetry),
    code:purge(telemetry).
