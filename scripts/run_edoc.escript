#!/usr/bin/env escript
%% -*- erlang -*-
%%! -noinput
%% Runs edoc on the public module. Run in the repository's root.
%%
%%   escript scripts/run_edoc.escript chunk FOLDER   what h(signal_port) shows, if edoc is installed
%%   escript scripts/run_edoc.escript pages FOLDER   the HTML pages of `make docs'
-mode(compile).

main(["chunk", Folder]) ->
    case code:ensure_loaded(edoc) of
        {module, edoc} ->
            run(Folder, [{doclet, edoc_doclet_chunks}, {layout, edoc_layout_chunks}]);
        {error, _} -> ok
    end;
main(["pages", Folder]) ->
    run(Folder, []).

run(Folder, Options) ->
    edoc:files(["erlang/src/signal_port.erl"],
               [{dir, Folder}, {source_path, ["erlang/src"]}, {preprocess, true} | Options]).
