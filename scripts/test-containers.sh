#!/usr/bin/env bash
# Builds the images, starts compose.yaml for real, kills each service and sees it return; once with
# plain TCP, once with TLS. Needs root on Debian, but no Docker: see scripts/sealed-engine.sh.
#
#     scripts/test-containers.sh
#     FOVEA_TEST_BINARIES=DIR      take the executables from DIR instead of building them
#     FOVEA_TEST_BUILD_INSIDE=1    build them inside the image, as a user's engine does: slow
#     FOVEA_TEST_CACHE=DIR         keep Debian's base image there for the next run
#
# The script calls itself twice: `inside` its namespaces, where images are built, and `sealed` in a
# network that leads nowhere, where containers run.
set -euo pipefail
cd "$(dirname "$0")/.."

services=(dataset trainer inference)
skipped=77  # the exit code of a test that cannot run here

source scripts/sealed-engine.sh
source scripts/container-checks.sh

main() {
    phase_start=${EPOCHREALTIME/./}
    state=${2:-}
    case ${1:-outside} in
        outside) outside ;;
        inside) inside ;;
        sealed) sealed ;;
        *) echo "test-containers: unknown argument $1; none is expected" >&2; exit 2 ;;
    esac
}

# Prints how long the phase that ends here took.
phase() {
    local now=${EPOCHREALTIME/./}
    printf '## %-40s %6d ms\n' "$1" $(((now - phase_start) / 1000))
    phase_start=$now
}

# --- on the machine ---------------------------------------------------------------------------

outside() {
    require_machine
    scripts/setup-containers.sh
    phase "tools"
    state=$(mktemp -d "${TMPDIR:-/tmp}/fovea-containers.XXXXXX")
    trap clean_up EXIT
    if [ -z "${FOVEA_TEST_BUILD_INSIDE:-}" ]; then
        collect_executables
        phase "release executables"
    fi
    run_in_namespaces
}

require_machine() {
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        echo "test-containers: skipped: needs root on Debian for namespaces of its own"
        exit $skipped
    fi
    if ! unshare --mount --pid --fork true 2>/dev/null; then
        echo "test-containers: skipped: this machine does not allow new namespaces"
        exit $skipped
    fi
}

# Puts the executables where the Dockerfile's stage `build` would leave them.
collect_executables() {
    local from=${FOVEA_TEST_BINARIES:-} service
    if [ -z "$from" ]; then
        from=.build/release
        for service in "${services[@]}"; do
            swift build --configuration release --static-swift-stdlib --product "fovea-$service"
        done
    fi
    for service in "${services[@]}"; do
        install -D --target-directory="$state/build/out" "$from/fovea-$service"
    done
}

# In the background, so that an interrupt is answered at once: everything inside ends with `child`.
run_in_namespaces() {
    local child status=0
    mkdir -p /var/lib/containers
    unshare --mount --uts --ipc --pid --fork --kill-child --mount-proc --propagation private \
        -- "$0" inside "$state" &
    child=$!
    trap 'kill -KILL "$child"; exit 130' INT TERM
    wait "$child" || status=$?
    return $status
}

clean_up() {
    rm -rf "$state"
    # Only where this run made it: one that is in use is not empty.
    rmdir /var/lib/containers 2>/dev/null || true
    remove_control_groups
}

# --- inside the namespaces --------------------------------------------------------------------

inside() {
    hide_engine_state
    scripts/make-secrets.sh "$state/secrets"
    import_base_image
    phase "base image debian:bookworm-slim"
    build_images
    phase "three images"
    seal_network "$0" sealed "$state"
}

build_images() {
    local service options=(--build-context "build=$state/build")
    if [ -n "${FOVEA_TEST_BUILD_INSIDE:-}" ]; then
        import_swift_image
        options=(--volume "$(toolchain):/opt/swift:ro")
    fi
    for service in "${services[@]}"; do
        podman build --quiet --network=host "${options[@]}" \
            --target "$service" --tag "fovea/$service:dev" . >"$state/build.log" 2>&1 \
            || { cat "$state/build.log"; echo "0 passed, 1 failed"; exit 1; }
    done
}

# --- in the sealed network --------------------------------------------------------------------

sealed() {
    export_engine_environment
    export SECRETS_DIR=$state/secrets
    # Other limits than the defaults, to see that the variables reach the control groups.
    export DATASET_MEMORY=256m DATASET_CPUS=0.5
    start_engine
    check_files
    phase "Dockerfile and compose files"
    check_images
    phase "images"
    scenario "plain TCP" compose.yaml
    scenario "TLS" compose.yaml compose.tls.yaml
    compose down --volumes >/dev/null 2>&1
    check "down --volumes leaves nothing" all_volumes_are_gone
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
}

# scenario NAME FILE...: the whole life of three services. The first scenario leaves its volumes to
# the next, which finds what was written.
scenario() {
    local name=$1
    shift
    use_compose_files "$@"
    echo "# $name"
    check "compose up waits until all are healthy" start_services
    phase "$name: up"
    if all_are_running; then live_and_die "$name"; else failed=$((failed + 1)); fi
    compose down >/dev/null 2>&1
    check "down leaves no container" all_containers_are_gone
    phase "$name: down"
}

start_services() {
    compose up --detach --no-build --pull never --wait --wait-timeout 60 >"$state/up.log" 2>&1 \
        || { cat "$state/up.log"; compose logs --tail 20; return 1; }
}

live_and_die() {
    local name=$1 service
    for service in "${services[@]}"; do check_service "$service"; done
    check_neighbours
    phase "$name: checks"
    for service in "${services[@]}"; do
        check "$service is killed and returns" returns_after_kill "$service"
    done
    phase "$name: kill each"
    check "compose stop" compose stop
    for service in "${services[@]}"; do
        check "$service drained and ended with 0" ended_with "$service" 0
    done
    phase "$name: stop"
}

main "$@"
