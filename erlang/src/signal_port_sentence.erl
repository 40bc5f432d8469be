%% @private Sentences for people, as flat strings.
-module(signal_port_sentence).

-export([format/2]).

%% @doc Returns a format of `io_lib:format/2', filled in.
-spec format(io:format(), Args :: [term()]) -> string().
format(Format, Args) ->
    lists:flatten(io_lib:format(Format, Args)).
