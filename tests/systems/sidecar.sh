#!/usr/bin/env bash
# shellcheck disable=SC2154 # bash sets vm_PID for the coprocess
#
# deploy/container/Dockerfile and Dockerfile.bundle without Docker: builds each image in throw-away
# Debian roots, and starts it as Kubernetes does, with a volume that everybody can write to. Calls it
# as the user of the other container, to whom the volume is read-only, and as a stranger. Then an
# Erlang VM in a root without Python makes calls, while either side is killed. The image has the last
# commit or the bundle of `make bundle', the VM what `make build' has compiled.
#
#   sidecar.sh [DOCKERFILE...]   default: Dockerfile, and Dockerfile.bundle if there is a bundle
#
# Needs Linux, root and the network. If no root can be made, it prints why, and exits with 0. The
# bare Debian stays in $SIDECAR_ROOT (_build/sidecar).
set -euo pipefail

cd "$(dirname "$0")/../.."
mkdir -p "${SIDECAR_ROOT:-_build/sidecar}"
dir=$(realpath "${SIDECAR_ROOT:-_build/sidecar}")
app=10002 stranger=10003
bundle=_build/bundle/signal-port

say() { echo "test-sidecar: $*" >&2; }
fail() {
    say "$*"
    exit 1
}
# shellcheck source=tests/systems/image.sh
. tests/systems/image.sh

# prepare DOCKERFILE: the context has the bundle, and the build stage the repository at /repository
prepare() {
    sed 's,git+URL-OF-THIS-REPOSITORY,git+file:///repository,' "deploy/container/$1" |
        sed '/^RUN python3 -m venv/i COPY repository /repository' > "$dir/Dockerfile"
    rm -rf "$dir/context"
    git clone -q --bare . "$dir/context/repository"
    [ "$1" = Dockerfile ] || cp -a $bundle "$dir/context/signal-port"
}

start() {
    install -d -m 0777 "$root/run/signal-port" # as an emptyDir is
    chown root:root "$root/run/signal-port"
    chmod 0777 "$root/run/signal-port"
    say "starting ${entrypoint[*]} ${command[*]}"
    in_background "$dir/log" "${entrypoint[@]}" "${command[@]}"
    trap 'kill -KILL "$container" ${vm_PID-} 2> /dev/null || :' EXIT
    until [ -S "$root/run/signal-port/serve/worker.sock" ]; do
        kill -0 "$container" 2> /dev/null || {
            cat "$dir/log" >&2
            fail "serve has ended"
        }
        sleep 0.1
    done
}

stop() {
    kill -KILL "$container"
    wait "$container" 2> /dev/null || :
}

# beside USER COMMAND...: runs in another container, to which the volume is read-only
# shellcheck disable=SC2016 # the inner shell expands them
beside() {
    debian_root run "$root" sh -ec '
        user=$1
        shift
        mount --bind /run/signal-port /run/signal-port
        mount -o remount,bind,ro /run/signal-port
        exec setpriv --reuid "$user" --regid "$user" --clear-groups "$@"' beside "$@"
}

# --- The VM ---

vm_root=$dir/vm
load='escript /opt/load.escript --connections 2 --callers 8 --ebin /opt/lib/*/ebin'

make_vm() {
    rm -rf "$vm_root"
    cp -a "$dir/trixie" "$vm_root"
    debian_root run "$vm_root" sh -c \
        'apt-get -qq update && apt-get -qq install -y --no-install-recommends erlang-base > /dev/null'
    ! debian_root run "$vm_root" sh -c 'command -v python3' || fail "the VM's root has a Python"
    mkdir -p "$vm_root/opt/lib/signal_port" "$vm_root/run/signal-port"
    cp -R _build/default/lib/signal_port/ebin "$vm_root/opt/lib/signal_port"
    cp tests/systems/load.escript "$vm_root/opt"
}

# shellcheck disable=SC2016,SC2086 # the inner shell expands them; the load is words
run_vm() {
    exec unshare --mount sh -ec '
        mount --bind "$1/run/signal-port" "$2/run/signal-port"
        mount -o remount,bind,ro "$2/run/signal-port"
        vm=$2 user=$3
        shift 3
        exec bash tests/systems/debian_root.sh run "$vm" \
            setpriv --reuid "$user" --regid "$user" --clear-groups env HOME=/tmp "$@"' \
        vm "$root" "$vm_root" $app $load /run/signal-port/serve/worker.sock
}

# report FIGURE: waits until the figure is not 0, and fails if a call did
report() {
    local line=''
    until [[ $line == *"\"$1\": "[1-9]* ]]; do
        sleep 0.5
        echo >&"${vm[1]}"
        read -r line <&"${vm[0]}" || fail "the VM has ended"
        [[ $line == *'"failed": 0, "wrong": 0,'* ]] || fail "$line"
    done
    say "$line"
}

# --- What is to be done ---

test_image() {
    say "$1"
    prepare "$1"
    build "$dir/Dockerfile" "$dir/context"
    start
    admits_the_right_user
    survives_kills
    stop
}

admits_the_right_user() {
    inside "${health[@]}" || fail "the health check fails"
    beside $app "${health[@]}" || fail "the other container is not served"
    ! beside $stranger "${health[@]}" || fail "a stranger is served"
    ! beside $app touch /run/signal-port/mine 2> /dev/null || fail "the volume is not read-only"
    [ "$(grep -c 'begins: worker' "$dir/log")" = 2 ] || fail "there were not two workers"
}

survives_kills() {
    say "an Erlang VM in a root without Python makes calls"
    coproc vm { run_vm; }
    report calls
    say "kill -9 of the sidecar"
    stop
    start
    report lost
    report calls
    say "kill -9 of the VM"
    kill -KILL "$vm_PID"
    until [ "$(grep -c ' begins: ' "$dir/log")" = "$(grep -c ' ends after ' "$dir/log")" ]; do
        sleep 0.1
    done
}

debian_root can-be-made || {
    say "DID NOT RUN: no Debian root can be made here"
    exit 0
}
make_vm
if [ $# -eq 0 ]; then
    set -- Dockerfile
    if [ -d $bundle ]; then set -- "$@" Dockerfile.bundle; fi
fi
for dockerfile; do test_image "$dockerfile"; done
rm -rf "$dir"/stage-* "$vm_root"
say "all passed"
