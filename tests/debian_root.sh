#!/usr/bin/env bash
# A throw-away Debian in a folder, and commands in it: other releases of Erlang and Python than this machine's.
#
#   tests/debian_root.sh make ROOT SUITE         by debootstrap, in a folder that is not there yet: bare, a minute's work
#   tests/debian_root.sh run ROOT COMMAND ...    as root in there, in the folder $FOLDER (/)
#   tests/debian_root.sh can-be-made             whether that can be done here; else says why not, and has the status 1
#
# Takes Linux, root, and debootstrap, which is installed where it is missing. $MIRROR is where the packages come from.
# What this machine has been told about networks, proxies and package indexes holds in there too, mounted and not copied.
# All mounts are in a namespace of the command's own, and processes that it leaves behind end with it.
set -euo pipefail

say() { echo "debian_root: $*" >&2; }

can_be_made() {
    [ "$(uname -s)" = Linux ] || { say "it takes Linux"; return 1; }
    [ "$(id -u)" = 0 ] || { say "it takes root"; return 1; }
    unshare --mount --pid --fork true 2>/dev/null || { say "this machine lets nobody mount"; return 1; }
    command -v debootstrap >/dev/null || apt-get -qq install -y debootstrap >/dev/null 2>&1 ||
        { say "it takes debootstrap, which cannot be installed"; return 1; }
}

# A root that is there is whole: it gets its name last.
make_root() {
    mkdir -p "$(dirname "$1")"
    rm -rf "$1.begun"
    say "making a Debian $2"
    debootstrap --variant=minbase --include=ca-certificates "$2" "$1.begun" "${MIRROR:-http://deb.debian.org/debian}" \
        > "$1.log" 2>&1 || { tail -n 20 "$1.log" >&2; exit 1; }
    rm -rf "$1.begun"/var/cache/apt/archives/*.deb
    mv "$1.begun" "$1"
}

# Read-only, so that nothing in there can change this machine's.
lend() {
    [ -e "$1" ] || return 0
    if [ -d "$1" ]; then mkdir -p "$root$2"; else mkdir -p "$root$(dirname "$2")" && touch "$root$2"; fi
    mount --bind "$(realpath "$1")" "$root$2"
    mount -o remount,bind,ro "$root$2"
}

# In the namespaces. In /opt would be a local package index, should pip's settings name one.
enter() {
    local root=$1 home=/root path
    shift
    mount -t proc proc "$root/proc" 2>/dev/null || mount --rbind /proc "$root/proc"  # a container may forbid the first
    mount --rbind /dev "$root/dev"
    mount -t tmpfs tmpfs "$root/tmp"
    for path in /etc/{hosts,resolv.conf,pip.conf} /etc/ssl/certs /opt/*; do lend "$path" "$path"; done
    lend ~/.config/pip "$home/.config/pip"
    apt-config dump 2>/dev/null | grep '^Acquire::' > "$root/tmp/apt.conf" || :
    env -i APT_CONFIG=/tmp/apt.conf DEBIAN_FRONTEND=noninteractive HOME="$home" LANG=C.UTF-8 \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        $(env | grep -E '^(PIP_[A-Z_]+|SSL_CERT_FILE|SSL_CERT_DIR|[a-z]+_proxy|[A-Z]+_PROXY)=[^[:space:]]*$') \
        chroot "$root" sh -c 'cd "$1" && shift && exec "$@"' run "${FOLDER:-/}" "$@"
}

case ${1:-} in
    can-be-made) can_be_made ;;
    make) [ -e "$2" ] || make_root "$2" "$3" ;;
    run) exec unshare --mount --pid --fork --kill-child bash "$0" --enter "$(realpath "$2")" "${@:3}" ;;
    --enter) enter "${@:2}" ;;
    *) say "usage: tests/debian_root.sh can-be-made | make ROOT SUITE | run ROOT COMMAND ..."; exit 2 ;;
esac
