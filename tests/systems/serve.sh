#!/bin/sh
# What `signal-port serve' needs other programs for: containers, systemd, HAProxy, ssh, and its soak.
# Run after `make build'. Each part says what it needs, and what it prints.
#
#   serve.sh [PART...]   of manifests, sidecar, systemd, hosts, channels and soak; default: all
set -eu
cd "$(dirname "$0")/../.."
python=.venv/bin/python3

need() { sh scripts/need.sh "$@"; }

run_part() {
    case $1 in
        manifests) sh tests/systems/manifests.sh ;;
        sidecar) bash tests/systems/sidecar.sh ;;
        systemd)
            need systemd-nspawn:systemd-container
            bash tests/systems/systemd.sh
            ;;
        hosts)
            need haproxy:haproxy ip:iproute2 openssl:openssl
            $python tests/systems/hosts/run.py --load "escript tests/systems/load.escript"
            ;;
        channels)
            need sshd:openssh-server ssh:openssh-client
            $python tests/systems/channels.py
            ;;
        soak) $python tests/soak/soak_serve.py --load "escript tests/systems/load.escript" ;;
        *)
            echo "serve.sh: there is no part $1" >&2
            exit 2
            ;;
    esac
}

[ $# -gt 0 ] || set -- manifests sidecar systemd hosts channels soak
for part; do
    run_part "$part"
done
