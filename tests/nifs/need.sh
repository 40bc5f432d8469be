#!/bin/sh
# Installs what compiles the NIF libraries that the tests examine: gcc for two architectures, clang
# and lld. On another system than Linux nothing is done: the tests that need these do not run there.
# Run in the repository's root.
set -eu
[ "$(uname -s)" = Linux ] || exit 0
sh scripts/need.sh cc:gcc+libc6-dev clang:clang ld.lld:lld
# One of the two came with gcc.
sh scripts/need.sh aarch64-linux-gnu-gcc:gcc-aarch64-linux-gnu+libc6-dev-arm64-cross \
    x86_64-linux-gnu-gcc:gcc-x86-64-linux-gnu+libc6-dev-amd64-cross
