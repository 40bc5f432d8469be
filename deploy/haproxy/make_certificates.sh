#!/bin/sh
# Makes an authority of your own, and certificates for mutual TLS between VMs and crypto hosts.
#
#   make_certificates.sh FOLDER HOST...
#
#   FOLDER/ca.pem      the authority; every machine needs it
#   FOLDER/ca.key      its key: keep it off all of these machines
#   FOLDER/beam.pem    certificate and key of the VMs' side
#   FOLDER/HOST.pem    certificate and key of a crypto host; there it is called host.pem
#
# What exists is kept, so that a later call adds hosts. Remove a file to renew it. A certificate is
# valid for $DAYS days (365), the authority for 3650. That of a host is for $USAGE (serverAuth). Needs
# openssl.
set -eu
umask 077

[ $# -ge 2 ] || {
    sed -n 's/^#   make/usage: make/p' "$0" >&2
    exit 2
}
folder=$1
shift
mkdir -p "$folder"

key() { openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 "$@"; }

make_authority() {
    [ ! -e "$folder/ca.key" ] || return 0
    key -out "$folder/ca.key"
    openssl req -x509 -new -key "$folder/ca.key" -days 3650 -subj "/CN=signal-port authority" \
        -addext "keyUsage=critical,keyCertSign,cRLSign" -out "$folder/ca.pem"
}

# certificate NAME USAGE: the name is checked by the other side, and so is the usage
certificate() {
    [ ! -e "$folder/$1.pem" ] || return 0
    key -out "$folder/$1.key.part"
    printf '%s\n' "subjectAltName=DNS:$1" "extendedKeyUsage=$2" "basicConstraints=CA:FALSE" \
        "keyUsage=critical,digitalSignature" > "$folder/$1.ext.part"
    openssl req -new -key "$folder/$1.key.part" -subj "/CN=$1" |
        openssl x509 -req -CA "$folder/ca.pem" -CAkey "$folder/ca.key" -days "${DAYS:-365}" \
            -set_serial "0x$(openssl rand -hex 16)" -extfile "$folder/$1.ext.part" \
            -out "$folder/$1.pem.part" 2> "$folder/$1.log.part" || {
        cat "$folder/$1.log.part" >&2
        exit 1
    }
    cat "$folder/$1.key.part" >> "$folder/$1.pem.part"
    mv "$folder/$1.pem.part" "$folder/$1.pem"
    rm "$folder/$1".*.part
}

make_authority
certificate beam clientAuth
for host; do
    certificate "$host" "${USAGE:-serverAuth}"
done
