#!/bin/sh
# Tests the pages of `make docs' in headless Chromium, with axe-core for contrast. Run in the
# repository's root after `make docs'. Needs Debian's packages and npm.
set -eu

sh scripts/need.sh chromium:chromium npm:npm
tools=$PWD/_build/site_tools
[ -d "$tools/node_modules/axe-core" ] ||
    npm install --silent --no-audit --no-fund --no-package-lock --prefix "$tools" axe-core@4.14.1
.venv/bin/python3 -m pytest tests/site "$@"
