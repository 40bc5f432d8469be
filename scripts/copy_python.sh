#!/bin/sh
# Copies the Python package to where the application looks for it, and the script `install` beside it. Run in the
# repository's root, before every compile.
set -e
from=signal_port to=priv/python/signal_port
mkdir -p "$to"
for old in "$to"/*.py; do
    [ -e "$from/${old##*/}" ] || rm -f "$old"
done
cp -p "$from"/*.py "$to"  # with their times: compiled files beside them stay good
cp -p scripts/install.sh priv/install
