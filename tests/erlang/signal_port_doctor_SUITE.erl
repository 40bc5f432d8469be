%% The doctor: what it finds on healthy and on sick machines, what it advises, and that the VM that
%% asks survives.
-module(signal_port_doctor_SUITE).
-compile([export_all, nowarn_export_all]).

-define(TIMEOUT, 120_000).  % milliseconds; an examination starts several VMs
-define(HEALTHY_NIF, "With backend auto, calls use the NIF; on ARM64 they use the port.").
-define(SICK_CRYPTO, "OTP's own NIF, crypto, does not work on this machine").

all() ->
    [{group, healthy}, {group, sick}, {group, port}, {group, advice}, {group, output}].

groups() ->
    [{healthy, [this_machine_is_well, facts_match_this_vm, missing_nif_is_absent, drop_in_is_absent,
                healthy_nif_passes, asking_vm_loads_no_crypto, running_application_is_not_touched]},
     {sick, [crashing_nif_fails, asking_vm_survives_crashing_nif, lying_nif_fails,
             crashing_crypto_fails, unloadable_crypto_fails]},
     {port, [missing_python_fails, unfit_python_fails, wrong_option_fails, lying_worker_fails,
             lying_worker_is_described, options_of_any_type_are_passed]},
     {advice, [advice_follows_the_table, every_finding_has_advice, workarounds_fit_the_machine,
               machine_is_well_if_the_port_passes]},
     {output, [each_check_is_a_row, machine_and_advice_are_printed, healthy_machine_exits_with_0,
               sick_machine_exits_with_1, main_uses_the_configuration]}].

init_per_testcase(Case, Config) ->
    [{flags, os:getenv("ERL_FLAGS", "")} | signal_port_nifs:set_up(Case, Config)].

end_per_testcase(_, Config) ->
    true = os:putenv("ERL_FLAGS", proplists:get_value(flags, Config)),
    signal_port_nifs:clean_up(Config).

%% --- A healthy machine ---

this_machine_is_well(_) ->
    #{checks := [#{check := erlang, result := passed}, #{check := crypto, result := Crypto},
                 #{check := nif}, #{check := port, result := passed, seen := Seen}],
      advice := [Advice]} = examine(),
    true = lists:member(Crypto, [passed, absent]),
    "first answer after " ++ _ = Seen,
    [true = string:find(Seen, Version) =/= nomatch
     || Version <- ["Python 3.", "cryptography ", "OpenSSL "]],
    "All is well." ++ _ = Advice.

facts_match_this_vm(_) ->
    #{facts := #{architecture := Architecture, otp := Release, jit := Jit, nix := Nix,
                 arm64 := Arm}} = examine(),
    Architecture = erlang:system_info(system_architecture),
    Release = erlang:system_info(otp_release),
    [true = is_boolean(Fact) || Fact <- [Jit, Nix, Arm]].

missing_nif_is_absent(_) ->
    {absent, "not on the code path"} = found(nif, examine()).

drop_in_is_absent(Config) ->
    _ = signal_port_drop_in_SUITE:build(Config),
    {absent, "the one on the code path is the drop-in, which has no NIF"} = found(nif, examine()).

%% --- A sick NIF, and a healthy one ---

crashing_nif_fails(Config) ->
    _ = signal_port_nifs:crashing(Config),
    Report = examine(),
    {failed, "killed a child VM by signal 11 (SIGSEGV)"} = found(nif, Report),
    {passed, _} = found(port, Report),
    #{advice := ["libsignal_protocol_nif failed its test." ++ _]} = Report.

asking_vm_survives_crashing_nif(Config) ->
    Folder = signal_port_nifs:crashing(Config),
    _ = examine(),
    true = signal_port_nifs:was_loaded(Folder),
    false = code:is_loaded(libsignal_protocol_nif).

lying_nif_fails(Config) ->
    _ = signal_port_nifs:lying(Config),
    fails_with(nif, "the NIF gave a wrong answer in a child VM").

healthy_nif_passes(Config) ->
    _ = signal_port_nifs:healthy(Config),
    Report = examine(),
    {passed, "loaded, and passed its test"} = found(nif, Report),
    #{advice := ["All is well. " ++ ?HEALTHY_NIF]} = Report.

%% --- A sick crypto ---

crashing_crypto_fails(Config) ->
    crypto(Config, ["load() -> os:cmd(\"kill -s SEGV \" ++ os:getpid()), "
                    "receive after infinity -> ok end"]),
    Report = examine(),
    {failed, "killed a child VM by signal 11 (SIGSEGV)"} = found(crypto, Report),
    {passed, _} = found(port, Report),
    #{advice := [?SICK_CRYPTO ". signal_port works" ++ _ | _]} = Report.

