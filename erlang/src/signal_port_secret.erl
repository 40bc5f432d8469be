%% @private Secrets in the state and the mailbox of a process.
%%
%% A secret that waits in a state or in a message is wrapped in a function: `sys:get_state/1',
%% `sys:log/2' and crash reports print a function without what it holds.
-module(signal_port_secret).

-export([hide/1, reveal/1, format_status/1]).
-export_type([hidden/1]).

-type hidden(Secret) :: fun(() -> Secret).

-spec hide(Secret) -> hidden(Secret).
hide(Secret) ->
    fun() -> Secret end.

-spec reveal(hidden(Secret)) -> Secret.
reveal(Hidden) ->
    Hidden().

%% @doc Removes the last message and the log from a `gen_server' status. Both can hold a secret
%% that is not wrapped: a part of a reply, or anything that another process sent.
-spec format_status(gen_server:format_status()) -> gen_server:format_status().
format_status(Status) ->
    maps:map(fun(message, _) -> hidden;
                (log, _) -> [];
                (_, Value) -> Value
             end, Status).
