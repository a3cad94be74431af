#!/usr/bin/env bash
# Makes what compose mounts as secrets, in ./secrets or the folder named:
#
#     tokens                  one hashed bearer token for each role, for the services
#     token-ROLE              the same tokens in clear, for callers
#     ca.pem ca-key.pem       an authority of your own; callers need ca.pem
#     tls/SERVICE/            certificate.pem, key.pem and ca.pem of a service, for compose.tls.yaml
#
# What exists is kept: delete a file and run this again to replace it.
set -euo pipefail

folder=${1:-${SECRETS_DIR:-secrets}}
roles=(reader annotator trainer operator admin)
services=(dataset trainer inference)
key_options=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)

# The services run as another user, so what they mount is readable by all. The folder above it is
# not: on this machine only its owner gets that far.
make_folder() {
    mkdir -p "$folder"
    chmod 0700 "$folder"
}

# A token is fovea_ID_SECRET; the services keep its name, roles and sha256:ID:SALT:DIGEST.
make_token() {
    local role=$1 id salt token digest
    id=$(openssl rand -hex 8)
    salt=$(openssl rand -hex 16)
    token=fovea_${id}_$(openssl rand -hex 32)
    # The digest is of the salt's bytes and then the token.
    digest=$({ printf %b "${salt//??/\\x&}"; printf %s "$token"; } | sha256sum | cut -d ' ' -f 1)
    printf '%s\n' "$token" >"$folder/token-$role"
    printf '%s %s sha256:%s:%s:%s\n' "$role" "$role" "$id" "$salt" "$digest"
}

make_tokens() {
    [ ! -e "$folder/tokens" ] || return 0
    local role
    for role in "${roles[@]}"; do make_token "$role"; done >"$folder/tokens.new"
    chmod 0600 "$folder"/token-*
    chmod 0444 "$folder/tokens.new"
    mv "$folder/tokens.new" "$folder/tokens"
}

make_authority() {
    [ ! -e "$folder/ca.pem" ] || return 0
    openssl req -x509 "${key_options[@]}" -days 3650 -subj "/CN=Fovea local authority" \
        -addext "keyUsage=critical,keyCertSign,cRLSign" \
        -keyout "$folder/ca-key.pem" -out "$folder/ca.pem" 2>/dev/null
    chmod 0600 "$folder/ca-key.pem"
}

# A certificate for the name that a service has inside compose, and for callers on this host.
make_certificate() {
    local service=$1 tls=$folder/tls/$1
    [ ! -e "$tls/certificate.pem" ] || return 0
    mkdir -p "$tls"
    openssl req -x509 "${key_options[@]}" -days 397 -subj "/CN=$service" \
        -CA "$folder/ca.pem" -CAkey "$folder/ca-key.pem" \
        -addext "basicConstraints=critical,CA:FALSE" \
        -addext "extendedKeyUsage=serverAuth,clientAuth" \
        -addext "subjectAltName=DNS:$service,DNS:localhost,IP:127.0.0.1,IP:::1" \
        -keyout "$tls/key.pem" -out "$tls/certificate.pem" 2>/dev/null
    cp "$folder/ca.pem" "$tls/ca.pem"
    chmod 0755 "$folder/tls" "$tls"
    chmod 0444 "$tls"/*.pem
}

make_folder
make_tokens
make_authority
for service in "${services[@]}"; do make_certificate "$service"; done
echo "make-secrets: $folder is complete"
