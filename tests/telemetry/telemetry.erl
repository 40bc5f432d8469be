%% A stand-in for the library `telemetry': the part of it that signal_port calls and its tests
%% need. Handlers run in the process of the event; a handler that raises is detached. A registered
%% process owns the table of the handlers, which has the library's own name.
-module(telemetry).

-export([start/0, stop/0, attach/4, execute/3]).

-define(TABLE, telemetry_handler_table).

%% @doc Does what starting the library's application does.
-spec start() -> ok.
start() ->
    Parent = self(),
    Pid = spawn(fun() ->
        register(?TABLE, self()),
        ?TABLE = ets:new(?TABLE, [named_table, public, bag]),
        Parent ! {self(), ready},
        receive stop -> ok end
    end),
    receive {Pid, ready} -> ok end.

-spec stop() -> ok.
stop() ->
    Monitor = monitor(process, ?TABLE),
    ?TABLE ! stop,
    receive {'DOWN', Monitor, process, _, normal} -> ok end.

-spec attach(term(), [atom()], fun((list(), map(), map(), term()) -> term()), term()) -> ok.
attach(Id, Event, Handler, Config) ->
    true = ets:insert(?TABLE, {Event, Id, Handler, Config}),
    ok.

-spec execute([atom()], map(), map()) -> ok.
execute(Event, Measurements, Metadata) when is_map(Measurements), is_map(Metadata) ->
    lists:foreach(fun({_, _, Handler, Config} = Row) ->
        try
            Handler(Event, Measurements, Metadata, Config)
        catch
            Class:Reason:Trace ->
                ets:delete_object(?TABLE, Row),
                logger:error("Handler has failed and has been detached. "
                             "Class=~p~nReason=~p~nStacktrace=~p~n", [Class, Reason, Trace])
        end
    end, ets:lookup(?TABLE, Event)).
