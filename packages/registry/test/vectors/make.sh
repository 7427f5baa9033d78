#!/bin/sh
# Makes the certificates beside it, valid for a hundred years. Their keys protect nothing.
set -eu
cd "$(dirname "$0")"
days=36500
ec='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
openssl req -x509 $ec -days $days -subj '/CN=authority of the tests' -keyout ca.key -out ca.pem \
  -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign'
sign() {
  openssl req $ec -subj "/CN=$1" -keyout "$1.key.pem" -out "$1.csr"
  printf '%s\n' "$2" >"$1.ext"
  openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -days $days -extfile "$1.ext" -out "$1.pem" \
    -set_serial "$3"
  rm "$1.csr" "$1.ext"
}
sign server 'subjectAltName=DNS:localhost,DNS:registry.test,DNS:layers.test,IP:127.0.0.1' 2
sign client 'extendedKeyUsage=clientAuth' 3
rm ca.key
