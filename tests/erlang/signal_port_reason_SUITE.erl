%% The sentences that say why a worker ended.
-module(signal_port_reason_SUITE).
-compile([export_all, nowarn_export_all]).

all() ->
    [{group, sentences}].

groups() ->
    [{sentences, [signals_have_names, other_statuses_are_numbers, workers_sentence_is_one_line,
                  invalid_text_is_cut, shutdown_reasons_are_explained,
                  sentence_names_what_an_operator_can_change, unknown_term_is_not_shown,
                  passing_cause_is_transient]}].

signals_have_names(_) ->
    [Sentence = signal_port_reason:status(128 + Number)
     || {Number, Sentence} <- [{1, "signal 1 (SIGHUP)"}, {2, "signal 2 (SIGINT)"},
                               {3, "signal 3 (SIGQUIT)"}, {4, "signal 4 (SIGILL)"},
                               {5, "signal 5 (SIGTRAP)"}, {6, "signal 6 (SIGABRT)"},
                               {7, "signal 7 (SIGBUS)"}, {8, "signal 8 (SIGFPE)"},
                               {9, "signal 9 (SIGKILL)"}, {10, "signal 10"},
                               {11, "signal 11 (SIGSEGV)"}, {13, "signal 13 (SIGPIPE)"},
                               {14, "signal 14"}, {15, "signal 15 (SIGTERM)"},
                               {31, "signal 31 (SIGSYS)"}, {64, "signal 64"}]].

other_statuses_are_numbers(_) ->
    [Sentence = signal_port_reason:status(Status)
     || {Status, Sentence} <- [{0, "status 0"}, {1, "status 1"}, {128, "status 128"},
                               {193, "status 193"}, {255, "status 255"}]].

workers_sentence_is_one_line(_) ->
    "no  wheel [2J" = signal_port_reason:explain({unfit, <<"no\r\nwheel\e[2J">>}),
    "a b" = signal_port_reason:explain({unfit, <<"a\x{9b}b"/utf8>>}),
    Kept = [$\s, $!, $~, 160, 161],
    Kept = signal_port_reason:explain({unfit, unicode:characters_to_binary(Kept)}),
    "     " = signal_port_reason:explain({unfit, <<0, 31, 127, 128/utf8, 159/utf8>>}),
    1000 = length(signal_port_reason:explain({unfit, binary:copy(<<"x">>, 100_000)})).

invalid_text_is_cut(_) ->
    "good" = signal_port_reason:explain({unfit, <<"good", 255, "bad">>}).

shutdown_reasons_are_explained(_) ->
    [begin
         [_ | _] = Sentence = signal_port_reason:explain(Why),
         Sentence = signal_port_reason:explain({shutdown, Why})
     end || Why <- [no_python, {cannot_run, python, "/p", enoent},
                    {unfit, <<"old">>}, {protocol, 1, 2},
                    {cannot_run, command, "/p", eisdir}, {cannot_run, python, "/p", emfile},
                    {broken_venv, "/v", "/p", enoent}, {cannot_connect, "/s", timeout},
                    {closed_at_start, "/s"}, connection_closed, {no_sandbox, "/p"},
                    {exit_status, 71}, {exit_status, 159},
                    {not_ready, "/p", 5}, {ended, "/p", 1}, {exit_status, 1}, invalid_data,
                    stalled, {port_closed, 7}, killed, {watchdog, killed}]].

sentence_names_what_an_operator_can_change(_) ->
    [[_, _] = string:split(signal_port_reason:explain(Why), Words)
     || {Why, Words} <- [{{cannot_run, python, "/p", emfile}, "too many open files"},
                         {{cannot_run, command, "/p", enfile}, "too many open files"},
                         {{cannot_run, python, "/p", eacces}, "option {python, Path}"},
                         {{cannot_run, command, "/p", eacces}, "option {command, "},
                         {{broken_venv, "/v", "/p", eacces}, "cannot be executed by this user"},
                         {{broken_venv, "/v", "/p", other_architecture}, "another architecture"},
                         {{broken_venv, "/v", "/p", enoent}, "is gone"},
                         {{cannot_connect, "/s", timeout}, "no answer within start_timeout"},
                         {{cannot_connect, "/s", enoent}, "no such file or directory"},
                         {{exit_status, 71}, "option max_memory"},
                         {{exit_status, 72}, "status 72"},
                         {{exit_status, 159}, "its sandbox stopped a system call"},
                         {{exit_status, 160}, "signal 32"}, {{exit_status, 137}, "SIGKILL"}]].

%% An unknown term is not shown, because it can have the arguments of a call.
unknown_term_is_not_shown(_) ->
    "the worker's Erlang process ended" = signal_port_reason:explain({badmatch, <<"secret">>}).

passing_cause_is_transient(_) ->
    [true = signal_port_reason:is_transient(Reason)
     || Reason <- [killed, {shutdown, {ended, "/p", 137}}, {shutdown, {ended, "/p", 143}},
                   {shutdown, {cannot_connect, "/s", econnrefused}},
                   {shutdown, {cannot_connect, "/s", enoent}},
                   {shutdown, {closed_at_start, "/s"}}]],
    [false = signal_port_reason:is_transient(Reason)
     || Reason <- [no_python, {shutdown, no_python}, {shutdown, {ended, "/p", 1}},
                   {shutdown, {ended, "/p", 139}}, {shutdown, {cannot_connect, "/s", eacces}}]].
