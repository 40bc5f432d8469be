%% @private Why a NIF library crashes or is refused: what `signal-port autopsy' reads in its file.
%%
%% The Python side reads the files and executes nothing of them. Without a Python, or without the
%% package that reads libraries, a sentence says so instead.
-module(signal_port_autopsy).

-export([causes/1]).

%% @doc Returns a sentence for each finding in the libraries of applications, which are looked for
%% in `ebin' and `priv'. Without a finding the list is empty.
-spec causes(Ebins :: [file:filename()]) -> [string()].
causes(Ebins) ->
    Folders = [[Ebin, filename:join(filename:dirname(Ebin), "priv")] || Ebin <- Ebins],
    Existing = lists:filter(fun filelib:is_dir/1, lists:append(Folders)),
    signal_port_python:run(["autopsy", "--brief" | Existing]).
