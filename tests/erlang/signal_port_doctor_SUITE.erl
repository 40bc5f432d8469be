%% The doctor: what it finds on machines that are well and that are not, what it advises, and that whoever asks it
%% lives.
-module(signal_port_doctor_SUITE).
-compile([export_all, nowarn_export_all]).

-define(TIMEOUT, 120_000). % milliseconds; an examination starts several VMs

all() ->
    [this_machine_is_well, facts_are_those_of_this_vm, without_a_nif_it_is_absent, the_drop_in_is_no_nif,
     a_crashing_nif_has_failed, whoever_asks_about_a_crashing_nif_lives, a_lying_nif_has_failed,
     a_healthy_nif_has_passed,
     a_crashing_crypto_has_failed, an_unloadable_crypto_has_failed,
     a_python_that_is_not_there_is_told, an_unfit_python_is_told, a_wrong_option_is_told, a_worker_that_lies_has_failed,
     a_worker_that_lies_is_told_in_words, options_of_any_type_are_tried,
     loads_no_crypto, leaves_the_application_as_it_is,
     advises_by_the_table, advises_whatever_is_found, other_ways_are_those_of_the_machine,
     is_well_where_the_port_answers, prints_a_row_a_check, prints_the_machine_and_the_advice,
     ends_with_status_0_where_it_is_well, ends_with_status_1_where_it_is_not,
     main_tries_what_is_configured].

init_per_testcase(Case, Config) ->
    signal_port_stage:stop(),
    Folder = filename:join(proplists:get_value(priv_dir, Config), Case),
    ok = filelib:ensure_path(Folder),
    [{folder, Folder}, {path, code:get_path()}, {flags, os:getenv("ERL_FLAGS", "")} | Config].

end_per_testcase(_, Config) ->
    signal_port_stage:stop(),
    true = os:putenv("ERL_FLAGS", proplists:get_value(flags, Config)),
    true = code:set_path(proplists:get_value(path, Config)),
    signal_port_backend_SUITE:forget().

%% --- A machine that is well ---

this_machine_is_well(_) ->
    #{checks := [#{check := erlang, result := passed}, #{check := crypto, result := Crypto}, #{check := nif},
                 #{check := port, result := passed, seen := Seen}], advice := [Advice]} = examine(),
    true = lists:member(Crypto, [passed, absent]),
    "first answer after " ++ _ = Seen,
    [true = string:find(Seen, Version) =/= nomatch || Version <- ["Python 3.", "cryptography ", "OpenSSL "]],
    "All is well." ++ _ = Advice.

facts_are_those_of_this_vm(_) ->
    #{facts := #{architecture := Architecture, otp := Release, jit := Jit, nix := Nix, arm64 := Arm}} = examine(),
    {Architecture, Release} = {erlang:system_info(system_architecture), erlang:system_info(otp_release)},
    [true = is_boolean(Fact) || Fact <- [Jit, Nix, Arm]].

without_a_nif_it_is_absent(_) ->
    {absent, "not on the code path"} = found(nif, examine()).

the_drop_in_is_no_nif(Config) ->
    _ = signal_port_drop_in_SUITE:build(Config),
    {absent, "the one on the code path is the drop-in, which has no NIF"} = found(nif, examine()).

%% --- A sick NIF, and a healthy one ---

a_crashing_nif_has_failed(Config) ->
    _ = signal_port_backend_SUITE:crashing(Config),
    Report = examine(),
    {failed, "killed a child VM by signal 11 (SIGSEGV)"} = found(nif, Report),
    {passed, _} = found(port, Report),
    #{advice := ["libsignal_protocol_nif failed its test." ++ _]} = Report.

whoever_asks_about_a_crashing_nif_lives(Config) ->
    Folder = signal_port_backend_SUITE:crashing(Config),
    _ = examine(),
    true = signal_port_backend_SUITE:was_tried(Folder),
    false = code:is_loaded(libsignal_protocol_nif).

a_lying_nif_has_failed(Config) ->
    _ = signal_port_backend_SUITE:lying(Config),
    says(nif, "the NIF gave a wrong answer in a child VM").

a_healthy_nif_has_passed(Config) ->
    _ = signal_port_backend_SUITE:healthy(Config),
    Report = examine(),
    {passed, "loaded, and passed its test"} = found(nif, Report),
    #{advice := ["All is well. With backend auto, calls use the NIF; on ARM64 they use the port."]} = Report.

%% --- A sick crypto ---

a_crashing_crypto_has_failed(Config) ->
    crypto(Config, ["load() -> os:cmd(\"kill -s SEGV \" ++ os:getpid()), receive after infinity -> ok end"]),
    Report = examine(),
    {failed, "killed a child VM by signal 11 (SIGSEGV)"} = found(crypto, Report),
    {passed, _} = found(port, Report),
    #{advice := ["OTP's own NIF, crypto, does not work on this machine. signal_port works" ++ _ | _]} = Report.

