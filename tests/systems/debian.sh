#!/usr/bin/env bash
# Another release of Debian in a throw-away root, for its Erlang/OTP and its Python: the tests, the
# checks, the demo and the doctor.
#
#   tests/systems/debian.sh SUITE              all of them; uncommitted changes are tested too
#   tests/systems/debian.sh SUITE COMMAND...   a command instead, in the repository's copy there
#
# SUITE is Debian's name of the release, for example trixie. The root stays in $DEBIAN_ROOT
# (_build/SUITE, 2 GB), so that a second run begins at once. Needs Linux and root. If they are
# missing, it prints why, and exits with 0.
set -euo pipefail

cd "$(dirname "$0")/../.."
suite=$1
shift
root=${DEBIAN_ROOT:-_build/$suite}/root

say() { echo "test-$suite: $*" >&2; }
debian_root() { bash tests/systems/debian_root.sh "$@"; }
inside() { FOLDER=/repo debian_root run "$root" "$@"; }

# Keeps in there what git does not know: the build, the virtual environment.
copy_repository() {
    mkdir -p "$root/repo"
    find "$root/repo" -mindepth 1 -maxdepth 1 \
        ! -name _build ! -name priv ! -name .venv -exec rm -rf {} +
    git ls-files -z --cached --others --exclude-standard |
        tar -c --null --ignore-failed-read -T - | tar -x -m -C "$root/repo" # later than the build, which is made again
    inside git init -q -b main
    inside git add -A # tests ask git which files belong to the repository
}

debian_root can-be-made || {
    say "DID NOT RUN: no Debian root can be made here"
    exit 0
}
debian_root make "$root" "$suite"
say "installing what make does not: git, make, Python"
debian_root run "$root" apt-get -qq update
debian_root run "$root" apt-get -qq install -y --no-install-recommends git make procps python3 \
    > /dev/null
copy_repository
if [ $# -gt 0 ]; then
    inside "$@"
    exit
fi
inside make test check demo doctor
say "all passed"
