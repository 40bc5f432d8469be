#!/bin/sh
# Fuzzes the Python side, guided by coverage. Run in the repository's root after `make setup'.
#
#   sh tests/fuzz/run.sh [SECONDS]   for how long each target runs; default 60
set -eu
python=.venv/bin/python3

sh tests/nifs/need.sh
$python -m pip install -q --disable-pip-version-check atheris
for target in frames operations libraries; do
    mkdir -p _build/fuzz/$target
    $python tests/fuzz/fuzz_$target.py -max_total_time="${1:-60}" _build/fuzz/$target
done
