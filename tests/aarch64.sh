#!/usr/bin/env bash
# ARM64 on a machine that is not: a root made of the distribution's own arm64 packages (Erlang, Python), run by QEMU's
# user mode. In it: which backend is chosen, the recorded answers through Python and through the door, the demo.
#
#   tests/aarch64.sh              set up what is missing, then test
#   tests/aarch64.sh COMMAND...   the same with a command instead of the tests, in the repository's folder there
#
# Wants `make build' done, and 250 MB in $AARCH64_ROOT (_build/aarch64). Nothing is installed or registered on this
# machine, and root is not needed: it happens in a user namespace. Where that cannot be it says so, and exits with 0.
set -euo pipefail

cd "$(dirname "$0")/.."
self=$PWD/tests/aarch64.sh

# The shell scripts that start Erlang need the first three. Erlang's crypto is there to be left alone: where it is
# missing, that it was not loaded would mean nothing.
packages="dash coreutils sed erlang-base erlang-crypto python3"

# ELF of 64 bits, little-endian, for machine 183; the mask lets executables, shared objects and any OS ABI through.
magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'

say()  { echo "test-aarch64: $*" >&2; }
skip() { say "DID NOT RUN: $*"; exit 0; }

# --- In the namespaces ---

# A user namespace has a table of binary formats of its own (Linux 6.7); else this machine's own entry, as the package
# qemu-user-static makes it, does. With F the kernel keeps the emulator open, so that it need not be in the root.
can_emulate() {
    mount -t tmpfs none "$dir/formats" || return  # a namespace in which nothing may be mounted is of no use
    mount -t binfmt_misc none "$dir/formats" 2>/dev/null ||
        grep -qs '^flags:.*F' /proc/sys/fs/binfmt_misc/qemu-aarch64
}

# This shell is PID 1, and stays: of an emulated PID 1 the kernel would ignore the signal that ends it after a crash.
enter() {
    can_emulate
    [ ! -e "$dir/formats/register" ] || echo ":aarch64:M::$magic:$mask:$dir/qemu-aarch64:F" > "$dir/formats/register"
    mount -t proc proc "$root/proc" 2>/dev/null || mount --rbind /proc "$root/proc"  # a container may forbid the first
    mount --rbind /dev "$root/dev"
    mount -t tmpfs tmpfs "$root/tmp"
    mount --rbind . "$root/repo"
    mount --bind "$dir/venv" "$root/repo/priv/venv"  # the application finds its Python where it always does

    # The JIT writes its code through one mapping and runs it in another, which QEMU before 8.1 does not notice. OTP 26
    # has a flag for one mapping; in OTP 25 perf's maps (in /tmp) have it as a side effect.
    local jit="+JMsingle true"
    [ -e "$root/usr/lib/erlang/releases/25" ] && jit="+JPperf map"
    env -i PATH=/usr/bin:/usr/sbin HOME=/tmp LANG=C.UTF-8 \
        ERL_AFLAGS="$jit -signal_port start_timeout 120000 stall_timeout 60000 call_timeout 120000" \
        chroot "$root" /usr/bin/dash -c 'cd /repo && exec "$@"' run "$@"
}

# Nobody waits for ever for an emulator that hangs; unshare heeds no gentler signal.
namespaces() {
    timeout --foreground --signal KILL 20m \
        unshare --user --map-root-user --mount --pid --fork --kill-child bash "$self" "$@"
}

# --- Setting up ---

# This machine's apt, with its sources and keys, but for arm64 and with a state of its own.
arm_apt() { APT_CONFIG=$dir/apt/apt.conf "$@" >&2; }

