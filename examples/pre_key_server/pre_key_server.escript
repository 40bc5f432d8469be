#!/usr/bin/env escript
%% -*- erlang -*-
%%! -noinput
%% Bob leaves his pre-keys with a server and goes offline; fifty people who never met him write to
%% him at the same time. The server gives away each one-time pre-key once, and sends Bob a message
%% when few are left. Without one X3DH still works. pre_key_directory.erl is the server.
-mode(compile).

-define(STOCK, 20).
-define(LOW, 5).
-define(REQUESTERS, 50).
-define(HELLO, <<"Hello Bob, we never met.">>).

main([]) ->
    Here = filename:dirname(filename:absname(escript:script_name())),
    Root = filename:dirname(filename:dirname(Here)),
    code:add_pathsa(filelib:wildcard(filename:join(Root, "_build/default/lib/*/ebin"))),
    {ok, Module, Beam} = compile:file(filename:join(Here, "pre_key_directory"), [binary, report]),
    {module, Module} = code:load_binary(Module, "pre_key_directory.erl", Beam),
    {ok, _} = application:ensure_all_started(signal_port),
    {ok, Directory} = pre_key_directory:start_link(?LOW),
    story(Directory).

story(Directory) ->
    {Bob, Identity} = arrive(Directory),
    Stocked = refill(Directory, Bob, 1),
    First = fetch_at_once(Directory, Identity),
    is_told_once(),
    Refilled = refill(Directory, Stocked, ?STOCK + 1),
    Second = at_once(10, fun() -> write_to(Directory, Identity) end),
    10 = length(lists:usort(with_key(Second)) -- with_key(First)),
    say("10 more people get one-time pre-keys that nobody had before", []),
    read_all([Message || {_, Message} <- First ++ Second], hd(with_key_message(First)), Refilled).

fetch_at_once(Directory, Identity) ->
    Written = at_once(?REQUESTERS, fun() -> write_to(Directory, Identity) end),
    ?STOCK = length(with_key(Written)),
    ?STOCK = length(lists:usort(with_key(Written))),
    say("~b people fetch his bundle at once: ~b get a one-time pre-key of their own, ~b get none",
        [?REQUESTERS, ?STOCK, ?REQUESTERS - ?STOCK]),
    Written.

is_told_once() ->
    receive {one_time_pre_keys_low, ?LOW} -> ok end,
    receive {one_time_pre_keys_low, _} = Again -> error({told_twice, Again}) after 0 -> ok end,
    say("Bob gets one message that only ~b are left, and refills the stock", [?LOW]).

read_all(Messages, Replayed, Bob) ->
    {Texts, Read} = lists:mapfoldl(fun(Message, Owner) -> read(Owner, Message) end, Bob, Messages),
    [?HELLO] = lists:usort(Texts),
    #{one_time := Left} = Read,
    ?STOCK - 10 = map_size(Left),
    say("Bob reads all ~b first messages, and has ~b one-time pre-keys left",
        [length(Texts), map_size(Left)]),
    {refused, _} = read(Read, Replayed),
    say("he refuses a copy of the first one: its one-time pre-key is deleted", []).

%% --- Bob: his own keys, and what he leaves with the server ---

arrive(Directory) ->
    {ok, {Identity, Secret}} = signal_port:generate_identity_key_pair(),
    {ok, {7, SignedPub, SignedPriv, Signature}} = signal_port:generate_signed_pre_key(Secret, 7),
    {error, unknown} = pre_key_directory:fetch(Directory, Identity),
    {ok, {_, AnotherSecret}} = signal_port:generate_identity_key_pair(),
    {ok, Forged} = signal_port:sign_data(AnotherSecret, SignedPub),
    invalid_signature = pre_key_directory:publish(Directory, Identity, {7, SignedPub}, Forged),
    say("the server refuses a signed pre-key in Bob's name with the signature of another", []),
    ok = pre_key_directory:publish(Directory, Identity, {7, SignedPub}, Signature),
    {#{identity => {Identity, Secret}, signed => #{7 => SignedPriv}, one_time => #{}}, Identity}.

%% If your Bob can crash, store the private keys before the upload: without its private key he
%% cannot read a message.
refill(Directory, #{identity := {Identity, _}, one_time := OneTime} = Bob, FirstId) ->
    Ids = lists:seq(FirstId, FirstId + ?STOCK - 1),
    Made = signal_port:batch([{generate_pre_key, [Id]} || Id <- Ids]),
    Kept = maps:from_list([{Id, Private} || {ok, {Id, _, Private}} <- Made]),
    Upload = [{Id, Public} || {ok, {Id, Public, _}} <- Made],
    [ok, ok] = [pre_key_directory:add_one_time_pre_keys(Directory, Identity, Upload)
                || _ <- [once, repeated]],
    Bob#{one_time := maps:merge(OneTime, Kept)}.

%% X3DH 3.4. Deletes the one-time pre-key together with reading the first message.
read(#{identity := {Identity, Secret}, signed := Signed, one_time := OneTime} = Bob, Message) ->
    {ok, {_, BaseKey, Sender, OneTimeId, SignedId, Wire}} = signal_port:pksm_decode(Message),
    case OneTime#{undefined => <<>>} of
        #{OneTimeId := Private} ->
            {ok, Shared} = signal_port:process_pre_key_bundle_bob(
                             Secret, maps:get(SignedId, Signed), Private, Sender, BaseKey),
            {ok, Session} = signal_port:dr_init(Shared, Identity, Sender, Secret, 0),
            {ok, {Text, _}} = signal_port:decrypt(Session, Wire),
            {Text, Bob#{one_time := maps:remove(OneTimeId, OneTime)}};
        #{} -> {refused, Bob}
    end.

%% --- The writers ---

%% Returns the id of the one-time pre-key, and the first message.
write_to(Directory, Identity) ->
    {ok, {Public, Secret}} = signal_port:generate_identity_key_pair(),
    {ok, {Bundle, OneTimeId, SignedId}} = pre_key_directory:fetch(Directory, Identity),
    true = byte_size(Bundle) =:= case OneTimeId of undefined -> 128; _ -> 160 end,
    {ok, {Shared, Ephemeral}} = signal_port:process_pre_key_bundle(Secret, Bundle),
    {ok, Session} = signal_port:dr_init(Shared, Public, Identity, Secret, 1),
    {ok, {Message, _}} =
        signal_port:dr_encrypt_prekey(Session, ?HELLO, {1001, OneTimeId, SignedId, Ephemeral}),
    {OneTimeId, Message}.

with_key(Written) -> [Id || {Id, _} <- Written, Id =/= undefined].

with_key_message(Written) -> [Message || {Id, Message} <- Written, Id =/= undefined].

at_once(Count, Fun) ->
    Requesters = [spawn_monitor(fun() -> exit({done, Fun()}) end) || _ <- lists:seq(1, Count)],
    Ends = [receive {'DOWN', Monitor, process, _, Reason} -> Reason end
            || {_, Monitor} <- Requesters],
    [begin {done, Result} = End, Result end || End <- Ends].

say(Format, Args) -> io:format(Format ++ "~n", Args).
