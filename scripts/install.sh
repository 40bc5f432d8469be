#!/bin/sh
# Makes priv/venv, the virtual environment in which the application finds its Python. It lies in the
# application's priv as `install`, and runs wherever that is: in a project's _build or deps, or in a
# release. It changes nothing if priv/venv is as it should be.
#
#   sh .../signal_port/priv/install
#
# PYTHON=path   the Python to make it of, 3.10 or later; else the fastest on the PATH
# LOCKED=no     the newest packages that the bounds allow, instead of the locked ones
# AUTOPSY=1     also the package that `signal-port autopsy` needs
# UV=no         install with pip even if uv is on the PATH
#
# Indexes, proxies and certificates are set as for pip (PIP_INDEX_URL, ...) or uv (UV_INDEX_URL, ...).
# Offline: PIP_NO_INDEX=1, and a folder of packages in PIP_FIND_LINKS.
#
# Any Python from 3.10 on can run the installer, which chooses among all that are there. This script
# finds one, or says in a sentence what is missing.
set -eu

priv=$(cd "$(dirname "$0")" && pwd -P)
again="PYTHON=/path/of/python3 sh '$priv/install'"
fail() { echo "signal_port: $*" >&2; exit 1; }

if [ -n "${PYTHON:-}" ]; then
    set -- "$PYTHON"
else
    set -- python3 python3.14 python3.13 python3.12 python3.11 python3.10 python
fi

seen=
for python; do
    command -v "$python" > /dev/null || continue
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2> /dev/null) || version=broken
    case $version in
        2.* | 3.[0-9]) seen=${seen:-"$(command -v "$python") is $version"} ;;
        3.*) exec "$python" -I -B "$priv/installer" ;;
        *) seen=${seen:-"$(command -v "$python") does not run"} ;;
    esac
done

[ -z "$seen" ] || fail "Python 3.10 or later is needed, and $seen: install a later one and run" \
    "this again, or run $again"
[ -z "${PYTHON:-}" ] || fail "there is no $PYTHON, which PYTHON names: run $again"
fail "there is no Python on the PATH: install Python 3.10 or later (on Debian and Ubuntu:" \
    "'apt-get install python3-venv'), or run $again"
