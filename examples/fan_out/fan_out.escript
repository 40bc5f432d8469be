#!/usr/bin/env escript
%% -*- erlang -*-
%%! -noinput
%% One message to a thousand members of a group, each with its own session: call by call, and by
%% `batch'. Then one of the sessions is broken: only its member gets an error, and gets the message
%% after the session is restored.
%%
%%   escript examples/fan_out/fan_out.escript [MEMBERS]
-mode(compile).

main([]) -> main(["1000"]);
main([Members]) ->
    Here = filename:dirname(filename:absname(escript:script_name())),
    Root = filename:dirname(filename:dirname(Here)),
    code:add_pathsa(filelib:wildcard(filename:join(Root, "_build/default/lib/*/ebin"))),
    {ok, _} = application:ensure_all_started(signal_port),
    story(list_to_integer(Members)).

story(Size) ->
    {Sending, Receiving} = timed("a group of ~b: keys, X3DH, sessions of both sides, by batch",
                                 [Size], fun() -> group(Size) end),
    Each = <<"To each of you.">>,
    Alone = timed("~b messages encrypted, call by call", [Size],
                  fun() -> one_by_one(Sending, Each) end),
    {Sending1, Receiving1} = delivered(Alone, Sending, Receiving, Each),
    All = <<"To all of you.">>,
    Together = timed("~b messages encrypted, by batch", [Size], fun() -> to_all(Sending1, All) end),
    {Sending2, Receiving2} = delivered(Together, Sending1, Receiving1, All),
    one_is_broken((Size + 1) div 2, Sending2, Receiving2).

one_is_broken(Unlucky, Sending, Receiving) ->
    Broken = Sending#{Unlucky := <<"what a full disk left of a session">>},
    Asked = <<"Still there?">>,
    Partly = to_all(Broken, Asked),
    [{Unlucky, {error, invalid_session_size}}] = [Failed || {_, {error, _}} = Failed <- Partly],
    say("member ~b has a broken session, and is the only one with an error: invalid_session_size",
        [Unlucky]),
    {Sending1, Receiving1} = delivered(Partly, Broken, Receiving, Asked),
    Restored = Sending1#{Unlucky := maps:get(Unlucky, Sending)},
    {_, _} = delivered(to_all(maps:with([Unlucky], Restored), Asked), Restored, Receiving1, Asked),
    say("the session is restored, and its member gets the message; all members read it", []).

%% --- What to copy ---

%% A batch answers in the order of its calls. Each answer is the one that the call alone would get.
to_all(Sessions, Text) ->
    {Members, Of} = lists:unzip(maps:to_list(Sessions)),
    lists:zip(Members, signal_port:batch([{encrypt, [Session, Text]} || Session <- Of])).

one_by_one(Sessions, Text) ->
    [{Member, signal_port:encrypt(Session, Text)} || {Member, Session} <- maps:to_list(Sessions)].

%% Stores the new sessions, then sends. After an error the old session stays.
delivered(Answers, Sending, Receiving, Text) ->
    New = maps:from_list([{Member, Session} || {Member, {ok, {_, Session}}} <- Answers]),
    Stored = maps:merge(Sending, New),
    Wires = [{Member, Wire} || {Member, {ok, {Wire, _}}} <- Answers],
    {Stored, maps:merge(Receiving, read(Wires, Receiving, Text))}.

%% --- The members, here all in one place ---

%% Each member must read the text. Returns their new sessions.
read(Messages, Receiving, Text) ->
    Answers = signal_port:batch([{decrypt, [maps:get(Member, Receiving), Wire]}
                                 || {Member, Wire} <- Messages]),
    maps:from_list([begin
                        {ok, {Read, Session}} = Answer,
                        Read = Text,
                        {Member, Session}
                    end || {{Member, _}, Answer} <- lists:zip(Messages, Answers)]).

%% The sender's session with each member, and each member's with the sender. No call of a batch can
%% depend on another of the same batch, so each step is a batch.
group(Size) ->
    {ok, {Public, Secret}} = signal_port:generate_identity_key_pair(),
    Owners = all([{generate_identity_key_pair, []} || _ <- lists:seq(1, Size)]),
    PreKeys = all([{generate_signed_pre_key, [Own, 1]} || {_, Own} <- Owners]),
    Bundles = [<<Pub/binary, SignedPub/binary, Signature/binary>>
               || {{Pub, _}, {1, SignedPub, _, Signature}} <- lists:zip(Owners, PreKeys)],
    Agreed = all([{process_pre_key_bundle, [Secret, Bundle]} || Bundle <- Bundles]),
    Answered = all([{process_pre_key_bundle_bob, [Own, SignedPriv, <<>>, Public, Ephemeral]}
                    || {{_, Own}, {1, _, SignedPriv, _}, {_, Ephemeral}}
                           <- lists:zip3(Owners, PreKeys, Agreed)]),
    Sending = all([{dr_init, [Shared, Public, Pub, Secret, 1]}
                   || {{Shared, _}, {Pub, _}} <- lists:zip(Agreed, Owners)]),
    Receiving = all([{dr_init, [Shared, Pub, Public, Own, 0]}
                     || {Shared, {Pub, Own}} <- lists:zip(Answered, Owners)]),
    {numbered(Sending), numbered(Receiving)}.

numbered(Sessions) -> maps:from_list(lists:enumerate(Sessions)).

all(Calls) ->
    [begin {ok, Value} = Answer, Value end || Answer <- signal_port:batch(Calls)].

%% --- Printing ---

timed(Format, Args, Fun) ->
    Began = erlang:monotonic_time(microsecond),
    Result = Fun(),
    Took = (erlang:monotonic_time(microsecond) - Began) / 1000,
    say("~-66s ~8.1f ms", [io_lib:format(Format, Args), Took]),
    Result.

say(Format, Args) -> io:format(Format ++ "~n", Args).
