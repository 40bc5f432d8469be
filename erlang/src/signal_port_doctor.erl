%% @private The doctor: examines a machine and says what is sick there and what to do.
%%
%% Each check runs in a child VM, so the VM that asks survives whatever is found. A check is data
%% until it is printed. The advice follows from all checks together: one NIF that crashes is a sick
%% library, two unrelated ones are a sick machine.
-module(signal_port_doctor).

-export([examine/0, print/1, is_well/1, main/0]).
-export([advice/3]).
-export_type([report/0, check/0]).

-type check() :: #{
    check := erlang | crypto | asn1 | nif | port | {node, node()},
    result := passed | failed | absent,
    crashed := boolean(),  % a signal ended the child VM
    seen := string()
}.
-type report() :: #{
    facts := signal_port_machine:facts(),
    checks := [check()],
    causes := [string()],  % what is wrong in the library of a NIF that failed
    advice := [string()]
}.

-define(TIMEOUT, 60_000).  % milliseconds for one check; an emulated machine is slow
-define(NIFS, [crypto, asn1, nif]).

%% @doc Runs all checks. The application need not be started; other nodes are asked only if it is.
-spec examine() -> report().
examine() ->
    Facts = signal_port_machine:facts(),
    Installed = signal_port_backend:installed(),
    Checks = [check(erlang), check(crypto), check(asn1), nif(Installed), port() | other_nodes()],
    Causes = causes(Installed, found(nif, Checks)),
    #{facts => Facts, checks => Checks, causes => Causes,
      advice => advice(Facts, Checks, Causes) ++ about_python(found(port, Checks))}.

%% @doc Returns whether calls can be answered on this machine.
-spec is_well(report()) -> boolean().
is_well(#{checks := Checks}) ->
    has_passed(port, Checks) orelse answering_nodes(Checks) =/= [].

%% @doc Examines, prints the report and halts: with status 0 if calls can be answered, else 1.
-spec main() -> no_return().
main() ->
    Report = examine(),
    print(Report),
    halt(case is_well(Report) of true -> 0; false -> 1 end).

%% --- The checks ---

check(Check) ->
    check(Check, signal_port_child_vm:run(signal_port_probe, Check, [], ?TIMEOUT)).

check(Check, {returned, {Result, Seen}}) ->
    #{check => Check, result => Result, crashed => false, seen => Seen};
check(Check, Outcome) ->
    #{check => Check, result => failed, crashed => signal_port_child_vm:is_crash(Outcome),
      seen => signal_port_child_vm:describe(Outcome)}.

nif(none) ->
    check(nif, {returned, {absent, "not on the code path"}});
nif(drop_in) ->
    Seen = "the one on the code path is the drop-in, which has no NIF",
    check(nif, {returned, {absent, Seen}});
nif({nif, Ebins}) ->
    case signal_port_child_vm:run(signal_port_probe, nif, ["-pa" | Ebins], ?TIMEOUT) of
        {returned, {healthy, _}} -> check(nif, {returned, {passed, "loaded, and passed its test"}});
        {returned, {sick, What}} -> check(nif, {returned, {failed, What}});
        Outcome -> check(nif, Outcome)
    end.

port() ->
    _ = application:load(signal_port),
    case application:get_env(signal_port, pool_size) of
        {ok, 0} -> check(port, {returned, {absent, "pool_size is 0: other nodes answer"}});
        _ -> port_in_child()
    end.

%% The child VM gets the options of this one.
port_in_child() ->
    Options = [{Name, Value} || {Name, Value} <- application:get_all_env(signal_port),
                                Name =/= included_applications],
    Args = [["-signal_port", atom_to_list(Name), signal_port_sentence:format("~tw", [Value])]
            || {Name, Value} <- Options],
    Outcome = signal_port_child_vm:run(signal_port_probe, port, lists:append(Args), ?TIMEOUT),
    check(port, Outcome).

%% A call through each node that this one uses. It cannot come from a child VM.
other_nodes() ->
    Workers = [{Node, {Pid, Counters}} || {_, _, NodeWorkers} <- [signal_port_table:nodes()],
                                          {Pid, Counters, _, Node} <- NodeWorkers],
    [check({node, Node}, {returned, ask(Worker)}) || {Node, Worker} <- Workers].

ask(Worker) ->
    Request = signal_port_codec:request(sha256, [<<"abc">>]),
    case timer:tc(signal_port_dispatch, call_by, [Worker, Request, ?TIMEOUT]) of
        {Micros, {ok, _}} -> {passed, signal_port_sentence:format("answered in ~b us", [Micros])};
        {_, {error, Why}} -> {failed, signal_port_sentence:format("returned the error ~s", [Why])}
    end.

