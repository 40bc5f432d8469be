#!/bin/sh
# Compiles both applications by erlc alone, into the folders that `rebar3 compile' and
# `rebar3 as drop_in compile' use. Run in the repository's root.
set -eu

# compile APP_SRC SOURCES EBIN: compiles the modules, and writes the .app file with their names
compile() {
    mkdir -p "$3"
    erlc -W +debug_info -o "$3" "$2"/*.erl
    modules=$(basename -s .erl "$2"/*.erl | paste -s -d , -)
    sed "s/{modules, \[\]}/{modules, [$modules]}/" "$1" > "$3/$(basename "$1" .src)"
}

sh scripts/copy_python.sh
app=_build/default/lib/signal_port
compile erlang/signal_port.app.src erlang/src "$app/ebin"
ln -sfn ../../../../priv "$app/priv"
sh scripts/make_chunk.sh
mkdir -p _build/drop_in/lib
cp -RP "$app" _build/drop_in/lib
name=libsignal_protocol_nif
drop_in=erlang/drop_in/$name/src
compile "$drop_in/$name.app.src" "$drop_in" "_build/drop_in/lib/$name/ebin"
