#!/bin/sh
# Computes the cores and hosts that a rate of calls needs, and draws them in _build/bench. Run in
# the repository's root after `make setup'. All settings are environment variables:
#
# RATE    calls a second
# MIX     the operations and their weights, for example dr_encrypt:9,x25519:1
# CORES   of one host
# RESULT  a result of `make bench' on your own machine; default those of bench/results
set -eu
mkdir -p _build/bench
exec .venv/bin/python3 bench/capacity.py --rate "${RATE-}" --mix "${MIX-}" --cores "${CORES-}" \
    --picture _build/bench/capacity.svg ${RESULT:+"$RESULT"}
