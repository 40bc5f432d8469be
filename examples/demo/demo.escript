#!/usr/bin/env escript
%% -*- erlang -*-
%%! -noinput
%% The main job on real input: sessions and messages that the NIF stored continue through the port.
%% Then two people meet and talk, over a network that loses, delays, repeats and forges messages. At
%% last the workers are those of a server behind a socket.
-mode(compile).

main([]) ->
    io:setopts([{encoding, unicode}]),
    persistent_term:put(?MODULE, output()),
    Here = filename:dirname(filename:absname(escript:script_name())),
    Root = filename:dirname(filename:dirname(Here)),
    code:add_pathsa(filelib:wildcard(filename:join(Root, "_build/default/lib/*/ebin"))),
    ok = logger:set_primary_config(level, warning),
    Began = now_us(),
    {ok, _} = application:ensure_all_started(signal_port),
    introduce(Began),
    continue(filename:join(Here, "messages.terms")),
    Sessions = meet(),
    Later = talk(Sessions),
    Last = send_file(filename:join(Root, "LICENSE"), Later),
    survive(Last),
    Calls = calls(),
    move(Root, Last),
    conclude(Began, Calls + calls()).

%% --- The acts ---

introduce(Began) ->
    #{backend := Backend, versions := Versions, workers := Workers} = signal_port:info(),
    #{python := Python, cryptography := Cryptography, openssl := OpenSSL} = Versions,
    say("signal_port on Erlang/OTP ~s, ~s",
        [erlang:system_info(otp_release), erlang:system_info(system_architecture)]),
    say("  backend ~s, ~b workers, ready after ~s",
        [Backend, length(Workers), ms(now_us() - Began)]),
    say("  Python ~s, cryptography ~s, ~s", [Python, Cryptography, OpenSSL]).

