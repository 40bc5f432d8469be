%% @doc A pre-key server: it keeps what others need to write to somebody who is offline, and gives
%% away each one-time pre-key once. It has public keys only. Its clients need not trust it: X3DH
%% verifies the signature again, and people compare identities.
-module(pre_key_directory).
-behaviour(gen_server).

-export([start_link/1, publish/4, add_one_time_pre_keys/3, fetch/2]).
-export([init/1, handle_call/3, handle_cast/2]).

-type one_time_pre_keys() :: [{Id :: pos_integer(), signal_port:key()}].

%% What the directory has of one owner.
-record(entry, {
    owner :: pid(),                      % gets the message that the stock is low
    bundle :: signal_port:bundle(),      % without a one-time pre-key
    signed_id :: pos_integer(),
    stock = [] :: one_time_pre_keys(),
    last_id = 0 :: non_neg_integer()     % the highest ever in stock: a repeated upload adds nothing
}).

%% @doc Starts a directory. Its owners get the message `{one_time_pre_keys_low, Low}' when they have
%% that many left.
-spec start_link(Low :: pos_integer()) -> {ok, pid()}.
start_link(Low) ->
    gen_server:start_link(?MODULE, Low, []).

%% @doc Replaces the signed pre-key of an identity, if the identity signed it. The caller is the
%% process of a connection, and becomes the owner. It must have seen a login: a signature proves
%% who made a key, not who brings it. It verifies the signature itself, so that the directory
%% waits for no call.
-spec publish(pid(), signal_port:key(), {Id :: pos_integer(), signal_port:key()},
              signal_port:signature()) -> ok | invalid_signature | {error, atom()}.
publish(Directory, Identity, {SignedId, SignedPub}, Signature) ->
    case signal_port:verify_signature(Identity, SignedPub, Signature) of
        ok ->
            Bundle = <<Identity/binary, SignedPub/binary, Signature/binary>>,
            gen_server:call(Directory, {publish, Identity, Bundle, SignedId});
        Refused -> Refused
    end.

%% @doc Adds to the stock of an identity; only its owner may. The ids must always count up.
-spec add_one_time_pre_keys(pid(), signal_port:key(), one_time_pre_keys()) ->
    ok | {error, not_yours | invalid_key}.
add_one_time_pre_keys(Directory, Identity, Keys) ->
    case [Key || {Id, Key} <- Keys, not is_integer(Id) orelse byte_size(Key) =/= 32] of
        [] -> gen_server:call(Directory, {add, Identity, lists:keysort(1, Keys)});
        _ -> {error, invalid_key}
    end.

%% @doc Returns a bundle of 160 bytes, with a one-time pre-key, and the ids of both pre-keys. If
%% the stock is empty, the bundle has 128 bytes, and the first id is `undefined'. X3DH works with
%% it, but an attacker can then replay the first message (X3DH 4.2).
-spec fetch(pid(), signal_port:key()) ->
    {ok, {signal_port:bundle(), OneTimeId :: pos_integer() | undefined, SignedId :: pos_integer()}}
    | {error, unknown}.
fetch(Directory, Identity) ->
    gen_server:call(Directory, {fetch, Identity}).

-spec init(pos_integer()) -> {ok, {pos_integer(), #{signal_port:key() => #entry{}}}}.
init(Low) ->
    {ok, {Low, #{}}}.

-spec handle_call(term(), gen_server:from(), State) -> {reply, term(), State}.
handle_call({publish, Identity, Bundle, SignedId}, {Owner, _}, {Low, Entries}) ->
    New = #entry{owner = Owner, bundle = Bundle, signed_id = SignedId},
    #entry{stock = Stock, last_id = Last} = maps:get(Identity, Entries, New),
    {reply, ok, {Low, Entries#{Identity => New#entry{stock = Stock, last_id = Last}}}};
handle_call({add, Identity, Keys}, {Owner, _}, {Low, Entries} = State) ->
    case Entries of
        #{Identity := #entry{owner = Owner} = Entry} ->
            {reply, ok, {Low, Entries#{Identity := add(Keys, Entry)}}};
        #{} -> {reply, {error, not_yours}, State}
    end;
handle_call({fetch, Identity}, _From, {Low, Entries} = State) ->
    case Entries of
        #{Identity := Entry} ->
            {Bundle, Left} = take(Low, Entry),
            {reply, {ok, Bundle}, {Low, Entries#{Identity := Left}}};
        #{} -> {reply, {error, unknown}, State}
    end.

-spec handle_cast(term(), State) -> {noreply, State}.
handle_cast(_, State) ->
    {noreply, State}.

add(Keys, #entry{stock = Stock, last_id = Last} = Entry) ->
    New = [Key || {Id, _} = Key <- Keys, Id > Last],
    Entry#entry{stock = Stock ++ New, last_id = lists:max([Last | [Id || {Id, _} <- New]])}.

take(_Low, #entry{stock = [], bundle = Bundle, signed_id = SignedId} = Entry) ->
    {{Bundle, undefined, SignedId}, Entry};
take(Low, #entry{stock = [{Id, Key} | Stock], bundle = Bundle, signed_id = SignedId} = Entry) ->
    length(Stock) =:= Low andalso (Entry#entry.owner ! {one_time_pre_keys_low, Low}),
    {{<<Bundle/binary, Key/binary>>, Id, SignedId}, Entry#entry{stock = Stock}}.
