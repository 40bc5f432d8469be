#!/bin/sh
# Changes the pure modules, one small change at a time, and shows which changes no test notices. Run
# in the repository's root after `rebar3 ct --compile_only'. Nothing in the repository is changed.
#
# SAMPLE  how many changes, picked at random; default all, which takes an hour on two cores
# SEED    of the sample and of hypothesis; default 1
# ONLY    a part of the path of the modules that are changed; default all
# JOBS    how many changes are tried at once; default one for each core
set -eu
mkdir -p _build/mutate
erlc -o _build/mutate tests/mutate/signal_port_cases.erl
exec .venv/bin/python3 tests/mutate/mutate.py ${SAMPLE:+--sample "$SAMPLE"} \
    --seed "${SEED:-1}" --jobs "${JOBS:-$(getconf _NPROCESSORS_ONLN)}" ${ONLY:+"$ONLY"}
