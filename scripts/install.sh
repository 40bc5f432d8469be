#!/bin/sh
# Makes the virtual environment in which the application looks for its Python first, priv/venv, with the packages that
# the Python side needs. It lies in the application's priv as `install', and can be run wherever that is: in a project's
# _build or deps, or in a release. What is well already stays.
#
#   sh .../signal_port/priv/install
#
# PYTHON=path  the Python it is made of, 3.10 or later; else python3. Without a network: PIP_NO_INDEX=1, and
# PIP_FIND_LINKS with the name of a folder of wheels.
set -eu

priv=$(cd "$(dirname "$0")" && pwd -P)
package=$priv/python/signal_port
venv=$priv/venv
python=${PYTHON:-python3}
fail() { echo "signal_port: $*" >&2; exit 1; }

command -v "$python" > /dev/null || fail "there is no $python: install Python 3.10 or later, or say PYTHON=path-of-it"
packages=$("$python" -I -B "$package" requirements)  # or it says that it is too old
if ! "$venv/bin/python3" -I -B "$package" version > /dev/null 2>&1; then
    "$python" -I -c 'import ensurepip, venv' 2> /dev/null ||
        fail "$python has no venv module: 'apt-get install python3-venv' on Debian and Ubuntu, then again"
    rm -rf "$venv"
    trap 'rm -rf "$venv"' EXIT  # half of one would be taken for a whole one
    trap 'exit 1' HUP INT TERM
    "$python" -m venv "$venv" || fail "no virtual environment could be made in $priv: run this as a user who may write there, or make one" \
            "elsewhere and name it in the option python"
    "$venv/bin/python3" -m pip install -q --disable-pip-version-check --no-input $packages ||
        fail "pip could not install what it says above: is there a network, or a folder in PIP_FIND_LINKS?"
    "$venv/bin/python3" -m compileall -q "$priv/python"  # workers write no files, and start the faster for these
fi
"$venv/bin/python3" -I -B "$package" version
trap - EXIT
