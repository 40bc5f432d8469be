%% The configuration: options in, a checked map or one sentence out.
-module(signal_port_config_SUITE).
-compile([export_all, nowarn_export_all]).

all() ->
    [no_option_is_the_default, pool_size_follows_the_schedulers, busy_wait_follows_the_schedulers,
     takes_what_is_valid, path_may_be_a_binary,
     backend_is_refused, python_is_refused, pool_size_is_refused, busy_wait_is_refused, call_timeout_is_refused,
     stall_timeout_is_refused, start_timeout_is_refused, max_frame_is_refused, unknown_option_is_refused,
     unknown_option_names_the_others, option_without_a_value_is_refused, what_is_no_option_is_refused,
     empty_tuple_is_refused,
     option_as_a_bare_atom_is_refused_as_one_without_a_value, first_of_two_counts, a_sentence_is_flat].

no_option_is_the_default(_) ->
    {ok, #{backend := auto, python := auto, pool_size := _, busy_wait := _, call_timeout := 15000,
           stall_timeout := 5000, start_timeout := 15000, max_frame := 134217728} = Config} =
        signal_port_config:check([]),
    8 = map_size(Config).

pool_size_follows_the_schedulers(_) ->
    {ok, #{pool_size := Size}} = signal_port_config:check([{pool_size, auto}]),
    Size = min(8, erlang:system_info(schedulers_online)).

%% With one scheduler, whoever stays awake keeps the others from their work.
busy_wait_follows_the_schedulers(_) ->
    Online = erlang:system_info(schedulers_online),
    {ok, #{busy_wait := Auto}} = signal_port_config:check([{busy_wait, auto}]),
    Auto = case Online of 1 -> 0; _ -> 100 end,
    erlang:system_flag(schedulers_online, 1),
    try
        {ok, #{busy_wait := 0}} = signal_port_config:check([])
    after
        erlang:system_flag(schedulers_online, Online)
    end.

takes_what_is_valid(_) ->
    [{ok, #{Name := Value}} = signal_port_config:check([{Name, Value}])
     || {Name, Values} <- [{backend, [auto, port, nif]}, {python, [auto, "/usr/bin/python3", "python3", "/opt/pythön"]},
                           {pool_size, [1, 256]}, {busy_wait, [0, 1, 10000]}, {call_timeout, [1, 60000, infinity]},
                           {stall_timeout, [1, 4294967295]},
                           {start_timeout, [1, 4294967295]}, {max_frame, [16384, 2147483647]}],
        Value <- Values].

path_may_be_a_binary(_) ->
    {ok, #{python := "/opt/pythön"}} = signal_port_config:check([{python, <<"/opt/pythön"/utf8>>}]).

backend_is_refused(_) ->
    refused(backend, "auto, port or nif", [nfi, "port", <<"port">>, 1]).

python_is_refused(_) ->
    refused(python, "auto or the path of a Python",
            [python3, "", <<>>, [bin | "/python3"], ["/usr", "/bin"], 3, undefined]).

pool_size_is_refused(_) ->
    refused(pool_size, "auto or a number of workers from 1 to 256", [0, -1, 257, 2.0, "2", infinity]).

busy_wait_is_refused(_) ->
    refused(busy_wait, "auto or microseconds from 0 to 10000", [-1, 10001, 1.0, "100", true, infinity]).

call_timeout_is_refused(_) ->
    refused(call_timeout, "milliseconds or infinity", [0, -1, 4294967296, 1.5, "15", never]).

stall_timeout_is_refused(_) ->
    refused(stall_timeout, "milliseconds", [0, -1, 4294967296, 1.5, infinity]).

start_timeout_is_refused(_) ->
    refused(start_timeout, "milliseconds", [0, -1, 4294967296, 1.5, infinity]).

max_frame_is_refused(_) ->
    refused(max_frame, "bytes from 16384 to 2147483647", [0, 16383, 2147483648, 1.0e6, infinity]).

unknown_option_is_refused(_) ->
    [begin
         {error, Sentence} = signal_port_config:check([{pool_size, 1}, {Name, 1}]),
         Expected = said("signal_port has no option ~p;", [Name]),
         true = lists:prefix(Expected, Sentence)
     end || Name <- [pool_sise, 'Python', included]].

unknown_option_names_the_others(_) ->
    {error, "signal_port has no option size; its options are backend, python, pool_size, busy_wait, call_timeout, "
            "stall_timeout, start_timeout, max_frame"} = signal_port_config:check([{size, 2}]).

option_without_a_value_is_refused(_) ->
    {error, "signal_port's option python must be given as {python, Value}"} =
        signal_port_config:check([{python, "/usr/bin", "python3"}]).

what_is_no_option_is_refused(_) ->
    [{error, [_ | _]} = signal_port_config:check([NoOption]) || NoOption <- [7, "python", [], {pool_size}, {{}, 1}]].

empty_tuple_is_refused(_) ->
    {error, [_ | _]} = signal_port_config:check([{}]).

%% A bare atom is short for {Atom, true} in property lists, which no option of ours may be.
option_as_a_bare_atom_is_refused_as_one_without_a_value(_) ->
    {error, "signal_port's option pool_size must be " ++ _} = signal_port_config:check([pool_size]).

first_of_two_counts(_) ->
    {ok, #{pool_size := 3}} = signal_port_config:check([{pool_size, 3}, {pool_size, 5}]).

a_sentence_is_flat(_) ->
    {error, Sentence} = signal_port_config:check([{python, lists:duplicate(200, python)}]),
    true = io_lib:char_list(Sentence),
    nomatch = string:find(Sentence, "\n").

refused(Name, MustBe, Values) ->
    [begin
         Sentence = said("signal_port's option ~s must be ~s, but is ~0tp", [Name, MustBe, Value]),
         {error, Sentence} = signal_port_config:check([{Name, Value}])
     end || Value <- Values].

said(Format, Args) ->
    lists:flatten(io_lib:format(Format, Args)).
