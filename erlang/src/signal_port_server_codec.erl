%% @private The other half of signal_port_codec, for a node that answers calls of other nodes: bytes
%% to calls, and answers to bytes. It is pure, and nothing in it makes an atom.
%%
%% A request from another node is checked here as if nobody had checked it before: its operation is
%% one of the table, and its arguments have the operation's number and types. After that its bytes
%% are fit for a worker.
-module(signal_port_server_codec).

-export([new/0, calls/2, answer/1]).
-export_type([table/0, request/0]).

-define(MAX_BATCH, 1024).  % calls; the limit of PROTOCOL.md

-opaque table() :: #{Name :: binary() => {Operation :: atom(), [signal_port_codec:type()]}}.
-type call() :: {Operation :: atom(), Args :: [term()]}.
-type request() :: call() | {batch, [call()]}.

%% @doc Returns the table of operations, by name.
-spec new() -> table().
new() ->
    maps:from_list([{atom_to_binary(Operation), {Operation, signal_port_codec:types(Operation)}}
                    || {Operation, _Arity} <- signal_port_codec:operations()]).

%% @doc Returns the call or the calls of a request, or `error' if this is no valid request.
-spec calls(term(), table()) -> request() | error.
calls(Request, Table) when is_binary(Request) ->
    try request(Request, Table) of
        {Calls, <<>>} -> Calls;
        _ -> error
    catch
        error:_ -> error
    end;
calls(_, _) ->
    error.

request(<<5:3, 5:5, "batch", 16#DC, Count:16, Rest/binary>>, Table)
  when 1 =< Count, Count =< ?MAX_BATCH ->
    {Calls, End} = batch(Count, Rest, Table),
    {{batch, Calls}, End};
request(Request, Table) ->
    call(Request, Table).

batch(0, End, _Table) ->
    {[], End};
batch(Count, <<16#92, Bytes/binary>>, Table) ->
    {Call, Rest} = call(Bytes, Table),
    {Calls, End} = batch(Count - 1, Rest, Table),
    {[Call | Calls], End}.

call(<<5:3, Size:5, Name:Size/binary, 9:4, Count:4, Bytes/binary>>, Table) ->
    {Operation, Types} = maps:get(Name, Table),
    Count = length(Types),
    {Args, Rest} = arguments(Types, Bytes),
    {{Operation, Args}, Rest}.

arguments([], Rest) ->
    {[], Rest};
arguments([Type | Types], Bytes) ->
    {Arg, Rest} = argument(Type, Bytes),
    {Args, End} = arguments(Types, Rest),
    {[Arg | Args], End}.

argument(binary, <<16#C4, Size:8, Arg:Size/binary, Rest/binary>>) -> {Arg, Rest};
argument(binary, <<16#C5, Size:16, Arg:Size/binary, Rest/binary>>) -> {Arg, Rest};
argument(binary, <<16#C6, Size:32, Arg:Size/binary, Rest/binary>>) -> {Arg, Rest};
argument(int32, <<16#D2, Arg:32/signed, Rest/binary>>) -> {Arg, Rest};
argument(integer, <<16#D2, Arg:32/signed, Rest/binary>>) -> {Arg, Rest};
argument(uint32, <<16#CE, Arg:32, Rest/binary>>) -> {Arg, Rest};
argument(pre_key_info, <<16#94, Bytes/binary>>) ->
    {[_, _, _, <<_:32/binary>>] = Parts, Rest} =
        arguments([uint32, one_time_id, uint32, binary], Bytes),
    {list_to_tuple(Parts), Rest};
argument(one_time_id, <<16#C7, 9, 1, "undefined", Rest/binary>>) -> {undefined, Rest};
argument(one_time_id, Bytes) -> argument(uint32, Bytes).

%% @doc Returns the bytes of an answer, as a worker would send them. Raises an error for a term that
%% is no answer of an operation.
-spec answer(term()) -> binary().
answer(Answer) ->
    iolist_to_binary(value(Answer)).

value(Atom) when is_atom(Atom) ->
    Name = atom_to_binary(Atom),
    [16#C7, byte_size(Name), 1, Name];
value(Bytes) when is_binary(Bytes) ->
    [<<16#C6, (byte_size(Bytes)):32>>, Bytes];
value(Integer) when is_integer(Integer), 0 =< Integer, Integer =< 16#FFFFFFFF ->
    <<16#CE, Integer:32>>;
value(Integer) when is_integer(Integer), -16#80000000 =< Integer, Integer < 0 ->
    <<16#D2, Integer:32>>;
value(Tuple) when is_tuple(Tuple), tuple_size(Tuple) =< 16#FFFF ->
    [<<16#DC, (tuple_size(Tuple)):16>> | lists:map(fun value/1, tuple_to_list(Tuple))];
value(_) ->
    error(badarg).  % a function_clause error would have the answer, which can be a secret
