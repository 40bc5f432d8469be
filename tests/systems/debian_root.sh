#!/usr/bin/env bash
# A throw-away Debian in a folder, and commands in it: other releases of Erlang and Python.
#
#   debian_root.sh can-be-made          prints why not, with the status 1, if it cannot be made here
#   debian_root.sh make ROOT SUITE      makes a bare one by debootstrap, unless it exists; a minute
#   debian_root.sh run ROOT COMMAND...  runs a command as its root, in its folder $FOLDER (/)
#
# Needs Linux and root. Installs debootstrap if it is missing. $MIRROR is where the packages come
# from. The root uses this machine's settings of network, proxies and package indexes; they are
# mounted, not copied. All mounts are in a namespace of the command's own, and processes that the
# command leaves behind end with it.
set -euo pipefail

say() { echo "debian_root: $*" >&2; }

# impossible REASON: for a test that cannot run here
impossible() {
    say "$*"
    return 1
}

can_be_made() {
    [ "$(uname -s)" = Linux ] || impossible "it needs Linux"
    [ "$(id -u)" = 0 ] || impossible "it needs root"
    unshare --mount --pid --fork true 2> /dev/null || impossible "this machine forbids mounts"
    command -v debootstrap > /dev/null || apt-get -qq install -y debootstrap > /dev/null 2>&1 ||
        impossible "it needs debootstrap, which cannot be installed"
}

# The root gets its name last, so that a folder of that name is complete.
make_root() {
    local begun=$1.begun mirror=${MIRROR:-http://deb.debian.org/debian}
    mkdir -p "$(dirname "$1")"
    rm -rf "$begun"
    say "making a Debian $2"
    debootstrap --variant=minbase --include=ca-certificates "$2" "$begun" "$mirror" \
        > "$1.log" 2>&1 || {
        tail -n 20 "$1.log" >&2
        exit 1
    }
    rm -rf "$begun"/var/cache/apt/archives/*.deb
    mv "$begun" "$1"
}

# lend PATH TARGET: mounts a file or folder of this machine in the root, read-only
lend() {
    [ -e "$1" ] || return 0
    if [ -d "$1" ]; then
        mkdir -p "$root$2"
    else
        mkdir -p "$root$(dirname "$2")"
        touch "$root$2"
    fi
    mount --bind "$(realpath "$1")" "$root$2"
    mount -o remount,bind,ro "$root$2"
}

# settings: the environment variables of proxies, certificates and pip
settings() {
    env | grep -E \
        '^(PIP_[A-Z_]+|SSL_CERT_FILE|SSL_CERT_DIR|[a-z]+_proxy|[A-Z]+_PROXY)=[^[:space:]]*$' || :
}

# enter ROOT COMMAND...: runs in the namespaces. /opt may have a package index that pip's settings
# name.
enter() {
    local root=$1 home=/root path
    shift
    mount --bind "$root" "$root" # a test that makes a namespace of mounts needs a mounted root
    # A container may forbid a new proc.
    mount -t proc proc "$root/proc" 2> /dev/null || mount --rbind /proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs tmpfs "$root/tmp"
    for path in /etc/{hosts,resolv.conf,pip.conf} /etc/ssl/certs /opt/*; do
        lend "$path" "$path"
    done
    lend ~/.config/pip "$home/.config/pip"
    apt-config dump 2> /dev/null | grep '^Acquire::' > "$root/tmp/apt.conf" || :
    mapfile -t variables < <(settings)
    env -i APT_CONFIG=/tmp/apt.conf DEBIAN_FRONTEND=noninteractive HOME="$home" LANG=C.UTF-8 \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "${variables[@]}" \
        chroot "$root" env --chdir "${FOLDER:-/}" "$@"
}

case ${1:-} in
    can-be-made) can_be_made ;;
    make) [ -e "$2" ] || make_root "$2" "$3" ;;
    run)
        root=$(realpath "$2")
        exec unshare --mount --pid --fork --kill-child bash "$0" --enter "$root" "${@:3}"
        ;;
    --enter) enter "${@:2}" ;;
    *)
        say "usage: debian_root.sh can-be-made | make ROOT SUITE | run ROOT COMMAND..."
        exit 2
        ;;
esac
