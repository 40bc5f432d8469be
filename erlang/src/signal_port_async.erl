%% @private Calls in flight. Each has a carrier, a process that makes the call and ends with its answer: so everything that
%% holds for a call, other attempts and all, holds for one that is not waited for. The caller gets one 'DOWN'.
-module(signal_port_async).

-export([send/1, receive_response/2, check_response/2]).
-export_type([id/0]).

-opaque id() :: {Carrier :: pid(), Monitor :: reference()}.

-dialyzer({nowarn_function, send/1}).  % a carrier always ends by exit/1, with its answer

%% @doc Has a call made.
-spec send(fun(() -> term())) -> id().
send(Call) ->
    spawn_monitor(fun() ->
        process_flag(sensitive, true),
        %% Uncaught, an error would be logged with the arguments of what failed.
        exit(try Call() of Answer -> {answer, Answer} catch error:_ -> badarg end)
    end).

%% @doc Waits for the answer; one that has not come in time never comes.
-spec receive_response(id(), timeout()) -> {reply, term()} | timeout.
receive_response({Carrier, Monitor}, Timeout) ->
    receive
        {'DOWN', Monitor, process, _, End} -> {reply, answer(End)}
    after Timeout ->
        demonitor(Monitor, [flush]),
        exit(Carrier, kill),
        timeout
    end.

%% @doc The answer, if this message brings it.
-spec check_response(Message :: term(), id()) -> {reply, term()} | no_reply.
check_response({'DOWN', Monitor, process, _, End}, {_, Monitor}) ->
    {reply, answer(End)};
check_response(_, _) ->
    no_reply.

answer({answer, Answer}) -> Answer;
answer(badarg) -> error(badarg);
answer(_) -> {error, unavailable}.  % the carrier was killed
