#!/bin/sh
# Makes the documentation that h(signal_port) shows, where edoc is installed and the source is newer. Run in the
# repository's root, after every compile; a shell without help is no reason for a compile to fail.
app=${REBAR_BARE_COMPILER_OUTPUT_DIR:-${REBAR_BUILD_DIR:-_build/default}/lib/signal_port}  # mix's, or rebar3's
[ "$app/doc/chunks/signal_port.chunk" -nt erlang/src/signal_port.erl ] && exit 0
exec erl -noinput -boot start_clean -eval '
    [App] = init:get_plain_arguments(),
    code:ensure_loaded(edoc) =:= {module, edoc} andalso edoc:files(["erlang/src/signal_port.erl"], [
        {doclet, edoc_doclet_chunks}, {layout, edoc_layout_chunks}, {preprocess, true},
        {source_path, ["erlang/src"]}, {dir, filename:join(App, "doc")}]),
    halt().' -extra "$app"
