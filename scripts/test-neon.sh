#!/usr/bin/env bash
# Compares the kernels of each tier of this processor with the scalar ones, and where it is no
# AArch64 those of the NEON tier too, under emulation.
#
#     scripts/test-neon.sh
#
# Exits with 77 where the tools cannot be had.
set -euo pipefail
cd "$(dirname "$0")/.."

kernels=Sources/Shared/CKernels
scratch=.build/neon
flags=(-std=gnu17 -O3 -fno-math-errno -fno-trapping-math -Wall -Wextra -Werror
    -I "$kernels" -I "$kernels/include" -I Tests/Neon)

skip() {
    echo "test-neon: $1" >&2
    exit 77
}

missing_packages() {
    local name
    while read -r name; do
        dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null | grep -qx installed \
            || echo "$name"
    done < <(sed -e 's/#.*//' -e '/^[[:space:]]*$/d' scripts/packages-neon.txt)
}

install_packages() {
    local missing root=()
    command -v apt-get >/dev/null || skip "not a Debian system; see scripts/packages-neon.txt"
    mapfile -t missing < <(missing_packages)
    [ ${#missing[@]} -gt 0 ] || return 0
    [ "$(id -u)" -eq 0 ] || root=(sudo -n)
    echo "test-neon: installing ${missing[*]}"
    "${root[@]}" apt-get update -qq || skip "the package lists cannot be had"
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null \
        || skip "${missing[*]} cannot be installed"
}

# Builds the driver with all kernels: compile NAME FLAGS...
compile() {
    local name=$1
    shift
    clang "${flags[@]}" "$@" "$kernels"/*.c Tests/Neon/*.c -o "$scratch/$name" -lm -lpthread
}

command -v clang >/dev/null || skip "no clang on PATH; it comes with Swift"
mkdir -p "$scratch"
if [ "$(uname -m)" = aarch64 ]; then
    compile native
    "$scratch/native"
    exit
fi
install_packages
status=0
compile native
"$scratch/native" || status=1
# Static, so that the emulation finds no library of this machine.
compile neon --target=aarch64-linux-gnu -fuse-ld=lld -static
qemu-aarch64-static -cpu max "$scratch/neon" || status=1
exit $status
