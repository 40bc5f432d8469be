#!/usr/bin/env bash
# guides/Dockerfile and guides/Dockerfile.bundle without Docker: performs each of their instructions
# in throw-away Debian roots, on the project in the folder dockerfile, which has the last commit of
# signal_port as a dependency. Then runs CMD until the project prints that a call was answered, and
# HEALTHCHECK beside it.
#
#   tests/systems/dockerfile.sh [python | bundle]
#
# Needs Linux, root and the network. If no root can be made, it prints why, and exits with 0. The
# bare Debian stays in $DOCKERFILE_ROOT (_build/dockerfile).
set -euo pipefail

cd "$(dirname "$0")/../.."
mkdir -p "${DOCKERFILE_ROOT:-_build/dockerfile}"
dir=$(realpath "${DOCKERFILE_ROOT:-_build/dockerfile}")
project=$dir/project

say() { echo "test-dockerfile: $*" >&2; }
fail() {
    say "$*"
    exit 1
}
# shellcheck source=tests/systems/image.sh
. tests/systems/image.sh

# make_project CONFIG: the Dockerfile copies the project to /build, so that the repository is there too.
make_project() {
    rm -rf "$project"
    cp -R tests/systems/dockerfile "$project"
    sed -i 's,URL-OF-THIS-REPOSITORY,file:///build/repository,' "$project/rebar.config"
    cp "$project/config/$1.config" "$project/config/sys.config"
    git clone -q --bare . "$project/repository"
    git -C "$project/repository" update-ref refs/heads/main "$(git rev-parse HEAD)"
}

run_command() {
    say "running ${command[*]}"
    in_background "$dir/log" timeout 120 "${command[@]}"
    trap 'kill "$container" 2> /dev/null || :' EXIT
    while kill -0 "$container" 2> /dev/null; do
        ! grep -a 'answered in embedded mode, port' "$dir/log" || return 0
        sleep 0.2
    done
    cat "$dir/log" >&2
    fail "it ended before a call was answered"
}

# test_image python | bundle
test_image() {
    local file=guides/Dockerfile
    [ "$1" = python ] || file=$file.$1
    make_project "$1"
    build "$file" "$project"
    [ "$user" != root ] || fail "$file runs as root"
    run_command
    inside "${health[@]}" > "$dir/health" 2>&1 ||
        fail "failed: HEALTHCHECK: $(cat "$dir/health")"
    kill "$container"
    wait "$container" || :
    rm -rf "$dir"/stage-*
}

# --- What is to be done ---

debian_root can-be-made || {
    say "DID NOT RUN: no Debian root can be made here"
    exit 0
}
[ $# -gt 0 ] || set -- python bundle
for variant; do
    test_image "$variant"
done
say "all passed"
