#!/bin/sh
# REBAR=no: where NIFs crash, rebar3 crashes too, and `make build' by erlc alone must give the same
# applications. Run in the repository's root after `make build'.
set -eu
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

git ls-files -z | xargs -0 tar -c | tar -x -C "$work"
mkdir "$work/priv"
ln -s "$root/priv/venv" "$work/priv/venv"
mkdir "$work/bin"
cp tests/systems/crashing_rebar3.sh "$work/bin/rebar3"
chmod +x "$work/bin/rebar3"

PATH="$work/bin:$PATH" env -u MAKEFLAGS make -s -C "$work" REBAR=no build

for app in default/lib/signal_port drop_in/lib/signal_port drop_in/lib/libsignal_protocol_nif; do
    escript tests/systems/compare_builds.escript "_build/$app/ebin" "$work/_build/$app/ebin"
done
escript tests/systems/call_drop_in.escript "$work/_build/drop_in/lib"
echo "without rebar3: the same applications, and their calls are answered"
