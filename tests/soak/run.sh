#!/bin/sh
# Load and faults. Run in the repository's root after `make build'.
#
#   sh tests/soak/run.sh [SECONDS]   for how long; default 600
set -eu
mkdir -p _build/soak
erlc -o _build/soak tests/soak/*.erl
SECONDS=${1:-600} exec erl -noshell -pa _build/default/lib/*/ebin _build/soak -s signal_port_soak main
