#!/bin/sh
# Installs the packages of the commands that are missing, by apt-get.
#
#   sh scripts/need.sh COMMAND:PACKAGE[+PACKAGE] ...
#
# Where apt-get cannot be used, one sentence names what is missing, and the status is 1.
set -eu

missing=
for pair in "$@"; do
    command -v "${pair%%:*}" > /dev/null || missing="$missing $(echo "${pair#*:}" | tr + ' ')"
done
[ -n "$missing" ] || exit 0

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

if command -v apt-get > /dev/null && { [ "$(id -u)" = 0 ] || command -v sudo > /dev/null; }; then
    # make runs some of these at once, and apt-get works alone.
    [ -n "${NEED_ALONE:-}" ] || NEED_ALONE=yes exec flock "$0" sh "$0" "$@"
    echo "installing$missing"
    as_root apt-get update -q > /dev/null
    # shellcheck disable=SC2086 # the packages are words
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -o DPkg::Lock::Timeout=300 \
        -q -y --no-install-recommends $missing > /dev/null
else
    cat >&2 <<END
These packages are missing, and make cannot install them here:$missing
Install them as root by apt-get (Debian, Ubuntu), by 'brew install erlang rebar3 python' (macOS), or
run nix-shell (Nix). Then run make again.
END
    exit 1
fi
