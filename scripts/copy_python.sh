#!/bin/sh
# Copies to priv what the application needs at run time beside its own modules: the Python package,
# and what installs its virtual environment. Run in the repository's root, before every compile.
set -e

# copy FROM TO: the modules, with their times, so that compiled files beside them stay good
copy() {
    mkdir -p "$2"
    for old in "$2"/*.py; do
        [ -e "$1/${old##*/}" ] || rm -f "$old"
    done
    cp -p "$1"/*.py "$2"
}

copy signal_port priv/python/signal_port
copy scripts/installer priv/installer
cp -p scripts/install.sh priv/install
mkdir -p priv/requirements
for name in runtime autopsy build; do
    cp -p "requirements/$name.txt" priv/requirements
done
