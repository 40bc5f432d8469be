%% @private Events: each is one log line in the domain `[signal_port]' and, if `telemetry' runs, one
%% event of it. No function here gets a request, an answer or an argument of a call.
%%
%% Telemetry handlers of a worker run in the pool: one that blocks delays the start of workers, but
%% no call that finds a ready worker.
-module(signal_port_event).

-include_lib("kernel/include/logger.hrl").

-export([show_in_default_handler/1, filter/2, not_started/1]).
-export([worker_up/3, worker_down/4, worker_left/4, successor_failed/1]).
-export([unavailable/0, available/0, overloaded/1, cut_off/2, nif_not_used/1]).
-export([node_up/2, node_down/3, node_refused/2, no_node/1]).
-export([has_telemetry/0, execute/3]).

-type worker() :: {Place :: pos_integer(), OsPid :: pos_integer() | undefined}.
%% Its place in the pool, and its OS process, if it is a child of this VM.

-define(DOMAIN, #{domain => [signal_port]}).

%% @doc Adds a filter to the log's default handler, so that it shows these events, or removes it.
%% OTP configures that handler to show no domain but its own.
-spec show_in_default_handler(boolean()) -> ok.
show_in_default_handler(true) ->
    _ = logger:add_handler_filter(default, signal_port, {fun ?MODULE:filter/2, []}),
    ok;
show_in_default_handler(false) ->
    _ = logger:remove_handler_filter(default, signal_port),
    ok.

%% @doc The filter. It also stops the two reports of OTP that repeat the sentence of not_started/1.
-spec filter(logger:log_event(), []) -> logger:filter_return().
filter(#{msg := {report, #{label := {_, Label}, report := Report}}} = Event, []) ->
    case is_failed_start(Label, Report) of
        true -> stop;
        false -> logger_filters:domain(Event, {log, sub, [signal_port]})
    end;
filter(Event, []) ->
    logger_filters:domain(Event, {log, sub, [signal_port]}).

is_failed_start(crash, [Crash, _]) ->
    case proplists:get_value(error_info, Crash) of
        {exit, {_, {signal_port_app, start, _}}, _} -> true;
        _ -> false
    end;
is_failed_start(exit, [{application, signal_port}, {exited, {_, {signal_port_app, start, _}}}
                       | _]) ->
    true;
is_failed_start(_, _) ->
    false.

%% @doc The application could not start. The reason is a sentence, or a supervisor's own.
-spec not_started(Reason :: term()) -> ok.
not_started(Reason) ->
    Format = case io_lib:char_list(Reason) of true -> "~ts"; false -> "~0tp" end,
    ?LOG_ERROR("signal_port did not start: " ++ Format, [Reason], ?DOMAIN).

%% @doc A worker is ready. After failed starts this is a notice.
-spec worker_up(worker(), Versions :: #{atom() => binary()}, HasFailedBefore :: boolean()) -> ok.
worker_up({Place, OsPid}, Versions, HasFailedBefore) ->
    Level = case HasFailedBefore of true -> notice; false -> info end,
    ?LOG(Level, "signal_port: worker ready, OS process ~p~ts", [OsPid, python(Versions)], ?DOMAIN),
    execute([signal_port, worker, up], #{system_time => erlang:system_time()},
            #{worker => Place, os_pid => OsPid}).

python(#{python := Version, executable := Path}) -> [", Python ", Version, " (", Path, ")"];
python(_) -> "".

%% @doc A worker has ended or could not start. The sentence says why. The next one starts after the
%% delay, in milliseconds. One that could not start again, for the same reason, is logged for
%% debugging only.
-spec worker_down(worker(), Sentence :: string(), Calls :: non_neg_integer(),
                  {ended | not_started | not_started_again, Delay :: non_neg_integer()}) -> ok.
worker_down({Place, OsPid}, Sentence, Calls, {What, Delay}) ->
    Level = case What of ended -> warning; not_started -> error; not_started_again -> debug end,
    ?LOG(Level, "signal_port: ~ts, after ~b calls; the next start is in ~b ms",
         [Sentence, Calls, Delay], ?DOMAIN),
    down({Place, OsPid}, Sentence, Calls).

down({Place, OsPid}, Sentence, Calls) ->
    execute([signal_port, worker, down], #{system_time => erlang:system_time(), calls => Calls},
            #{worker => Place, os_pid => OsPid, reason => Sentence}).

%% @doc A worker has left the pool: it was replaced, or its place was removed. The sentence says why
%% it ended; `IsRegular' says whether it had answered all its calls.
-spec worker_left(worker(), Sentence :: string(), Calls :: non_neg_integer(),
                  IsRegular :: boolean()) -> ok.
worker_left(Worker, Sentence, Calls, IsRegular) ->
    Level = case IsRegular of true -> info; false -> warning end,
    ?LOG(Level, "signal_port: ~ts, after ~b calls; it has left the pool", [Sentence, Calls],
         ?DOMAIN),
    down(Worker, Sentence, Calls).

%% @doc A worker that was started to replace another one is not ready.
-spec successor_failed(Sentence :: string()) -> ok.
successor_failed(Sentence) ->
    ?LOG_ERROR("signal_port: ~ts; the worker that it should replace stays", [Sentence], ?DOMAIN).

%% @doc No worker can be started for now.
-spec unavailable() -> ok.
unavailable() ->
    ?LOG_ERROR("signal_port: no worker can be started; calls return {error, unavailable} until a "
               "worker starts; the errors above have the reason", [], ?DOMAIN).

%% @doc A worker has started after all.
-spec available() -> ok.
available() ->
    ?LOG_NOTICE("signal_port: a worker has started; calls are answered again", [], ?DOMAIN).

%% @doc Calls are refused, because this number of calls waits.
-spec overloaded(MaxQueue :: pos_integer()) -> ok.
overloaded(MaxQueue) ->
    ?LOG_WARNING("signal_port: calls return {error, overloaded}, because ~b calls wait, which is "
                 "signal_port's option max_queue; add workers or cores, or raise the option",
                 [MaxQueue], ?DOMAIN).

%% @doc The application stops although calls are in flight after these milliseconds.
-spec cut_off(InFlight :: pos_integer(), Milliseconds :: pos_integer()) -> ok.
cut_off(InFlight, Milliseconds) ->
    ?LOG_WARNING("signal_port: the application stops with ~b calls in flight, which return "
                 "{error, unavailable}, because they were not answered within ~b ms; make fewer or "
                 "shorter calls before a stop", [InFlight, Milliseconds], ?DOMAIN).

%% @doc The NIF on the code path failed its test.
-spec nif_not_used(What :: string()) -> ok.
nif_not_used(What) ->
    ?LOG_WARNING("signal_port: calls use the port, because ~ts; rebuild the NIF, or set "
                 "signal_port's option backend to port", [What], ?DOMAIN).

%% --- Other nodes ---

%% @doc Another node answers calls of this one.
-spec node_up(node(), signal_port_node:welcome()) -> ok.
node_up(Node, #{version := Version, backend := Backend}) ->
    ?LOG_NOTICE("signal_port: node ~ts is used (signal_port ~ts, backend ~s)",
                [Node, Version, Backend], ?DOMAIN),
    execute([signal_port, node, up], #{system_time => erlang:system_time()}, #{node => Node}).

%% @doc Another node is not used any more. The sentence says why.
-spec node_down(node(), Sentence :: string(), Calls :: non_neg_integer()) -> ok.
node_down(Node, Sentence, Calls) ->
    ?LOG_WARNING("signal_port: node ~ts is not used: ~ts, after ~b calls; it is used again when it "
                 "answers", [Node, Sentence, Calls], ?DOMAIN),
    execute([signal_port, node, down], #{system_time => erlang:system_time(), calls => Calls},
            #{node => Node, reason => Sentence}).

%% @doc Another node does not fit this one.
-spec node_refused(node(), Sentence :: string()) -> ok.
node_refused(Node, Sentence) ->
    ?LOG_ERROR("signal_port: node ~ts is not used: ~ts", [Node, Sentence], ?DOMAIN),
    execute([signal_port, node, refused], #{system_time => erlang:system_time()},
            #{node => Node, reason => Sentence}).

%% @doc No other node has been ready for so many milliseconds.
-spec no_node(Milliseconds :: pos_integer()) -> ok.
no_node(Milliseconds) ->
    ?LOG_ERROR("signal_port: no other node was ready for ~b ms, so no call waits for one: connect "
               "this node to a node that has signal_port's option serve_nodes", [Milliseconds],
               ?DOMAIN).

%% --- Telemetry is no dependency, so each event looks for it ---

%% @doc Returns whether telemetry runs.
-spec has_telemetry() -> boolean().
has_telemetry() ->
    erlang:function_exported(telemetry, execute, 3)
        andalso whereis(telemetry_handler_table) =/= undefined.

%% @doc Gives telemetry an event, if it runs.
-spec execute(Event :: [atom()], Measurements :: map(), Metadata :: map()) -> ok.
execute(Event, Measurements, Metadata) ->
    case has_telemetry() of
        true -> apply(telemetry, execute, [Event, Measurements, Metadata]);
        false -> ok
    end.
