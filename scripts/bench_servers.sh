#!/bin/sh
# The servers of `make bench': `signal-port serve', and a path to it through two HAProxy with TLS
# between them, by the files of deploy/haproxy. The latter needs haproxy, openssl and root.
#
#   bench_servers.sh start FOLDER    FOLDER/worker.sock, and FOLDER/signal-port.sock if it can
#   bench_servers.sh stop FOLDER     ends them, and removes the folder
set -eu

folder=$2

signal_port() { priv/venv/bin/python3 -I -B priv/python/signal_port "$@"; }

# start_server NAME COMMAND...
start_server() {
    name=$1
    shift
    "$@" > "$folder/$name.log" 2>&1 &
    echo $! >> "$folder/pids"
}

# wait_for SOCKET: until a call through it is answered
wait_for() {
    for _ in $(seq 100); do
        ! signal_port doctor --socket "$1" > "$folder/doctor.log" 2>&1 || return 0
        sleep 0.1
    done
    cat "$folder"/*.log >&2
    exit 1
}

start_proxies() {
    sh deploy/haproxy/make_certificates.sh "$folder" host-a
    cp "$folder/host-a.pem" "$folder/host.pem"
    export TLS_FOLDER="$folder" RUN_FOLDER="$folder"
    export SOCKET="$folder/worker.sock" SOCKET_GROUP=haproxy VM_USER=root
    export ADDRESS=127.0.0.1 HOST_A=127.0.0.1 HOST_B=127.0.0.1 HOST_C=127.0.0.1
    start_server crypto haproxy -db -f deploy/haproxy/crypto-host.cfg
    start_server beam haproxy -db -f deploy/haproxy/beam-host.cfg
    wait_for "$folder/signal-port.sock"
}

case $1 in
    start)
        set -- --socket "$folder/worker.sock"
        if [ "$(id -u)" = 0 ] && command -v haproxy openssl > /dev/null; then
            chmod 711 "$folder"
            start_server serve signal_port serve "$@" --allow-uid haproxy --mode 0666
            wait_for "$folder/worker.sock"
            start_proxies
        else
            start_server serve signal_port serve "$@"
            wait_for "$folder/worker.sock"
        fi
        ;;
    stop)
        xargs kill < "$folder/pids" 2> /dev/null || true
        rm -rf "$folder"
        ;;
esac
