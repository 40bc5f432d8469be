%% Nodes that answer for each other: real VMs with OTP's distribution. A thin node has no Python and
%% no worker. What happens to its calls while other nodes are killed, stopped, cut off and replaced.
-module(signal_port_nodes_SUITE).
-compile([export_all, nowarn_export_all]).

-define(THIN, [{use_nodes, fallback}, {pool_size, 0}, {python, "/nowhere/python3"}]).
-define(SERVER, [{serve_nodes, true}, {backend, port}, {pool_size, 2}]).
-define(CALLERS, 24).
-define(DIGEST, <<16#BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD:256>>).

all() ->
    [{group, answers}, {group, placement}, {group, loss}, {group, membership}, {group, tls},
     {group, off}].

groups() ->
    [{answers, [recorded_calls_return_what_the_nif_returned, wrong_type_is_badarg,
                call_over_node_max_frame_is_too_large, batch_is_answered, request_is_answered,
                many_callers_get_their_own_answers, nif_stays_unloaded,
                info_shows_the_node, stop_event_names_the_node, doctor_calls_each_node]},
     {placement, [local_worker_comes_first, lost_local_workers_use_the_node,
                  full_local_workers_overflow, full_local_workers_wait_without_overflow,
                  large_call_waits_for_a_local_worker, nif_of_a_node_answers,
                  worker_of_a_node_answers_what_its_nif_lacks]},
     {loss, [killed_node_loses_no_call, stopped_node_is_left_after_stall_timeout,
             cut_network_loses_no_call, restarted_gateway_loses_no_call,
             killed_session_loses_no_call, killed_workers_of_a_node_lose_no_call,
             stopped_application_loses_no_call, node_that_comes_back_is_used,
             deadly_call_is_tried_three_times]},
     {membership, [node_that_does_not_serve_is_not_used, call_waits_for_the_first_node,
                   call_without_node_is_unavailable_after_start_timeout,
                   node_of_another_protocol_is_left_out, node_without_an_operation_is_left_out,
                   node_that_sends_garbage_is_left, silent_gateway_is_no_node]},
     {tls, [tls_distribution_needs_no_option, node_without_certificate_is_not_connected]},
     {off, [node_without_the_options_has_no_process_more, clear_text_is_refused]}].

init_per_suite(Config) ->
    [{epmd, signal_port_cluster:start_epmd()} | Config].

end_per_suite(Config) ->
    signal_port_cluster:stop_epmd(proplists:get_value(epmd, Config)).

%% The groups whose cases leave the nodes as they were share them.
init_per_group(answers, Config) ->
    [Thin, Server] = Vms = [start(thin, ?THIN), start(one, ?SERVER)],
    ok = signal_port_cluster:await_nodes(Thin, [Server]),
    [{vms, Vms} | Config];
init_per_group(_, Config) ->
    Config.

end_per_group(answers, Config) ->
    stop_all(proplists:get_value(vms, Config));
end_per_group(_, _Config) ->
    ok.

init_per_testcase(_, Config) ->
    put(vms, []),
    Config.

end_per_testcase(_, _) ->
    stop_all([Vm || Vms <- [get(vms)], is_list(Vms), Vm <- Vms]).

%% --- Answers ---

recorded_calls_return_what_the_nif_returned(Config) ->
    call(thin(Config), signal_port_SUITE, recorded_calls_return_what_the_nif_returned, [Config]),
    call(thin(Config), signal_port_SUITE, recorded_encryptions_are_readable, [Config]).

wrong_type_is_badarg(Config) ->
    badarg = call(thin(Config), ?MODULE, raised, [sha256, [7]]),
    Args = [<<>>, <<>>, {1, 2, 3, <<>>}],
    badarg = call(thin(Config), ?MODULE, raised, [dr_encrypt_prekey, Args]).

call_over_node_max_frame_is_too_large(Config) ->
    {error, too_large} = call(thin(Config), sha256, [<<0:(8 * 1024 * 1024)>>]),
    {ok, _} = call(thin(Config), sha256, [<<0:(8 * 1024 * 1000)>>]).

batch_is_answered(Config) ->
    Calls = [{sha256, [<<Number:32>>]} || Number <- lists:seq(1, 1000)],
    Answers = call(thin(Config), batch, [Calls]),
    Answers = call(server(Config), batch, [Calls]).

request_is_answered(Config) ->
    {reply, {ok, ?DIGEST}} = call(thin(Config), ?MODULE, requested, [sha256, [<<"abc">>]]).

many_callers_get_their_own_answers(Config) ->
    [ok] = lists:usort(call(thin(Config), signal_port_stage, in_parallel,
                            [200, fun signal_port_socket_SUITE:round_trip/1])).

nif_stays_unloaded(Config) ->
    [false = call(Vm, code, is_loaded, [Nif])
     || Vm <- proplists:get_value(vms, Config), Nif <- [crypto, ssl, socket, asn1rt_nif]].

info_shows_the_node(Config) ->
    #{node := Node} = server(Config),
    #{Node := #{state := ready, backend := port, version := <<"0.", _/binary>>, calls := Calls,
                in_flight := 0, last_reason := undefined}} =
        signal_port_cluster:peers(thin(Config)),
    {ok, _} = call(thin(Config), sha256, [<<"abc">>]),
    #{Node := #{calls := Later}} = signal_port_cluster:peers(thin(Config)),
    true = Later > Calls.

