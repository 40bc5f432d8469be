#!/usr/bin/env bash
# ARM64 on a machine of another architecture: a root of the distribution's arm64 packages (Erlang,
# Python), run by QEMU's user mode. Tests which backend is chosen, the recorded answers through
# Python and through the application, and the demo.
#
#   tests/systems/aarch64.sh              sets up what is missing, then tests
#   tests/systems/aarch64.sh COMMAND...   the same with a command, in the repository's folder
#
# BARE=yes   in a root that has no Python
#
# Needs `make build', and 600 MB in $AARCH64_ROOT (_build/aarch64). Runs in a user namespace,
# needs no root, and installs nothing on this machine. If that is impossible, it prints why, and
# exits with 0.
set -euo pipefail

cd "$(dirname "$0")/../.."
self=$PWD/tests/systems/aarch64.sh

# The shell scripts that start Erlang need the first three. Erlang's crypto is installed so that the
# test can see that nothing loads it.
with_erlang=(dash coreutils sed erlang-base erlang-crypto libseccomp2)
# What else the root with Python has is for scripts/make_bundle.sh.
with_python=(bash python3 python3-venv '^libpython3[.][0-9]+$' binutils diffutils dpkg gzip hostname
    libc-bin tar)

# ELF of 64 bits, little-endian, for machine 183. The mask accepts executables, shared objects and
# any OS ABI.
magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'

say() { echo "test-aarch64: $*" >&2; }
skip() {
    say "DID NOT RUN: $*"
    exit 0
}

# --- In the namespaces ---

# A user namespace has its own table of binary formats (Linux 6.7). Else this machine's entry is
# used, of the package qemu-user-static: by its flag F the kernel keeps the emulator open, so that
# the root does not need it.
can_emulate() {
    mount -t tmpfs none "$dir/formats" || return # a namespace that may not mount is of no use
    mount -t binfmt_misc none "$dir/formats" 2> /dev/null ||
        grep -qs '^flags:.*F' /proc/sys/fs/binfmt_misc/qemu-aarch64
}

# This shell is PID 1 and stays, because the kernel ignores the signal that ends an emulated PID 1
# after a crash.
enter() {
    can_emulate
    [ ! -e "$dir/formats/register" ] ||
        echo ":aarch64:M::$magic:$mask:$dir/qemu-aarch64:F" > "$dir/formats/register"
    # A container may forbid a new proc.
    mount -t proc proc "$root/proc" 2> /dev/null || mount --rbind /proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs tmpfs "$root/tmp"
    mount --rbind . "$root/repo"
    mount --bind "$dir/venv" "$root/repo/priv/venv" # where the application looks for its Python

    # The JIT writes its code through one mapping and runs it in another. QEMU before 8.1 misses
    # such writes. OTP 26 has a flag for one mapping; in OTP 25 perf's maps (in /tmp) do the same.
    local jit="+JMsingle true"
    [ ! -e "$root/usr/lib/erlang/releases/25" ] || jit="+JPperf map"
    local slow="-signal_port start_timeout 120000 stall_timeout 60000 call_timeout 120000"
    env -i PATH=/usr/bin:/usr/sbin HOME=/tmp LANG=C.UTF-8 ERL_AFLAGS="$jit $slow" \
        chroot "$root" env --chdir /repo "$@"
}

# KILL, because unshare ignores gentler signals: an emulator that hangs must end too.
namespaces() {
    timeout --foreground --signal KILL 20m \
        unshare --user --map-root-user --mount --pid --fork --kill-child bash "$self" "$@"
}

# --- Setting up ---

# This machine's apt, with its sources and keys, but for arm64 and with a state of its own.
arm_apt() { APT_CONFIG=$dir/apt/apt.conf "$@" >&2; }

set_up() {
    rm -rf "$dir"/{root,bare,apt,venv,wheels,qemu-aarch64,ready}
    mkdir -p "$dir"/apt/{lists,archives}/partial
    configure_apt
    fetch "${with_erlang[@]}"
    unpack "$dir/bare"
    cp "$dir/bare/var/lib/dpkg/status" "$dir/apt/status"
    fetch "${with_python[@]}"
    cp -a "$dir/bare" "$dir/root"
    unpack "$dir/root"
    fetch_emulator
    make_venv
    rm -rf "$dir/apt"
    touch "$dir/ready"
}

