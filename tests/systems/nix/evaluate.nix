# What the Nix files come to with the stand-in; `nix-instantiate --eval --strict` must return true.
let
  nixpkgs = import ./nixpkgs.nix;
  own = import ../../../default.nix { pkgs = nixpkgs; };
  shell = import ../../../shell.nix { pkgs = nixpkgs; };
  flake = (import ../../../flake.nix).outputs { inherit nixpkgs; };
in
assert own.python == "cryptography msgpack pyelftools erlang_py-2.0.7";
assert builtins.match "[0-9.]+" own.signal_port.version != null;
assert builtins.all builtins.pathExists own.signal_port.src;
assert builtins.isString own.signal_port.installPhase;
assert builtins.deepSeq shell true;
assert flake.packages.aarch64-linux.default.version == own.signal_port.version;
assert builtins.deepSeq flake.devShells true;
true
