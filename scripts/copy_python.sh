#!/bin/sh
# Copies to priv what the application needs at run time beside its own modules: the Python package,
# and what installs its virtual environment. Run in the repository's root, before every compile.
set -e

# copy FROM TO: a file that differs, with its time, so that a compiled file beside it stays good. What
# is equal stays untouched: a worker can be reading it.
copy() { cmp -s "$1" "$2" || cp -p "$1" "$2"; }

# copy_modules FROM TO: all modules, and removes those that are no more
copy_modules() {
    mkdir -p "$2"
    for old in "$2"/*.py; do
        [ -e "$1/${old##*/}" ] || rm -f "$old"
    done
    for new in "$1"/*.py; do
        copy "$new" "$2/${new##*/}"
    done
}

copy_modules signal_port priv/python/signal_port
copy_modules scripts/installer priv/installer
copy scripts/install.sh priv/install
mkdir -p priv/requirements
for name in runtime autopsy build; do
    copy "requirements/$name.txt" "priv/requirements/$name.txt"
done