set_up() {
    local package
    rm -rf "$root" "$dir"/{apt,venv,qemu-aarch64,ready}
    mkdir -p "$dir"/apt/{lists,archives}/partial "$root"/{dev,proc,tmp,repo,usr/{bin,sbin,lib}}
    fetch
    say "unpacking"
    ln -s usr/bin usr/sbin usr/lib "$root"
    for package in "$dir"/apt/archives/*.deb; do  # their scripts are not run: emulated, they take minutes
        dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink --no-same-owner -C "$root"
    done
    ln -sf dash "$root/usr/bin/sh"
    make_venv
    rm -rf "$dir/apt"
    touch "$dir/ready"
}

fetch() {
    local native package binary; native=$(dpkg --print-architecture)
    : > "$dir/apt/status"
    cat > "$dir/apt/apt.conf" <<-CONF
	#clear APT::Architectures;
	#clear APT::Update::Post-Invoke;
	#clear APT::Update::Post-Invoke-Success;
	APT { Architecture "arm64"; Architectures { "arm64"; "$native"; }; Install-Recommends "false"; Sandbox::User "root"; };
	Acquire::Languages "none";
	Dir { State::lists "$dir/apt/lists"; State::status "$dir/apt/status"; Cache "$dir/apt"; };
	CONF
    say "fetching the packages for arm64"
    arm_apt apt-get -qq update && arm_apt apt-cache show erlang-base:arm64 >/dev/null 2>&1 ||
        skip "the apt sources of this machine gave no packages for arm64"
    arm_apt apt-get -qq install --download-only $packages

    mkdir "$dir/apt/qemu"  # which has to be static: in Debian 12 only the first package is, later that is empty or gone
    for package in qemu-user-static qemu-user; do
        (cd "$dir/apt/qemu" && arm_apt apt-get -qq download "$package:$native" && dpkg-deb -x "$package"_*.deb .) ||
            continue
        for binary in "$dir"/apt/qemu/usr/bin/qemu-aarch64{-static,}; do
            [ ! -f "$binary" ] || { cp "$binary" "$dir/qemu-aarch64"; return; }
        done
    done
    skip "the apt sources of this machine gave no static qemu-aarch64"
}

# What the project asks for of PyPI, but the linters; for the Python of the root, by the pip of this machine.
make_venv() {
    local pip="priv/venv/bin/python3 -m pip -q --disable-pip-version-check" python needs
    python=$(readlink "$root/usr/bin/python3")
    say "fetching the packages for aarch64's $python"
    mkdir -p "$dir/venv/bin"
    ln -s /usr/bin/python3 "$dir/venv/bin/python3"
    echo "home = /usr/bin" > "$dir/venv/pyvenv.cfg"
    needs=$(priv/venv/bin/python3 -c 'from importlib.metadata import requires
print(*[line.split(";")[0] for line in requires("signal-port") if line[:4] not in ("mypy", "ruff")])')
    $pip wheel --use-pep517 --no-deps --wheel-dir "$dir/apt" erlang_py  # pure Python, and on PyPI as source only
    $pip install --target "$dir/venv/lib/$python/site-packages" --no-compile \
        --find-links "$dir/apt" --only-binary=:all: \
        --platform manylinux2014_aarch64 --platform manylinux_2_28_aarch64 --platform manylinux_2_34_aarch64 \
        --python-version "${python#python}" --implementation cp $needs
}

# --- What is to be done ---

[ "$(uname -m)" != aarch64 ] || skip "this machine is aarch64 itself: \`make test' is the test there"
for tool in unshare apt-get dpkg-deb; do
    command -v $tool >/dev/null || skip "it takes Linux with apt (Debian, Ubuntu), and there is no $tool"
done
mkdir -p "${AARCH64_ROOT:-_build/aarch64}/formats"
dir=$(cd "${AARCH64_ROOT:-_build/aarch64}" && pwd -P)
root=$dir/root

case ${1:-} in
    --can-emulate) can_emulate; exit;;
    --enter) shift; enter "$@"; exit;;
esac
namespaces --can-emulate 2>/dev/null ||
    skip "no emulation for this user: it takes user namespaces, and Linux 6.7 or the package qemu-user-static"
[ "$dir/ready" -nt "$self" ] && [ "$dir/ready" -nt pyproject.toml ] || set_up
[ $# = 0 ] || { namespaces --enter "$@"; exit; }

namespaces --enter dash -ec '
    priv/venv/bin/python3 -m pytest -p no:cacheprovider tests/python/test_operations.py
    escript tests/aarch64_check
    escript examples/demo'
say "all well"
