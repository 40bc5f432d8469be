%% The search for planted secrets: a case gets secrets and a log handler that keeps all events. At
%% its end nothing printed has a part of a secret.
-module(signal_port_search).

-export([set_up/1, clean_up/1, log/2, record/2]).
-export([secrets/1, calls/1, finds_nothing/1, finds_nothing/2, finds_nothing_in_text/2]).
-export([finds/2, printed/1, crashed/1]).

-define(WINDOW, 8).  % bytes; a shorter part of a secret can be there by chance

%% @doc Makes the secrets of a case: a secret key, a session and a plaintext.
-spec set_up([{atom(), term()}]) -> [{atom(), term()}].
set_up(Config) ->
    ok = signal_port_stage:start([{pool_size, 1}]),
    {ok, {_, Secret}} = signal_port:generate_identity_key_pair(),
    {Session, _} = signal_port_parties:hello(),
    signal_port_stage:stop(),
    Level = maps:get(level, logger:get_primary_config()),
    Table = ets:new(?MODULE, [public, ordered_set]),
    ok = logger:set_primary_config(level, all),
    ok = logger:add_handler(?MODULE, ?MODULE, #{level => all, config => Table}),
    [{secret, Secret}, {session, Session}, {plain, rand:bytes(64)}, {level, Level}, {table, Table}
     | Config].

-spec clean_up([{atom(), term()}]) -> ok.
clean_up(Config) ->
    ok = logger:remove_handler(?MODULE),
    ok = logger:set_primary_config(level, proplists:get_value(level, Config)),
    signal_port_stage:stop().

%% The log handler keeps each event as a shell prints it and as the default formatter does.
log(Event, #{config := Table}) ->
    record(Table, [printed(Event), logger_formatter:format(Event, #{})]).

%% @doc Adds a text to what is searched.
record(Table, Text) ->
    Row = {erlang:unique_integer([monotonic]), unicode:characters_to_binary(Text)},
    true = ets:insert(Table, Row),
    ok.

%% --- Secrets and calls that have them ---

secrets(Config) ->
    [proplists:get_value(Name, Config) || Name <- [secret, session, plain]].

calls(Config) ->
    [Secret, Session, Plain] = secrets(Config),
    [{sign_data, [Secret, Plain]}, {encrypt, [Session, Plain]}, {decrypt, [Session, Plain]},
     {hmac_sha256, [Secret, Plain]}, {aes_gcm_encrypt, [Secret, Plain, Plain, Plain, 16]}].

%% @doc Runs a function in a process that must crash.
crashed(Fun) ->
    Pid = proc_lib:spawn(Fun),
    Monitor = monitor(process, Pid),
    receive
        {'DOWN', Monitor, process, Pid, Reason} when Reason =/= normal, Reason =/= noproc -> ok
    end.

%% --- The search ---

%% @doc Stops the application, and searches all that was logged. There must be a log.
finds_nothing(Config) ->
    signal_port_stage:stop(),
    Table = proplists:get_value(table, Config),
    true = ets:info(Table, size) > 0,
    finds_nothing_in_text(Config, iolist_to_binary([Text || {_, Text} <- ets:tab2list(Table)])).

%% @doc Searches a term, as a shell prints it.
finds_nothing(Config, Term) ->
    finds_nothing_in_text(Config, unicode:characters_to_binary(printed(Term))).

finds_nothing_in_text(Config, Text) ->
    [] = [Name || Name <- [secret, session, plain],
                  finds(proplists:get_value(Name, Config), Text)],
    ok.

printed(Term) ->
    io_lib:format("~p~n~0p~n", [Term, Term]).

%% @doc Returns whether a text has a part of the bytes: raw, as a list of numbers, in hexadecimal or
%% in base 64.
finds(Bytes, Text) ->
    Raw = iolist_to_binary(Text),
    Narrow = binary:replace(Raw, [<<"\n">>, <<" ">>], <<>>, [global]),
    Base64 = base64:encode(binary:part(Bytes, 0, 24)),
    has(Narrow, Base64)
        orelse lists:any(fun(Part) -> has(Raw, Part) orelse has_digits(Narrow, Part) end,
                         parts(Bytes)).

has_digits(Narrow, Part) ->
    Hex = binary:encode_hex(Part),
    lists:any(fun(Digits) -> has(Narrow, Digits) end,
              [numbers(Part), Hex, string:lowercase(Hex)]).

has(Text, Part) ->
    binary:match(Text, Part) =/= nomatch.

%% Parts with few different bytes, such as the zeros of a new session, are no secret.
parts(Bytes) ->
    [Part || From <- lists:seq(0, byte_size(Bytes) - ?WINDOW, ?WINDOW),
             Part <- [binary:part(Bytes, From, ?WINDOW)],
             length(lists:usort(binary_to_list(Part))) > 4].

numbers(Part) ->
    iolist_to_binary(lists:join(",", [integer_to_list(Byte) || <<Byte>> <= Part])).
