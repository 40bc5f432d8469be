%% The Erlang side of the autopsy's fixtures.
-module(fixture_nif).
-export([load/1, hello/0, slow/1, read/2, help/1]).

load(Library) ->
    erlang:load_nif(Library, 0).

hello() -> erlang:nif_error(not_loaded).
slow(_) -> erlang:nif_error(not_loaded).
read(_, _) -> erlang:nif_error(not_loaded).

help(Term) -> helper(Term).

helper(_) -> erlang:nif_error(not_loaded).
