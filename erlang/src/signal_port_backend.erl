%% @private Which engine handles the calls: the NIF or the port.
%%
%% With `auto' the port is the default on ARM64, and nothing of the NIF is touched. Elsewhere, and
%% with `probe' everywhere, a child VM loads the NIF and calls it. If the child crashes, hangs or
%% gets a wrong answer, the port is used. This VM loads nothing of the NIF until it has passed.
-module(signal_port_backend).

-export([choose/1, decide/4, installed/0]).
-export_type([choice/0, installed/0, finding/0]).

-type choice() :: {port | nif, Reason :: string()}.
-type installed() :: none | drop_in | {nif, Ebins :: [file:filename()]}.
-type finding() :: {healthy, [{Operation :: atom(), module()}]} | {sick, What :: string()}.

-define(MODULES, [libsignal_protocol_nif, signal_nif]).

%% @doc Returns the engine for this machine and configuration, and the NIF's module for each
%% operation that the NIF handles.
-spec choose(signal_port_config:config()) ->
    {ok, choice(), [{Operation :: atom(), module()}]} | {error, Sentence :: string()}.
choose(#{backend := Wanted, start_timeout := Timeout}) ->
    Architecture = erlang:system_info(system_architecture),
    Installed = case Wanted of port -> none; _ -> installed() end,
    case decide(Architecture, Wanted, Installed, unknown) of
        probe ->
            Finding = probe(Installed, Timeout),
            chosen(decide(Architecture, Wanted, Installed, Finding), Finding);
        Choice ->
            chosen(Choice, unknown)
    end.

%% The child must not probe in its turn, whatever it starts.
probe({nif, Ebins}, Timeout) ->
    Args = ["-signal_port", "backend", "port", "-pa" | Ebins],
    case signal_port_child_vm:run(signal_port_probe, nif, Args, Timeout) of
        {returned, Finding} -> Finding;
        Outcome -> {sick, string:join([ended(Outcome) | causes(Outcome, Ebins)], "; ")}
    end.

ended(Outcome) ->
    "loading the NIF " ++ signal_port_child_vm:describe(Outcome).

causes(Outcome, Ebins) ->
    case signal_port_child_vm:is_crash(Outcome) of
        true -> [string:trim(Cause, trailing, ".") || Cause <- signal_port_autopsy:causes(Ebins)];
        false -> []
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

%% @doc Returns the decision, from all that it depends on. Returns `probe' if it needs a finding.
-spec decide(Architecture :: string(), auto | probe | port | nif, installed(),
             finding() | unknown) ->
    choice() | probe | {error, Sentence :: string()}.
decide(_, port, _, _) ->
    {port, "backend is set to port"};
decide(_, nif, none, _) ->
    {error, "signal_port's option backend is nif, but libsignal_protocol_nif is not on the code "
            "path: add it to the release, or set backend to auto"};
decide(_, nif, drop_in, _) ->
    {error, "signal_port's option backend is nif, but the libsignal_protocol_nif on the code path "
            "is signal_port's own drop-in, which has no NIF: set backend to auto"};
decide("aarch64" ++ _, auto, _, _) ->
    {port, default_on("aarch64")};
decide("arm64" ++ _, auto, _, _) ->
    {port, default_on("arm64")};
decide(_, _, none, _) ->
    {port, "there is no NIF on the code path"};
decide(_, _, drop_in, _) ->
    {port, "the libsignal_protocol_nif on the code path is the drop-in"};
decide(_, _, {nif, _}, unknown) ->
    probe;
decide(_, _, {nif, _}, {healthy, _}) ->
    {nif, "the NIF passed its test in a child VM"};
decide(_, nif, {nif, _}, {sick, What}) ->
    {error, "signal_port's option backend is nif, but " ++ What ++ ": set backend to auto or port"};
decide(_, _, {nif, _}, {sick, What}) ->
    {port, What}.

default_on(Architecture) ->
    "the port is the default on " ++ Architecture
        ++ "; the option {backend, probe} lets a child VM try the NIF first".

%% @doc Returns what is on the code path. Nothing is loaded.
-spec installed() -> installed().
installed() ->
    Found = [code:which(Module) || Module <- ?MODULES],
    case [Path || Path <- Found, is_list(Path), Path =/= ""] of
        [] ->
            none;
        [First | _] = Paths ->
            case is_drop_in(First) of
                true -> drop_in;
                false -> {nif, lists:usort(lists:map(fun filename:dirname/1, Paths))}
            end
    end.

%% Only the drop-in calls signal_port. Its attributes would say so more plainly, but a release can
%% strip them.
is_drop_in(Path) ->
    case beam_lib:chunks(Path, [imports]) of
        {ok, {_, [{imports, Imports}]}} -> lists:keymember(signal_port, 1, Imports);
        {error, beam_lib, _} -> false
    end.
