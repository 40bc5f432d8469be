%% The Erlang side of sick_nif.c. Before it loads the NIF it writes the OS process into a file
%% beside itself: the VM might not survive.
-module(libsignal_protocol_nif).
-export([init/0]).
-on_load(load/0).

load() ->
    Folder = filename:dirname(code:which(?MODULE)),
    ok = file:write_file(filename:join(Folder, "mark"), os:getpid()),
    erlang:load_nif(filename:join(Folder, "sick_nif"), 0).

init() ->
    erlang:nif_error(not_loaded).
