#!/bin/sh
# Makes the bundle: `signal-port` in a folder that needs no Python where it runs, with the licences
# and a list of all that it contains. It runs on the operating system and architecture that it is
# made on, with the same version of the C library or a later one. Run in the repository's root.
#
#   sh scripts/make_bundle.sh    _build/bundle/signal-port-VERSION-OS-ARCH.tar.gz, with one folder in it
#
# BUNDLE=DIR   where it is made, a whole path; default: _build/bundle
# PYTHON=PATH  the Python that goes into it, 3.10 or later, with a shared library; default: the
#              installer chooses
set -eu

dir=${BUNDLE:-$PWD/_build/bundle}
venv=$dir/source/priv/venv
tools=$dir/tools

# The locked packages alone, for a priv of its own.
mkdir -p "$dir/source"
for name in signal_port scripts requirements; do
    ln -sfn "$PWD/$name" "$dir/source/$name"
done
(cd "$dir/source" && sh scripts/copy_python.sh)
AUTOPSY=1 sh "$dir/source/priv/install"

# PyInstaller needs objcopy, and Python's code as a library.
sh scripts/need.sh objcopy:binutils
missing=$("$venv/bin/python3" -I scripts/bundle/missing_library.py)
[ -z "$missing" ] || sh scripts/need.sh "no-$missing:$missing"

# The tools run in the same Python, and are installed again if they or it changed.
base=$("$venv/bin/python3" -I -c 'import os, sys; print(os.path.realpath(sys.executable))')
made_of=$(cat requirements/bundle.txt && echo "$base")
if [ "$(cat "$tools/made_of" 2> /dev/null)" != "$made_of" ]; then
    rm -rf "$tools"
    "$base" -m venv "$tools"
    "$tools/bin/python3" -m pip install -q --disable-pip-version-check --require-hashes \
        -r requirements/bundle.txt
    echo "$made_of" > "$tools/made_of"
fi

rm -rf "$dir/signal-port"
packages=$(echo "$venv"/lib/python3*/site-packages)
PYTHONPATH="$PWD:$packages" "$tools/bin/pyinstaller" --noconfirm --log-level WARN --distpath "$dir" --workpath "$dir/work" \
    scripts/bundle/signal_port.spec
PYTHONPATH="$PWD" "$tools/bin/python3" -B scripts/bundle/describe.py "$dir/signal-port" "$venv" \
    "$dir/work/signal_port/binaries.json" pyproject.toml

"$dir/signal-port/signal-port" selftest > "$dir/selftest" || {
    cat "$dir/selftest" >&2
    exit 1
}
version=$("$dir/signal-port/signal-port" --version)
system=$(uname -s | tr '[:upper:]' '[:lower:]')
archive=$dir/signal-port-${version##* }-$system-$(uname -m).tar.gz
tar -c -z --owner 0 --group 0 -f "$archive" -C "$dir" signal-port
echo "$archive"
