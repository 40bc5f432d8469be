%% The doctor: what it finds on healthy and on sick machines, what it advises, and that the VM that
%% asks survives.
-module(signal_port_doctor_SUITE).
-compile([export_all, nowarn_export_all]).

-define(TIMEOUT, 120_000).  % milliseconds; an examination starts several VMs
-define(NIF_IS_SICK, "libsignal_protocol_nif crashes, but OTP's crypto and OTP's asn1rt_nif "
                     "passed: the cause is this library, not the machine.").
-define(PORT_WORKS, "The port works: use it with the option backend auto or port.").

all() ->
    [{group, healthy}, {group, sick}, {group, port}, {group, advice}, {group, output}].

groups() ->
    [{healthy, [this_machine_is_well, facts_match_this_vm, missing_nif_is_absent, drop_in_is_absent,
                healthy_nif_passes, asking_vm_loads_no_crypto, running_application_is_not_touched]},
     {sick, [null_terminated_nif_is_found_out, crashing_nif_fails,
             asking_vm_survives_crashing_nif, lying_nif_fails, crashing_crypto_fails,
             crashing_crypto_and_nif_accuse_the_machine, unloadable_crypto_fails]},
     {port, [missing_python_fails, unfit_python_fails, wrong_option_fails, lying_worker_fails,
             lying_worker_is_described, options_of_any_type_are_passed]},
     {advice, [advice_follows_the_table, every_finding_has_advice,
               machine_is_accused_by_two_crashes_only, causes_stand_behind_the_verdict,
               known_crashes_fit_the_machine, machine_is_well_if_the_port_passes]},
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
                 #{check := asn1, result := Asn1}, #{check := nif},
                 #{check := port, result := passed, seen := Seen}],
      causes := [], advice := [Advice | _]} = examine(),
    [true, true] = [lists:member(Result, [passed, absent]) || Result <- [Crypto, Asn1]],
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

null_terminated_nif_is_found_out(Config) ->
    _ = signal_port_nifs:null_terminated(Config),
    #{causes := [Cause], advice := [?NIF_IS_SICK, Advice, ?PORT_WORKS | _]} = Report = examine(),
    {failed, "killed a child VM by signal 11 (SIGSEGV)"} = found(nif, Report),
    "sick_nif.so: null_entry, crash: " ++ _ = Cause,
    "libsignal_protocol_nif: " ++ Cause = Advice.

crashing_nif_fails(Config) ->
    _ = signal_port_nifs:crashing(Config),
    Report = examine(),
    {failed, "killed a child VM by signal 11 (SIGSEGV)"} = found(nif, Report),
    {passed, _} = found(port, Report),
    #{advice := [?NIF_IS_SICK, "Nothing in the file of libsignal_protocol_nif explains" ++ _
                 | _]} = Report.

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
    #{advice := ["All is well. With backend auto, calls use the NIF" ++ _ | _]} = Report.

%% --- A sick crypto ---

crashing_crypto_fails(Config) ->
    crypto(Config, segmentation_fault()),
    Report = examine(),
    {failed, "killed a child VM by signal 11 (SIGSEGV)"} = found(crypto, Report),
    {passed, _} = found(port, Report),
    #{advice := ["OTP's crypto crashes, but OTP's asn1rt_nif passed: the cause is this library" ++ _
                 | _]} = Report.

crashing_crypto_and_nif_accuse_the_machine(Config) ->
    Folder = signal_port_nifs:crashing(Config),
    crypto([{folder, Folder} | Config], segmentation_fault()),
    #{advice := ["OTP's crypto and libsignal_protocol_nif crash, and they are unrelated: this "
                 "machine or this build of OTP" ++ _ | _]} = examine().

segmentation_fault() ->
    ["load() -> os:cmd(\"kill -s SEGV \" ++ os:getpid()), receive after infinity -> ok end"].

unloadable_crypto_fails(Config) ->
    crypto(Config, ["load() -> {error, {load_failed, \"no\"}}"]),
    Report = examine(),
    {failed, "crypto cannot be loaded (on_load_failure)"} = found(crypto, Report),
    {passed, _} = found(port, Report),
    #{advice := ["Known: OTP's crypto does not load: an error and no crash." ++ _ | _]} = Report.

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

%% The first advice, by the results of Erlang, crypto, asn1, the NIF and the port.
advice_follows_the_table(_) ->
    [] = [{Results, Advice} || {Results, Expected} <- table(), Advice <- [hd(advice(Results))],
                               not lists:prefix(Expected, Advice)].

