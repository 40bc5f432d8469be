%% The configuration: options in, a checked map or one sentence out.
-module(signal_port_config_SUITE).
-compile([export_all, nowarn_export_all]).

all() ->
    [{group, defaults}, {group, valid}, {group, invalid}].

groups() ->
    [{defaults, [no_options_are_the_defaults, pool_size_follows_the_schedulers,
                 busy_wait_follows_the_schedulers]},
     {valid, [valid_values_are_accepted, binary_path_is_accepted, binaries_of_command_are_accepted,
              first_of_two_options_counts]},
     {invalid, [wrong_backend_is_refused, wrong_python_is_refused, wrong_command_is_refused,
                wrong_socket_is_refused, wrong_start_without_worker_is_refused,
                wrong_sandbox_is_refused, wrong_max_memory_is_refused, wrong_log_is_refused,
                wrong_pool_size_is_refused, wrong_busy_wait_is_refused,
                wrong_max_queue_is_refused, wrong_call_timeout_is_refused,
                wrong_stall_timeout_is_refused, wrong_start_timeout_is_refused,
                wrong_max_frame_is_refused, wrong_serve_nodes_is_refused,
                wrong_serve_limit_is_refused, wrong_use_nodes_is_refused,
                wrong_node_max_frame_is_refused, wrong_distribution_is_refused,
                no_worker_and_no_node_is_refused, server_without_worker_is_refused,
                unknown_option_is_refused,
                unknown_option_lists_the_options, option_without_value_is_refused,
                other_terms_are_refused, empty_tuple_is_refused, bare_atom_is_refused,
                sentence_is_one_line]}].

no_options_are_the_defaults(_) ->
    {ok, #{backend := auto, python := auto, command := none, socket := none,
           start_without_worker := false, log := default_handler, sandbox := auto,
           max_memory := auto, pool_size := _, busy_wait := _, max_queue := infinity,
           call_timeout := 15000,
           stall_timeout := 5000, start_timeout := 15000, max_frame := 134217728,
           serve_nodes := false, serve_limit := 64, use_nodes := never,
           node_max_frame := 1048576, distribution := encrypted} = Config} =
        signal_port_config:check([]),
    20 = map_size(Config).

