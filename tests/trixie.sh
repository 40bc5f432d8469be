#!/usr/bin/env bash
# Debian 13 in a throw-away root, for its Erlang/OTP 27 and Python 3.13: the tests, the checks, the demo and the doctor.
#
#   tests/trixie.sh              all of them, on the repository as it is, uncommitted changes too
#   tests/trixie.sh COMMAND...   a command instead, in the repository's copy there
#
# The root stays in $TRIXIE_ROOT (_build/trixie, 2 GB), so that a second run begins at once. Takes Linux and root; where
# that cannot be had it says so, and exits with 0.
set -euo pipefail

cd "$(dirname "$0")/.."
dir=${TRIXIE_ROOT:-_build/trixie}
root=$dir/root
mkdir -p "$dir"

say() { echo "test-trixie: $*" >&2; }
inside() { bash tests/debian_root.sh run "$root" "$@"; }

# What is not git's in there stays: what was built before, the virtual environment.
copy_repository() {
    mkdir -p "$root/repo"
    find "$root/repo" -mindepth 1 -maxdepth 1 ! -name _build ! -name priv ! -name .venv -exec rm -rf {} +
    git ls-files -z --cached --others --exclude-standard |
        tar -c --null --ignore-failed-read -T - | tar -x -C "$root/repo"
    FOLDER=/repo inside sh -c 'git init -q -b main && git add -A'  # tests ask git what belongs to the repository
}

bash tests/debian_root.sh can-be-made || { say "DID NOT RUN: no Debian root can be made here"; exit 0; }
bash tests/debian_root.sh make "$root" trixie
say "installing what make does not: git, make, Python"
inside sh -c 'apt-get -qq update && apt-get -qq install -y --no-install-recommends git make procps python3 >/dev/null'
copy_repository
[ $# = 0 ] || { FOLDER=/repo inside "$@"; exit; }

FOLDER=/repo inside sh -ec '
    make test check demo doctor
    erl -noshell -eval "io:format(\"Erlang/OTP ~s, \", [erlang:system_info(otp_release)]), halt()."
    python3 --version'
say "all well"
