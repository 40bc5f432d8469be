%% @private What happens, told to people and programs: one log event, in the domain `[signal_port]', and one of `telemetry',
%% where that library is there. Nothing here is given a request, an answer or an argument of one.
%%
%% Handlers run in the process that tells: those of calls in the caller's, those of workers in the pool's. One that blocks
%% there holds up the start of workers, but no call that finds one ready.
-module(signal_port_event).

-include_lib("kernel/include/logger.hrl").

-export([make_visible/0, worker_up/2, worker_down/4, unavailable/0, available/0, nif_not_used/1]).
-export([is_observed/0, observe/2]).

-define(DOMAIN, #{domain => [signal_port]}).

%% @doc Lets the log's default handler show these events: as OTP configures it, it shows no domain but OTP's own.
-spec make_visible() -> ok.
make_visible() ->
    Filter = {fun logger_filters:domain/2, {log, sub, [signal_port]}},
    _ = logger:add_handler_filter(default, signal_port, Filter),
    ok.

-spec worker_up(OsPid :: pos_integer() | undefined, Failures :: non_neg_integer()) -> ok.
worker_up(OsPid, Failures) ->
    ?LOG(if Failures > 0 -> notice; true -> info end, "signal_port: worker ready, OS process ~p", [OsPid], ?DOMAIN),
    execute([signal_port, worker, up], #{system_time => erlang:system_time()}, #{os_pid => OsPid}).

%% @doc A worker has ended, or could not be started; the sentence says why, and the next start is in so many milliseconds.
-spec worker_down(OsPid :: pos_integer() | undefined, Sentence :: string(), Calls :: non_neg_integer(),
                  {IsFailure :: boolean(), Delay :: non_neg_integer()}) -> ok.
worker_down(OsPid, Sentence, Calls, {IsFailure, Delay}) ->
    ?LOG(case IsFailure of true -> error; false -> warning end,
         "signal_port: ~ts, after ~b calls; the next start is in ~b ms", [Sentence, Calls, Delay], ?DOMAIN),
    execute([signal_port, worker, down], #{system_time => erlang:system_time(), calls => Calls},
            #{os_pid => OsPid, reason => Sentence}).

%% @doc No worker can be had, for the time being.
-spec unavailable() -> ok.
unavailable() ->
    ?LOG_ERROR("signal_port: no worker can be started; calls answer {error, unavailable} until one can", [], ?DOMAIN).

-spec available() -> ok.
available() ->
    ?LOG_NOTICE("signal_port: a worker has been started; calls are answered again", [], ?DOMAIN).

%% @doc There is a NIF, and the probe says that it may not be trusted.
-spec nif_not_used(What :: string()) -> ok.
nif_not_used(What) ->
    ?LOG_WARNING("signal_port: the NIF is not used, ~ts; calls go over the port", [What], ?DOMAIN).

%% --- Telemetry: no dependency, so it is looked for each time ---

%% @doc Whether somebody may be told of calls.
-spec is_observed() -> boolean().
is_observed() ->
    erlang:function_exported(telemetry, span, 3) andalso whereis(telemetry_handler_table) =/= undefined.

%% @doc Makes a call between the events `[signal_port, call, start]' and `stop', or `exception'.
-spec observe(Operation :: atom(), fun(() -> Answer)) -> Answer.
observe(Operation, Call) ->
    Metadata = #{operation => Operation},
    apply(telemetry, span, [[signal_port, call], Metadata, fun() ->
        Answer = Call(),
        {Answer, Metadata#{result => result(Answer)}}
    end]).

result({error, Atom}) when is_atom(Atom) -> {error, Atom};
result(_) -> ok.

execute(Event, Measurements, Metadata) ->
    case is_observed() of
        true -> apply(telemetry, execute, [Event, Measurements, Metadata]);
        false -> ok
    end.
