#!/usr/bin/env bash
# A container engine for one test run, to be sourced: its processes, mounts, storage and network
# live in namespaces of their own and end with the script that uses them.
#
# The script sets `state`, an empty folder, and calls in this order:
#   hide_engine_state       first thing inside `unshare --mount --pid ...`
#   import_base_image       the network is still the machine's: builds fetch packages
#   import_swift_image      only to build the executables inside an image
#   seal_network COMMAND    goes on as COMMAND in a network namespace that leads nowhere
#   start_engine            a Docker-compatible socket at $DOCKER_HOST
# `remove_control_groups` is for the machine's side, after the end.
set -euo pipefail

# Puts everything an engine keeps into `state`, and what it keeps under /run into memory.
hide_engine_state() {
    local resolver names
    resolver=$(readlink -f /etc/resolv.conf)
    names=$(cat /etc/resolv.conf)
    mkdir -p "$state"/{storage,config,tmp}
    mount --bind "$state/storage" /var/lib/containers
    mount -t tmpfs tmpfs /dev/shm
    mount -t tmpfs tmpfs /run
    mkdir -p /run/podman /run/netns /run/lock
    # On many machines the resolver's file is a link into the /run that was just hidden.
    [ -e "$resolver" ] || { mkdir -p "${resolver%/*}" && echo "$names" >"$resolver"; }
    write_engine_configuration
    export_engine_environment
}

# No systemd and perhaps control groups v1, which rules out crun, the journal and systemd's groups.
write_engine_configuration() {
    cat >"$state/config/containers.conf" <<END
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
[containers]
log_driver = "k8s-file"
[network]
network_backend = "netavark"
network_config_dir = "$state/config/networks"
END
    # Short names mean what they mean to Docker; nothing is ever pulled.
    echo 'unqualified-search-registries = ["docker.io"]' >"$state/config/registries.conf"
}

export_engine_environment() {
    export CONTAINERS_CONF=$state/config/containers.conf
    export CONTAINERS_REGISTRIES_CONF=$state/config/registries.conf
    # The engine's default image format has no place for HEALTHCHECK and SHELL.
    export BUILDAH_FORMAT=docker
    export TMPDIR=$state/tmp
    export DOCKER_HOST=unix:///run/podman/podman.sock
}

# Makes debian:bookworm-slim from Debian's packages. A cache folder saves that the next time.
import_base_image() {
    local archive=${FOVEA_TEST_CACHE:-$state}/debian-bookworm-slim.tar
    if [ ! -e "$archive" ]; then
        mmdebstrap --variant=minbase --quiet \
            --dpkgopt='path-exclude=/usr/share/doc/*' \
            --dpkgopt='path-exclude=/usr/share/man/*' \
            --dpkgopt='path-exclude=/usr/share/locale/*' \
            bookworm "$archive.new.tar"
        mv "$archive.new.tar" "$archive"
    fi
    podman import --quiet --change 'CMD ["bash"]' \
        "$archive" docker.io/library/debian:bookworm-slim >/dev/null
}

# Prints the folder of the machine's Swift.
toolchain() {
    local swift
    swift=$(readlink -f "$(command -v swift)")
    echo "${swift%/usr/bin/*}"
}

# Makes swift:6.3-bookworm from Debian's packages, for builds that mount the machine's own toolchain
# at /opt/swift: a copy of it in an image would take minutes.
import_swift_image() {
    podman build --quiet --network=host --tag docker.io/library/swift:6.3-bookworm - \
        >/dev/null <<END
FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends binutils ca-certificates git \
    gcc libc6-dev libcurl4-openssl-dev libedit2 libncurses6 libpython3-dev libsqlite3-0 \
    libstdc++-12-dev libxml2-dev pkg-config tzdata uuid-dev zlib1g-dev
ENV PATH=/opt/swift/usr/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
END
}

# From here on nothing reaches the machine's network; goes on as the command.
seal_network() {
    ip netns add sealed
    ip -n sealed link set lo up
    # A resolver that refuses at once: an unknown name fails within two seconds, not twenty.
    ip -n sealed address add 192.0.2.53/32 dev lo
    printf 'nameserver 192.0.2.53\noptions timeout:1 attempts:1\n' >"$state/config/resolv.conf"
    mount --bind "$state/config/resolv.conf" "$(readlink -f /etc/resolv.conf)"
    exec nsenter --net=/run/netns/sealed -- "$@"
}

start_engine() {
    podman system service --time 0 "$DOCKER_HOST" >"$state/engine.log" 2>&1 &
    for _ in $(seq 100); do
        [ ! -S "${DOCKER_HOST#unix://}" ] || break
        sleep 0.1
    done
    fire_health_checks &
}

# What systemd's timers do elsewhere: runs every container's own health check each second.
fire_health_checks() {
    local container
    while sleep 1; do
        for container in $(podman ps --quiet 2>/dev/null); do
            podman healthcheck run "$container" >/dev/null 2>&1 &
        done
        wait
    done
}

# Control groups have no namespace here, and empty ones outlive their containers.
remove_control_groups() {
    local root
    for root in /sys/fs/cgroup /sys/fs/cgroup/*/; do
        find "${root%/}" -mindepth 1 -depth -type d \
            \( -path "${root%/}/libpod_parent*" -o -path "${root%/}/buildah-buildah*" \) \
            -exec rmdir {} + 2>/dev/null || true
    done
}
