#!/bin/sh
# What `rebar3 compile' and `rebar3 as drop_in compile' do, by erlc alone. Run in the repository's root.
set -e

# compile SOURCES NAME EBIN: the modules, and the .app file with their names
compile() {
    mkdir -p "$3"
    erlc -W +debug_info -o "$3" "$1"/*.erl
    modules=$(cd "$1" && ls *.erl | sed 's/\.erl$//' | paste -s -d , -)
    sed "s/{modules, \[\]}/{modules, [$modules]}/" "$1/$2.app.src" > "$3/$2.app"
}

sh scripts/copy_python.sh
for build in default drop_in; do
    compile erlang/src signal_port "_build/$build/lib/signal_port/ebin"
    ln -sfn ../../../../priv "_build/$build/lib/signal_port/priv"
    REBAR_BUILD_DIR="_build/$build" sh scripts/chunk.sh || true
done
drop_in=libsignal_protocol_nif
compile "erlang/drop_in/$drop_in/src" "$drop_in" "_build/drop_in/lib/$drop_in/ebin"
