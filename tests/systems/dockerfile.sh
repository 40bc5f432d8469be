#!/usr/bin/env bash
# guides/Dockerfile without Docker: performs each of its instructions in throw-away Debian roots, on
# the project in the folder dockerfile, which has the last commit of signal_port as a dependency.
# Then runs its CMD until the project prints that a call was answered.
#
# Knows FROM debian:SUITE-slim, WORKDIR, ENV, USER, COPY, RUN and CMD, and no others. Needs Linux,
# root and the network. If no root can be made, it prints why, and exits with 0. The bare Debian
# stays in $DOCKERFILE_ROOT (_build/dockerfile).
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
debian_root() { bash tests/systems/debian_root.sh "$@"; }

# The Dockerfile copies the project to /build, so that the repository is there too.
make_project() {
    rm -rf "$project"
    cp -R tests/systems/dockerfile "$project"
    sed -i 's,URL-OF-THIS-REPOSITORY,file:///build/repository,' "$project/rebar.config"
    git clone -q --bare . "$project/repository"
    git -C "$project/repository" update-ref refs/heads/main "$(git rev-parse HEAD)"
}

# --- The instructions ---

# instructions FILE: one a line, without comments
instructions() {
    sed -e '/^#/d' -e :joined -e '/\\$/{N;s/\\\n//;b joined' -e '}' "$1" | grep -v '^ *$'
}

stage=0 root='' workdir=/ user=root environment=() command=()

# Docker gives a process the home of its user, and nothing of this machine's environment.
inside() {
    local home
    home=$(awk -F: -v user="$user" '$1 == user { print $6 }' "$root/etc/passwd")
    FOLDER=$workdir debian_root run "$root" \
        setpriv --reuid "$user" --regid "$user" --clear-groups \
        env HOME="$home" "${environment[@]}" "$@"
}

# from IMAGE [as STAGE]
from() {
    local suite=${1#debian:}
    [[ $1 = debian:*-slim ]] || fail "this test has only images of Debian, and not $1"
    suite=${suite%-slim}
    debian_root make "$dir/$suite" "$suite"
    stage=$((stage + 1)) root=$dir/stage-${3:-$stage}
    workdir=/ user=root environment=() command=()
    rm -rf "$root"
    cp -a "$dir/$suite" "$root"
}

# copy [--from=STAGE] SOURCE TARGET: copies the content of a folder
copy() {
    local source=$project
    case $1 in --from=*)
        source=$dir/stage-${1#--from=}
        shift
        ;;
    esac
    cp -a "$source/$1/." "$(realpath -m "$root/$workdir/$2")"
}

run() {
    inside sh -c "$1" > "$dir/log" 2>&1 < /dev/null || {
        tail -n 40 "$dir/log" >&2
        fail "failed: RUN $1"
    }
}

# perform INSTRUCTION ARGUMENTS
perform() {
    local words
    say "$1 $2"
    read -ra words <<< "$2"
    case $1 in
        FROM) from "${words[@]}" ;;
        WORKDIR)
            workdir=$2
            mkdir -p "$root$2"
            ;;
        ENV) environment+=("$2") ;;
        USER) user=$2 ;;
        COPY) copy "${words[@]}" ;;
        RUN) run "$2" ;;
        CMD) read -ra command <<< "$(tr -d '[]",' <<< "$2")" ;;
        *) fail "this test does not know the instruction $1" ;;
    esac
}

run_command() {
    say "running ${command[*]}"
    inside timeout 120 "${command[@]}" > "$dir/log" 2>&1 < /dev/null &
    container=$!
    trap 'kill "$container" 2> /dev/null || :' EXIT
    while kill -0 "$container" 2> /dev/null; do
        ! grep -a 'answered in embedded mode, port' "$dir/log" || return 0
        sleep 0.2
    done
    cat "$dir/log" >&2
    fail "it ended before a call was answered"
}

# --- What is to be done ---

debian_root can-be-made || {
    say "DID NOT RUN: no Debian root can be made here"
    exit 0
}
make_project
while read -r instruction arguments <&3; do
    perform "$instruction" "$arguments"
done 3< <(instructions guides/Dockerfile)
run_command
kill "$container"
wait "$container" || :
rm -rf "$dir"/stage-*
say "all passed"
