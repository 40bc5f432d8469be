# Everything that the verbs of the Makefile need, pinned: `nix-shell --run 'make test'`. On ARM64
# it compiles without rebar3: rebar3 loads `crypto`, and the application loads no NIF there either.
{
  pkgs ? null
}:

let
  own = import ./default.nix (if pkgs == null then { } else { inherit pkgs; });
  python = own.pythonWith (pythonPackages: with pythonPackages; [ flit-core hypothesis mypy pytest ]);
  nixpkgs = own.pkgs;
in
nixpkgs.mkShell {
  packages = [ own.beam.erlang own.beam.rebar3 python ]
    ++ (with nixpkgs; [ git gnumake ruff shellcheck uv ]);

  # The virtual environment that `make setup` makes takes these packages, and fetches none.
  VENV_FLAGS = "--system-site-packages";
  PIP_NO_BUILD_ISOLATION = "false"; # in pip's inverted logic: no isolation

  REBAR = if nixpkgs.stdenv.hostPlatform.isAarch64 then "no" else "rebar3";

  # The application finds its Python there, and the installer leaves it as it is.
  shellHook = "mkdir -p priv && [ -e priv/venv ] || ln -sfn ${own.python} priv/venv";
}
