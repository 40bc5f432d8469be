# Stands in for nixpkgs, which takes a network: packages are their names, and functions return what
# they are given. So the Nix files are evaluated, and nothing is built.
let
  packages = names: builtins.listToAttrs (map (name: { inherit name; value = name; }) names);
  pkgs = packages [ "git" "gnumake" "ruff" "shellcheck" "uv" ] // {
    beam.packages.erlang_27 = packages [ "erlang" "rebar3" ];
    fetchPypi = { pname, version, hash }: "${pname}-${version}";
    lib.fileset = { toSource = { root, fileset }: fileset; unions = paths: paths; };
    mkShell = attributes: attributes;
    python312.withPackages = choose: builtins.concatStringsSep " " (choose (
      packages [ "cryptography" "msgpack" "pyelftools" "flit-core" "hypothesis" "mypy" "pytest" ]
      // { buildPythonPackage = { src, ... }: src; }
    ));
    stdenv = { mkDerivation = attributes: attributes; hostPlatform.isAarch64 = false; };
  };
in
pkgs // {
  lib = pkgs.lib // {
    genAttrs = names: make: builtins.listToAttrs (map (name: { inherit name; value = make name; }) names);
  };
  legacyPackages = builtins.listToAttrs (map (name: { inherit name; value = pkgs; }) [
    "x86_64-linux" "aarch64-linux" "x86_64-darwin" "aarch64-darwin"
  ]);
}