table() ->
    [{{crashed, crashed, crashed, crashed, failed}, "Erlang itself does not run in a child VM"},
     {{failed, passed, passed, passed, passed}, "Erlang itself does not run in a child VM"},
     {{passed, crashed, crashed, absent, passed},
      "OTP's crypto and OTP's asn1rt_nif crash, and they are unrelated: this machine or this "
      "build of OTP is the cause."},
     {{passed, passed, absent, crashed, passed},
      "libsignal_protocol_nif crashes, but OTP's crypto passed: the cause is this library"},
     {{passed, crashed, passed, absent, passed},
      "OTP's crypto crashes, but OTP's asn1rt_nif passed: the cause is this library"},
     {{passed, absent, absent, crashed, passed},
      "libsignal_protocol_nif crashes. No other NIF passed here, so this alone does not tell"},
     {{passed, passed, passed, failed, passed},
      "libsignal_protocol_nif is not fit for use: seen of nif. Build it again"},
     {{passed, failed, passed, absent, passed}, "Known: OTP's crypto does not load"},
     {{passed, passed, passed, passed, failed}, "The port does not work: seen of port"},
     {{passed, absent, absent, absent, failed}, "The port does not work: seen of port"},
     {{passed, passed, passed, passed, passed}, "All is well. With backend auto, calls use the"},
     {{passed, passed, absent, absent, passed}, "All is well. Calls use the port."}].

every_finding_has_advice(_) ->
    [true = is_advice(advice(Results)) || Results <- every_finding()].

every_finding() ->
    All = [passed, failed, crashed, absent],
    [{Erlang, Crypto, Asn1, Nif, Port} || Erlang <- [passed, crashed], Crypto <- All, Asn1 <- All,
                                          Nif <- All, Port <- [passed, failed]].

is_advice(Advice) ->
    Advice =/= [] andalso lists:all(fun is_sentence/1, Advice).

is_sentence(Line) ->
    io_lib:char_list(Line)
        andalso (lists:suffix(".", Line) orelse lists:suffix("seen of port", Line)).

machine_is_accused_by_two_crashes_only(_) ->
    Accuses = fun(Line) -> string:find(Line, "this machine or this build") =/= nomatch end,
    [{Results, Accused} = {Results, lists:any(Accuses, advice(Results))}
     || {Erlang, Crypto, Asn1, Nif, _} = Results <- every_finding(),
        Accused <- [Erlang =:= passed
                    andalso length([crashed || crashed <- [Crypto, Asn1, Nif]]) >= 2]].

causes_stand_behind_the_verdict(_) ->
    Checks = checks({passed, passed, passed, crashed, passed}),
    [?NIF_IS_SICK, "libsignal_protocol_nif: first.", "libsignal_protocol_nif: second.",
     ?PORT_WORKS] = signal_port_doctor:advice(facts(), Checks, ["first.", "second."]).

known_crashes_fit_the_machine(_) ->
    Emulated = (facts())#{arm64 => true, emulated => true, jit => true, version => [27, 1]},
    Checks = checks({passed, crashed, crashed, absent, passed}),
    Advice = signal_port_doctor:advice(Emulated, Checks, []),
    [_] = [Line || Line <- Advice, string:find(Line, "+JMsingle true") =/= nomatch],
    [] = [Line || "Known" ++ _ = Line <- advice({passed, crashed, crashed, absent, passed})].

facts() ->
    #{architecture => "x86_64-pc-linux-gnu", arm64 => false, os => linux, distribution => "nixos",
      libc => glibc, nix => true, android => false, emulated => false, otp => "25",
      version => [25, 3, 2], jit => true, jit_memory => double, jiffy => ""}.

advice(Results) ->
    signal_port_doctor:advice(facts(), checks(Results), []).

checks({Erlang, Crypto, Asn1, Nif, Port}) ->
    [#{check => Check, crashed => Result =:= crashed, seen => "seen of " ++ atom_to_list(Check),
       result => case Result of crashed -> failed; _ -> Result end}
     || {Check, Result} <- [{erlang, Erlang}, {crypto, Crypto}, {asn1, Asn1}, {nif, Nif},
                            {port, Port}]].

machine_is_well_if_the_port_passes(_) ->
    [Port = is_well({passed, Other, Other, Other, Result})
     || Other <- [passed, failed, absent], {Result, Port} <- [{passed, true}, {failed, false}]].

is_well(Results) ->
    signal_port_doctor:is_well(report(Results)).

report(Results) ->
    #{facts => facts(), checks => checks(Results), causes => [], advice => advice(Results)}.

%% --- For a person ---

each_check_is_a_row(_) ->
    Lines = printed(report({passed, crashed, passed, absent, passed})),
    [[_] = [Line || Line <- Lines, re:run(Line, Row) =/= nomatch]
     || Row <- ["^  Erlang +passed +seen of erlang$", "^  OTP's crypto +failed +seen of crypto$",
                "^  OTP's asn1rt_nif +passed +seen of asn1$",
                "^  libsignal_protocol_nif +absent +seen of nif$",
                "^  the port +passed +seen of port$"]].

machine_and_advice_are_printed(_) ->
    #{advice := Advice} = Report = report({passed, crashed, passed, absent, passed}),
    ["Erlang/OTP 25, x86_64-pc-linux-gnu, JIT, Nix" | _] = Lines = printed(Report),
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
