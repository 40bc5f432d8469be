%% @private What two nodes compare before the first call: the version of the protocol between nodes,
%% and the operations with the types of their arguments. It is pure.
%%
%% The serving node can know more operations than the other one. So the serving nodes of a cluster
%% are upgraded first.
-module(signal_port_agreement).

-export([offer/0, compare/2, version/1]).
-export_type([offer/0, mismatch/0]).

-define(PROTOCOL, 1).  % of the messages in the head of signal_port_gateway

-type offer() :: #{protocol := pos_integer(), version := binary(), operations := [binary()]}.
-type mismatch() :: {protocol, Theirs :: term(), Ours :: pos_integer()}
                  | {operation, Missing :: binary()}.

%% @doc Returns what this node offers. The operations are text, because a later version can have an
%% operation whose atom this VM does not know.
-spec offer() -> offer().
offer() ->
    #{protocol => ?PROTOCOL, version => own_version(),
      operations => lists:sort(lists:map(fun signature/1, signal_port_codec:operations()))}.

own_version() ->
    case application:get_key(signal_port, vsn) of
        {ok, Version} -> list_to_binary(Version);
        undefined -> <<"unknown">>
    end.

signature({Operation, _Arity}) ->
    Words = [atom_to_binary(Word) || Word <- [Operation | signal_port_codec:types(Operation)]],
    iolist_to_binary(lists:join(" ", Words)).

%% @doc Returns whether a node with the first offer can use a node with the second one.
-spec compare(User :: term(), Server :: term()) -> ok | {error, mismatch()}.
compare(#{protocol := Protocol, operations := Wanted}, #{protocol := Protocol, operations := Had})
  when is_list(Had) ->
    missing(Wanted, Had);
compare(#{protocol := User}, #{protocol := Server}) when User =/= Server ->
    {error, {protocol, Server, User}};
compare(_, _) ->
    {error, {protocol, none, ?PROTOCOL}}.

missing([Operation | Others], Had) when is_binary(Operation) ->
    case lists:member(Operation, Had) of
        true -> missing(Others, Had);
        false -> {error, {operation, Operation}}
    end;
missing([], _Had) ->
    ok;
missing(_, _Had) ->
    {error, {protocol, none, ?PROTOCOL}}.

%% @doc Returns the version of the application in an offer.
-spec version(term()) -> binary().
version(#{version := Version}) when is_binary(Version), byte_size(Version) < 64 -> Version;
version(_) -> <<"unknown">>.
