%% @private The codec: calls to bytes and bytes to answers, in msgpack, as PROTOCOL.md specifies. It
%% is pure. Only this module knows an operation's argument types. Bytes from outside never make an
%% atom: all atoms of answers are listed here.
-module(signal_port_codec).

-export([operations/0, full_name/1, types/1, is_valid/2]).
-export([request/2, batch/1, tag/1, reply/2, answer/1, notice/1]).
-export_type([request/0, type/0]).

%% The operations and the types of their arguments.
-define(OPERATIONS, #{
    sha256 => [binary],
    sha512 => [binary],
    hmac_sha256 => [binary, binary],
    generate_curve25519_keypair => [],
    generate_ed25519_keypair => [],
    sign_data => [binary, binary],
    verify_signature => [binary, binary, binary],
    ed25519_sk_to_curve25519 => [binary],
    ed25519_pk_to_curve25519 => [binary],
    aes_gcm_encrypt => [binary, binary, binary, binary, int32],
    aes_gcm_decrypt => [binary, binary, binary, binary, binary, int32],
    init => [],
    generate_identity_key_pair => [],
    generate_pre_key => [int32],
    generate_signed_pre_key => [binary, int32],
    process_pre_key_bundle => [binary, binary],
    process_pre_key_bundle_bob => [binary, binary, binary, binary, binary],
    dr_init => [binary, binary, binary, binary, int32],
    dr_encrypt => [binary, binary],
    dr_encrypt_prekey => [binary, binary, pre_key_info],
    dr_decrypt => [binary, binary],
    pksm_decode => [binary],
    create_session => [binary, binary],
    encrypt_message => [binary, binary],
    decrypt_message => [binary, binary],
    x25519 => [binary, binary],
    hkdf_sha256 => [binary, binary, binary, integer]
}).

-type request() :: iodata().  % operation and arguments: what follows the tag
-type type() :: binary | int32 | integer | pre_key_info.  % of an argument

%% @doc Returns the operations and the number of their arguments.
-spec operations() -> [{atom(), arity()}].
operations() ->
    [{Operation, length(Types)} || {Operation, Types} <- maps:to_list(?OPERATIONS)].

%% @doc Returns the name of an operation that has a short name, else the name as it is.
-spec full_name(term()) -> term().
full_name(encrypt) -> dr_encrypt;
full_name(decrypt) -> dr_decrypt;
full_name(Name) -> Name.

%% @doc Returns the types of an operation's arguments. Raises `badarg' for an unknown operation.
-spec types(term()) -> [type()].
types(Operation) ->
    case ?OPERATIONS of
        #{Operation := Types} -> Types;
        #{} -> error(badarg)
    end.

-spec is_valid(type(), Arg :: term()) -> boolean().
is_valid(Type, Arg) ->
    try argument(Type, Arg) of
        _ -> true
    catch
        error:badarg -> false
    end.

