%% @private The doctor: what works on this machine and what does not. Each check runs in a child
%% VM, so that the calling VM survives a crash. A report is data; only print/1 writes text.
-module(signal_port_doctor).

-export([examine/0, is_well/1, main/0]).
-export([advice/2, print/1]).
-export_type([report/0, check/0]).

-type check() :: #{check := erlang | crypto | nif | port, result := passed | failed | absent,
                   seen := string()}.
-type report() :: #{facts := #{atom() => string() | boolean()}, checks := [check()],
                    advice := [string()]}.

-define(TIMEOUT, 60_000).  % milliseconds for one check; an emulated machine is slow

%% @doc Runs all checks. Takes a few seconds.
-spec examine() -> report().
examine() ->
    Facts = facts(),
    Checks = [check(erlang, run(erlang, [])), check(crypto, run(crypto, [])),
              nif(signal_port_backend:installed()), check(port, run(port, configured()))],
    #{facts => Facts, checks => Checks, advice => advice(Facts, Checks)}.

%% @doc Returns whether the port works on this machine.
-spec is_well(report()) -> boolean().
is_well(#{checks := Checks}) ->
    result(port, Checks) =:= passed.

%% @doc Examines, prints and halts: with status 0 if the port works, else with 1.
-spec main() -> no_return().
main() ->
    Report = examine(),
    print(Report),
    halt(case is_well(Report) of true -> 0; false -> 1 end).

%% --- The checks ---

run(Probe, Args) ->
    signal_port_child_vm:run(signal_port_probe, Probe, Args, ?TIMEOUT).

%% The child gets the options of this VM, so that the port is tried as configured.
configured() ->
    _ = application:load(signal_port),
    lists:append([["-signal_port", atom_to_list(Name), signal_port_sentence:format("~tw", [Value])]
                  || {Name, Value} <- application:get_all_env(signal_port),
                     Name =/= included_applications]).

nif(none) ->
    check(nif, {returned, {absent, "not on the code path"}});
nif(drop_in) ->
    check(nif, {returned, {absent, "the one on the code path is the drop-in, which has no NIF"}});
nif({nif, Ebins}) ->
    case run(nif, ["-pa" | Ebins]) of
        {returned, {healthy, _}} -> check(nif, {returned, {passed, "loaded, and passed its test"}});
        {returned, {sick, What}} -> check(nif, {returned, {failed, What}});
        Other -> check(nif, Other)
    end.

check(Check, {returned, {Result, Seen}}) ->
    #{check => Check, result => Result, seen => Seen};
check(Check, Outcome) ->
    #{check => Check, result => failed, seen => signal_port_child_vm:describe(Outcome)}.

result(Check, Checks) ->
    hd([Result || #{check := Found, result := Result} <- Checks, Found =:= Check]).

seen(Check, Checks) ->
    hd([Seen || #{check := Found, seen := Seen} <- Checks, Found =:= Check]).

facts() ->
    Architecture = erlang:system_info(system_architecture),
    #{architecture => Architecture,
      arm64 => lists:prefix("aarch64", Architecture) orelse lists:prefix("arm64", Architecture),
      otp => erlang:system_info(otp_release),
      jit => erlang:system_info(emu_flavor) =:= jit,
      nix => lists:prefix("/nix/store/", code:root_dir())
             orelse filelib:is_regular("/etc/NIXOS")}.

%% --- Advice ---

%% @doc Returns what to do, the best first.
-spec advice(Facts :: map(), [check()]) -> [string()].
advice(Facts, Checks) ->
    [Erlang, Crypto, Nif, Port] = [result(Check, Checks) || Check <- [erlang, crypto, nif, port]],
    case {Erlang, Crypto, Nif, Port} of
        {failed, _, _, _} ->
            ["Erlang itself does not run in a child VM: install another build of OTP, then run "
             "the doctor again."];
        {_, failed, _, passed} ->
            ["OTP's own NIF, crypto, does not work on this machine. signal_port works: set "
             "backend to auto or port. Programs that need crypto or ssl in the same VM will fail."
             | workarounds(Facts)];
        {_, failed, _, failed} ->
            ["OTP's own NIF, crypto, does not work on this machine, and the port does not work "
             "yet. Fix the port first: " ++ seen(port, Checks) | workarounds(Facts)];
        {_, _, failed, passed} ->
            ["libsignal_protocol_nif failed its test. signal_port works: with backend auto, calls "
             "use the port. To use the NIF again, rebuild it for this machine."];
        {_, _, _, failed} ->
            ["The port does not work: " ++ seen(port, Checks)];
        {_, _, passed, passed} ->
            ["All is well. With backend auto, calls use the NIF; on ARM64 they use the port."];
        {_, _, absent, passed} ->
            ["All is well. Calls use the port."]
    end.

%% What can help a VM in which OTP's own NIFs do not work.
workarounds(#{jit := true} = Facts) ->
    ["Or run OTP without its JIT: build it with --disable-jit, or start `erl -emu_flavor emu' if "
     "that emulator is installed. Then run the doctor again." | workarounds(Facts#{jit := false})];
workarounds(#{nix := true} = Facts) ->
    ["Or use another OTP from nixpkgs (beam.interpreters), one release older or newer."
     | workarounds(Facts#{nix := false})];
workarounds(#{nix := false, otp := Release, arm64 := true}) ->
    ["Or use another OTP than " ++ Release ++ ".", "Or run on amd64."];
workarounds(#{otp := Release}) ->
    ["Or use another OTP than " ++ Release ++ "."].

%% --- For a person ---

%% @doc Prints the report as a table.
-spec print(report()) -> ok.
print(#{facts := Facts, checks := Checks, advice := Advice}) ->
    #{architecture := Architecture, otp := Release, jit := Jit, nix := Nix} = Facts,
    io:format("Erlang/OTP ~s, ~s, ~s~s~n~n",
              [Release, Architecture, case Jit of true -> "JIT"; false -> "no JIT" end,
               case Nix of true -> ", Nix"; false -> "" end]),
    [io:format("  ~-28s ~-7s ~ts~n", [title(Check), Result, Seen])
     || #{check := Check, result := Result, seen := Seen} <- Checks],
    io:nl(),
    lists:foreach(fun(Line) -> io:format("~ts~n", [Line]) end, Advice).

title(erlang) -> "Erlang";
title(crypto) -> "OTP's crypto, a NIF";
title(nif) -> "libsignal_protocol_nif";
title(port) -> "the port".
