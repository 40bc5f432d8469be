#!/usr/bin/env bash
# guides/Dockerfile without Docker: each of its instructions is done in throw-away Debian roots, on a project that has
# signal_port, the last commit, as a git dependency. Then its CMD runs until the project says that calls are answered.
#
# Knows FROM debian:SUITE-slim, WORKDIR, ENV, USER, COPY, RUN and CMD, and no others. Takes Linux, root and the network;
# where no root can be made it says so, and exits with 0. $DOCKERFILE_ROOT (_build/dockerfile) keeps the bare Debian.
set -euo pipefail

cd "$(dirname "$0")/.."
repository=$PWD
mkdir -p "${DOCKERFILE_ROOT:-_build/dockerfile}"
dir=$(realpath "${DOCKERFILE_ROOT:-_build/dockerfile}")
project=$dir/project

say()  { echo "test-dockerfile: $*" >&2; }
fail() { say "$*"; exit 1; }

# --- A project, its release in embedded mode ---

make_project() {
    rm -rf "$project"
    mkdir -p "$project/src"
    git clone -q --bare "$repository" "$project/repository"
    git -C "$project/repository" update-ref refs/heads/main "$(git rev-parse HEAD)"
    cat > "$project/rebar.config" <<-'END_OF_FILE'
	{deps, [{signal_port, {git, "file:///build/repository", {branch, "main"}}}]}.
	{relx, [{release, {consumer, "1.0.0"}, [consumer]}, {mode, prod}]}.
	END_OF_FILE
    cat > "$project/src/consumer.app.src" <<-'END_OF_FILE'
	{application, consumer, [{description, "It calls"}, {vsn, "1.0.0"}, {mod, {consumer, []}},
	                         {applications, [kernel, stdlib, signal_port]}]}.
	END_OF_FILE
    cat > "$project/src/consumer.erl" <<-'END_OF_FILE'
	-module(consumer).
	-behaviour(application).
	-export([start/2, stop/1]).
	start(_, _) ->
	    {ok, <<186, 120, 22, 191, _/binary>>} = signal_port:sha256(<<"abc">>),
	    io:format("answered in ~s mode, ~p~n", [code:get_mode(), maps:get(backend, signal_port:info())]),
	    {ok, self()}.
	stop(_) -> ok.
	END_OF_FILE
}

# --- The instructions ---

# One a line, without comments.
instructions() { sed -e '/^#/d' -e :joined -e '/\\$/{N;s/\\\n//;b joined' -e '}' "$1" | grep -v '^ *$'; }

stage=0 root='' workdir=/ user=root environment=() command=()

# Docker gives a process the home of its user, and nothing of this machine's environment.
inside() {
    local home; home=$(awk -F: -v user="$user" '$1 == user { print $6 }' "$root/etc/passwd")
    FOLDER=$workdir bash tests/debian_root.sh run "$root" \
        setpriv --reuid "$user" --regid "$user" --clear-groups \
        env HOME="$home" ${environment[@]+"${environment[@]}"} "$@"
}

from() {
    local suite=${1#debian:}
    [[ $1 = debian:*-slim ]] || fail "no image but Debian's can be had: $1"
    bash tests/debian_root.sh make "$dir/${suite%-slim}" "${suite%-slim}"
    stage=$((stage + 1)) root=$dir/stage-${3:-$stage} workdir=/ user=root environment=() command=()
    rm -rf "$root"
    cp -a "$dir/${suite%-slim}" "$root"
}

# copy [--from=STAGE] SOURCE TARGET: what is in a folder goes into the target
copy() {
    local source=$project
    case $1 in --from=*) source=$dir/stage-${1#--from=}; shift ;; esac
    cp -a "$source/$1/." "$(realpath -m "$root/$workdir/$2")"
}

run() { inside sh -c "$1" > "$dir/log" 2>&1 < /dev/null || { tail -n 40 "$dir/log" >&2; fail "failed: RUN $1"; }; }

perform() {
    say "$1 $2"
    case $1 in
        FROM) from $2 ;;
        WORKDIR) workdir=$2; mkdir -p "$root$2" ;;
        ENV) environment+=("$2") ;;
        USER) user=$2 ;;
        COPY) copy $2 ;;
        RUN) run "$2" ;;
        CMD) read -ra command <<< "$(tr -d '[]",' <<< "$2")" ;;
        *) fail "an instruction that is not known here: $1" ;;
    esac
}

run_command() {
    say "running ${command[*]}"
    inside timeout 120 "${command[@]}" > "$dir/log" 2>&1 < /dev/null &
    container=$!
    trap 'kill "$container" 2>/dev/null || :' EXIT
    while kill -0 "$container" 2>/dev/null; do
        ! grep -a 'answered in embedded mode, port' "$dir/log" || return 0
        sleep 0.2
    done
    cat "$dir/log" >&2
    fail "it ended, and its calls were not answered"
}

# --- From here on it is done ---

bash tests/debian_root.sh can-be-made || { say "DID NOT RUN: no Debian root can be made here"; exit 0; }
make_project
while read -r instruction arguments <&3; do
    perform "$instruction" "$arguments"
done 3< <(instructions guides/Dockerfile)
run_command
kill "$container"
wait "$container" || :
rm -rf "$dir"/stage-*
say "all well"
