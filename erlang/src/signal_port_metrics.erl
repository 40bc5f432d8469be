%% @private Metrics: what `signal_port:info/0' returns, as text for Prometheus and as one telemetry
%% event. It is pure but for that event.
-module(signal_port_metrics).

-export([text/1, dispatch/1]).

-type info() :: map() | not_running.
%% The result of `signal_port:info/0'.

-define(STATES, [ready, starting, waiting, idle]).

%% @doc Returns the metrics in Prometheus' text format 0.0.4.
-spec text(info()) -> binary().
text(not_running) ->
    unicode:characters_to_binary(up(0));
text(#{workers := Workers, totals := Totals, nodes := Nodes} = Info) ->
    unicode:characters_to_binary([
        up(1),
        metric("signal_port_info", gauge, "The backend and the versions", [{about(Info), 1}]),
        metric("signal_port_workers", gauge, "Workers, by state", by_state(Workers)),
        metric("signal_port_calls_total", counter, "Calls that a worker answered",
               by_worker(calls, Workers)),
        metric("signal_port_in_flight", gauge, "Calls that were sent and not answered",
               by_worker(in_flight, Workers)),
        metric("signal_port_restarts_total", counter, "Starts of a worker after the first",
               by_worker(restarts, Workers)),
        metric("signal_port_queued", gauge, "Calls that no program got yet",
               [{[], maps:get(queued, Totals)}]),
        metric("signal_port_refused_total", counter, "Calls that were refused as overloaded",
               [{[], maps:get(refused, Totals)}]),
        metric("signal_port_node_calls_total", counter, "Calls that another node answered",
               by_node(calls, Nodes)),
        metric("signal_port_node_in_flight", gauge, "Calls that another node has",
               by_node(in_flight, Nodes))]).

up(IsUp) ->
    metric("signal_port_up", gauge, "1 if the application runs", [{[], IsUp}]).

about(#{backend := Backend, versions := Versions}) ->
    Known = [{Name, maps:get(Name, Versions)}
             || Name <- [signal_port, python, cryptography, openssl], is_map_key(Name, Versions)],
    [{backend, atom_to_list(Backend)} | Known].

by_state(Workers) ->
    [{[{state, atom_to_list(State)}], length([State || #{state := Its} <- Workers, Its =:= State])}
     || State <- ?STATES].

by_worker(Key, Workers) ->
    [{[{worker, integer_to_list(Place)}], maps:get(Key, Worker)}
     || {Place, Worker} <- lists:enumerate(Workers)].

by_node(Key, Nodes) ->
    [{[{node, atom_to_list(Name)}], maps:get(Key, Node)} || #{node := Name} = Node <- Nodes].

metric(_Name, _Type, _Help, []) ->
    [];
metric(Name, Type, Help, Samples) ->
    [io_lib:format("# HELP ~s ~s~n# TYPE ~s ~s~n", [Name, Help, Name, Type])
     | [io_lib:format("~s~ts ~b~n", [Name, labels(Labels), Value]) || {Labels, Value} <- Samples]].

labels([]) ->
    "";
labels(Labels) ->
    Pairs = [[atom_to_list(Name), "=\"", escaped(Value), "\""] || {Name, Value} <- Labels],
    ["{", lists:join(",", Pairs), "}"].

escaped(Value) ->
    [case Char of $\\ -> "\\\\"; $" -> "\\\""; $\n -> "\\n"; _ -> Char end
     || Char <- unicode:characters_to_list(Value)].

%% @doc Gives telemetry the event `[signal_port, pool, stats]', if it runs.
-spec dispatch(info()) -> ok.
dispatch(not_running) ->
    ok;
dispatch(#{backend := Backend, workers := Workers, totals := Totals}) ->
    Ready = length([ready || #{state := ready} <- Workers]),
    Measurements = Totals#{workers => length(Workers), ready => Ready},
    signal_port_event:execute([signal_port, pool, stats], Measurements, #{backend => Backend}).
