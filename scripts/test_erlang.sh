#!/bin/sh
# Runs the Common Test suites, each in a VM of its own. Run in the repository's root after
# `rebar3 ct --compile_only'.
#
#   sh scripts/test_erlang.sh             all suites; last, one by one, those that measure time
#   sh scripts/test_erlang.sh pool        one suite, signal_port_pool_SUITE
#   sh scripts/test_erlang.sh pool CASE   one case of it
#
# The suite signal_port_SUITE is named door.
# JOBS  how many suites run at once; default two for each core, because suites wait a lot
set -eu
app=$PWD/_build/test/lib/signal_port
logs=$PWD/_build/test/logs
export PATH="$PWD/.venv/bin:$PATH"
first='nodes storm doctor child_vm backend' # the longest
alone='frame fault crowd vm' # load from others would change what they measure

# run_suite NAME [CASE]: prints the result; the suite's output and the pages of Common Test stay in
# a folder of their own
run_suite() {
    suite=signal_port_$1_SUITE
    [ "$1" != door ] || suite=signal_port_SUITE
    shift
    rm -rf "${logs:?}/$suite"
    mkdir -p "$logs/$suite"
    status=0
    erl -noshell -pa "$app/ebin" "$app/tests/erlang" -s signal_port_run main \
        -extra "$logs/$suite" "$suite" "$@" > "$logs/$suite/output" 2>&1 || status=1
    cat "$logs/$suite/result" 2> /dev/null || echo "$suite: no result"
    [ $status = 0 ] || echo "    see $logs/$suite/index.html and $logs/$suite/output"
    return $status
}

# others SUITE ...: the names of all suites but these
others() {
    basename -s _SUITE.erl tests/erlang/signal_port_*_SUITE.erl | sed 's/^signal_port_//' |
        grep -vxF "$(printf '%s\n' "$@")"
}

if [ $# -gt 0 ]; then
    run_suite "$@"
    exit
fi
status=0
# shellcheck disable=SC2046,SC2086 # the names are words
printf '%s\n' $first door $(others $first $alone) |
    xargs -P "${JOBS:-$((2 * $(getconf _NPROCESSORS_ONLN)))}" -n 1 sh "$0" || status=1
for suite in $alone; do
    sh "$0" "$suite" || status=1
done
exit $status
