#!/usr/bin/env bash
# The units of deploy/systemd in a Debian 12 that is booted in a container: installed by the
# commands of their README.md, analysed, started, killed, stopped, and called as the right user
# and as a stranger. Uses the last commit.
#
# Needs Linux, root, the network and systemd-nspawn. If no root can be made, it prints why, and
# exits with 0. The bare Debian stays in $SYSTEMD_ROOT (_build/systemd).
set -euo pipefail

cd "$(dirname "$0")/../.."
dir=${SYSTEMD_ROOT:-_build/systemd}
bare=$dir/bookworm
root=$dir/root

say() { echo "test-systemd: $*" >&2; }
debian_root() { bash tests/systems/debian_root.sh "$@"; }
inside() { FOLDER=/root/systemd debian_root run "$root" "$@"; }

# block HEADING: the first block of code under a heading of the README
block() {
    sed -n "/^## $1/,/^## /p" deploy/systemd/README.md | awk '/^```/ { n++; next } n == 1'
}

make_bare() {
    [ ! -e "$bare" ] || return 0
    debian_root make "$bare.begun" bookworm
    debian_root run "$bare.begun" sh -c 'apt-get -qq update && apt-get -qq install -y \
        --no-install-recommends systemd systemd-sysv python3-venv git libseccomp2 > /dev/null'
    mv "$bare.begun" "$bare"
}

install_by_readme() {
    rm -rf "$root"
    cp -a "$bare" "$root"
    cp -r tests/systems/systemd deploy/systemd/signal-port* "$root/root"
    mv "$root"/root/signal-port* "$root/root/systemd/"
    cp tests/systems/systemd/check.service "$root/etc/systemd/system/"
    git clone -q --bare . "$root/root/repository"
    block Install | sed 's,git+URL-OF-THIS-REPOSITORY,git+file:///root/repository,' \
        > "$root/root/systemd/install.sh"
    block 'Serve a socket' > "$root/root/systemd/serve_activated.sh"
    inside sh -c 'useradd --system app && useradd --system stranger && sh -e install.sh' \
        > "$dir/log" 2>&1 || {
        tail -n 20 "$dir/log" >&2
        exit 1
    }
}

debian_root can-be-made || {
    say "DID NOT RUN: no Debian root can be made here"
    exit 0
}
make_bare
say "installing, by the README"
install_by_readme
say "booting"
status=0
systemd-nspawn --quiet --register=no --keep-unit --console=pipe --directory "$root" --boot \
    systemd.unit=check.service < /dev/null > "$dir/log" 2>&1 || status=$?
cat "$root/root/systemd/log"
[ "$status" = 0 ] || exit "$status"
rm -rf "$root"
say "all well"
