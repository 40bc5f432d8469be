%% The status of the VM is the one that a shell prints after a segmentation fault.
-module(libsignal_protocol_nif).

-on_load(crash/0).
-export([crash/0]).

-spec crash() -> no_return().
crash() ->
    erlang:halt(139).
