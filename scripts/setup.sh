#!/usr/bin/env bash
# Installs what building and testing need; fast and silent where all of it is present.
#
#     scripts/setup.sh            Debian packages and the Python test environment
#     scripts/setup.sh bench      and the packages of the benchmarks and their peers
#     scripts/setup.sh peers      and the software that loads what this project writes
#     scripts/setup.sh elpv       and the pictures of make test-elpv
set -euo pipefail
cd "$(dirname "$0")/.."

swift_min="6.2"
python_min="3.11"

# Prints the package names in a list, without its comments.
names() { sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$1"; }

check_swift() {
    if ! command -v swift >/dev/null; then
        echo "setup: no swift on PATH; install Swift 6.3 (tools version $swift_min or later)" >&2
        exit 1
    fi
}

# Installs the packages of a list that are not there yet.
install_packages() {
    local name missing=()
    for name in $(names "$1"); do
        dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null | grep -qx installed \
            || missing+=("$name")
    done
    [ ${#missing[@]} -eq 0 ] && return
    local root=()
    [ "$(id -u)" -eq 0 ] || root=(sudo)
    echo "setup: installing ${missing[*]}"
    "${root[@]}" apt-get update -qq
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# Prints the first Python that is new enough and can make a virtual environment.
find_python() {
    local python
    for python in ${PYTHON:-} python3 /usr/bin/python3; do
        if "$python" - "$python_min" 2>/dev/null <<'PYTHON'
import ensurepip, sys, venv
sys.exit(sys.version_info < tuple(map(int, sys.argv[1].split("."))))
PYTHON
        then
            echo "$python"
            return
        fi
    done
    echo "setup: no Python $python_min or later with the venv module; set PYTHON to one" >&2
    exit 1
}

# Makes an environment unless it works and was made from the same requirements.
install_python() {
    local venv=$1 requirements=$2
    local stamp=$venv/requirements.txt
    if cmp -s "$requirements" "$stamp" && "$venv/bin/python" -c '' 2>/dev/null; then
        return
    fi
    local python
    python=$(find_python)
    echo "setup: making $venv with $("$python" --version)"
    rm -rf "$venv"
    "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        --requirement "$requirements"
    cp "$requirements" "$stamp"
}

check_swift
if command -v apt-get >/dev/null; then
    install_packages scripts/packages-debian.txt
    [ "${1:-}" != bench ] || install_packages scripts/packages-debian-bench.txt
else
    echo "setup: not a Debian system; see scripts/packages-debian.txt for what to install" >&2
fi
install_python .venv scripts/requirements.txt
# A smoke run of the benchmarks does without the peers in Python.
if [ "${1:-}" = bench ] && [ -z "${SMOKE:-}" ]; then
    install_python .venv-bench scripts/requirements-bench.txt
fi
[ "${1:-}" != peers ] || install_python .venv-peers scripts/requirements-peers.txt
[ "${1:-}" != elpv ] || install_python .venv-elpv scripts/requirements-elpv.txt
