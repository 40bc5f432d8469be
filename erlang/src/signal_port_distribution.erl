%% @private What the application needs of OTP's distribution: whether it is encrypted, and a send
%% that neither connects nor waits.
-module(signal_port_distribution).

-export([check/1, send/2]).

-define(ENCRYPTED, ["inet_tls", "inet6_tls"]).  % values of the VM's flag -proto_dist

%% @doc Returns a sentence if the options let calls travel in a distribution that is not encrypted.
-spec check(signal_port_config:config()) -> ok | {error, Sentence :: string()}.
check(#{serve_nodes := false, use_nodes := never}) ->
    ok;
check(#{distribution := clear_text}) ->
    ok;
check(#{distribution := encrypted, serve_nodes := Serves}) ->
    case is_encrypted(init:get_argument(proto_dist)) of
        true -> ok;
        false -> {error, refusal(case Serves of true -> serve_nodes; false -> use_nodes end)}
    end.

is_encrypted({ok, Values}) ->
    lists:append(Values) -- ?ENCRYPTED =:= [];
is_encrypted(error) ->
    false.

refusal(Option) ->
    signal_port_sentence:format(
        "signal_port's option ~s is on, but this VM's distribution is not encrypted, and calls "
        "carry private keys: start the VM with -proto_dist inet_tls, or, if a private network "
        "such as WireGuard protects all nodes, set the option distribution to clear_text",
        [Option]).

%% @doc Sends a message to a process of another node. Returns `busy' if the channel is full, and
%% `disconnected' if there is none. The message is then lost.
-spec send(pid(), term()) -> sent | busy | disconnected.
send(Pid, Message) ->
    case erlang:send(Pid, Message, [noconnect, nosuspend]) of
        ok -> sent;
        nosuspend -> busy;
        noconnect -> disconnected
    end.
