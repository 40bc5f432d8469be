#!/bin/sh
# Checks what belongs to neither Python nor Erlang: shell scripts, Nix, Elixir. Run in the
# repository's root after `make setup'.
set -eux

sh scripts/need.sh shellcheck:shellcheck nix-instantiate:nix-bin elixir:elixir
git ls-files '*.sh' .ci | xargs shellcheck
nix-instantiate --eval --strict tests/systems/nix/evaluate.nix
mix format --check-formatted
mix compile --warnings-as-errors
