#!/bin/sh
# Makes the virtual environment priv/venv, in which the application looks for its Python first, and
# installs the packages that the Python side needs. This file is in the application's priv as
# `install'. It runs wherever priv is: in a project's _build or deps, or in a release. An
# environment that works is left as it is.
#
#   sh .../signal_port/priv/install
#
# PYTHON=PATH     the Python that it is made of, 3.10 or later; default python3
# PIP_NO_INDEX=1  without a network; PIP_FIND_LINKS then names a folder of wheels
set -eu

priv=$(cd "$(dirname "$0")" && pwd -P)
package=$priv/python/signal_port
venv=$priv/venv
python=${PYTHON:-python3}
fail() {
    echo "signal_port: $*" >&2
    exit 1
}

command -v "$python" > /dev/null ||
    fail "there is no $python: install Python 3.10 or later, or set PYTHON to its path"
packages=$("$python" -I -B "$package" requirements) # prints why, and fails, if $python is too old
if ! "$venv/bin/python3" -I -B "$package" version > /dev/null 2>&1; then
    "$python" -I -c 'import ensurepip, venv' 2> /dev/null ||
        fail "$python has no venv module: run 'apt-get install python3-venv' (Debian, Ubuntu)," \
            "then run this again"
    rm -rf "$venv"
    trap 'rm -rf "$venv"' EXIT # half an environment would look like a whole one
    trap 'exit 1' HUP INT TERM
    "$python" -m venv "$venv" ||
        fail "no virtual environment could be made in $priv: run this as a user who may write" \
            "there, or make one elsewhere and name its Python in the option python"
    # shellcheck disable=SC2086 # the packages are words
    "$venv/bin/python3" -m pip install -q --disable-pip-version-check --no-input $packages ||
        fail "pip could not install the packages, see above: is there a network, or a folder in" \
            "PIP_FIND_LINKS?"
    "$venv/bin/python3" -m compileall -q "$priv/python" # workers write no files; these start faster
fi
"$venv/bin/python3" -I -B "$package" version
trap - EXIT
