#!/bin/sh
# Writes the documents and both APIs as pages to browse, in _build/docs. A broken link is an error.
# Run in the repository's root after `make setup'.
set -eu
rm -rf _build/edoc
escript scripts/run_edoc.escript pages _build/edoc
.venv/bin/python3 guides/site/build.py _build/edoc _build/docs
