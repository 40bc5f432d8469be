# shellcheck shell=bash disable=SC2034,SC2154 # variables of the script that sources it
# Sourced by the tests of Dockerfiles: performs the instructions of a Dockerfile, without Docker, in
# throw-away Debian roots.
#
#   build FILE CONTEXT   leaves $root, $user, $workdir, $environment, $entrypoint, $command and
#   $health inside COMMAND ...   runs a command in $root as $user
#
# Knows FROM debian:SUITE-slim, WORKDIR, ENV, USER, COPY, RUN, HEALTHCHECK, ENTRYPOINT and CMD,
# and no others. The sourcing script has $dir, where the roots are, and the functions say and
# fail. It stands in the repository's root.

debian_root() { bash tests/systems/debian_root.sh "$@"; }

# instructions FILE: one a line, without comments
instructions() {
    sed -e '/^#/d' -e :joined -e '/\\$/{N;s/\\\n//;b joined' -e '}' "$1" | grep -v '^ *$'
}

stage=0 root='' context='' workdir=/ user=root environment=() entrypoint=() command=() health=()

# Docker gives a process the home of its user, and nothing of this machine's environment.
inside() {
    local home
    home=$(awk -F: -v user="$user" '$1 == user { print $6 }' "$root/etc/passwd")
    FOLDER=$workdir debian_root run "$root" \
        setpriv --reuid "$user" --regid "$user" --clear-groups \
        env HOME="$home" "${environment[@]}" "$@"
}

# in_background LOG COMMAND...: starts a command like inside; killing $container kills all of it
in_background() {
    local log=$1
    shift
    (
        debian_root() { exec bash tests/systems/debian_root.sh "$@"; }
        inside "$@"
    ) > "$log" 2>&1 < /dev/null &
    container=$!
}

# from IMAGE [as STAGE]
from() {
    local suite=${1#debian:}
    [[ $1 = debian:*-slim ]] || fail "this test has only images of Debian, and not $1"
    suite=${suite%-slim}
    debian_root make "$dir/$suite" "$suite"
    stage=$((stage + 1)) root=$dir/stage-${3:-$stage}
    workdir=/ user=root environment=() entrypoint=() command=() health=()
    rm -rf "$root"
    cp -a "$dir/$suite" "$root"
}

# copy [--from=STAGE] SOURCE TARGET: copies the content of a folder
copy() {
    local source=$context
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

# words LIST: prints the words of a list in JSON, one a line
words() { python3 -c 'import json, sys; print(*json.loads(sys.argv[1]), sep="\n")' "$1"; }

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
        HEALTHCHECK) mapfile -t health < <(words "${2#CMD }") ;;
        ENTRYPOINT) mapfile -t entrypoint < <(words "$2") ;;
        CMD) mapfile -t command < <(words "$2") ;;
        *) fail "this test does not know the instruction $1" ;;
    esac
}

build() {
    context=$2
    while read -r instruction arguments <&3; do
        perform "$instruction" "$arguments"
    done 3< <(instructions "$1")
}
