#!/usr/bin/env bash
# The bundle in a Debian 13 that has Erlang and no Python: its commands, and the recorded answers
# through the application.
#
#   tests/systems/bundle.sh
#
# Needs `make build', Linux, root and the network. The root stays in $BUNDLE_ROOT (_build/bundle_root,
# 500 MB). If no root can be made here, it prints why, and exits with 0.
set -euo pipefail

cd "$(dirname "$0")/../.."
root=${BUNDLE_ROOT:-_build/bundle_root}

say() { echo "test-bundle: $*" >&2; }
inside() { FOLDER=/repo bash tests/systems/debian_root.sh run "$root" "$@"; }

bash tests/systems/debian_root.sh can-be-made || {
    say "DID NOT RUN: no Debian root can be made here"
    exit 0
}
archive=$(sh scripts/make_bundle.sh | tail -n 1)

if [ ! -e "$root" ]; then
    bash tests/systems/debian_root.sh make "$root" trixie
    mkdir -p "$root/repo"
    say "installing Erlang"
    inside apt-get -qq update
    # With crypto, so that the test can see that nothing loads it.
    inside apt-get -qq install -y --no-install-recommends erlang-base erlang-crypto > /dev/null
fi
rm -rf "$root/opt/signal-port" "${root:?}/repo"
mkdir -p "$root/repo/priv"
tar -x -f "$archive" -C "$root/opt"
cp -R --parents tests _build/default/lib/signal_port "$root/repo"

inside sh tests/systems/bundle_test.sh "$(uname -m)"
