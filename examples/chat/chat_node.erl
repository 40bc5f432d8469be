%% @doc One side of a conversation that survives its VM. Its whole state is one object of a DETS
%% table, so that each step is one write, done completely or not at all. DETS stands for your
%% database; take one that survives a loss of power, too.
%%
%% The order of the steps is what you should copy:
%% <ul>
%% <li>Writing: encrypt, store the new session with the message, then send the message. If you
%%     send it first, and the VM crashes, the old session encrypts another text with the same
%%     key.</li>
%% <li>Reading: decrypt, store the new session with the text, then acknowledge the message. If you
%%     acknowledge it first, and the VM crashes, it is lost: its sender does not send it again.</li>
%% <li>Resending: send an unacknowledged message as it is stored. Never encrypt it again.</li>
%% </ul>
-module(chat_node).
-behaviour(gen_server).

-export([start/1, publish/0, meet/1, write/1, read/1, acknowledged/1, outbox/0, texts/0]).
-export([init/1, handle_call/3, handle_cast/2, format_status/1]).

-type message() :: {first | later, signal_port:message()}.
-type published() :: {signal_port:bundle(), SignedId :: pos_integer(), OneTimeId :: pos_integer()}.

%% @doc Starts from what the folder has, or with a new identity. The folder is secret: it has keys
%% and texts.
-spec start(file:filename()) -> {ok, pid()}.
start(Folder) ->
    {ok, _} = application:ensure_all_started(signal_port),
    gen_server:start({local, ?MODULE}, ?MODULE, Folder, []).

%% @doc Makes pre-keys, and returns what others need to write first.
-spec publish() -> published().
publish() -> call(publish).

%% @doc Begins a session with the owner of this.
-spec meet(published()) -> ok.
meet(Published) -> call({meet, Published}).

%% @doc Returns the message to send. It is stored, and stays in the outbox until it is acknowledged.
-spec write(binary()) -> {ok, message()} | {error, atom()}.
write(Text) -> call({write, Text}).

%% @doc Reads a message. Acknowledge it after both `read' and `duplicate': it is stored.
-spec read(message()) -> {read, Text :: binary()} | duplicate | {error, atom()}.
read(Message) -> call({read, Message}).

%% @doc Removes a message from the outbox.
-spec acknowledged(message()) -> ok.
acknowledged(Message) -> call({acknowledged, Message}).

%% @doc Returns the messages that are not acknowledged, in the order of writing.
-spec outbox() -> [message()].
outbox() -> call(outbox).

%% @doc Returns all texts, in the order of reading.
-spec texts() -> [binary()].
texts() -> call(texts).

call(Request) -> gen_server:call(?MODULE, Request, infinity).

%% --- Steps: each is computed, then stored, then answered ---

-spec init(file:filename()) -> {ok, map()}.
init(Folder) ->
    process_flag(sensitive, true),
    {ok, ?MODULE} = dets:open_file(?MODULE, [{file, filename:join(Folder, "chat.dets")}]),
    case dets:lookup(?MODULE, me) of
        [{me, Me}] -> {ok, Me};
        [] -> {ok, newcomer()}
    end.

newcomer() ->
    {ok, {Public, Secret}} = signal_port:generate_identity_key_pair(),
    stored(#{public => Public, secret => Secret, pre_keys => #{}, session => none, base_key => none,
             first => none, outbox => [], seen => [], texts => []}).

%% Each object replaces the last; dets:sync/1 returns when the file has it.
stored(Me) ->
    ok = dets:insert(?MODULE, {me, Me}),
    ok = dets:sync(?MODULE),
    Me.

