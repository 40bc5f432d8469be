# The application and its Python, from nixpkgs:
#
#   nix-build -A signal_port    in lib/erlang/lib, where other applications find it
#   nix-build -A python         a Python with the packages, for the option python
#
# It compiles with erlc alone, and so on ARM64 too: rebar3 loads a NIF.
{
  pkgs ? import (fetchTarball {
    url = "https://github.com/NixOS/nixpkgs/archive/refs/tags/24.11.tar.gz";
    sha256 = "1gx0hihb7kcddv5h0k7dysp2xhf1ny0aalxhjbpj2lmvj7h9g80a";
  }) { }
}:

let
  appSrc = builtins.readFile ./erlang/signal_port.app.src;
  version = builtins.head (builtins.match ".*[{]vsn, \"([^\"]*)\"[}].*" appSrc);

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

  needs = pythonPackages: [
    pythonPackages.cryptography
    pythonPackages.msgpack
    pythonPackages.pyelftools
    (erlangPy pythonPackages)
  ];
in
rec {
  inherit pkgs;

  beam = pkgs.beam.packages.erlang_27;

  # pythonWith (pythonPackages: [ ... ]): with these packages besides
  pythonWith = others: pkgs.python312.withPackages (all: needs all ++ others all);
  python = pythonWith (_: [ ]);

  signal_port = pkgs.stdenv.mkDerivation {
    pname = "signal_port";
    inherit version;
    src = pkgs.lib.fileset.toSource {
      root = ./.;
      fileset = pkgs.lib.fileset.unions [ ./erlang ./requirements ./scripts ./signal_port ];
    };
    nativeBuildInputs = [ beam.erlang ];
    buildPhase = "sh scripts/compile.sh";
    installPhase = ''
      app=$out/lib/erlang/lib/signal_port-${version}
      mkdir -p $app
      cp -r _build/default/lib/signal_port/ebin priv $app
      ln -s ${python} $app/priv/venv
    '';
  };
}