pool_size_follows_the_schedulers(_) ->
    {ok, #{pool_size := Size}} = signal_port_config:check([{pool_size, auto}]),
    Size = min(8, erlang:system_info(schedulers_online)).

%% With one scheduler, a worker that spins takes the time of its caller.
busy_wait_follows_the_schedulers(_) ->
    Online = erlang:system_info(schedulers_online),
    {ok, #{busy_wait := Auto}} = signal_port_config:check([{busy_wait, auto}]),
    {ok, #{busy_wait := Serving}} = signal_port_config:check([{serve_nodes, true}]),
    {Auto, Serving} = case Online of 1 -> {0, 0}; _ -> {100, 300} end,
    erlang:system_flag(schedulers_online, 1),
    try
        {ok, #{busy_wait := 0}} = signal_port_config:check([])
    after
        erlang:system_flag(schedulers_online, Online)
    end.

valid_values_are_accepted(_) ->
    [{ok, #{Name := Value}} = signal_port_config:check([{Name, Value}])
     || {Name, Values} <- [{backend, [auto, port, nif]},
                           {python, [auto, "/usr/bin/python3", "python3", "/opt/pythön"]},
                           {command, [none, ["worker"], ["/opt/wörker", "-v", ""]]},
                           {socket, [none, "/run/s", lists:duplicate(107, $s),
                                     lists:duplicate(53, $ö)]},
                           {start_without_worker, [true, false]},
                           {sandbox, [auto, required, off]},
                           {max_memory, [auto, infinity, 67_108_864, 1 bsl 40]},
                           {log, [default_handler, none]},
                           {pool_size, [1, 256]}, {busy_wait, [0, 1, 10000]},
                           {max_queue, [1, 100_000, infinity]},
                           {call_timeout, [1, 60000, infinity]},
                           {stall_timeout, [1, 4294967295]}, {start_timeout, [1, 4294967295]},
                           {max_frame, [16384, 2147483647]}, {serve_nodes, [true, false]},
                           {serve_limit, [1, 4096]}, {use_nodes, [never, fallback, overflow]},
                           {node_max_frame, [16384, 2147483647]},
                           {distribution, [encrypted, clear_text]}],
        Value <- Values].

binary_path_is_accepted(_) ->
    {ok, #{python := "/opt/pythön"}} =
        signal_port_config:check([{python, <<"/opt/pythön"/utf8>>}]),
    {ok, #{socket := "/run/söcket"}} =
        signal_port_config:check([{socket, <<"/run/söcket"/utf8>>}]).

binaries_of_command_are_accepted(_) ->
    {ok, #{command := ["/opt/wörker", "-v", "run"]}} =
        signal_port_config:check([{command, [<<"/opt/wörker"/utf8>>, "-v", <<"run">>]}]).

wrong_backend_is_refused(_) ->
    refused(backend, "auto, probe, port or nif", [nfi, "port", <<"port">>, 1]).

wrong_python_is_refused(_) ->
    refused(python, "auto or the path of a Python",
            [python3, "", <<>>, [bin | "/python3"], ["/usr", "/bin"], 3, undefined]).

wrong_command_is_refused(_) ->
    refused(command, "none or a list of a program and its arguments, each a string",
            [[], "worker", <<"worker">>, worker, auto, ["worker" | "-v"], ["worker", 'v'],
             ["worker", "-v", 7, "run"], [worker, "-v"], ["", "-v"], [<<>>], [<<255>>]]).

wrong_socket_is_refused(_) ->
    refused(socket, "none or the path of a Unix domain socket, of at most 107 bytes",
            [auto, socket, "", <<>>, 7, lists:duplicate(108, $s), lists:duplicate(54, $ö)]).

wrong_start_without_worker_is_refused(_) ->
    refused(start_without_worker, "true or false", [yes, 1, "true", undefined]).

wrong_sandbox_is_refused(_) ->
    refused(sandbox, "auto, required or off", [on, true, "off", seccomp]).

wrong_max_memory_is_refused(_) ->
    refused(max_memory, "auto, infinity or bytes, at least 67108864",
            [67_108_863, 0, -1, 1.0e9, "64M", off]).

wrong_log_is_refused(_) ->
    refused(log, "default_handler or none", [default, true, undefined, "none"]).

wrong_pool_size_is_refused(_) ->
    refused(pool_size, "auto or a number of workers from 0 to 256",
            [-1, 257, 2.0, "2", infinity]).

wrong_busy_wait_is_refused(_) ->
    refused(busy_wait, "auto or microseconds from 0 to 10000",
            [-1, 10001, 1.0, "100", true, infinity]).

wrong_max_queue_is_refused(_) ->
    refused(max_queue, "infinity or a number of calls, at least 1", [0, -1, 1.5, "9", auto]).

wrong_call_timeout_is_refused(_) ->
    refused(call_timeout, "milliseconds or infinity", [0, -1, 4294967296, 1.5, "15", never]).

wrong_stall_timeout_is_refused(_) ->
    refused(stall_timeout, "milliseconds", [0, -1, 4294967296, 1.5, infinity]).

wrong_start_timeout_is_refused(_) ->
    refused(start_timeout, "milliseconds", [0, -1, 4294967296, 1.5, infinity]).

wrong_max_frame_is_refused(_) ->
    refused(max_frame, "bytes from 16384 to 2147483647", [0, 16383, 2147483648, 1.0e6, infinity]).

wrong_serve_nodes_is_refused(_) ->
    refused(serve_nodes, "true or false", [yes, 1, "true"]).

wrong_serve_limit_is_refused(_) ->
    refused(serve_limit, "a number of calls for each worker from 1 to 4096",
            [0, -1, 4097, 2.0, infinity]).

wrong_use_nodes_is_refused(_) ->
    refused(use_nodes, "never, fallback or overflow", [true, always, "fallback", [node()]]).

wrong_node_max_frame_is_refused(_) ->
    refused(node_max_frame, "bytes from 16384 to 2147483647", [0, 16383, 2147483648, infinity]).

wrong_distribution_is_refused(_) ->
    refused(distribution, "encrypted or clear_text", [tls, clear, true]).

no_worker_and_no_node_is_refused(_) ->
    {error, "signal_port's option pool_size is 0, and use_nodes is never: " ++ _} =
        signal_port_config:check([{pool_size, 0}]),
    {ok, #{pool_size := 0}} = signal_port_config:check([{pool_size, 0}, {use_nodes, fallback}]).

server_without_worker_is_refused(_) ->
    {error, "signal_port's option serve_nodes is true, but pool_size is 0: " ++ _} =
        signal_port_config:check([{pool_size, 0}, {use_nodes, fallback}, {serve_nodes, true}]).

unknown_option_is_refused(_) ->
    [begin
         {error, Sentence} = signal_port_config:check([{pool_size, 1}, {Name, 1}]),
         Expected = sentence("signal_port has no option ~p;", [Name]),
         true = lists:prefix(Expected, Sentence)
     end || Name <- [pool_sise, 'Python', included]].

unknown_option_lists_the_options(_) ->
    {error, "signal_port has no option size; its options are backend, python, command, socket, "
            "start_without_worker, log, sandbox, max_memory, pool_size, busy_wait, max_queue, "
            "call_timeout, stall_timeout, start_timeout, max_frame, serve_nodes, serve_limit, "
            "use_nodes, node_max_frame, distribution"} =
        signal_port_config:check([{size, 2}]).

option_without_value_is_refused(_) ->
    {error, "signal_port's option python must be given as {python, Value}"} =
        signal_port_config:check([{python, "/usr/bin", "python3"}]),
    {error, "signal_port's option pool_size must be given as {pool_size, Value}"} =
        signal_port_config:check([{pool_size}]).

other_terms_are_refused(_) ->
    [{error, [_ | _]} = signal_port_config:check([NoOption])
     || NoOption <- [7, "python", [], {pool_size}, {{}, 1}]].

empty_tuple_is_refused(_) ->
    {error, [_ | _]} = signal_port_config:check([{}]).

%% A bare atom means {Atom, true} in a property list. No option has that value.
bare_atom_is_refused(_) ->
    {error, "signal_port's option pool_size must be " ++ _} = signal_port_config:check([pool_size]).

first_of_two_options_counts(_) ->
    {ok, #{pool_size := 3}} = signal_port_config:check([{pool_size, 3}, {pool_size, 5}]).

sentence_is_one_line(_) ->
    {error, Sentence} = signal_port_config:check([{python, lists:duplicate(200, python)}]),
    true = io_lib:char_list(Sentence),
    nomatch = string:find(Sentence, "\n").

refused(Name, MustBe, Values) ->
    [begin
         Sentence = sentence("signal_port's option ~s must be ~s, but is ~0tp",
                             [Name, MustBe, Value]),
         {error, Sentence} = signal_port_config:check([{Name, Value}])
     end || Value <- Values].

sentence(Format, Args) ->
    lists:flatten(io_lib:format(Format, Args)).