-spec handle_call(term(), gen_server:from(), map()) -> {reply, term(), map()}.
handle_call(publish, _From, #{public := Public, secret := Secret} = Me) ->
    {ok, {1, SignedPub, SignedPriv, Signature}} = signal_port:generate_signed_pre_key(Secret, 1),
    {ok, {1, OneTimePub, OneTimePriv}} = signal_port:generate_pre_key(1),
    Bundle = <<Public/binary, SignedPub/binary, Signature/binary, OneTimePub/binary>>,
    PreKeys = #{{signed, 1} => SignedPriv, {one_time, 1} => OneTimePriv},
    {reply, {Bundle, 1, 1}, stored(Me#{pre_keys := PreKeys})};
handle_call({meet, {<<Peer:32/binary, _/binary>> = Bundle, SignedId, OneTimeId}}, _From, Me) ->
    #{public := Public, secret := Secret} = Me,
    {ok, {Shared, Ephemeral}} = signal_port:process_pre_key_bundle(Secret, Bundle),
    {ok, Session} = signal_port:dr_init(Shared, Public, Peer, Secret, 1),
    PreKeyInfo = {1001, OneTimeId, SignedId, Ephemeral},
    {reply, ok, stored(Me#{session := Session, first := PreKeyInfo})};
handle_call({write, Text}, _From, #{outbox := Outbox} = Me) ->
    case encrypt(Me, Text) of
        {ok, Message, Session} ->
            {reply, {ok, Message}, stored(Me#{session := Session, outbox := Outbox ++ [Message]})};
        {error, _} = Error -> {reply, Error, Me}
    end;
handle_call({read, {_, Wire} = Message}, _From, #{seen := Seen} = Me) ->
    {ok, Digest} = signal_port:sha256(Wire),
    case lists:member(Digest, Seen) orelse decrypt(Me, Message) of
        true -> {reply, duplicate, Me};
        {ok, Text, #{texts := Texts} = New} ->
            Read = New#{seen := [Digest | Seen], texts := Texts ++ [Text]},
            {reply, {read, Text}, stored(Read)};
        {error, _} = Error -> {reply, Error, Me}
    end;
handle_call({acknowledged, Message}, _From, #{outbox := Outbox} = Me) ->
    {reply, ok, stored(Me#{outbox := lists:delete(Message, Outbox)})};
handle_call(Field, _From, Me) when Field =:= outbox; Field =:= texts ->
    {reply, maps:get(Field, Me), Me}.

-spec handle_cast(term(), map()) -> {noreply, map()}.
handle_cast(_, Me) ->
    {noreply, Me}.

%% Keeps keys and texts out of crash reports.
-spec format_status(gen_server:format_status()) -> gen_server:format_status().
format_status(Status) ->
    maps:map(fun(log, _) -> [];
                (reason, Reason) -> Reason;
                (_, _) -> hidden
             end, Status).

%% --- The session ---

%% Every message has the keys for X3DH until the other side answers: any of them can arrive first.
encrypt(#{session := none}, _Text) ->
    {error, not_met};
encrypt(#{session := Session, first := none}, Text) ->
    message(later, signal_port:encrypt(Session, Text));
encrypt(#{session := Session, first := PreKeyInfo}, Text) ->
    message(first, signal_port:dr_encrypt_prekey(Session, Text, PreKeyInfo)).

message(Kind, {ok, {Wire, Session}}) -> {ok, {Kind, Wire}, Session};
message(_Kind, {error, _} = Error) -> Error.

decrypt(#{session := none}, {later, _}) ->
    {error, not_met};
decrypt(#{session := Session} = Me, {later, Wire}) ->
    case signal_port:decrypt(Session, Wire) of
        {ok, {Text, New}} -> {ok, Text, Me#{session := New, first := none}};
        {error, _} = Error -> Error
    end;
decrypt(#{base_key := Known, session := Session} = Me, {first, PreKeyWire}) ->
    case signal_port:pksm_decode(PreKeyWire) of
        {ok, {_, Known, _, _, _, Wire}} -> decrypt(Me, {later, Wire});
        {ok, Keys} when Session =:= none -> answer_first(Me, Keys);
        {ok, _} -> {error, met_another};
        {error, _} = Error -> Error
    end.

%% The one-time pre-key is deleted when the result is stored, and not before. Only people can
%% compare whether the identity is the right one.
answer_first(#{public := Public, secret := Secret, pre_keys := PreKeys} = Me,
             {_, BaseKey, Identity, OneTimeId, SignedId, Wire}) ->
    case PreKeys of
        #{{signed, SignedId} := Signed, {one_time, OneTimeId} := OneTime} ->
            {ok, Shared} = signal_port:process_pre_key_bundle_bob(Secret, Signed, OneTime, Identity,
                                                                  BaseKey),
            {ok, Session} = signal_port:dr_init(Shared, Public, Identity, Secret, 0),
            Left = maps:remove({one_time, OneTimeId}, PreKeys),
            Met = Me#{session := Session, base_key := BaseKey, pre_keys := Left},
            decrypt(Met, {later, Wire});
        #{} -> {error, unknown_pre_key}
    end.
