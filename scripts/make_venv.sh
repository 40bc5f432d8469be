#!/bin/sh
# Makes the repository's virtual environment, .venv, with the package in editable form and the tools
# of the developer. Does nothing if it is newer than pyproject.toml. Run in the repository's root.
#
# PYTHON      the Python that it is made of, 3.10 or later; default python3
# VENV_FLAGS  flags of python -m venv
set -eu
venv=.venv
python=${PYTHON:-python3}

[ -z "$(find $venv/ready -newer pyproject.toml 2> /dev/null)" ] || exit 0

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || {
    echo "$python is not Python 3.10 or later: install one, and run make PYTHON=PATH" >&2
    exit 1
}
if ! $venv/bin/python3 -m pip --version > /dev/null 2>&1; then
    "$python" -c 'import ensurepip, venv' 2> /dev/null || sh scripts/need.sh no-venv:python3-venv
    # shellcheck disable=SC2086 # the flags are words
    "$python" -m venv ${VENV_FLAGS-} $venv
fi
$venv/bin/python3 -m pip install -q --disable-pip-version-check -e '.[dev]'
touch $venv/ready
