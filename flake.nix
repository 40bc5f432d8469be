{
  description = "The Signal Protocol's operations for the BEAM, by a supervised port";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/24.11";

  outputs = { nixpkgs, ... }:
    let
      systems = [ "x86_64-linux" "aarch64-linux" "x86_64-darwin" "aarch64-darwin" ];
      each = make: nixpkgs.lib.genAttrs systems (system: make nixpkgs.legacyPackages.${system});
    in
    {
      packages = each (pkgs:
        let own = import ./default.nix { inherit pkgs; };
        in { inherit (own) python signal_port; default = own.signal_port; });
      devShells = each (pkgs: { default = import ./shell.nix { inherit pkgs; }; });
    };
}
