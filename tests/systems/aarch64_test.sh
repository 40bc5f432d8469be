#!/bin/sh
# What aarch64.sh runs in its root.
set -eu
priv/venv/bin/python3 -m pytest -p no:cacheprovider tests/python/test_operations.py
NIF_FOLDER=_build/nifs/aarch64 priv/venv/bin/python3 -m pytest -p no:cacheprovider \
    tests/python/test_nif_in_vm.py -k 'autopsy_says and (healthy or null_end or null_function)'
escript tests/systems/port_check.escript aarch64
escript tests/systems/probe_check.escript _build/nifs/probe
escript examples/demo/demo.escript
echo "test-aarch64: all passed"
