#!/usr/bin/env bash
# The bundle for ARM64, emulated on a machine of another architecture: made in the root of
# aarch64.sh that has a Python, and tested in the one that has none.
#
#   tests/systems/aarch64_bundle.sh
#
# Needs what aarch64.sh needs. The bundle stays in _build/aarch64/bundle.
set -euo pipefail

cd "$(dirname "$0")/../.."
dir=_build/aarch64

emulated() { bash tests/systems/aarch64.sh "$@"; }

# The emulated pip takes its packages from a folder: this machine's has the network.
fetch_packages() {
    local file files=() python
    python=$(readlink "$dir/root/usr/bin/python3")
    for file in runtime autopsy build bundle; do
        files+=(-r "requirements/$file.txt")
    done
    .venv/bin/python3 -m pip -q --disable-pip-version-check download --no-deps --require-hashes \
        --platform manylinux2014_aarch64 --platform manylinux_2_28_aarch64 \
        --platform manylinux_2_34_aarch64 --python-version "${python#python}" \
        --dest "$dir/packages" "${files[@]}"
}

[ "$(emulated uname -m)" = aarch64 ] || exit 0 # aarch64.sh has said why
fetch_packages
emulated env BUNDLE="/repo/$dir/bundle" PYTHON=/usr/bin/python3 UV=no PIP_NO_INDEX=1 \
    PIP_FIND_LINKS="/repo/$dir/packages" sh scripts/make_bundle.sh
rm -rf "$dir/bare/opt/signal-port"
tar -x -f "$dir"/bundle/signal-port-*-linux-aarch64.tar.gz -C "$dir/bare/opt"
BARE=yes emulated sh tests/systems/bundle_test.sh aarch64
