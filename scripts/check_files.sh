#!/bin/sh
# Checks what belongs to neither Python nor Erlang: shell scripts, Nix, Elixir, prose, workflows of
# GitHub. Run in the repository's root after `make setup'.
set -eux

sh scripts/need.sh shellcheck:shellcheck nix-instantiate:nix-bin elixir:elixir
git ls-files '*.sh' .ci | xargs shellcheck
git ls-files '*.md' '*.livemd' | xargs .venv/bin/python3 scripts/lint_prose.py
nix-instantiate --eval --strict tests/systems/nix/evaluate.nix
mix format --check-formatted
mix compile --warnings-as-errors

# is SCHEMA FILE...: the files are what GitHub takes, by the copy of its schema in check-jsonschema
is() {
    schema=$1
    shift
    .venv/bin/check-jsonschema -q --builtin-schema "vendor.$schema" "$@"
}
is github-workflows .github/workflows/*.yml
is dependabot .github/dependabot.yml
is github-issue-config .github/ISSUE_TEMPLATE/config.yml
is github-issue-forms .github/ISSUE_TEMPLATE/[!c]*.yml
.venv/bin/zizmor --offline --quiet .github