%% @doc Returns a request without its tag. Raises `badarg' for an unknown operation and for
%% arguments of a wrong number or type. The stack trace has no argument.
-spec request(atom(), [term()]) -> request().
request(Operation, Args) ->
    Types = types(Operation),  % first: atom_to_binary/1 would raise an error with its argument
    Name = atom_to_binary(Operation),
    [<<5:3, (byte_size(Name)):5, Name/binary, 9:4, (length(Types)):4>> | arguments(Types, Args)].

%% @doc Returns one request for 1 to 65535 requests. Its answer is the tuple of their answers.
-spec batch([request()]) -> request().
batch(Requests) ->
    [<<5:3, 5:5, "batch", 16#DC, (length(Requests)):16>>
     | [[<<16#92>> | Request] || Request <- Requests]].

%% @doc Returns the bytes before a request. The tag is sent modulo 2^32.
-spec tag(non_neg_integer()) -> binary().
tag(Tag) ->
    <<16#93, 16#C4, 4, Tag:32>>.

%% @doc Returns the answer, still encoded, of a reply that must carry this tag.
-spec reply(non_neg_integer(), binary()) -> {ok, binary()} | error.
reply(Tag, Frame) ->
    Tag32 = Tag band 16#FFFFFFFF,
    case Frame of
        <<16#92, 16#C4, 4, Tag32:32, Answer/binary>> -> {ok, Answer};
        _ -> error
    end.

%% @doc Returns the answer as the caller gets it.
-spec answer(binary()) -> {ok, term()} | error.
answer(Bytes) ->
    try value(Bytes) of
        {Answer, <<>>} -> {ok, Answer};
        _ -> error
    catch
        error:_ -> error
    end.

%% @doc Returns what a worker's first frame says. Versions of other components are left out.
-spec notice(binary()) ->
    {ready, Protocol :: integer(), Versions :: #{atom() => binary()}}
    | {unfit, Reason :: binary()}
    | error.
notice(Frame) ->
    case answer(Frame) of
        {ok, {<<"ready">>, Protocol, #{} = Versions}} when is_integer(Protocol) ->
            {ready, Protocol, known_versions(Versions)};
        {ok, {<<"unfit">>, Reason}} when is_binary(Reason) ->
            {unfit, Reason};
        _ ->
            error
    end.

known_versions(Versions) ->
    Known = [signal_port, python, executable, cryptography, openssl, sandbox],
    maps:from_list([{Name, maps:get(atom_to_binary(Name), Versions)}
                    || Name <- Known, is_map_key(atom_to_binary(Name), Versions)]).

%% --- Requests ---

arguments([Type | Types], [Arg | Args]) -> [argument(Type, Arg) | arguments(Types, Args)];
arguments([], []) -> [];
arguments(_, _) -> error(badarg).

%% The last clause must catch everything: the stack trace of a function_clause error would have the
%% argument, which can be a secret.
argument(binary, Arg) when is_binary(Arg) -> binary(Arg);
argument(int32, Arg) when is_integer(Arg), -16#80000000 =< Arg, Arg =< 16#7FFFFFFF -> int32(Arg);
argument(uint32, Arg) when is_integer(Arg), 0 =< Arg, Arg =< 16#FFFFFFFF -> uint32(Arg);
argument(integer, Arg) when is_integer(Arg) -> int32(max(-1, min(Arg, 16#7FFFFFFF)));  % a length
argument(pre_key_info, {RegistrationId, OneTimeId, SignedId, <<_:32/binary>> = BaseKey}) ->
    [<<16#94>>, argument(uint32, RegistrationId), argument(one_time_id, OneTimeId),
     argument(uint32, SignedId), argument(binary, BaseKey)];
argument(one_time_id, undefined) -> <<16#C7, 9, 1, "undefined">>;
argument(one_time_id, Id) -> argument(uint32, Id);
argument(_, _) -> error(badarg).

binary(Bytes) when byte_size(Bytes) < 16#100 -> [<<16#C4, (byte_size(Bytes))>>, Bytes];
binary(Bytes) when byte_size(Bytes) < 16#10000 -> [<<16#C5, (byte_size(Bytes)):16>>, Bytes];
binary(Bytes) when byte_size(Bytes) < 16#100000000 -> [<<16#C6, (byte_size(Bytes)):32>>, Bytes].

int32(Integer) -> <<16#D2, Integer:32>>.

uint32(Integer) -> <<16#CE, Integer:32>>.

%% --- Answers ---

value(<<0:1, Integer:7, Rest/binary>>) -> {Integer, Rest};
value(<<16#E:4, Integer:4, Rest/binary>>) -> {Integer - 32, Rest};
value(<<16#F:4, Integer:4, Rest/binary>>) -> {Integer - 16, Rest};
value(<<16#CC, Integer:8, Rest/binary>>) -> {Integer, Rest};
value(<<16#CD, Integer:16, Rest/binary>>) -> {Integer, Rest};
value(<<16#CE, Integer:32, Rest/binary>>) -> {Integer, Rest};
value(<<16#D0, Integer:8/signed, Rest/binary>>) -> {Integer, Rest};
value(<<16#D1, Integer:16/signed, Rest/binary>>) -> {Integer, Rest};
value(<<16#D2, Integer:32/signed, Rest/binary>>) -> {Integer, Rest};
value(<<16#C4, Size:8, Bytes:Size/binary, Rest/binary>>) -> {copy_if_sparse(Bytes), Rest};
value(<<16#C5, Size:16, Bytes:Size/binary, Rest/binary>>) -> {copy_if_sparse(Bytes), Rest};
value(<<16#C6, Size:32, Bytes:Size/binary, Rest/binary>>) -> {copy_if_sparse(Bytes), Rest};
value(<<5:3, Size:5, Text:Size/binary, Rest/binary>>) -> {Text, Rest};
value(<<16#D9, Size:8, Text:Size/binary, Rest/binary>>) -> {Text, Rest};
value(<<16#DA, Size:16, Text:Size/binary, Rest/binary>>) -> {Text, Rest};
value(<<16#D5, 1, Name:2/binary, Rest/binary>>) -> {known_atom(Name), Rest};
value(<<16#D6, 1, Name:4/binary, Rest/binary>>) -> {known_atom(Name), Rest};
value(<<16#D7, 1, Name:8/binary, Rest/binary>>) -> {known_atom(Name), Rest};
value(<<16#D8, 1, Name:16/binary, Rest/binary>>) -> {known_atom(Name), Rest};
value(<<16#C7, Size:8, 1, Name:Size/binary, Rest/binary>>) -> {known_atom(Name), Rest};
value(<<9:4, Count:4, Rest/binary>>) -> tuple(Count, Rest, []);
value(<<16#DC, Count:16, Rest/binary>>) -> tuple(Count, Rest, []);
value(<<8:4, Count:4, Rest/binary>>) -> map(Count, Rest, #{}).

tuple(0, Rest, Values) ->
    {list_to_tuple(lists:reverse(Values)), Rest};
tuple(Count, Bytes, Values) ->
    {Value, Rest} = value(Bytes),
    tuple(Count - 1, Rest, [Value | Values]).

map(0, Rest, Map) ->
    {Map, Rest};
map(Count, Bytes, Map) ->
    {Key, Bytes1} = value(Bytes),
    {Value, Rest} = value(Bytes1),
    map(Count - 1, Rest, Map#{Key => Value}).

%% A small part of a reply must not keep the whole reply in memory.
copy_if_sparse(Bytes) ->
    case binary:referenced_byte_size(Bytes) > 2 * byte_size(Bytes) of
        true -> binary:copy(Bytes);
        false -> Bytes
    end.

known_atom(<<"ok">>) -> ok;
known_atom(<<"error">>) -> error;
known_atom(<<"undefined">>) -> undefined;
known_atom(<<"invalid_private_key">>) -> invalid_private_key;
known_atom(<<"invalid_public_key">>) -> invalid_public_key;
known_atom(<<"invalid_signature">>) -> invalid_signature;
known_atom(<<"invalid_secret_key_size">>) -> invalid_secret_key_size;
known_atom(<<"invalid_public_key_size">>) -> invalid_public_key_size;
known_atom(<<"conversion_failed">>) -> conversion_failed;
known_atom(<<"invalid_parameters">>) -> invalid_parameters;
known_atom(<<"decryption_failed">>) -> decryption_failed;
known_atom(<<"signing_failed">>) -> signing_failed;
known_atom(<<"signature_failed">>) -> signature_failed;
known_atom(<<"invalid_identity_key_size">>) -> invalid_identity_key_size;
known_atom(<<"invalid_local_identity_key_size">>) -> invalid_local_identity_key_size;
known_atom(<<"invalid_bundle_size">>) -> invalid_bundle_size;
known_atom(<<"signature_verification_failed">>) -> signature_verification_failed;
known_atom(<<"identity_pub_conversion_failed">>) -> identity_pub_conversion_failed;
known_atom(<<"dh1_calculation_failed">>) -> dh1_calculation_failed;
known_atom(<<"dh2_calculation_failed">>) -> dh2_calculation_failed;
known_atom(<<"dh3_calculation_failed">>) -> dh3_calculation_failed;
known_atom(<<"dh4_calculation_failed">>) -> dh4_calculation_failed;
known_atom(<<"invalid_identity_priv_size">>) -> invalid_identity_priv_size;
known_atom(<<"invalid_signed_pre_key_priv_size">>) -> invalid_signed_pre_key_priv_size;
known_atom(<<"invalid_one_time_pre_key_priv_size">>) -> invalid_one_time_pre_key_priv_size;
known_atom(<<"invalid_remote_identity_pub_size">>) -> invalid_remote_identity_pub_size;
known_atom(<<"invalid_remote_ephemeral_pub_size">>) -> invalid_remote_ephemeral_pub_size;
known_atom(<<"invalid_shared_secret_size">>) -> invalid_shared_secret_size;
known_atom(<<"invalid_identity_pub_size">>) -> invalid_identity_pub_size;
known_atom(<<"invalid_self_priv_size">>) -> invalid_self_priv_size;
known_atom(<<"dh_failed">>) -> dh_failed;
known_atom(<<"dh_ratchet_failed">>) -> dh_ratchet_failed;
known_atom(<<"invalid_session_size">>) -> invalid_session_size;
known_atom(<<"invalid_session">>) -> invalid_session;
known_atom(<<"session_not_initialized">>) -> session_not_initialized;
known_atom(<<"must_receive_first">>) -> must_receive_first;
known_atom(<<"message_too_short">>) -> message_too_short;
known_atom(<<"unsupported_version">>) -> unsupported_version;
known_atom(<<"malformed_message">>) -> malformed_message;
known_atom(<<"bad_mac">>) -> bad_mac;
known_atom(<<"too_many_skipped">>) -> too_many_skipped;
known_atom(<<"invalid_key_sizes">>) -> invalid_key_sizes;
known_atom(<<"key_agreement_failed">>) -> key_agreement_failed;
known_atom(<<"invalid_message">>) -> invalid_message;
known_atom(<<"invalid_length">>) -> invalid_length;
known_atom(<<"too_large">>) -> too_large.
