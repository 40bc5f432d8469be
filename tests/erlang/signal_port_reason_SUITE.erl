%% Why a worker ended, in words.
-module(signal_port_reason_SUITE).
-compile([export_all, nowarn_export_all]).

all() ->
    [signals_have_their_names, other_statuses_are_numbers, what_a_worker_says_is_one_line, what_is_no_text_is_cut,
     reasons_are_explained_within_a_shutdown, any_term_is_explained, a_killed_start_is_no_fault].

signals_have_their_names(_) ->
    [Sentence = signal_port_reason:status(128 + Number)
     || {Number, Sentence} <- [{4, "signal 4 (SIGILL)"}, {6, "signal 6 (SIGABRT)"}, {7, "signal 7 (SIGBUS)"},
                               {8, "signal 8 (SIGFPE)"}, {9, "signal 9 (SIGKILL)"}, {11, "signal 11 (SIGSEGV)"},
                               {15, "signal 15 (SIGTERM)"}, {31, "signal 31"}]].

other_statuses_are_numbers(_) ->
    [Sentence = signal_port_reason:status(Status)
     || {Status, Sentence} <- [{0, "status 0"}, {1, "status 1"}, {128, "status 128"}]].

what_a_worker_says_is_one_line(_) ->
    "no  wheel [2J" = signal_port_reason:explain({unfit, <<"no\r\nwheel\e[2J">>}),
    "a b" = signal_port_reason:explain({unfit, <<"a\x{9b}b"/utf8>>}),
    1000 = length(signal_port_reason:explain({unfit, binary:copy(<<"x">>, 100_000)})).

what_is_no_text_is_cut(_) ->
    "good" = signal_port_reason:explain({unfit, <<"good", 255, "bad">>}).

reasons_are_explained_within_a_shutdown(_) ->
    [begin
         [_ | _] = Sentence = signal_port_reason:explain(Why),
         Sentence = signal_port_reason:explain({shutdown, Why})
     end || Why <- [no_python, {cannot_run, "/p", enoent}, {unfit, <<"old">>}, {protocol, 1, 2}, {not_ready, "/p", 5},
                    {ended, "/p", 1}, {exit_status, 1}, invalid_data, stalled, port_closed, killed]].

%% And none of it is shown: it may have the arguments of a call.
any_term_is_explained(_) ->
    "the worker's Erlang process ended" = signal_port_reason:explain({badmatch, <<"secret">>}).

a_killed_start_is_no_fault(_) ->
    [true = signal_port_reason:was_killed(Reason)
     || Reason <- [killed, {shutdown, {ended, "/p", 137}}, {shutdown, {ended, "/p", 143}}]],
    [false = signal_port_reason:was_killed(Reason)
     || Reason <- [no_python, {shutdown, no_python}, {shutdown, {ended, "/p", 1}}, {shutdown, {ended, "/p", 139}}]].
