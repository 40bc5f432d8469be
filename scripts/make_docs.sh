#!/bin/sh
# Writes the documents and the Erlang, Elixir and Python API as pages to browse, in _build/docs. A
# broken link is an error.
# Run in the repository's root after `make setup'.
set -eu
sh scripts/need.sh elixir:elixir
rm -rf _build/edoc _build/elixir_docs
escript scripts/run_edoc.escript pages _build/edoc
mix compile > /dev/null
mix run --no-start guides/site/elixir_docs.exs _build/elixir_docs
.venv/bin/python3 guides/site/build.py _build/edoc _build/elixir_docs _build/docs
