#!/bin/sh
# The Python tests with the lowest versions of the packages that pyproject.toml allows, in a virtual
# environment of their own. Run in the repository's root.
#
# PYTHON      the Python that it is made of; default python3
# VENV_FLAGS  flags of python -m venv
set -eu
folder=_build/lowest
constraints=$folder/constraints.txt

# shellcheck disable=SC2086 # the flags are words
"${PYTHON:-python3}" -m venv ${VENV_FLAGS-} $folder
sed -n '/^dependencies/,/^]/s/^ *"\(.*\)>=\(.*\)",$/\1==\2/p
        s/^autopsy = \["\(.*\)>=\(.*\)"\]$/\1==\2/p' pyproject.toml > $constraints
test -s $constraints
$folder/bin/python3 -m pip install -q --disable-pip-version-check -c $constraints -e '.[dev]'
sh tests/nifs/need.sh
$folder/bin/python3 -m pytest -n 2
