%% @private An observed call: telemetry gets an event when it starts and one when it ends, as by
%% `telemetry:span/3', with what the call gathered on its way. Handlers run in the caller. The times
%% of calls also go to `signal_port:top/0', if it runs.
%%
%% If nobody listens, a call costs the question and nothing else.
-module(signal_port_span).

-export([is_observed/0, observe/2]).

-type name() :: Operation :: atom() | {batch, Size :: non_neg_integer()}.

%% @doc Returns whether somebody listens.
-spec is_observed() -> boolean().
is_observed() ->
    signal_port_event:has_telemetry() orelse signal_port_latency:is_on().

%% @doc Makes a call between the events `[signal_port, call, start]' and `stop' or `exception'.
-spec observe(name(), fun((signal_port_observation:observation()) -> Answer)) -> Answer.
observe(Name, Call) ->
    Metadata = #{operation => operation(Name), telemetry_span_context => make_ref()},
    Observation = signal_port_observation:new(),
    Start = erlang:monotonic_time(),
    execute(start, #{system_time => erlang:system_time(), monotonic_time => Start}, Metadata),
    try Call(Observation) of
        Answer ->
            #{duration := Duration} = Ended = ended(Start),
            signal_port_latency:is_on() andalso signal_port_latency:add(operation(Name), Duration),
            Gathered = signal_port_observation:measurements(Observation),
            execute(stop, maps:merge(Ended, Gathered#{batch_size => batch_size(Name)}),
                    Metadata#{result => result(Answer),
                              worker => signal_port_observation:worker(Observation),
                              node => signal_port_observation:node(Observation)}),
            Answer
    catch
        Class:Reason:Trace ->
            execute(exception, ended(Start),
                    Metadata#{kind => Class, reason => Reason, stacktrace => Trace}),
            erlang:raise(Class, Reason, Trace)
    end.

operation({batch, _}) -> batch;
operation(Operation) -> Operation.

batch_size({batch, Size}) -> Size;
batch_size(_) -> 1.

ended(Start) ->
    Now = erlang:monotonic_time(),
    #{duration => Now - Start, monotonic_time => Now}.

result({error, Atom}) when is_atom(Atom) -> {error, Atom};
result(_) -> ok.

execute(Event, Measurements, Metadata) ->
    signal_port_event:execute([signal_port, call, Event], Measurements, Metadata).
