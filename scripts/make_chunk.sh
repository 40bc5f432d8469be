#!/bin/sh
# Writes the documentation that h(signal_port) shows in a shell, if the source is newer. rebar3, mix
# and compile.sh run it in the repository's root after they compile. A failure is not an error: only
# the help of the shell is missing then.
# mix sets the first variable, rebar3 the second.
app=${REBAR_BARE_COMPILER_OUTPUT_DIR:-${REBAR_BUILD_DIR:-_build/default}/lib/signal_port}
chunk=$app/doc/chunks/signal_port.chunk
[ -n "$(find "$chunk" -newer erlang/src/signal_port.erl 2> /dev/null)" ] ||
    escript scripts/run_edoc.escript chunk "$app/doc" || true
