#!/bin/sh
# Runs the Common Test suites, each in a VM of its own: as many at once as JOBS says, else two for each core, for they
# wait a lot; and after them, one by one, those that measure time. `sh tests/erlang.sh pool' runs one suite (`door' is signal_port_SUITE), and
# `sh tests/erlang.sh pool CASE' one case. Run in the repository's root after `rebar3 ct --compile_only'.
set -eu
app=$PWD/_build/test/lib/signal_port
logs=$PWD/_build/test/logs
first='doctor child_vm backend'  # they take longest
alone='frame fault'      # they measure, or are at the mercy of the time that others take

# suite NAME [CASE]: its result is printed as it ends; what it printed, and Common Test's pages, are in its folder
if [ "${1-}" = --suite ]; then
    suite=signal_port_$2_SUITE; [ "$2" != door ] || suite=signal_port_SUITE
    shift 2
    rm -rf "${logs:?}/$suite" && mkdir -p "$logs/$suite"
    status=0
    erl -noshell -pa "$app/ebin" "$app/tests/erlang" -s signal_port_run main -extra "$logs/$suite" "$suite" "$@" \
        > "$logs/$suite/output" 2>&1 || status=$?
    cat "$logs/$suite/result" 2>/dev/null || echo "$suite: no result"
    [ $status = 0 ] || { echo "    see $logs/$suite/index.html and $logs/$suite/output"; exit 1; }
    exit 0
fi

[ $# = 0 ] || exec sh "$0" --suite "$@"

# Without those that are named here, all that there are.
others=$(ls tests/erlang | sed -n 's/^signal_port_\(.*\)_SUITE\.erl$/\1/p' | grep -vxF "$(printf '%s\n' $first $alone)")
status=0
printf '%s\n' $first door $others | xargs -P "${JOBS:-$((2 * $(getconf _NPROCESSORS_ONLN)))}" -n 1 sh "$0" --suite || status=1
printf '%s\n' $alone | xargs -n 1 sh "$0" --suite || status=1
exit $status