stop_event_names_the_node(Config) ->
    #{node := Node} = server(Config),
    #{worker := undefined, node := Node} = call(thin(Config), ?MODULE, stop_event, []).

%% Returns the metadata of a call. It runs in the VM of the caller.
stop_event() ->
    Self = self(),
    ok = signal_port_telemetry:start(),
    Tell = fun([_, _, Event], _, Metadata, _) -> Self ! {Event, Metadata} end,
    ok = signal_port_telemetry:attach_all(?MODULE, Tell, none),
    {ok, ?DIGEST} = signal_port:sha256(<<"abc">>),
    signal_port_telemetry:unload(),
    receive {stop, Metadata} -> Metadata end.

doctor_calls_each_node(Config) ->
    #{node := Node} = server(Config),
    #{checks := Checks, advice := Advice} = Report =
        call(thin(Config), signal_port_doctor, examine, []),
    [absent] = [Result || #{check := port, result := Result} <- Checks],
    [passed] = [Result || #{check := {node, Named}, result := Result} <- Checks, Named =:= Node],
    "Calls are answered by " ++ _ = lists:last(Advice),
    true = signal_port_doctor:is_well(Report).

%% --- Placement ---

local_worker_comes_first(_) ->
    {Mixed, Server} = pair([{use_nodes, fallback}, {backend, port}, {pool_size, 1}]),
    [{ok, ?DIGEST} = call(Mixed, sha256, [<<"abc">>]) || _ <- lists:seq(1, 20)],
    #{calls := 0} = signal_port_cluster:await(Mixed, Server, ready).

%% From then on no worker of the node's own starts.
lost_local_workers_use_the_node(Config) ->
    Switch = signal_port_stage:switch(Config),
    Python = filename:absname(signal_port_stage:stand_in("exits_while_told.py")),
    {Mixed, Server} = pair([{use_nodes, fallback}, {backend, port}, {pool_size, 1},
                            {python, Python}]),
    ok = file:write_file(Switch, <<>>),
    [#{os_pid := OsPid}] = maps:get(workers, call(Mixed, info, [])),
    signal_port_stage:kill([OsPid]),
    [{ok, ?DIGEST} = call(Mixed, sha256, [<<"abc">>]) || _ <- lists:seq(1, 20)],
    #{calls := Calls} = signal_port_cluster:await(Mixed, Server, ready),
    true = Calls > 10.

full_local_workers_overflow(_) ->
    {Mixed, Server} = pair([{use_nodes, overflow}, {backend, port}, {pool_size, 1}]),
    #{calls := 0} = signal_port_cluster:await(Mixed, Server, ready),
    ok = signal_port_cluster:start_load(Mixed, 200),
    signal_port_stage:until(fun() ->
        #{calls := Calls} = signal_port_cluster:await(Mixed, Server, ready),
        Calls > 100
    end),
    {_, _, []} = signal_port_cluster:stop_load(Mixed).

full_local_workers_wait_without_overflow(_) ->
    {Mixed, Server} = pair([{use_nodes, fallback}, {backend, port}, {pool_size, 1}]),
    ok = signal_port_cluster:start_load(Mixed, 200),
    signal_port_stage:until(fun() -> signal_port_cluster:answered(Mixed) > 2000 end),
    {_, _, []} = signal_port_cluster:stop_load(Mixed),
    #{calls := 0} = signal_port_cluster:await(Mixed, Server, ready).

%% The worker stands still, then ends. Meanwhile the call must not spin, nor go to the node.
large_call_waits_for_a_local_worker(_) ->
    {Mixed, Server} = pair([{use_nodes, fallback}, {backend, port}, {pool_size, 1}]),
    [#{os_pid := OsPid}] = maps:get(workers, call(Mixed, info, [])),
    signal_port_stage:kill([OsPid]),
    {ok, _} = call(Mixed, sha256, [<<0:(16 * 1024 * 1024)>>]),
    #{calls := 0} = signal_port_cluster:await(Mixed, Server, ready).

nif_of_a_node_answers(Config) ->
    {Thin, _Server} = with_nif(Config),
    [#{backend := nif}] = maps:values(signal_port_cluster:peers(Thin)),
    {ok, ?DIGEST} = call(Thin, sha256, [<<"abc">>]),
    {error, invalid_session_size} = call(Thin, dr_encrypt, [<<>>, <<>>]),
    {ok, {_, _, _}} = call(Thin, generate_pre_key, [-7]),
    Calls = [{sha256, [<<"abc">>]}, {dr_encrypt, [<<>>, <<>>]}],
    [{ok, ?DIGEST}, {error, invalid_session_size}] = call(Thin, batch, [Calls]).

worker_of_a_node_answers_what_its_nif_lacks(Config) ->
    {Thin, _Server} = with_nif(Config),
    {ok, <<_:32/binary>>} = call(Thin, hkdf_sha256, [<<"ikm">>, <<>>, <<>>, 32]),
    {error, invalid_key_sizes} = call(Thin, x25519, [<<>>, <<>>]).

with_nif(Config) ->
    Folder = signal_port_nifs:healthy(Config),
    true = code:del_path(Folder),
    Server = start(one, [{serve_nodes, true}, {backend, nif}], ["-pa", Folder]),
    Thin = start(thin, ?THIN),
    ok = signal_port_cluster:await_nodes(Thin, [Server]),
    {Thin, Server}.

%% --- Loss ---

killed_node_loses_no_call(_) ->
    {Thin, One, _Two} = three([]),
    under_load(Thin, fun() ->
        ok = signal_port_cluster:kill(One),
        #{last_reason := "the connection to the node was lost"} = await_not_ready(Thin, One)
    end).

stopped_node_is_left_after_stall_timeout(_) ->
    {Thin, One, _Two} = three([{stall_timeout, 500}]),
    under_load(Thin, fun() ->
        _ = signal_port_cluster:signal("STOP", One),
        #{last_reason := "the node had calls and sent no answer within stall_timeout"} =
            await_not_ready(Thin, One),
        _ = signal_port_cluster:signal("CONT", One),
        signal_port_cluster:await(Thin, One, ready)
    end).

cut_network_loses_no_call(_) ->
    {Thin, One, Two} = three([]),
    under_load(Thin, fun() ->
        [begin
             _ = signal_port_cluster:cut(Thin, Vm),
             _ = await_not_ready(Thin, Vm),
             signal_port_cluster:connect(Thin, Vm),
             signal_port_cluster:await(Thin, Vm, ready)
         end || Vm <- [One, Two, One]]
    end).

restarted_gateway_loses_no_call(_) ->
    ends_on_the_server(signal_port_gateway).

killed_session_loses_no_call(_) ->
    ends_on_the_server(signal_port_session_sup).

ends_on_the_server(Name) ->
    {Thin, One, _Two} = three([]),
    under_load(Thin, fun() ->
        Pid = call(One, erlang, whereis, [Name]),
        true = call(One, erlang, exit, [Pid, kill]),
        signal_port_stage:until(fun() ->
            #{last_reason := Reason} = signal_port_cluster:await(Thin, One, ready),
            Reason =:= "signal_port on the node was stopped or has restarted"
        end)
    end).

killed_workers_of_a_node_lose_no_call(_) ->
    {Thin, One, _Two} = three([]),
    under_load(Thin, fun() ->
        [begin
             #{workers := Workers} = call(One, info, []),
             signal_port_stage:kill([OsPid || #{os_pid := OsPid} <- Workers, is_integer(OsPid)]),
             await_more(Thin)
         end || _ <- lists:seq(1, signal_port_stage:thorough(5, 30))]
    end),
    #{last_reason := undefined} = signal_port_cluster:await(Thin, One, ready).

stopped_application_loses_no_call(_) ->
    {Thin, One, _Two} = three([]),
    under_load(Thin, fun() ->
        ok = call(One, application, stop, [signal_port]),
        _ = await_not_ready(Thin, One),
        ok = call(One, application, start, [signal_port]),
        signal_port_cluster:await(Thin, One, ready)
    end).

node_that_comes_back_is_used(_) ->
    {Thin, Server} = pair(?THIN),
    ok = signal_port_cluster:kill(Server),
    Caller = signal_port_stage:async(fun() -> call(Thin, sha256, [<<"abc">>]) end),
    Again = restart(Server),
    signal_port_cluster:connect(Thin, Again),
    {ok, ?DIGEST} = signal_port_stage:await(Caller).

%% Each try ends a worker of the node, not the node.
deadly_call_is_tried_three_times(_) ->
    Server = start(one, [{serve_nodes, true}, {backend, port}, {pool_size, 1},
                         {python, filename:absname(
                             signal_port_stage:stand_in("exits_on_marker.py"))}]),
    Thin = start(thin, ?THIN),
    ok = signal_port_cluster:await_nodes(Thin, [Server]),
    {error, unavailable} = call(Thin, sha256, [signal_port_stage:marker()]),
    #{totals := #{restarts := 3}} = signal_port_stage:until(fun() ->
        #{totals := #{restarts := 3}} = call(Server, info, [])
    end),
    #{last_reason := undefined} = signal_port_cluster:await(Thin, Server, ready).

%% --- Membership ---

node_that_does_not_serve_is_not_used(_) ->
    Other = start(one, [{backend, port}, {pool_size, 1}]),
    Thin = start(thin, [{start_timeout, 500} | ?THIN]),
    signal_port_cluster:connect(Thin, Other),
    signal_port_stage:until(fun() -> {error, unavailable} = call(Thin, sha256, [<<"abc">>]) end),
    [] = maps:keys(signal_port_cluster:peers(Thin)).

call_waits_for_the_first_node(_) ->
    Thin = start(thin, ?THIN),
    Caller = signal_port_stage:async(fun() -> call(Thin, sha256, [<<"abc">>]) end),
    Server = start(one, ?SERVER),
    signal_port_cluster:connect(Thin, Server),
    {ok, ?DIGEST} = signal_port_stage:await(Caller).

call_without_node_is_unavailable_after_start_timeout(_) ->
    Thin = start(thin, [{start_timeout, 500} | ?THIN]),
    {error, unavailable} = call(Thin, sha256, [<<"abc">>]),
    Server = start(one, ?SERVER),
    ok = signal_port_cluster:await_nodes(Thin, [Server]),
    {ok, ?DIGEST} = call(Thin, sha256, [<<"abc">>]).

node_of_another_protocol_is_left_out(_) ->
    Offer = #{protocol => 2, version => <<"9.0.0">>, operations => []},
    #{last_reason := "signal_port 9.0.0 on the node uses version 2 of the protocol between nodes, "
                     "and this application version 1: " ++ _} = left_out({refused, Offer}).

node_without_an_operation_is_left_out(_) ->
    #{operations := [First | Others]} = Offer = signal_port_agreement:offer(),
    Lacks = Offer#{operations := Others},
    #{last_reason := Reason} = left_out({refused, Lacks}),
    {_, _} = {string:find(Reason, "lacks an operation"), string:find(Reason, First)}.

left_out(Reply) ->
    {Thin, Other} = with_impostor(gateway, [Reply]),
    #{state := refused} = signal_port_cluster:await(Thin, Other, refused).

%% It is welcoming, and then answers everything with an answer that is none.
node_that_sends_garbage_is_left(_) ->
    Server = start(two, ?SERVER),
    [begin
         {Thin, Other} = with_impostor(liar, [Answers]),
         ok = signal_port_cluster:await_nodes(Thin, [Server]),
         [{ok, ?DIGEST} = call(Thin, sha256, [<<"abc">>]) || _ <- lists:seq(1, 20)],
         #{last_reason := "the node sent invalid data"} = signal_port_stage:until(fun() ->
             #{last_reason := [_ | _]} = maps:get(node_of(Other), signal_port_cluster:peers(Thin))
         end),
         stop_all([Thin, Other])
     end || Answers <- [garbage, unknown_tag, no_list, unknown_status, unknown_atom]].

node_of(#{node := Node}) ->
    Node.

silent_gateway_is_no_node(_) ->
    {Thin, Other} = with_impostor(gateway, [silence], [{start_timeout, 500}]),
    #{last_reason := "the node did not answer within 500 ms" ++ _} =
        signal_port_stage:until(fun() ->
            #{last_reason := [_ | _]} = signal_port_cluster:await(Thin, Other, starting)
        end),
    {error, unavailable} = call(Thin, sha256, [<<"abc">>]).

%% Another VM whose process is in the group of the gateways.
with_impostor(Function, Args) ->
    with_impostor(Function, Args, []).

with_impostor(Function, Args, Options) ->
    Thin = start(thin, Options ++ ?THIN),
    Other = start(one, [{use_nodes, fallback}, {pool_size, 0}]),
    Pid = call(Other, erlang, spawn, [?MODULE, Function, Args]),
    ok = call(Other, pg, join, [signal_port, signal_port_gateway:group(), Pid]),
    signal_port_cluster:connect(Thin, Other),
    {Thin, Other}.

gateway(Reply) ->
    receive
        {signal_port_hello, Client, Ref, _} when Reply =/= silence -> Client ! {Ref, Reply};
        {signal_port_hello, _, _, _} -> ok
    end,
    gateway(Reply).

liar(Kind) ->
    receive
        {signal_port_hello, Client, Ref, _} ->
            Client ! {Ref, {welcome, self(), signal_port_agreement:offer(), port, 64}},
            put(client, Client);
        {calls, Calls} ->
            get(client) ! {answers, self(), [lie(Kind, Tag) || {Tag, _, _} <- Calls] ++ tail(Kind)}
    end,
    liar(Kind).

lie(garbage, Tag) -> {Tag, <<"garbage">>};
lie(unknown_tag, Tag) -> {Tag + 1000, <<16#C4, 0>>};
lie(no_list, Tag) -> {Tag, bystander};
lie(unknown_status, Tag) -> {Tag, maybe_later};
lie(unknown_atom, Tag) -> {Tag, <<16#D6, 1, "evil">>}.

tail(no_list) -> no_list;
tail(_) -> [].

%% --- TLS ---

tls_distribution_needs_no_option(Config) ->
    Args = signal_port_cluster:tls(proplists:get_value(priv_dir, Config)),
    Server = start(one, ?SERVER, Args),
    Thin = start(thin, ?THIN, Args),
    ok = signal_port_cluster:await_nodes(Thin, [Server]),
    {ok, ?DIGEST} = call(Thin, sha256, [<<"abc">>]).

%% It has the cookie, and an authority of its own.
node_without_certificate_is_not_connected(Config) ->
    [Right, Wrong] = [filename:join(proplists:get_value(priv_dir, Config), Name)
                      || Name <- ["right", "wrong"]],
    Server = #{node := Node} = start(one, ?SERVER, signal_port_cluster:tls(Right)),
    Stranger = start(stranger, ?THIN, signal_port_cluster:tls(Wrong)),
    false = call(Stranger, net_kernel, connect_node, [Node]),
    [] = call(Server, erlang, nodes, []).

%% --- Off ---

node_without_the_options_has_no_process_more(_) ->
    Plain = start(one, [{backend, port}, {pool_size, 1}]),
    Names = [signal_port, signal_port_cluster_sup, signal_port_gateway, signal_port_nodes,
             signal_port_session_sup, signal_port_node_sup],
    [undefined = call(Plain, erlang, whereis, [Name]) || Name <- Names],
    [signal_port_gate, signal_port_pool, signal_port_worker_sup] =
        lists:sort([Id || {Id, _, _, _} <- call(Plain, supervisor, which_children,
                                                [signal_port_sup])]),
    #{nodes := []} = call(Plain, info, []).

clear_text_is_refused(_) ->
    [begin
         {error, {Sentence, _}} =
             signal_port_stage:start([{backend, port}, {pool_size, 1}, {Option, Value}]),
         Expected = "signal_port's option " ++ atom_to_list(Option) ++ " is on, but this VM's "
             "distribution is not encrypted, and calls carry private keys: ",
         true = lists:prefix(Expected, Sentence)
     end || {Option, Value} <- [{serve_nodes, true}, {use_nodes, fallback}]],
    signal_port_stage:stop().

%% --- In the VM of a node ---

raised(Operation, Args) ->
    try apply(signal_port, Operation, Args) catch error:Reason -> Reason end.

requested(Operation, Args) ->
    signal_port:receive_response(signal_port:send_request(Operation, Args)).

%% --- The cluster ---

start(Name, Options) ->
    start(Name, Options, []).

start(Name, Options, Args) ->
    kept(signal_port_cluster:start(Name, Options, Args)).

restart(Vm) ->
    kept(signal_port_cluster:restart(Vm)).

%% The VMs that a case started end with it.
kept(Vm) ->
    _ = is_list(get(vms)) andalso put(vms, [Vm | get(vms)]),
    Vm.

stop_all(Vms) ->
    [signal_port_cluster:stop(Vm) || Vm <- Vms],
    ok.

pair(Options) ->
    [Thin, Server] = [start(thin, Options), start(one, ?SERVER)],
    ok = signal_port_cluster:await_nodes(Thin, [Server]),
    {Thin, Server}.

three(Options) ->
    [Thin, One, Two] = [start(thin, Options ++ ?THIN), start(one, ?SERVER), start(two, ?SERVER)],
    ok = signal_port_cluster:await_nodes(Thin, [One, Two]),
    {Thin, One, Two}.

under_load(Thin, Test) ->
    ok = signal_port_cluster:start_load(Thin, ?CALLERS),
    await_more(Thin),
    _ = Test(),
    await_more(Thin),
    {_, _, []} = signal_port_cluster:stop_load(Thin).

await_more(Thin) ->
    Before = signal_port_cluster:answered(Thin),
    signal_port_stage:until(fun() -> signal_port_cluster:answered(Thin) > Before + 200 end).

await_not_ready(Thin, #{node := Node}) ->
    signal_port_stage:until(fun() ->
        #{Node := #{state := State, last_reason := [_ | _]} = Info} =
            signal_port_cluster:peers(Thin),
        State =/= ready andalso Info
    end).

thin(Config) -> hd(proplists:get_value(vms, Config)).

server(Config) -> lists:last(proplists:get_value(vms, Config)).

call(Vm, Operation, Args) ->
    signal_port_cluster:call(Vm, Operation, Args).

call(Vm, Module, Function, Args) ->
    signal_port_cluster:call(Vm, Module, Function, Args).