an_unloadable_crypto_has_failed(Config) ->
    crypto(Config, ["load() -> {error, {load_failed, \"no\"}}"]),
    Report = examine(),
    {failed, "crypto cannot be loaded (on_load_failure)"} = found(crypto, Report),
    {passed, _} = found(port, Report).

%% First on the code path of every child, and of no other VM.
crypto(Config, Load) ->
    Folder = proplists:get_value(folder, Config),
    ok = signal_port_backend_SUITE:module(Folder, crypto, ["-export([strong_rand_bytes/1])", "-on_load(load/0)"] ++ Load
                                          ++ ["strong_rand_bytes(Count) -> <<0:(8 * Count)>>"]),
    true = os:putenv("ERL_FLAGS", "-pa " ++ Folder).

%% --- A sick port ---

a_python_that_is_not_there_is_told(_) ->
    set([{python, "/nowhere"}]),
    Report = examine(),
    {failed, Sentence} = found(port, Report),
    "Python cannot be run (/nowhere: no such file or directory)" ++ _ = Sentence,
    #{advice := [Advice]} = Report,
    true = lists:suffix(Sentence, Advice).

an_unfit_python_is_told(_) ->
    set([{python, signal_port_stage:stand_in("unfit.py")}]),
    says(port, "this Python lacks a wheel").

a_wrong_option_is_told(_) ->
    set([{pool_sise, 2}]),
    says(port, "signal_port has no option pool_sise; its options are ").

%% It starts well; its answers are none.
a_worker_that_lies_has_failed(_) ->
    set([{python, signal_port_stage:stand_in("garbage_reply.py")}, {pool_size, 1}]),
    Report = examine(),
    {failed, _} = found(port, Report),
    false = signal_port_doctor:is_well(Report).

a_worker_that_lies_is_told_in_words(_) ->
    set([{python, signal_port_stage:stand_in("garbage_reply.py")}, {pool_size, 1}]),
    {failed, Seen} = found(port, examine()),
    nomatch = string:find(Seen, "child VM").

options_of_any_type_are_tried(_) ->
    set([{call_timeout, infinity}, {backend, nif}, {pool_size, 1}]),
    {passed, _} = found(port, examine()),
    set([{python, <<"/nowhere">>}]),
    says(port, "Python cannot be run (/nowhere: no such file or directory)").

says(Check, Sentence) ->
    {failed, Seen} = found(Check, examine()),
    true = lists:prefix(Sentence, Seen) orelse error(Seen).

set(Options) ->
    _ = application:load(signal_port),
    [ok = application:set_env(signal_port, Name, Value) || {Name, Value} <- Options].

%% --- The VM that asks ---