# unpack ROOT: all packages that were fetched, and not their scripts: emulated, they take minutes
unpack() {
    local package
    say "unpacking"
    mkdir -p "$1"/{dev,proc,tmp,repo,opt,usr/{bin,sbin,lib},var/lib/dpkg/info}
    [ -e "$1/bin" ] || ln -s usr/bin usr/sbin usr/lib "$1"
    for package in "$dir"/apt/archives/*.deb; do
        dpkg-deb --fsys-tarfile "$package" |
            tar -x --keep-directory-symlink --no-same-owner -C "$1"
        record "$package" "$1/var/lib/dpkg"
    done
    rm "$dir"/apt/archives/*.deb
    ln -sf dash "$1/usr/bin/sh"
}

# record PACKAGE DATABASE: for dpkg-query, which tells whose a library and its licence are
record() {
    dpkg-deb --field "$1" | sed '1a Status: install ok installed' >> "$2/status"
    echo >> "$2/status"
    dpkg-deb --fsys-tarfile "$1" | tar -t | sed 's,^\.,,; s,/$,,' \
        > "$2/info/$(dpkg-deb --field "$1" Package).list"
}

configure_apt() {
    : > "$dir/apt/status"
    cat > "$dir/apt/apt.conf" <<-CONF
	#clear APT::Architectures;
	#clear APT::Update::Post-Invoke;
	#clear APT::Update::Post-Invoke-Success;
	APT::Architecture "arm64";
	APT::Architectures { "arm64"; "$(dpkg --print-architecture)"; };
	APT::Install-Recommends "false";
	APT::Sandbox::User "root";
	Acquire::Languages "none";
	Dir { State::lists "$dir/apt/lists"; State::status "$dir/apt/status"; Cache "$dir/apt"; };
	CONF
    say "fetching the packages for arm64"
    if ! arm_apt apt-get -qq update ||
        ! arm_apt apt-cache show erlang-base:arm64 > /dev/null 2>&1; then
        skip "the apt sources of this machine gave no packages for arm64"
    fi
}

fetch() { arm_apt apt-get -qq install --download-only "$@"; }

# The emulator must be static. In Debian 12 qemu-user-static has it, in later releases qemu-user.
fetch_emulator() {
    local package binary
    mkdir "$dir/apt/qemu"
    for package in qemu-user-static qemu-user; do
        (
            cd "$dir/apt/qemu"
            arm_apt apt-get -qq download "$package:$(dpkg --print-architecture)" &&
                dpkg-deb -x "$package"_*.deb .
        ) || continue
        for binary in "$dir"/apt/qemu/usr/bin/qemu-aarch64{-static,}; do
            [ -f "$binary" ] || continue
            cp "$binary" "$dir/qemu-aarch64"
            return
        done
    done
    skip "the apt sources of this machine gave no static qemu-aarch64"
}

# What the project needs of PyPI, but the linters; for the Python of the root, by the pip of this
# machine.
make_venv() {
    local pip=(.venv/bin/python3 -m pip -q --disable-pip-version-check) python packages
    python=$(readlink "$dir/root/usr/bin/python3")
    say "fetching the packages for aarch64's $python"
    mkdir -p "$dir/venv/bin"
    ln -s /usr/bin/python3 "$dir/venv/bin/python3"
    echo "home = /usr/bin" > "$dir/venv/pyvenv.cfg"
    mapfile -t packages < <(.venv/bin/python3 tests/systems/print_requirements.py)
    # erlang_py is pure Python, and on PyPI only as source.
    "${pip[@]}" wheel --use-pep517 --no-deps --wheel-dir "$dir/apt" erlang_py
    "${pip[@]}" install --target "$dir/venv/lib/$python/site-packages" --no-compile \
        --find-links "$dir/apt" --only-binary=:all: \
        --platform manylinux2014_aarch64 --platform manylinux_2_28_aarch64 \
        --platform manylinux_2_34_aarch64 \
        --python-version "${python#python}" --implementation cp "${packages[@]}"
}

# --- What is to be done ---

[ "$(uname -m)" != aarch64 ] || skip "this machine is aarch64 itself: run 'make test' instead"
for tool in unshare apt-get dpkg-deb; do
    command -v $tool > /dev/null ||
        skip "it needs Linux with apt (Debian, Ubuntu), and there is no $tool"
done
mkdir -p "${AARCH64_ROOT:-_build/aarch64}/formats"
dir=$(cd "${AARCH64_ROOT:-_build/aarch64}" && pwd -P)
root=$dir/$([ "${BARE:-no}" = yes ] && echo bare || echo root)

case ${1:-} in
    --can-emulate)
        can_emulate
        exit
        ;;
    --enter)
        shift
        enter "$@"
        exit
        ;;
esac
namespaces --can-emulate 2> /dev/null || skip "no emulation for this user:" \
    "it needs user namespaces, and Linux 6.7 or the package qemu-user-static"
if [ ! "$dir/ready" -nt "$self" ] || [ ! "$dir/ready" -nt pyproject.toml ]; then
    set_up
fi
# The root has no compiler: the libraries that its VM loads are cross-compiled here.
sh tests/nifs/need.sh
mkdir -p _build/nifs/aarch64
.venv/bin/python3 tests/python/nifs.py aarch64 _build/nifs/aarch64
mkdir -p _build/nifs/probe
headers=$(erl -noshell -eval 'io:put_chars(code:root_dir()), halt().')/usr/include
aarch64-linux-gnu-gcc -shared -fPIC -DNULL_TERMINATED -I "$headers" \
    -o _build/nifs/probe/sick_nif.so tests/nifs/sick_nif.c
[ $# -gt 0 ] || set -- sh tests/systems/aarch64_test.sh
namespaces --enter "$@"
