#!/bin/sh
# What aarch64.sh runs in its root.
set -eu
priv/venv/bin/python3 -m pytest -p no:cacheprovider tests/python/test_operations.py
escript tests/systems/aarch64_check.escript
escript examples/demo/demo.escript
echo "test-aarch64: all passed"
