%% @private Calls that their caller does not wait for. Each has a carrier: a process that makes the
%% call and exits with the answer. So retries, timeouts and telemetry are those of any other call.
%% The caller gets one 'DOWN' message.
%%
%% A telemetry handler runs in the carrier. It finds the caller's OpenTelemetry context and logger
%% metadata there, so that a span has the right parent.
-module(signal_port_async).

-export([send/1, receive_response/2, check_response/2]).
-export_type([id/0]).

-define(OTEL_CONTEXT, '$__current_otel_ctx').  % opentelemetry_api keeps it in the dictionary

-opaque id() :: {Carrier :: pid(), Monitor :: reference()}.

-dialyzer({nowarn_function, send/1}).  % a carrier always exits with its answer

%% @doc Starts a call.
-spec send(fun(() -> term())) -> id().
send(Call) ->
    Context = get(?OTEL_CONTEXT),
    Metadata = logger:get_process_metadata(),
    spawn_monitor(fun() ->
        process_flag(sensitive, true),
        _ = put(?OTEL_CONTEXT, Context),
        Metadata =:= undefined orelse logger:set_process_metadata(Metadata),
        %% An uncaught error would be logged with the arguments of the function that failed.
        exit(try Call() of Answer -> {answer, Answer} catch error:_ -> badarg end)
    end).

%% @doc Waits for the answer for these milliseconds. After `timeout' the call is cancelled.
-spec receive_response(id(), timeout()) -> {reply, term()} | timeout.
receive_response({Carrier, Monitor}, Timeout) ->
    receive
        {'DOWN', Monitor, process, _, Reason} -> {reply, answer(Reason)}
    after Timeout ->
        demonitor(Monitor, [flush]),
        exit(Carrier, kill),
        timeout
    end.

%% @doc Returns the answer if the message carries it.
-spec check_response(Message :: term(), id()) -> {reply, term()} | no_reply.
check_response({'DOWN', Monitor, process, _, Reason}, {_, Monitor}) ->
    {reply, answer(Reason)};
check_response(_, _) ->
    no_reply.

answer({answer, Answer}) -> Answer;
answer(badarg) -> error(badarg);
answer(_) -> {error, unavailable}.  % the carrier was killed
