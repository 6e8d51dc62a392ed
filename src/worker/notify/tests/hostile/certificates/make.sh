#!/bin/sh
# Makes the certificates of the hostile receivers, with openssl 3. They guard nothing, and last for a century.
set -e
cd "$(dirname "$0")"
work=$(mktemp -d)
new_key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }
new_key "$work/authority.key"
new_key receiver.key
openssl req -x509 -key "$work/authority.key" -subj "/CN=authority of the tests" -days 36500 -out authority.pem \
  -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign
touch "$work/index"
cat >"$work/config" <<END
[ca]
default_ca = tests
[tests]
database = $work/index
new_certs_dir = $work
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
END
# issue FILE NAME END
issue() {
  printf 'subjectAltName=DNS:%s\nbasicConstraints=critical,CA:FALSE\n' "$2" >"$work/extensions"
  openssl req -new -key receiver.key -subj "/CN=$1" -out "$work/request"
  openssl ca -batch -config "$work/config" -cert authority.pem -keyfile "$work/authority.key" -in "$work/request" \
    -startdate 20200101000000Z -enddate "$3" -extfile "$work/extensions" -notext -out "$1.pem"
}
issue valid receiver.test 21200101000000Z
issue wrong-name other.test 21200101000000Z
issue expired receiver.test 20210101000000Z
openssl req -x509 -key receiver.key -subj "/CN=self-signed" -days 36500 -out self-signed.pem \
  -addext subjectAltName=DNS:receiver.test -addext basicConstraints=critical,CA:FALSE
rm -r "$work"