loads_no_crypto(_) ->
    Ebin = hd(signal_port_stage:paths(?MODULE)),
    {ok, Vm, _} = peer:start_link(#{connection => standard_io, args => ["-pa", Ebin]}),
    try
        Report = peer:call(Vm, signal_port_doctor, examine, [], ?TIMEOUT),
        true = signal_port_doctor:is_well(Report),
        false = peer:call(Vm, code, is_loaded, [crypto])
    after
        peer:stop(Vm)
    end.

leaves_the_application_as_it_is(_) ->
    ok = signal_port_stage:start([{pool_size, 1}]),
    Before = signal_port:info(),
    true = signal_port_doctor:is_well(examine()),
    Before = signal_port:info().

%% --- Advice ---

%% The first of it, by what was found of Erlang, crypto, the NIF and the port.
advises_by_the_table(_) ->
    [] = [{Results, Advice} || {Results, Expected} <- table(), Advice <- [hd(advice(Results))],
                               not lists:prefix(Expected, Advice)].

table() ->
    [{{failed, failed, failed, failed}, "Erlang itself does not run in a child VM"},
     {{failed, passed, passed, passed}, "Erlang itself does not run in a child VM"},
     {{passed, failed, failed, passed}, "OTP's own NIF, crypto, does not work on this machine. signal_port works"},
     {{passed, failed, absent, passed}, "OTP's own NIF, crypto, does not work on this machine. signal_port works"},
     {{passed, failed, passed, passed}, "OTP's own NIF, crypto, does not work on this machine. signal_port works"},
     {{passed, failed, failed, failed}, "OTP's own NIF, crypto, does not work on this machine, and the port does "
                                        "not work yet. Fix the port first: seen of port"},
     {{passed, failed, absent, failed}, "OTP's own NIF, crypto, does not work on this machine, and the port does not work yet."},
     {{passed, passed, failed, passed}, "libsignal_protocol_nif failed its test."},
     {{passed, absent, failed, passed}, "libsignal_protocol_nif failed its test."},
     {{passed, passed, failed, failed}, "The port does not work: seen of port"},
     {{passed, passed, passed, failed}, "The port does not work: seen of port"},
     {{passed, absent, absent, failed}, "The port does not work: seen of port"},
     {{passed, passed, passed, passed}, "All is well. With backend auto, calls use the NIF"},
     {{passed, passed, absent, passed}, "All is well. Calls use the port."},
     {{passed, absent, absent, passed}, "All is well. Calls use the port."}].

advises_whatever_is_found(_) ->
    [true = is_advice(advice({Erlang, Crypto, Nif, Port}, facts(Jit, Nix, Arm)))
     || Erlang <- [passed, failed], Crypto <- [passed, failed, absent], Nif <- [passed, failed, absent],
        Port <- [passed, failed], Jit <- [true, false], Nix <- [true, false], Arm <- [true, false]].

is_advice(Advice) ->
    Advice =/= [] andalso lists:all(fun(Line) -> io_lib:char_list(Line) andalso lists:suffix(".", Line)
                                                     orelse lists:suffix("seen of port", Line) end, Advice).

other_ways_are_those_of_the_machine(_) ->
    Last = "Or use another OTP than 25.",
    Found = {passed, failed, absent, passed},
    [{Facts, Ways} = {Facts, [hd(string:split(Way, ":")) || Way <- tl(advice(Found, Facts))]}
     || {Facts, Ways} <- [{facts(false, false, false), [Last]},
                          {facts(false, false, true), [Last, "Or run on amd64."]},
                          {facts(true, false, false), ["Or run OTP without its JIT", Last]},
                          {facts(true, false, true), ["Or run OTP without its JIT", Last, "Or run on amd64."]}]].

facts(Jit, Nix, Arm) ->
    #{architecture => "aarch64-unknown-linux-gnu", otp => "25", jit => Jit, nix => Nix, arm64 => Arm}.

advice(Results) ->
    advice(Results, facts(false, false, false)).

advice(Results, Facts) ->
    signal_port_doctor:advice(Facts, checks(Results)).

checks({Erlang, Crypto, Nif, Port}) ->
    [#{check => Check, result => Result, seen => "seen of " ++ atom_to_list(Check)}
     || {Check, Result} <- [{erlang, Erlang}, {crypto, Crypto}, {nif, Nif}, {port, Port}]].

is_well_where_the_port_answers(_) ->
    [Port = is_well({passed, Other, Other, Result})
     || Other <- [passed, failed, absent], {Result, Port} <- [{passed, true}, {failed, false}]].

is_well(Results) ->
    signal_port_doctor:is_well(report(Results)).

report(Results) ->
    Facts = facts(true, true, true),
    #{facts => Facts, checks => checks(Results), advice => advice(Results, Facts)}.

%% --- For a person ---

prints_a_row_a_check(_) ->
    Lines = printed(report({passed, failed, absent, passed})),
    [[_] = [Line || Line <- Lines, re:run(Line, Row) =/= nomatch]
     || Row <- ["^  Erlang +passed +seen of erlang$", "^  OTP's crypto, a NIF +failed +seen of crypto$",
                "^  libsignal_protocol_nif +absent +seen of nif$", "^  the port +passed +seen of port$"]].

prints_the_machine_and_the_advice(_) ->
    #{advice := Advice} = Report = report({passed, failed, absent, passed}),
    ["Erlang/OTP 25, aarch64-unknown-linux-gnu, JIT, Nix" | _] = Lines = printed(Report),
    [] = Advice -- Lines.

printed(Report) ->
    ct:capture_start(),
    ok = signal_port_doctor:print(Report),
    ct:capture_stop(),
    string:split(lists:flatten(ct:capture_get([])), "\n", all).

ends_with_status_0_where_it_is_well(_) ->
    {0, Output} = main([]),
    {_, _} = binary:match(Output, <<"All is well.">>).

ends_with_status_1_where_it_is_not(_) ->
    {1, Output} = main(["-signal_port", "python", "\"/nowhere\"", "-eval", "application:load(signal_port)."]),
    {_, _} = binary:match(Output, <<"The port does not work: Python cannot be run (/nowhere">>).

%% Where nobody has loaded the application yet.
main_tries_what_is_configured(Config) ->
    File = filename:join(proplists:get_value(folder, Config), "sys"),
    ok = file:write_file(File ++ ".config", "[{signal_port, [{python, \"/nowhere\"}]}]."),
    {1, _} = main(["-config", File]).

%% --- Internals ---

examine() ->
    signal_port_doctor:examine().

found(Check, #{checks := Checks}) ->
    [Found] = [{Result, Seen} || #{check := Name, result := Result, seen := Seen} <- Checks, Name =:= Check],
    Found.

%% As `make doctor' does.
main(Args) ->
    Ebin = hd(signal_port_stage:paths(?MODULE)),
    Erl = filename:join([code:root_dir(), "bin", "erl"]),
    Line = ["-noshell", "-pa", Ebin] ++ Args ++ ["-s", "signal_port_doctor", "main"],
    output(open_port({spawn_executable, Erl}, [{args, Line}, binary, exit_status]), <<>>).

output(Port, Output) ->
    receive
        {Port, {data, Data}} -> output(Port, <<Output/binary, Data/binary>>);
        {Port, {exit_status, Status}} -> {Status, Output}
    after ?TIMEOUT ->
        error({no_end, Output})
    end.
