%% @private Which engine answers: the NIF, where it is there, may be trusted and is wanted; else the port.
%%
%% On ARM64 nothing of the NIF is touched. Elsewhere its modules are looked at on the code path and not loaded: what loads
%% them, and calls them, is a child VM, the probe. If that dies, hangs or gets a wrong answer, this VM has lost nothing.
-module(signal_port_backend).

-export([choose/1, decide/4, installed/0]).
-export_type([choice/0, installed/0, finding/0]).

-type choice() :: {port | nif, Reason :: string()}.
-type installed() :: none | drop_in | {nif, Ebins :: [file:filename()]}.
-type finding() :: {healthy, [{Operation :: atom(), module()}]} | {sick, What :: string()}.

-define(MODULES, [libsignal_protocol_nif, signal_nif]).

%% @doc The engine for this machine and configuration, and for the NIF what it answers: the module of each operation.
-spec choose(signal_port_config:config()) -> {ok, choice(), [{atom(), module()}]} | {error, Sentence :: string()}.
choose(#{backend := Wanted, start_timeout := Timeout}) ->
    Architecture = erlang:system_info(system_architecture),
    Installed = case Wanted of port -> none; _ -> installed() end,
    case decide(Architecture, Wanted, Installed, unknown) of
        probe ->
            {nif, Ebins} = Installed,
            %% Whatever the child comes upon, it shall not probe in its turn.
            Args = ["-signal_port", "backend", "port", "-pa" | Ebins],
            Outcome = outcome(signal_port_child_vm:run(signal_port_probe, nif, Args, Timeout)),
            chosen(decide(Architecture, Wanted, Installed, Outcome), Outcome);
        Choice ->
            chosen(Choice, unknown)
    end.

chosen({error, Sentence}, _) ->
    {error, Sentence};
chosen({port, _} = Choice, {sick, What}) ->
    signal_port_event:nif_not_used(What),
    {ok, Choice, []};
chosen({nif, _} = Choice, {healthy, Operations}) ->
    {ok, Choice, Operations};
chosen(Choice, unknown) ->
    {ok, Choice, []}.

%% @doc The decision, from all it depends on; `probe' where the outcome of one is missing.
-spec decide(Architecture :: string(), auto | port | nif, installed(), finding() | unknown) ->
    choice() | probe | {error, Sentence :: string()}.
decide(_, port, _, _) ->
    {port, "it is configured"};
decide(_, nif, none, _) ->
    {error, "signal_port's option backend is nif, and libsignal_protocol_nif is not on the code path: add it to the "
            "release, or set backend to auto"};
decide(_, nif, drop_in, _) ->
    {error, "signal_port's option backend is nif, and the libsignal_protocol_nif on the code path is signal_port's own "
            "drop-in, which has no NIF: set backend to auto"};
decide("aarch64" ++ _ = Architecture, auto, _, _) ->
    {port, "on " ++ Architecture ++ " a NIF may kill the VM"};
decide("arm64" ++ _ = Architecture, auto, _, _) ->
    {port, "on " ++ Architecture ++ " a NIF may kill the VM"};
decide(_, auto, none, _) ->
    {port, "there is no NIF on the code path"};
decide(_, auto, drop_in, _) ->
    {port, "the libsignal_protocol_nif on the code path is the drop-in"};
decide(_, _, {nif, _}, unknown) ->
    probe;
decide(_, _, {nif, _}, {healthy, _}) ->
    {nif, "it is there, and answered well in a child VM"};
decide(_, auto, {nif, _}, {sick, What}) ->
    {port, What};
decide(_, nif, {nif, _}, {sick, What}) ->
    {error, "signal_port's option backend is nif, and " ++ What ++ ": set backend to auto or port"}.

outcome({returned, Outcome}) -> Outcome;
outcome(Other) -> {sick, "loading it " ++ signal_port_child_vm:describe(Other)}.

%% @doc What is on the code path, looked at and not loaded.
-spec installed() -> installed().
installed() ->
    case [Path || Module <- ?MODULES, Path <- [code:which(Module)], is_list(Path), Path =/= ""] of
        [] ->
            none;
        [First | _] = Paths ->
            case is_drop_in(First) of
                true -> drop_in;
                false -> {nif, lists:usort([filename:dirname(Path) || Path <- Paths])}
            end
    end.

%% The drop-in calls the door, and no NIF does; a release may strip a beam of all that would say so more plainly.
is_drop_in(Path) ->
    case beam_lib:chunks(Path, [imports]) of
        {ok, {_, [{imports, Imports}]}} -> lists:keymember(signal_port, 1, Imports);
        {error, beam_lib, _} -> false
    end.