continue(File) ->
    heading("Sessions that the NIF stored continue here"),
    {ok, Recorded} = file:consult(File),
    Messages = [{Kind, maps:map(fun decoded/2, Fields)} || {Kind, Fields} <- Recorded],
    Received = [Fields || {received, Fields} <- Messages],
    {ReadBytes, ReadTime} = total(fun() -> [receive_recorded(R) || R <- Received] end),
    figures("  ~b messages of the NIF are read, with its stored sessions",
            [length(Received)], ReadBytes, ReadTime),
    say("     the plaintexts equal the NIF's, and so do the ~b sessions without a new key pair",
        [length([known || #{next := <<_/binary>>} <- Received])]),
    Sent = [Fields || {sent, Fields} <- Messages],
    {SentBytes, SentTime} = total(fun() -> [send_recorded(S) || S <- Sent] end),
    figures("  ~b messages are written in them, and its peers read them",
            [length(Sent)], SentBytes, SentTime).

decoded(_, {plain, Base64}) -> base64:decode(Base64);
decoded(_, {zlib, Base64}) -> zlib:uncompress(base64:decode(Base64));
decoded(next, random) -> random.

receive_recorded(#{session := Session, wire := Wire, plaintext := Plaintext, next := Next}) ->
    {ok, {Plaintext, New}} = signal_port:decrypt(Session, Wire),
    Next =:= random orelse (New = Next),
    byte_size(Wire).

send_recorded(#{session := Session, plaintext := Plaintext, peer := Peer}) ->
    {ok, {Wire, _}} = signal_port:encrypt(Session, Plaintext),
    {ok, {Plaintext, _}} = signal_port:decrypt(Peer, Wire),
    byte_size(Wire).

meet() ->
    heading("Alice meets Bob, who is offline (X3DH)"),
    {ok, {AlicePub, AliceSecret}} = signal_port:generate_identity_key_pair(),
    {ok, {BobPub, BobSecret}} = signal_port:generate_identity_key_pair(),
    {ok, {SignedId, SignedPub, SignedPriv, Signature}} =
        signal_port:generate_signed_pre_key(BobSecret, 7),
    {ok, {OneTimeId, OneTimePub, OneTimePriv}} = signal_port:generate_pre_key(42),
    Bundle = <<BobPub/binary, SignedPub/binary, Signature/binary, OneTimePub/binary>>,
    figures("  Bob    leaves a bundle: signed pre-key ~b, one-time pre-key ~b",
            [SignedId, OneTimeId], byte_size(Bundle)),
    {{ok, {Secret, Ephemeral}}, AgreeTime} =
        time(fun() -> signal_port:process_pre_key_bundle(AliceSecret, Bundle) end),
    figures("  Alice  verifies it and agrees on a secret", [], byte_size(Secret), AgreeTime),
    {ok, Alice} = signal_port:dr_init(Secret, AlicePub, BobPub, AliceSecret, 1),
    Hello = <<"Hello Bob, it is me.">>,
    {ok, {First, Alice1}} =
        signal_port:dr_encrypt_prekey(Alice, Hello, {1001, OneTimeId, SignedId, Ephemeral}),
    figures("  Alice  sends a PreKeySignalMessage", [], byte_size(First)),
    {ok, {1001, Ephemeral, AlicePub, OneTimeId, SignedId, Inner}} = signal_port:pksm_decode(First),
    {{ok, Secret}, AnswerTime} = time(fun() ->
        signal_port:process_pre_key_bundle_bob(BobSecret, SignedPriv, OneTimePriv, AlicePub,
                                               Ephemeral)
    end),
    {ok, Bob} = signal_port:dr_init(Secret, BobPub, AlicePub, BobSecret, 0),
    {ok, {Hello, Bob1}} = signal_port:decrypt(Bob, Inner),
    figures("  Bob    comes online and agrees on the same secret", [], byte_size(Secret),
            AnswerTime),
    say("  Bob    reads: ~ts", [Hello]),
    #{"Alice" => Alice1, "Bob" => Bob1}.

talk(Sessions) ->
    heading("They talk over a bad network (Double Ratchet)"),
    {[Answer], S1} = send("Bob", ["Alice! Where are you?"], Sessions),
    {_, S2} = deliver("Alice", Answer, "", S1),
    {[One, Two, Three, _Lost, Five], S3} =
        send("Alice", ["On the train.", "Two seats free.", "No, one.", "It has a window.", "Come?"],
             S2),
    {_, S4} = deliver("Bob", Five, "(the fifth comes first)", S3),
    {_, S5} = deliver("Bob", One, "(late)", S4),
    {_, S6} = deliver("Bob", Three, "(late)", S5),
    {_, S6} = deliver("Bob", Three, "(a copy)", S6),
    {_, S6} = deliver("Bob", forge(Two), "(one bit was changed)", S6),
    {[Reply], S7} = send("Bob", ["On my way. The fourth never came."], S6),
    {_, S8} = deliver("Alice", Reply, "", S7),
    {_, S9} = deliver("Bob", Two, "(late, of an old chain)", S8),
    S9.

send_file(Path, Sessions) ->
    heading("Alice sends a file in pieces, which the network shuffles"),
    {ok, Text} = file:read_file(Path),
    Pieces = pieces(Text, 512),
    {{Wires, S1}, WriteTime} =
        time(fun() -> lists:mapfoldl(fun encrypt_piece/2, Sessions, Pieces) end),
    figures("  Alice  encrypts ~s in ~b pieces, each with its own key",
            [filename:basename(Path), length(Pieces)], iolist_size(Wires), WriteTime),
    rand:seed(exsss, 1),
    Shuffled = shuffle(lists:zip(lists:seq(1, length(Wires)), Wires), 16),
    {{Read, S2}, ReadTime} = time(fun() -> lists:mapfoldl(fun decrypt_piece/2, S1, Shuffled) end),
    Text = iolist_to_binary([Piece || {_, Piece} <- lists:sort(Read)]),
    {ok, <<Hash:8/binary, _/binary>>} = signal_port:sha256(Text),
    figures("  Bob    joins them, SHA-256 ~s...", [binary:encode_hex(Hash)], byte_size(Text),
            ReadTime),
    S2.

encrypt_piece(Piece, #{"Alice" := Session} = Sessions) ->
    {ok, {Wire, New}} = signal_port:encrypt(Session, Piece),
    {Wire, Sessions#{"Alice" := New}}.

decrypt_piece({Number, Wire}, #{"Bob" := Session} = Sessions) ->
    {ok, {Piece, New}} = signal_port:decrypt(Session, Wire),
    {{Number, Piece}, Sessions#{"Bob" := New}}.

survive(#{"Alice" := Alice, "Bob" := Bob}) ->
    heading("A worker is killed in the middle"),
    #{workers := [#{os_pid := OsPid} | _]} = signal_port:info(),
    Calls = 200,
    Parent = self(),
    _ = [spawn_link(fun() ->
             {ok, {Wire, _}} = signal_port:encrypt(Alice, <<"Still there?">>),
             {ok, {<<"Still there?">>, _}} = signal_port:decrypt(Bob, Wire),
             Parent ! answered
         end) || _ <- lists:seq(1, Calls)],
    _ = os:cmd("kill -9 " ++ integer_to_list(OsPid)),
    _ = [receive answered -> ok end || _ <- lists:seq(1, Calls)],
    say("  kill -9 ~b during ~b conversations: all were answered, and the VM goes on",
        [OsPid, Calls]).

move(Root, Sessions) ->
    heading("They go on with workers behind a socket"),
    Folder = string:trim(os:cmd("mktemp -d")),
    Socket = filename:join(Folder, "demo.sock"),
    Package = filename:join(Root, "priv/python/signal_port"),
    Serve = ["-I", "-B", Package, "serve", "--socket", Socket],
    Server = open_port({spawn_executable, filename:join(Root, "priv/venv/bin/python3")},
                       [{args, Serve}, stderr_to_stdout]),
    {os_pid, OsPid} = erlang:port_info(Server, os_pid),
    receive {Server, {data, _}} -> ok end,  % it listens
    ok = application:stop(signal_port),
    ok = application:set_env(signal_port, socket, Socket),
    ok = application:start(signal_port),
    {[Wire], S1} = send("Bob", ["Is this another process?"], Sessions),
    {_, _} = deliver("Alice", Wire, "", S1),
    _ = os:cmd(io_lib:format("kill ~b; rm -r ~s", [OsPid, Folder])).

calls() ->
    #{totals := #{calls := Calls}} = signal_port:info(),
    Calls.

conclude(Began, Calls) ->
    say("~n~b calls in ~s. Loaded NIFs, OTP's crypto included: ~s.",
        [Calls, ms(now_us() - Began),
         case code:is_loaded(crypto) of false -> "none"; _ -> "crypto" end]).

%% --- A conversation, printed as it goes ---

send(Who, Texts, Sessions) ->
    lists:mapfoldl(fun(Text, #{Who := Session} = S) ->
        Plaintext = unicode:characters_to_binary(Text),
        {{ok, {Wire, New}}, Time} = time(fun() -> signal_port:encrypt(Session, Plaintext) end),
        figures("  ~-6s sends   \"~ts\"", [Who, Text], byte_size(Wire), Time),
        {Wire, S#{Who := New}}
    end, Sessions, Texts).

deliver(Who, Wire, Remark, Sessions) ->
    Session = maps:get(Who, Sessions),
    {Answer, Time} = time(fun() -> signal_port:decrypt(Session, Wire) end),
    {Result, New} = case Answer of
        {ok, {Plaintext, Next}} -> {["reads   \"", Plaintext, "\""], Sessions#{Who := Next}};
        {error, Reason} -> {["refuses it: ", atom_to_list(Reason)], Sessions}
    end,
    figures("  ~-6s ~ts  ~s", [Who, Result, Remark], byte_size(Wire), Time),
    {Answer, New}.

forge(<<Head:100/binary, Byte, Tail/binary>>) ->
    <<Head/binary, (Byte bxor 1), Tail/binary>>.

%% Delays each piece behind at most so many others.
shuffle([], _Delay) ->
    [];
shuffle(Pieces, Delay) ->
    {Near, Far} = lists:split(min(Delay, length(Pieces)), Pieces),
    [P || {_, P} <- lists:sort([{rand:uniform(), P} || P <- Near])] ++ shuffle(Far, Delay).

pieces(Text, Size) when byte_size(Text) > Size ->
    <<Piece:Size/binary, Rest/binary>> = Text,
    [Piece | pieces(Rest, Size)];
pieces(Text, _Size) ->
    [Text].

%% --- Printing ---

heading(Text) ->
    Line = lists:duplicate(string:length(Text), $-),
    case persistent_term:get(?MODULE) of
        terminal -> io:format("~n\e[1;36m~ts~n~ts\e[0m~n", [Text, Line]);
        plain -> io:format("~n~ts~n~ts~n", [Text, Line])
    end.

%% Without input, io:columns/0 knows no terminal. The port's program has our standard output.
output() ->
    Port = open_port({spawn, "test -t 1"}, [nouse_stdio, exit_status]),
    receive
        {Port, {exit_status, 0}} -> terminal;
        {Port, {exit_status, _}} -> plain
    end.

say(Format, Args) -> io:format(Format ++ "~n", Args).

%% A line with its size, and with its time if it has one, in columns.
figures(Format, Args, Bytes) ->
    say("~-66ts ~7b bytes", [io_lib:format(Format, Args), Bytes]).

figures(Format, Args, Bytes, Microseconds) ->
    say("~-66ts ~7b bytes  ~s", [io_lib:format(Format, Args), Bytes, ms(Microseconds)]).

ms(Microseconds) -> io_lib:format("~.2f ms", [Microseconds / 1000]).

total(Fun) ->
    {Sizes, Time} = time(Fun),
    {lists:sum(Sizes), Time}.

time(Fun) ->
    Began = now_us(),
    Result = Fun(),
    {Result, now_us() - Began}.

now_us() -> erlang:monotonic_time(microsecond).
