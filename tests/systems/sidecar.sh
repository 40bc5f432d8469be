#!/usr/bin/env bash
# deploy/container/Dockerfile without Docker: builds the image in throw-away Debian roots, and
# starts it as Kubernetes does, with a volume that everybody can write to. Calls it as the user of
# the other container, to whom the volume is read-only, and as a stranger. Uses the last commit.
#
# Needs Linux, root and the network. If no root can be made, it prints why, and exits with 0. The
# bare Debian stays in $SIDECAR_ROOT (_build/sidecar).
set -euo pipefail

cd "$(dirname "$0")/../.."
mkdir -p "${SIDECAR_ROOT:-_build/sidecar}"
dir=$(realpath "${SIDECAR_ROOT:-_build/sidecar}")
app=10002 stranger=10003

say() { echo "test-sidecar: $*" >&2; }
fail() {
    say "$*"
    exit 1
}
# shellcheck source=tests/systems/image.sh
. tests/systems/image.sh

# The build stage has the repository at /repository.
prepare() {
    sed 's,git+URL-OF-THIS-REPOSITORY,git+file:///repository,' deploy/container/Dockerfile |
        sed '/^RUN python3 -m venv/i COPY repository /repository' > "$dir/Dockerfile"
    rm -rf "$dir/context"
    git clone -q --bare . "$dir/context/repository"
}

start() {
    install -d -m 0777 "$root/run/signal-port" # as an emptyDir is
    chown root:root "$root/run/signal-port"
    chmod 0777 "$root/run/signal-port"
    say "starting ${entrypoint[*]} ${command[*]}"
    inside "${entrypoint[@]}" "${command[@]}" > "$dir/log" 2>&1 < /dev/null &
    container=$!
    trap 'kill "$container" 2> /dev/null || :' EXIT
    until [ -S "$root/run/signal-port/serve/worker.sock" ]; do
        kill -0 "$container" 2> /dev/null || {
            cat "$dir/log" >&2
            fail "serve has ended"
        }
        sleep 0.1
    done
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

debian_root can-be-made || {
    say "DID NOT RUN: no Debian root can be made here"
    exit 0
}
prepare
build "$dir/Dockerfile" "$dir/context"
start
inside "${health[@]}" || fail "the health check fails"
beside $app "${health[@]}" || fail "the other container is not served"
! beside $stranger "${health[@]}" || fail "a stranger is served"
! beside $app touch /run/signal-port/mine 2> /dev/null || fail "the volume is not read-only"
[ "$(grep -c 'begins: worker' "$dir/log")" = 2 ] || fail "there were not two workers"
kill "$container"
wait "$container" || :
rm -rf "$dir"/stage-*
say "all passed"
