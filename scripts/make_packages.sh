#!/bin/sh
# Makes the packages of a release in dist: wheel and sdist for PyPI, tarball for Hex. Run in the
# repository's root after `make setup`. Installs Elixir, and mix's Hex from the network, if they are
# missing.
#
#   sh scripts/make_packages.sh [VERSION]    fails if the version is another
set -eu

version=$(sed -n 's/.*{vsn, "\(.*\)"}.*/\1/p' erlang/signal_port.app.src)
[ "${1:-$version}" = "$version" ] || {
    echo "make_packages: the version is $version and not $1: see Releasing in CONTRIBUTING.md" >&2
    exit 1
}

# The files get the time of the commit, so that the same commit makes the same packages.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
rm -rf dist
mkdir dist
.venv/bin/python3 -c 'from flit_core.buildapi import *; build_wheel("dist"); build_sdist("dist")'

sh scripts/need.sh elixir:elixir
mix local.hex --force --if-missing
mix hex.build --output "dist/signal_port-$version.tar"
