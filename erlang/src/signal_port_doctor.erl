%% @private The doctor: what a suspect machine can and cannot do. Each check runs in a child VM, so that the one it is asked in
%% survives whatever is found. A check is data until it is printed; what to do about it follows from all of them.
-module(signal_port_doctor).

-export([examine/0, print/1, is_well/1, main/0]).
-export([advice/2]).
-export_type([report/0, check/0]).

-type check() :: #{check := erlang | crypto | nif | port, result := passed | failed | absent, seen := string()}.
-type report() :: #{facts := #{atom() => string() | boolean()}, checks := [check()], advice := [string()]}.

-define(TIMEOUT, 60_000). % milliseconds for one check; an emulated machine is slow

%% @doc Runs all checks.
-spec examine() -> report().
examine() ->
    Facts = facts(),
    Checks = [check(erlang, child(erlang, [])), check(crypto, child(crypto, [])), nif(),
              check(port, child(port, environment()))],
    #{facts => Facts, checks => Checks, advice => advice(Facts, Checks)}.

%% @doc Whether calls can be answered on this machine.
-spec is_well(report()) -> boolean().
is_well(#{checks := Checks}) ->
    result(port, Checks) =:= passed.

%% @doc Examines, prints the table and halts: 0 where calls can be answered, else 1.
-spec main() -> no_return().
main() ->
    Report = examine(),
    print(Report),
    halt(case is_well(Report) of true -> 0; false -> 1 end).

%% --- The checks ---

child(Function, Args) ->
    signal_port_child_vm:run(signal_port_probe, Function, Args, ?TIMEOUT).

%% The port is tried as it is configured here.
environment() ->
    _ = application:load(signal_port),
    lists:append([["-signal_port", atom_to_list(Name), signal_port_sentence:format("~tw", [Value])]
                  || {Name, Value} <- application:get_all_env(signal_port), Name =/= included_applications]).

nif() ->
    case signal_port_backend:installed() of
        none ->
            check(nif, {returned, {absent, "it is not on the code path"}});
        drop_in ->
            check(nif, {returned, {absent, "the one on the code path is the drop-in, which has no NIF"}});
        {nif, Ebins} ->
            check(nif, case signal_port_child_vm:run(signal_port_probe, nif, ["-pa" | Ebins], ?TIMEOUT) of
                           {returned, {healthy, _}} -> {returned, {passed, "loaded, and answered well"}};
                           {returned, {sick, What}} -> {returned, {failed, What}};
                           Other -> Other
                       end)
    end.

check(Check, {returned, {Result, Seen}}) ->
    #{check => Check, result => Result, seen => Seen};
check(Check, Outcome) ->
    #{check => Check, result => failed, seen => signal_port_child_vm:describe(Outcome)}.

result(Check, Checks) ->
    hd([Result || #{check := Found, result := Result} <- Checks, Found =:= Check]).

%% --- What it means, and what to do ---

%% @doc What to do, most fitting first.
-spec advice(Facts :: map(), [check()]) -> [string()].
advice(Facts, Checks) ->
    case {result(erlang, Checks), result(crypto, Checks), result(nif, Checks), result(port, Checks)} of
        {failed, _, _, _} ->
            ["Erlang itself does not run in a child VM: install another build of OTP, then ask again."];
        {_, failed, _, passed} ->
            ["This machine cannot load NIFs, not even OTP's own. signal_port works here: keep to it, with backend auto "
             "or port. Whatever needs crypto or ssl in the same VM will still fail."
             | other_ways(Facts)];
        {_, failed, _, failed} ->
            ["This machine cannot load NIFs, and the port does not answer yet. Mend the port first: " ++ seen(port, Checks)
             | other_ways(Facts)];
        {_, _, failed, passed} ->
            ["NIFs load here, but libsignal_protocol_nif is not fit for use. signal_port works: with backend auto it is "
             "taken by itself. To have the NIF again, build it anew for this machine."];
        {_, _, _, failed} ->
            ["The port does not answer: " ++ seen(port, Checks)];
        {_, _, passed, passed} ->
            ["All is well. With backend auto the NIF answers, on ARM64 the port."];
        {_, _, absent, passed} ->
            ["All is well. The port answers."]
    end.

%% The known ways out for a VM that dies of any NIF.
other_ways(#{jit := true} = Facts) ->
    ["Or run OTP without its JIT: build it with --disable-jit, or start `erl -emu_flavor emu' where that emulator is "
     "installed, and ask again." | other_ways(Facts#{jit := false})];
other_ways(#{nix := true} = Facts) ->
    ["Or take another OTP from nixpkgs (beam.interpreters), one release older or newer." | other_ways(Facts#{nix := false})];
other_ways(#{nix := false, otp := Release, arm64 := true}) ->
    ["Or another OTP than " ++ Release ++ ".", "Or run on amd64."];
other_ways(#{otp := Release}) ->
    ["Or another OTP than " ++ Release ++ "."].

seen(Check, Checks) ->
    hd([Seen || #{check := Found, seen := Seen} <- Checks, Found =:= Check]).

%% --- The machine ---

facts() ->
    Architecture = erlang:system_info(system_architecture),
    #{architecture => Architecture,
      arm64 => lists:prefix("aarch64", Architecture) orelse lists:prefix("arm64", Architecture),
      otp => erlang:system_info(otp_release),
      jit => erlang:system_info(emu_flavor) =:= jit,
      nix => lists:prefix("/nix/store/", code:root_dir()) orelse filelib:is_regular("/etc/NIXOS")}.

%% --- For a person ---

%% @doc Prints the report as a table.
-spec print(report()) -> ok.
print(#{facts := #{architecture := Architecture, otp := Release, jit := Jit, nix := Nix}, checks := Checks,
        advice := Advice}) ->
    io:format("Erlang/OTP ~s, ~s, ~s~s~n~n", [Release, Architecture, case Jit of true -> "JIT"; false -> "no JIT" end,
                                              case Nix of true -> ", Nix"; false -> "" end]),
    [io:format("  ~-28s ~-7s ~ts~n", [title(Check), Result, Seen])
     || #{check := Check, result := Result, seen := Seen} <- Checks],
    io:nl(),
    [io:format("~ts~n", [Line]) || Line <- Advice],
    ok.

title(erlang) -> "Erlang";
title(crypto) -> "OTP's crypto, a NIF";
title(nif) -> "libsignal_protocol_nif";
title(port) -> "the port".
