#!/bin/sh
# What bundle.sh and aarch64.sh run in a root that has the bundle in /opt and no Python.
#
#   bundle_test.sh ARCHITECTURE
set -eu
program=/opt/signal-port/signal-port

if command -v python3; then
    echo "test-bundle: there is a Python here, so the test would show nothing" >&2
    exit 1
fi
"$program" version
"$program" doctor
"$program" selftest
escript tests/systems/port_check.escript "$1" "$program" worker
echo "test-bundle: all passed"
