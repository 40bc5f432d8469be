#!/bin/sh
# Runs inside the Debian that systemd.sh boots, as a service of its systemd. The commands of
# deploy/systemd/README.md have been run there, but for the start of a unit.
set -eu
cd "$(dirname "$0")"

SIGNAL_PORT=/opt/signal-port/bin/signal-port
SERVED=/run/signal-port/worker.sock
ACTIVATED=/run/signal-port.sock

say() { echo "check: $*"; }
fail() {
    say "FAILED: $*"
    exit 1
}
as() { setpriv --reuid "$1" --regid "$1" --init-groups "$SIGNAL_PORT" doctor --socket "$2"; }
answers() {
    as app "$1" > answer || fail "no worker answers at $1"
    cat answer
    grep -q 'sandbox seccomp' answer || fail "the worker is in no sandbox"
}
refuses() { ! as stranger "$1" || fail "a stranger is served at $1"; }
of_service() { systemctl show --property "$1" --value signal-port.service; }

say "the units are correct, and their exposure is under 2.0"
for unit in signal-port.socket signal-port.service signal-port@.service; do
    systemd-analyze verify "/etc/systemd/system/$unit" || fail "$unit is not correct"
done
for unit in signal-port.service signal-port@.service; do
    systemd-analyze security --no-pager --offline=true --threshold=20 "/etc/systemd/system/$unit" |
        tail -n 1
done

say "inetd: any program that starts one process for each connection will do"
systemd-socket-activate --accept --inetd --listen=/run/inetd.sock "$SIGNAL_PORT" worker &
until [ -S /run/inetd.sock ]; do sleep 0.1; done
"$SIGNAL_PORT" doctor --socket /run/inetd.sock || fail "no worker answers behind inetd"
kill $!

say "serve: it is started when it listens, and serves the right user"
systemctl start signal-port.service
answers "$SERVED"
refuses "$SERVED"

say "serve: it comes back after SIGKILL"
before=$(of_service MainPID)
systemctl kill --kill-whom=main --signal=KILL signal-port.service
until [ "$(of_service ActiveState)" = active ] && [ "$(of_service MainPID)" != "$before" ]; do
    sleep 0.1
done
answers "$SERVED"

say "serve: a stop answers the running calls"
/opt/signal-port/bin/python3 calls_during_stop.py "$SERVED"

say "socket: systemd starts the worker, for the right user"
systemctl start signal-port.socket
answers "$ACTIVATED"
refuses "$ACTIVATED"
systemctl stop signal-port.socket

say "socket: systemd listens for serve, and connections outlive a restart"
sh serve_activated.sh
systemctl start signal-port.socket
answers "$ACTIVATED"
refuses "$ACTIVATED"
systemctl restart signal-port.service
answers "$ACTIVATED"
[ "$(of_service ActiveState)" = active ] || fail "serve was not started by its socket"

failed=$(systemctl --failed --quiet --plain --no-legend list-units 'signal-port*')
[ -z "$failed" ] || fail "failed units: $failed"
say "all well"
