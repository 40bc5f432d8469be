#!/bin/sh
# Shows which lines of the application the suites run. Fails if a line of a pure module is missing.
# Run in the repository's root after `rebar3 ct --compile_only'.
set -eu
COVER=1 sh scripts/test_erlang.sh
erl -noshell -pa _build/test/lib/signal_port/tests/erlang -s signal_port_cover main \
    -extra _build/test/logs/*/coverdata