unloadable_crypto_fails(Config) ->
    crypto(Config, ["load() -> {error, {load_failed, \"no\"}}"]),
    Report = examine(),
    {failed, "crypto cannot be loaded (on_load_failure)"} = found(crypto, Report),
    {passed, _} = found(port, Report).

%% Puts a crypto module first on the code path of the children only.
crypto(Config, Load) ->
    Folder = proplists:get_value(folder, Config),
    Forms = ["-export([strong_rand_bytes/1])", "-on_load(load/0)",
             "strong_rand_bytes(Count) -> <<0:(8 * Count)>>" | Load],
    ok = signal_port_nifs:module(Folder, crypto, Forms),
    true = os:putenv("ERL_FLAGS", "-pa " ++ Folder).

%% --- A sick port ---

missing_python_fails(_) ->
    set([{python, "/nowhere"}]),
    Report = examine(),
    {failed, Sentence} = found(port, Report),
    "Python cannot be run (/nowhere: no such file or directory)" ++ _ = Sentence,
    #{advice := [Advice]} = Report,
    true = lists:suffix(Sentence, Advice).

unfit_python_fails(_) ->
    set([{python, signal_port_stage:stand_in("unfit.py")}]),
    fails_with(port, "this Python lacks a wheel").

wrong_option_fails(_) ->
    set([{pool_sise, 2}]),
    fails_with(port, "signal_port has no option pool_sise; its options are ").

%% The worker starts, but its replies are invalid.
lying_worker_fails(_) ->
    set([{python, signal_port_stage:stand_in("garbage_reply.py")}, {pool_size, 1}]),
    Report = examine(),
    {failed, _} = found(port, Report),
    false = signal_port_doctor:is_well(Report).

lying_worker_is_described(_) ->
    set([{python, signal_port_stage:stand_in("garbage_reply.py")}, {pool_size, 1}]),
    {failed, Seen} = found(port, examine()),
    nomatch = string:find(Seen, "child VM").

options_of_any_type_are_passed(_) ->
    set([{call_timeout, infinity}, {backend, nif}, {pool_size, 1}]),
    {passed, _} = found(port, examine()),
    set([{python, <<"/nowhere">>}]),
    fails_with(port, "Python cannot be run (/nowhere: no such file or directory)").

fails_with(Check, Sentence) ->
    {failed, Seen} = found(Check, examine()),
    true = lists:prefix(Sentence, Seen) orelse error(Seen).

set(Options) ->
    _ = application:load(signal_port),
    [ok = application:set_env(signal_port, Name, Value) || {Name, Value} <- Options].

%% --- The asking VM ---

asking_vm_loads_no_crypto(_) ->
    Ebin = hd(signal_port_stage:paths(?MODULE)),
    {ok, Vm, _} = peer:start_link(#{connection => standard_io, args => ["-pa", Ebin]}),
    try
        Report = peer:call(Vm, signal_port_doctor, examine, [], ?TIMEOUT),
        true = signal_port_doctor:is_well(Report),
        false = peer:call(Vm, code, is_loaded, [crypto])
    after
        peer:stop(Vm)
    end.

running_application_is_not_touched(_) ->
    ok = signal_port_stage:start([{pool_size, 1}]),
    Before = signal_port:info(),
    true = signal_port_doctor:is_well(examine()),
    Before = signal_port:info().

%% --- Advice ---

%% The first advice, by the results of Erlang, crypto, the NIF and the port.
advice_follows_the_table(_) ->
    [] = [{Results, Advice} || {Results, Expected} <- table(), Advice <- [hd(advice(Results))],
                               not lists:prefix(Expected, Advice)].

table() ->
    [{{failed, failed, failed, failed}, "Erlang itself does not run in a child VM"},
     {{failed, passed, passed, passed}, "Erlang itself does not run in a child VM"},
     {{passed, failed, failed, passed}, ?SICK_CRYPTO ". signal_port works"},
     {{passed, failed, absent, passed}, ?SICK_CRYPTO ". signal_port works"},
     {{passed, failed, passed, passed}, ?SICK_CRYPTO ". signal_port works"},
     {{passed, failed, failed, failed},
      ?SICK_CRYPTO ", and the port does not work yet. Fix the port first: seen of port"},
     {{passed, failed, absent, failed}, ?SICK_CRYPTO ", and the port does not work yet."},
     {{passed, passed, failed, passed}, "libsignal_protocol_nif failed its test."},
     {{passed, absent, failed, passed}, "libsignal_protocol_nif failed its test."},
     {{passed, passed, failed, failed}, "The port does not work: seen of port"},
     {{passed, passed, passed, failed}, "The port does not work: seen of port"},
     {{passed, absent, absent, failed}, "The port does not work: seen of port"},
     {{passed, passed, passed, passed}, "All is well. " ?HEALTHY_NIF},
     {{passed, passed, absent, passed}, "All is well. Calls use the port."},
     {{passed, absent, absent, passed}, "All is well. Calls use the port."}].

every_finding_has_advice(_) ->
    [true = is_advice(advice({Erlang, Crypto, Nif, Port}, facts(Jit, Nix, Arm)))
     || Erlang <- [passed, failed], Crypto <- [passed, failed, absent],
        Nif <- [passed, failed, absent], Port <- [passed, failed],
        Jit <- [true, false], Nix <- [true, false], Arm <- [true, false]].

is_advice(Advice) ->
    Advice =/= [] andalso lists:all(fun is_sentence/1, Advice).

is_sentence(Line) ->
    io_lib:char_list(Line)
        andalso (lists:suffix(".", Line) orelse lists:suffix("seen of port", Line)).

workarounds_fit_the_machine(_) ->
    {NoJit, Last} = {"Or run OTP without its JIT", "Or use another OTP than 25."},
    Found = {passed, failed, absent, passed},
    [{Facts, Ways} = {Facts, [hd(string:split(Way, ":")) || Way <- tl(advice(Found, Facts))]}
     || {Facts, Ways} <- [{facts(false, false, false), [Last]},
                          {facts(false, false, true), [Last, "Or run on amd64."]},
                          {facts(true, false, false), [NoJit, Last]},
                          {facts(true, false, true), [NoJit, Last, "Or run on amd64."]}]].

facts(Jit, Nix, Arm) ->
    #{architecture => "aarch64-unknown-linux-gnu", otp => "25", jit => Jit, nix => Nix,
      arm64 => Arm}.

