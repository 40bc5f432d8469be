# Everything that the verbs of the Makefile need, pinned: `nix-shell --run 'make test'`. On ARM64
# it compiles without rebar3: rebar3 loads `crypto`, and the application loads no NIF there either.
{
  pkgs ? import (fetchTarball {
    url = "https://github.com/NixOS/nixpkgs/archive/refs/tags/24.11.tar.gz";
    sha256 = "1gx0hihb7kcddv5h0k7dysp2xhf1ny0aalxhjbpj2lmvj7h9g80a";
  }) { }
}:

let
  beam = pkgs.beam.packages.erlang_27;

  # Not in nixpkgs, and on PyPI only as a source distribution.
  erlangPy = pythonPackages: pythonPackages.buildPythonPackage {
    pname = "erlang_py";
    version = "2.0.7";
    src = pkgs.fetchPypi {
      pname = "erlang_py";
      version = "2.0.7";
      hash = "sha256-5mvxXrnQ9PTLEyNLfHOmm9UFYVjel9gv9G/XFyB3DEw=";
    };
    format = "setuptools";
    doCheck = false;
  };

  python = pkgs.python312.withPackages (pythonPackages: with pythonPackages; [
    cryptography
    msgpack
    (erlangPy pythonPackages)
    flit-core
    hypothesis
    mypy
    pytest
  ]);
in
pkgs.mkShell {
  packages = [ beam.erlang beam.rebar3 python pkgs.ruff pkgs.shellcheck pkgs.git pkgs.gnumake ];

  # The virtual environment that `make setup` makes takes these packages, and fetches none.
  VENV_FLAGS = "--system-site-packages";
  PIP_NO_BUILD_ISOLATION = "false"; # in pip's inverted logic: no isolation

  REBAR = if pkgs.stdenv.hostPlatform.isAarch64 then "no" else "rebar3";
}