causes({nif, Ebins}, #{result := failed}) -> signal_port_autopsy:causes(Ebins);
causes(_, _) -> [].

%% What makes this Python slow. One that cannot answer has said so in the check.
about_python(#{result := passed}) -> signal_port_python:run(["doctor", "--advice"]);
about_python(_) -> [].

%% --- What it means, and what to do ---

%% @doc Returns what to do, in the order of what was found.
-spec advice(signal_port_machine:facts(), [check()], Causes :: [string()]) -> [string()].
advice(Facts, Checks, Causes) ->
    Verdict = case found(erlang, Checks) of
        #{result := failed} ->
            ["Erlang itself does not run in a child VM: the emulator or the JIT is the cause."];
        _ ->
            verdict([Check || Check <- ?NIFS, is_crashed(Check, Checks)], Checks)
    end,
    Verdict ++ about_nif(found(nif, Checks), Causes) ++ known(Facts, Checks) ++ about_port(Checks).

%% Only two unrelated NIFs that crash accuse the machine.
verdict([], _Checks) ->
    [];
verdict([Only], Checks) ->
    case [title(Check) || Check <- ?NIFS, Check =/= Only, has_passed(Check, Checks)] of
        [] ->
            [title(Only) ++ " crashes. No other NIF passed here, so this alone does not tell "
             "whether the library or the machine is the cause."];
        Passed ->
            [title(Only) ++ " crashes, but " ++ lists:append(lists:join(" and ", Passed))
             ++ " passed: the cause is this library, not the machine."]
    end;
verdict(Crashed, _Checks) ->
    Titles = lists:join(" and ", [title(Check) || Check <- Crashed]),
    [lists:append(Titles) ++ " crash, and they are unrelated: this machine or this build of OTP is "
     "the cause. Try another build of OTP."].

about_nif(#{result := failed}, [_ | _] = Causes) ->
    ["libsignal_protocol_nif: " ++ Cause || Cause <- Causes];
about_nif(#{result := failed, crashed := false, seen := Seen}, []) ->
    ["libsignal_protocol_nif is not fit for use: " ++ Seen ++ ". Build it again for this machine."];
about_nif(#{result := failed, crashed := true}, []) ->
    ["Nothing in the file of libsignal_protocol_nif explains the crash."];
about_nif(_, _) ->
    [].

known(Facts, Checks) ->
    Crashed = [Check || Check <- [erlang | ?NIFS], is_crashed(Check, Checks)],
    Refused = [Check || #{check := crypto, result := failed, crashed := false} = Check <- Checks],
    lists:append([signal_port_known_crash:describe(Kind, Facts)
                  || {Kind, [_ | _]} <- [{crash, Crashed}, {error, Refused}]]).

about_port(Checks) ->
    about_port(found(port, Checks), Checks).

about_port(#{result := absent}, Checks) ->
    [about_nodes(answering_nodes(Checks))];
about_port(Port, Checks) ->
    case {Port, [Check || #{check := Check, result := failed} <- Checks, is_atom(Check)]} of
        {#{result := failed, seen := Seen}, _} -> ["The port does not work: " ++ Seen];
        {_, [_ | _]} -> ["The port works: use it with the option backend auto or port."];
        {_, []} -> [well(found(nif, Checks))]
    end.

about_nodes([]) ->
    "This node has no worker, and no other node answers: start the application, and connect this "
    "node to one with signal_port's option serve_nodes.";
about_nodes(Nodes) ->
    "Calls are answered by " ++ lists:append(lists:join(" and ", Nodes)) ++ ".".

answering_nodes(Checks) ->
    [atom_to_list(Node) || #{check := {node, Node}, result := passed} <- Checks].

well(#{result := passed}) ->
    "All is well. With backend auto, calls use the NIF; on ARM64 they use the port, and the NIF "
    "only with backend probe.";
well(_) ->
    "All is well. Calls use the port.".

found(Check, Checks) ->
    hd([Found || #{check := Name} = Found <- Checks, Name =:= Check]).

has_passed(Check, Checks) ->
    maps:get(result, found(Check, Checks)) =:= passed.

is_crashed(Check, Checks) ->
    maps:get(crashed, found(Check, Checks)).

%% --- For a person ---

%% @doc Prints a report as a table.
-spec print(report()) -> ok.
print(#{facts := Facts, checks := Checks, advice := Advice}) ->
    io:format("~ts~n~n", [lists:join(", ", machine(Facts))]),
    [io:format("  ~-28s ~-7s ~ts~n", [title(Check), Result, Seen])
     || #{check := Check, result := Result, seen := Seen} <- Checks],
    io:nl(),
    [io:format("~ts~n", [Line]) || Line <- Advice],
    ok.

machine(#{architecture := Architecture, otp := Release} = Facts) ->
    ["Erlang/OTP " ++ Release, Architecture
     | [What || {Key, Value, What} <- traits(), maps:get(Key, Facts, undefined) =:= Value]].

traits() ->
    [{jit_memory, double, "JIT"},
     {jit_memory, single, "JIT with single-mapped memory"},
     {jit, false, "no JIT"},
     {emulated, true, "emulated by qemu-user"},
     {libc, musl, "musl"},
     {nix, true, "Nix"},
     {android, true, "Android"}].

title(erlang) -> "Erlang";
title(crypto) -> "OTP's crypto";
title(asn1) -> "OTP's asn1rt_nif";
title(nif) -> "libsignal_protocol_nif";
title(port) -> "the port";
title({node, Node}) -> atom_to_list(Node).