advice(Results) ->
    advice(Results, facts(false, false, false)).

advice(Results, Facts) ->
    signal_port_doctor:advice(Facts, checks(Results)).

checks({Erlang, Crypto, Nif, Port}) ->
    [#{check => Check, result => Result, seen => "seen of " ++ atom_to_list(Check)}
     || {Check, Result} <- [{erlang, Erlang}, {crypto, Crypto}, {nif, Nif}, {port, Port}]].

machine_is_well_if_the_port_passes(_) ->
    [Port = is_well({passed, Other, Other, Result})
     || Other <- [passed, failed, absent], {Result, Port} <- [{passed, true}, {failed, false}]].

is_well(Results) ->
    signal_port_doctor:is_well(report(Results)).

report(Results) ->
    Facts = facts(true, true, true),
    #{facts => Facts, checks => checks(Results), advice => advice(Results, Facts)}.

%% --- For a person ---

each_check_is_a_row(_) ->
    Lines = printed(report({passed, failed, absent, passed})),
    [[_] = [Line || Line <- Lines, re:run(Line, Row) =/= nomatch]
     || Row <- ["^  Erlang +passed +seen of erlang$",
                "^  OTP's crypto, a NIF +failed +seen of crypto$",
                "^  libsignal_protocol_nif +absent +seen of nif$",
                "^  the port +passed +seen of port$"]].

machine_and_advice_are_printed(_) ->
    #{advice := Advice} = Report = report({passed, failed, absent, passed}),
    ["Erlang/OTP 25, aarch64-unknown-linux-gnu, JIT, Nix" | _] = Lines = printed(Report),
    [] = Advice -- Lines.

printed(Report) ->
    ct:capture_start(),
    ok = signal_port_doctor:print(Report),
    ct:capture_stop(),
    string:split(lists:flatten(ct:capture_get([])), "\n", all).

healthy_machine_exits_with_0(_) ->
    {0, Output} = main([]),
    {_, _} = binary:match(Output, <<"All is well.">>).

sick_machine_exits_with_1(_) ->
    Options = ["-signal_port", "python", "\"/nowhere\""],
    {1, Output} = main(Options ++ ["-eval", "application:load(signal_port)."]),
    {_, _} = binary:match(Output, <<"The port does not work: Python cannot be run (/nowhere">>).

%% The application is not loaded yet.
main_uses_the_configuration(Config) ->
    File = filename:join(proplists:get_value(folder, Config), "sys"),
    ok = file:write_file(File ++ ".config", "[{signal_port, [{python, \"/nowhere\"}]}]."),
    {1, _} = main(["-config", File]).

%% --- Internals ---

examine() ->
    signal_port_doctor:examine().

found(Check, #{checks := Checks}) ->
    [Found] = [{Result, Seen} || #{check := Name, result := Result, seen := Seen} <- Checks,
                                 Name =:= Check],
    Found.

%% Does what `make doctor' does.
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
