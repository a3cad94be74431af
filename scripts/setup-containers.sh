#!/usr/bin/env bash
# Installs what `make test-containers` needs; fast and silent where all of it is present.
set -euo pipefail
cd "$(dirname "$0")/.."

requirements=scripts/requirements-containers.txt
venv=.venv-containers

# Prints the packages of the list that are not installed.
missing_packages() {
    local name
    while read -r name; do
        dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null | grep -qx installed \
            || echo "$name"
    done < <(sed -e 's/#.*//' -e '/^[[:space:]]*$/d' scripts/packages-containers.txt)
}

install_packages() {
    local missing
    mapfile -t missing < <(missing_packages)
    [ ${#missing[@]} -gt 0 ] || return 0
    echo "setup-containers: installing ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# The wheels have an environment of their own, so that the one of the tests stays small.
install_wheels() {
    cmp -s "$requirements" "$venv/requirements.txt" && return
    echo "setup-containers: making $venv"
    rm -rf "$venv"
    /usr/bin/python3 -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        --requirement "$requirements"
    cp "$requirements" "$venv/requirements.txt"
}

install_packages
install_wheels
