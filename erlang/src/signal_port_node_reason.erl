%% @private Why another node is not used, as one sentence. It is pure.
-module(signal_port_node_reason).

-export([explain/1, is_refusal/1]).

%% @doc Returns the sentence for the exit reason of a node worker.
-spec explain(Reason :: term()) -> string().
explain({shutdown, {node, Why}}) ->
    explain(Why);
explain(disconnected) ->
    "the connection to the node was lost";
explain({refused, {protocol, Theirs, Ours}, Version}) ->
    sentence("signal_port ~ts on the node uses version ~p of the protocol between nodes, and this "
             "application version ~p: upgrade the older of the two", [Version, Theirs, Ours]);
explain({refused, {operation, Missing}, Version}) ->
    sentence("signal_port ~ts on the node lacks an operation that this node can call (~ts): "
             "upgrade that node", [Version, Missing]);
explain({no_welcome, Milliseconds}) ->
    sentence("the node did not answer within ~b ms: look at its load", [Milliseconds]);
explain({session, {shutdown, invalid_call}}) ->
    "the node refused a call as invalid: upgrade the older of the two nodes";
explain({session, _}) ->
    "signal_port on the node was stopped or has restarted";
explain(invalid_data) ->
    "the node sent invalid data";
explain(stalled) ->
    "the node had calls and sent no answer within stall_timeout";
explain(killed) ->
    "the node worker was killed";
explain(_) ->
    "the node worker ended".

%% @doc Returns whether the node can be used only after an upgrade.
-spec is_refusal(Reason :: term()) -> boolean().
is_refusal({shutdown, {node, {refused, _, _}}}) -> true;
is_refusal(_) -> false.

sentence(Format, Args) ->
    signal_port_sentence:format(Format, Args).
