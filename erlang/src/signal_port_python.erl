%% @private The commands of the Python side that examine something, run to their end.
%%
%% Workers are started elsewhere. These commands print sentences for a person, one on a line.
-module(signal_port_python).

-export([run/1]).

-define(TIMEOUT, 30_000).  % milliseconds; such a command takes a tenth of a second

%% @doc Runs `signal-port' with arguments and returns its lines, or a sentence that says why not.
-spec run(Arguments :: [string()]) -> [string()].
run(Arguments) ->
    case signal_port_command:python_command(Arguments) of
        {ok, #{program := Program, args := Args, env := Env}} ->
            lines(signal_port_os_process:run(Program, Args, Env, ?TIMEOUT));
        {error, Why} ->
            ["nothing was read: " ++ signal_port_reason:explain(Why)]
    end.

lines({exited, _Status, Output}) ->
    case unicode:characters_to_list(Output) of
        Text when is_list(Text) -> [line(Line) || Line <- string:lexemes(Text, "\n")];
        _ -> []
    end;
lines(hung) ->
    ["nothing was read: Python took too long"];
lines({cannot_run, Reason}) ->
    [signal_port_sentence:format("nothing was read: no Python starts (~tp)", [Reason])].

%% The Python side puts its name before what went wrong.
line("signal-port: " ++ Line) -> Line;
line(Line) -> Line.
