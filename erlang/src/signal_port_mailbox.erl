%% @private The calls in the mailbox of a worker, or of a node worker. It knows the message that
%% signal_port_worker:send/5 sends, and must be called by the process that gets it.
-module(signal_port_mailbox).

-export([add_all/2, tell_bystanders/1]).

-type call() :: {call, Number :: pos_integer(), Alias :: reference(),
                 signal_port_deadline:deadline(),
                 signal_port_secret:hidden(signal_port_codec:request())}.

%% @doc Adds a call, and all that arrived meanwhile, to those that wait. They then go into the same
%% write: under load one system call, or one message, serves many.
-spec add_all(call(), signal_port_calls:calls()) -> signal_port_calls:calls().
add_all({call, Number, Alias, Deadline, Request}, Calls) ->
    Added = signal_port_calls:add(Number, Alias, Deadline, Request, Calls),
    receive
        {call, _, _, _, _} = Call -> add_all(Call, Added)
    after 0 -> Added
    end.

%% @doc Tells callers, and those whose calls are still in the mailbox, that the worker ends over
%% another call.
-spec tell_bystanders([Alias :: reference()]) -> ok.
tell_bystanders(Aliases) ->
    lists:foreach(fun tell_bystander/1, Aliases),
    tell_late_bystanders().

tell_late_bystanders() ->
    receive
        {call, _, Alias, _, _} ->
            tell_bystander(Alias),
            tell_late_bystanders()
    after 0 -> ok
    end.

tell_bystander(Alias) ->
    Alias ! {Alias, bystander},
    ok.
