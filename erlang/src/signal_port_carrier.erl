%% @private A carrier: a process that makes the calls of another node's request with this node's
%% NIF, and exits with the answer. A NIF runs in its caller, so a session must not be that caller.
-module(signal_port_carrier).

-export([start/2, answer/1]).

-dialyzer({nowarn_function, start/2}).  % a carrier always exits with its answer

%% @doc Starts a carrier. The calling process gets 'DOWN' with this reference.
-spec start(signal_port_server_codec:request(), signal_port_deadline:deadline()) -> reference().
start(Request, Deadline) ->
    {_, Monitor} = spawn_monitor(fun() ->
        process_flag(sensitive, true),
        %% An uncaught error would be logged with the arguments of the function that failed.
        exit(try
            {answer, perform(Request, Deadline)}
        catch
            throw:not_here -> {answer, not_here};
            _:_ -> failed
        end)
    end),
    Monitor.

%% @doc Returns what the end of a carrier or of a worker says about the call.
-spec answer(Reason :: term()) -> binary() | not_here | suspect.
answer({answer, Answer}) -> Answer;
answer(noproc) -> not_here;
answer(_) -> suspect.

perform({batch, Calls}, Deadline) ->
    Answers = [call(Operation, Args, Deadline) || {Operation, Args} <- Calls],
    signal_port_server_codec:answer(list_to_tuple(Answers));
perform({Operation, Args}, Deadline) ->
    signal_port_server_codec:answer(call(Operation, Args, Deadline)).

call(Operation, Args, Deadline) ->
    case signal_port_table:nif(Operation) of
        undefined -> call_worker(signal_port_codec:request(Operation, Args), Deadline);
        Module -> apply(Module, Operation, Args)
    end.

%% The NIF lacks this operation.
call_worker(Request, Deadline) ->
    case signal_port_dispatch:call_here(Request, signal_port_deadline:remaining(Deadline)) of
        {error, Why} when Why =:= timeout; Why =:= unavailable -> throw(not_here);
        Answer -> Answer
    end.
