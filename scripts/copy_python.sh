#!/bin/sh
# Copies the Python package into priv, where the application looks for it, and install.sh beside it.
# rebar3, mix and compile.sh run it in the repository's root before they compile.
set -eu
from=signal_port to=priv/python/signal_port

mkdir -p "$to"
for old in "$to"/*.py; do
    [ -e "$from/${old##*/}" ] || rm -f "$old"
done
cp -p "$from"/*.py "$to" # -p keeps the times, so that compiled files beside them stay valid
cp -p scripts/install.sh priv/install
