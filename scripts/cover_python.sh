#!/bin/sh
# Shows which lines and branches of the Python package the tests run. The last report fails if one
# is missing. The first report, of the modules that tests run in processes of their own, where
# nothing counts, is only shown. Run in the repository's root after `make setup'.
set -eu
bin=.venv/bin
sh tests/nifs/need.sh
$bin/python3 -m pytest -n 2 --cov --cov-report= --cov-fail-under=0
$bin/coverage report --include=signal_port/__main__.py,signal_port/worker.py --omit=none \
    --fail-under=0
$bin/coverage report
