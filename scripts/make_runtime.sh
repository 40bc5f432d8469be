#!/bin/sh
# Makes priv/venv, the Python of the application, by the application's own installer; before that,
# what the installer needs. Run in the repository's root, after copy_python.sh.
#
# PYTHON  the Python that it is made of, 3.10 or later; default: the installer chooses
set -eu

[ -x priv/venv/bin/python3 ] || command -v uv > /dev/null ||
    "${PYTHON:-python3}" -c 'import ensurepip, venv' 2> /dev/null ||
    sh scripts/need.sh no-venv:python3-venv
sh priv/install
priv/venv/bin/python3 -m compileall -q priv/python # workers write no files; these start faster
