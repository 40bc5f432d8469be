%% @doc A pre-key server: it keeps what others need to write to somebody who is offline, and gives each one-time pre-key
%% away once. It has public keys alone. That they are whose they are said to be its clients need not take on trust: X3DH
%% verifies the signature once more, and people compare identities.
-module(pre_key_directory).
-behaviour(gen_server).

-export([start_link/1, publish/4, add_one_time_pre_keys/3, fetch/2]).
-export([init/1, handle_call/3, handle_cast/2]).

-type one_time_pre_keys() :: [{Id :: pos_integer(), signal_port:key()}].

%% What the directory has of one owner.
-record(entry, {
    owner :: pid(),                            % is told when the stock is low
    bundle :: signal_port:bundle(),            % without a one-time pre-key
    signed_id :: pos_integer(),
    stock = [] :: one_time_pre_keys(),
    last_id = 0 :: non_neg_integer()           % of all that were ever in stock: an upload that is repeated adds nothing
}).

%% @doc A directory whose owners get the message `{one_time_pre_keys_low, Left}' when they have so few left.
-spec start_link(Low :: pos_integer()) -> {ok, pid()}.
start_link(Low) ->
    gen_server:start_link(?MODULE, Low, []).

%% @doc Puts an identity's signed pre-key in place of its last one; what the identity has not signed is refused. The
%% caller is the process of a connection, and the owner from now on: it must have seen a login, for a signature tells
%% who made a key and not who brings it. It also verifies the signature itself, so that the directory waits for nobody.
-spec publish(pid(), signal_port:key(), {Id :: pos_integer(), signal_port:key()}, signal_port:signature()) ->
    ok | invalid_signature | {error, atom()}.
publish(Directory, Identity, {SignedId, SignedPub}, Signature) ->
    case signal_port:verify_signature(Identity, SignedPub, Signature) of
        ok ->
            Bundle = <<Identity/binary, SignedPub/binary, Signature/binary>>,
            gen_server:call(Directory, {publish, Identity, Bundle, SignedId});
        Refused -> Refused
    end.

%% @doc Adds to the stock of an identity; only its owner may. The ids count up, for ever.
-spec add_one_time_pre_keys(pid(), signal_port:key(), one_time_pre_keys()) -> ok | {error, not_yours | invalid_key}.
add_one_time_pre_keys(Directory, Identity, Keys) ->
    case [Key || {Id, Key} <- Keys, not is_integer(Id) orelse byte_size(Key) =/= 32] of
        [] -> gen_server:call(Directory, {add, Identity, lists:keysort(1, Keys)});
        _ -> {error, invalid_key}
    end.

%% @doc A bundle with a one-time pre-key, 160 bytes, and the ids of both pre-keys; where the stock is empty, one
%% without, 128 bytes, and `undefined'. X3DH goes on with it, but the first message could then be replayed (X3DH 4.2).
-spec fetch(pid(), signal_port:key()) ->
    {ok, {signal_port:bundle(), OneTimeId :: pos_integer() | undefined, SignedId :: pos_integer()}} | {error, unknown}.
fetch(Directory, Identity) ->
    gen_server:call(Directory, {fetch, Identity}).

-spec init(pos_integer()) -> {ok, {pos_integer(), #{signal_port:key() => #entry{}}}}.
init(Low) ->
    {ok, {Low, #{}}}.

-spec handle_call(term(), gen_server:from(), State) -> {reply, term(), State}.
handle_call({publish, Identity, Bundle, SignedId}, {Owner, _}, {Low, Entries}) ->
    Entry = maps:get(Identity, Entries, #entry{owner = Owner, bundle = Bundle, signed_id = SignedId}),
    {reply, ok, {Low, Entries#{Identity => Entry#entry{owner = Owner, bundle = Bundle, signed_id = SignedId}}}};
handle_call({add, Identity, Keys}, {Owner, _}, {Low, Entries} = State) ->
    case Entries of
        #{Identity := #entry{owner = Owner, stock = Stock, last_id = Last} = Entry} ->
            New = [Key || {Id, _} = Key <- Keys, Id > Last],
            Highest = lists:max([Last | [Id || {Id, _} <- New]]),
            {reply, ok, {Low, Entries#{Identity := Entry#entry{stock = Stock ++ New, last_id = Highest}}}};
        #{} -> {reply, {error, not_yours}, State}
    end;
handle_call({fetch, Identity}, _From, {Low, Entries} = State) ->
    case Entries of
        #{Identity := #entry{stock = [], bundle = Bundle, signed_id = SignedId}} ->
            {reply, {ok, {Bundle, undefined, SignedId}}, State};
        #{Identity := #entry{stock = [{Id, Key} | Stock], bundle = Bundle, signed_id = SignedId} = Entry} ->
            length(Stock) =:= Low andalso (Entry#entry.owner ! {one_time_pre_keys_low, Low}),
            {reply, {ok, {<<Bundle/binary, Key/binary>>, Id, SignedId}},
             {Low, Entries#{Identity := Entry#entry{stock = Stock}}}};
        #{} -> {reply, {error, unknown}, State}
    end.

-spec handle_cast(term(), State) -> {noreply, State}.
handle_cast(_, State) ->
    {noreply, State}.
