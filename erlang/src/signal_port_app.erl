%% @private The application callback. If the start fails, the reason is one sentence that says what
%% to do. The log has the same sentence.
-module(signal_port_app).
-behaviour(application).

-export([start/2, stop/1, ensure_started/0]).

-define(RETRY_AFTER, 10_000).  % milliseconds

-spec start(application:start_type(), term()) -> {ok, pid()} | {error, Sentence :: term()}.
start(_Type, _Args) ->
    case signal_port_sup:start_link(application:get_all_env(signal_port)) of
        {error, Reason} ->
            signal_port_event:not_started(Reason),
            {error, Reason};
        Started ->
            Started
    end.

-spec stop(term()) -> ok.
stop(_State) ->
    ok.

%% @doc Starts the application if it is not running, for callers of the drop-in. If the start
%% fails, the log has the reason and calls return `{error, unavailable}'. The next try is at least
%% 10 seconds later, because each try takes about a second.
-spec ensure_started() -> ok.
ensure_started() ->
    case whereis(signal_port_sup) =:= undefined andalso not has_failed_recently() of
        true -> record(application:ensure_all_started(signal_port));
        false -> ok
    end.

record({ok, _}) ->
    ok;
record({error, _}) ->
    persistent_term:put(?MODULE, signal_port_deadline:from_timeout(?RETRY_AFTER)).

has_failed_recently() ->
    case persistent_term:get(?MODULE, never) of
        never -> false;
        RetryAt -> not signal_port_deadline:has_passed(RetryAt)
    end.
