%% The engines that are measured side by side. This module knows how to start each and how to make a
%% call with it. It knows no case and computes nothing.
%%
%% `port': the application over the port. `nif': the NIF. `crypto': OTP's NIF. `echo': a C program
%% that echoes a frame of 64 bytes. `echo_as_long': the same program echoes the whole request, for
%% operations whose reply is as long. `erlport': another bridge to Python. `python': the operation
%% alone, timed inside Python. `socket' and `tls': the application in a VM of its own, with workers
%% behind a Unix socket, and behind a proxy with TLS. `node': in a VM of its own without workers,
%% whose calls another VM answers.
-module(signal_port_bench_engines).

-export([start/1, names/1, can/3, call/4, sample/5, in_place/4, start_application/1]).
-export_type([engines/0, name/0]).

-type name() :: port | nif | crypto | echo | echo_as_long | erlport | python | socket | tls
              | node.
-type engines() :: #{name() => term()}.

-define(CLEAR_TEXT, [{distribution, clear_text}]).
-define(WARM_UP_CALLS, 5).
-define(CHILD_VM_TIMEOUT, 600_000). % milliseconds

%% @doc Starts every engine that this machine has. The application runs over the port. A NIF is used
%% only if a child VM found it healthy.
-spec start(#{echo | python | nif | erlport | socket | tls => string()}) -> engines().
start(Paths) ->
    ok = start_application([]),
    Others = [nif, crypto, echo, echo_as_long, erlport, python, socket, tls, node],
    maps:from_list([{port, ready} | [{Name, Engine} || Name <- Others,
                                                       Engine <- start(Name, Paths)]]).

%% @doc Starts the application over the port, with these options.
-spec start_application([{atom(), term()}]) -> ok.
start_application(Options) ->
    logger:set_primary_config(level, error),
    [application:set_env(signal_port, Name, Value) || {Name, Value} <- [{backend, port} | Options]],
    {ok, _} = application:ensure_all_started(signal_port),
    ok.

%% A list of one engine, or an empty one.
start(nif, Paths) ->
    _ = code:add_pathsa([Ebin || #{nif := Ebin} <- [Paths]]),
    {ok, Config} = signal_port_config:check([{backend, nif}]),
    case signal_port_backend:choose(Config) of
        {ok, {nif, _}, Operations} ->
            [maps:from_list(Operations)];
        {error, Sentence} ->
            is_map_key(nif, Paths) andalso io:format(standard_error, "~ts~n", [Sentence]),
            []
    end;
start(crypto, _Paths) ->
    case signal_port_child_vm:run(signal_port_probe, crypto, [], ?CHILD_VM_TIMEOUT) of
        {returned, {passed, _}} -> [ready];
        _ -> []
    end;
start(Echo, #{echo := Program}) when Echo =:= echo; Echo =:= echo_as_long ->
    [Program];
start(erlport, #{erlport := Folder, python := Python}) ->
    case code:add_patha(filename:join(Folder, "ebin")) of
        true ->
            {ok, Instance} = python:start([{python, Python}, {python_path, "bench"}]),
            [Instance];
        {error, bad_directory} ->
            io:format(standard_error, "erlport is not measured: ERLPORT=~ts has no folder ebin. "
                      "Give erlport's own folder.~n", [Folder]),
            []
    end;
start(python, #{python := Python}) ->
    [spawn_link(fun() -> serve_port(Python, ["bench/own_time.py"]) end)];
start(node, _Paths) ->
    {_, Server} = start_vm(as_node(signal_port_bench_serves), [{serve_nodes, true} | ?CLEAR_TEXT]),
    {Thin, _} = start_vm(as_node(signal_port_bench_thin),
                         [{use_nodes, fallback}, {pool_size, 0} | ?CLEAR_TEXT]),
    true = peer:call(Thin, net_kernel, connect_node, [Server]),
    [{peer, Thin}];
start(Channel, Paths) when is_map_key(Channel, Paths) ->
    {Peer, _} = start_vm(#{}, [{socket, map_get(Channel, Paths)}]),
    [{peer, Peer}];
start(_, _Paths) ->
    [].

start_vm(How, Options) ->
    Path = lists:append([["-pa", Folder] || Folder <- code:get_path(), Folder =/= "."]),
    {ok, Peer, Node} = peer:start_link(How#{connection => standard_io,
                                            args => maps:get(args, How, []) ++ Path}),
    ok = peer:call(Peer, ?MODULE, start_application, [Options], ?CHILD_VM_TIMEOUT),
    {Peer, Node}.

as_node(Name) ->
    #{name => Name, host => "127.0.0.1", longnames => true,
      args => ["-setcookie", "bench", "-kernel", "inet_dist_use_interface", "{127,0,0,1}"]}.

%% @doc Applies a function of an engine where the engine is: here, or in its own VM, where it is the
%% port. The function's first two arguments are the name and the engines.
-spec in_place(name(), engines(), {module(), atom()}, [term()]) -> term().
in_place(Name, Engines, {Module, Function}, Args) ->
    case Engines of
        #{Name := {peer, Peer}} ->
            peer:call(Peer, Module, Function, [port, #{port => ready} | Args], infinity);
        _ ->
            apply(Module, Function, [Name, Engines | Args])
    end.

%% @doc Returns the names of the engines that were started.
-spec names(engines()) -> [name()].
names(Engines) ->
    maps:keys(Engines).

%% @doc Returns whether an engine has an operation.
-spec can(name(), atom(), engines()) -> boolean().
can(nif, Operation, #{nif := Operations}) ->
    is_map_key(Operation, Operations);
can(crypto, Operation, _) ->
    lists:member(Operation, [sha256, sha512, hmac_sha256, x25519, sign_data, verify_signature,
                             generate_curve25519_keypair, generate_ed25519_keypair,
                             aes_gcm_encrypt, aes_gcm_decrypt]);
can(erlport, Operation, _) ->
    lists:member(Operation, [sha256, sha512, hmac_sha256, sign_data, aes_gcm_encrypt]);
can(echo_as_long, Operation, _) ->
    lists:member(Operation, [aes_gcm_encrypt, aes_gcm_decrypt, encrypt_message, decrypt_message,
                             dr_encrypt, dr_decrypt]);
can(Channel, Operation, _) when Channel =:= socket; Channel =:= tls; Channel =:= node ->
    lists:member(Operation, [sha256, dr_encrypt]);
can(_, _, _) ->
    true.

%% @doc Makes a call as a caller does. Only for engines that many callers can share.
-spec call(port | nif | crypto | erlport, engines(), atom(), [term()]) -> term().
call(port, _, Operation, Args) ->
    apply(signal_port, Operation, Args);
call(nif, #{nif := Operations}, Operation, Args) ->
    apply(map_get(Operation, Operations), Operation, Args);
call(crypto, _, Operation, Args) ->
    in_crypto(Operation, Args);
call(erlport, #{erlport := Instance}, Operation, Args) ->
    python:call(Instance, in_erlport, Operation, Args).

%% @doc Returns the nanoseconds that each of so many calls took. It runs in a process of its own:
%% no sample pays for the memory of earlier ones.
-spec sample(name(), engines(), atom(), [term()], pos_integer()) -> [pos_integer()].
sample(Name, Engines, Operation, Args, Count) ->
    {Pid, Monitor} = spawn_monitor(fun() ->
        exit({times, times(Name, Engines, Operation, Args, Count)})
    end),
    receive {'DOWN', Monitor, process, Pid, {times, Times}} -> Times end.

times(python, #{python := Server}, Operation, Args, Count) ->
    Request = [signal_port_codec:tag(Count) | signal_port_codec:request(Operation, Args)],
    Server ! {request, self(), Request},
    receive {Server, Times} -> [Time || <<Time:64>> <= Times] end;
times(echo, #{echo := Program}, _, _, Count) ->
    times_of_echo(Program, binary:copy(<<0>>, 64), Count);
times(echo_as_long, #{echo_as_long := Program}, Operation, Args, Count) ->
    times_of_echo(Program, signal_port_codec:request(Operation, Args), Count);
times(Name, Engines, Operation, Args, Count) ->
    times(fun() -> call(Name, Engines, Operation, Args) end, Count).

times_of_echo(Program, Frame, Count) ->
    Port = open_port({spawn_executable, Program}, [{packet, 4}, binary, use_stdio]),
    Call = fun() -> port_command(Port, Frame), receive {Port, {data, _}} -> ok end end,
    Call(),  % returns once the program has started
    times(Call, Count).

%% A single call gets no warm-up: its arguments might have to be new to the worker.
times(Call, Count) ->
    _ = [Call() || Count > 1, _ <- lists:seq(1, min(Count, ?WARM_UP_CALLS))],
    [time(Call) || _ <- lists:seq(1, Count)].

time(Call) ->
    Begin = erlang:monotonic_time(),
    Call(),
    erlang:convert_time_unit(erlang:monotonic_time() - Begin, native, nanosecond).

%% Owns a port and serves one request after the other.
serve_port(Program, Args) ->
    Options = [{packet, 4}, binary, use_stdio, exit_status, {args, Args}],
    serve_port(open_port({spawn_executable, Program}, Options)).

serve_port(Port) ->
    receive
        {request, From, Frame} ->
            port_command(Port, Frame),
            receive
                {Port, {data, Reply}} -> From ! {self(), Reply};
                {Port, {exit_status, Status}} -> exit({ended, Status})
            end
    end,
    serve_port(Port).

in_crypto(sha256, [Data]) -> crypto:hash(sha256, Data);
in_crypto(sha512, [Data]) -> crypto:hash(sha512, Data);
in_crypto(hmac_sha256, [Key, Data]) -> crypto:mac(hmac, sha256, Key, Data);
in_crypto(x25519, [Private, Public]) -> crypto:compute_key(ecdh, Public, Private, x25519);
in_crypto(sign_data, [<<Seed:32/binary, _/binary>>, Data]) ->
    crypto:sign(eddsa, none, Data, [Seed, ed25519]);
in_crypto(verify_signature, [Public, Data, Signature]) ->
    crypto:verify(eddsa, none, Data, Signature, [Public, ed25519]);
in_crypto(generate_curve25519_keypair, []) -> crypto:generate_key(ecdh, x25519);
in_crypto(generate_ed25519_keypair, []) -> crypto:generate_key(eddsa, ed25519);
in_crypto(aes_gcm_encrypt, [Key, Iv, Plaintext, Aad, 16]) ->
    crypto:crypto_one_time_aead(aes_256_gcm, Key, Iv, Plaintext, Aad, 16, true);
in_crypto(aes_gcm_decrypt, [Key, Iv, Ciphertext, Aad, Tag, _]) ->
    crypto:crypto_one_time_aead(aes_256_gcm, Key, Iv, Ciphertext, Aad, Tag, false).
