#!/bin/sh
# Measures the port beside the other engines, and shows the result as tables and pictures. Run in
# the repository's root after `make build'. All settings are environment variables:
#
# NIF      the ebin folder of libsignal_protocol_nif, and
# ERLPORT  the folder of erlport: engines that are measured beside the port
# QUICK=1  takes about a minute and gives rough figures
# ONLY     measures only the operations whose names begin with this, for example dr_
# RESULT   the file of the result; default _build/bench/result.json
set -eu
folder=_build/bench
result=${RESULT:-$folder/result.json}
python=$PWD/.venv/bin/python3
echo=

# For workers elsewhere: serve, and as root two HAProxy with TLS between them, where there is one.
sockets=$(mktemp -d)
trap 'sh scripts/bench_servers.sh stop "$sockets"' EXIT
sh scripts/bench_servers.sh start "$sockets"

mkdir -p $folder
erlc -o $folder bench/*.erl
if command -v cc > /dev/null; then
    echo=$folder/echo
    cc -O2 -o $echo bench/echo.c
fi
[ ! -t 2 ] || export PROGRESS=yes
OUT=$folder/result.etf ECHO=$echo PYTHON=$python SOCKET=$sockets/worker.sock \
    TLS=$(find "$sockets" -name signal-port.sock) \
    erl -noshell -pa _build/default/lib/*/ebin $folder -s signal_port_bench main
"$python" bench/convert.py $folder/result.etf "$result"
"$python" bench/report.py "$result" --pictures $folder
