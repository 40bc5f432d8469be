%% @private The application: starts the supervisor with the application's environment. Where the start fails, the reason
%% is one sentence that says what to do, not the path through the supervisors it came by.
-module(signal_port_app).
-behaviour(application).

-export([start/2, stop/1, ensure_started/0]).

-define(TRY_AGAIN, 10_000).  % milliseconds

-spec start(application:start_type(), term()) -> {ok, pid()} | {error, Sentence :: string() | term()}.
start(_Type, _Args) ->
    case signal_port_sup:start_link(application:get_all_env(signal_port)) of
        {error, {shutdown, {failed_to_start_child, signal_port_pool, {shutdown, Sentence}}}} ->
            {error, Sentence};
        Result ->
            Result
    end.

-spec stop(term()) -> ok.
stop(_State) ->
    ok.

%% @doc Starts the application if nobody has, for callers who never had to. Where it cannot be started, the log says why, and
%% their calls answer `{error, unavailable}'; it is not tried again for a while, for each try takes a second and many lines.
-spec ensure_started() -> ok.
ensure_started() ->
    case whereis(signal_port_sup) =:= undefined andalso not has_failed_lately() of
        true -> note(application:ensure_all_started(signal_port));
        false -> ok
    end.

note({ok, _}) -> ok;
note({error, _}) -> persistent_term:put(?MODULE, signal_port_deadline:now_ms()).

has_failed_lately() ->
    case persistent_term:get(?MODULE, never) of
        never -> false;
        Failed -> signal_port_deadline:now_ms() - Failed < ?TRY_AGAIN
    end.
