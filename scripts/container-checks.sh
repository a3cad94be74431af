#!/usr/bin/env bash
# What scripts/test-containers.sh checks, to be sourced. Each check is a function that prints what
# it saw and succeeds or fails; `check` counts them.
set -euo pipefail

declare -A tcp_port=([dataset]=7101 [trainer]=7102 [inference]=7103)
declare -A metrics_port=([dataset]=9101 [trainer]=9102 [inference]=9103)
# A call that only reads, to see who is let in.
declare -A list_method=(
    [dataset]=fovea.dataset.v1.Datasets/ListDatasets
    [trainer]=fovea.trainer.v1.Training/ListJobs
    [inference]=fovea.inference.v1.Inference/ListAdapters
)
unauthenticated=16
serving="00 00 00 00 02 08 01"  # a gRPC frame of two bytes: HealthCheckResponse(status: SERVING)
passed=0
failed=0

# check WHAT COMMAND...: runs the command and counts it; shows its output when it fails.
check() {
    local what=$1 output
    shift
    if output=$("$@" 2>&1); then
        passed=$((passed + 1))
        printf '  ok    %s%s\n' "$what" "${output:+ (${output##*$'\n'})}" | cut -c 1-100
    else
        failed=$((failed + 1))
        printf '  FAIL  %s\n%s\n' "$what" "$output"
    fi
}

# --- files and images, before anything runs ---------------------------------------------------

check_files() {
    local profile
    check "hadolint accepts the Dockerfile" .venv-containers/bin/hadolint Dockerfile
    for profile in cpu gpu; do
        use_compose_files compose.yaml
        check "profile $profile" compose_in "$profile" config --quiet
        use_compose_files compose.yaml compose.tls.yaml
        check "profile $profile with TLS" compose_in "$profile" config --quiet
    done
    check "the default profile is cpu" profile_has "" "dataset inference trainer"
    check "profile gpu has its own" profile_has gpu "dataset inference-gpu trainer-gpu"
    check "profile gpu reserves two devices" gpu_is_reserved 2
}

check_images() {
    local service
    for service in "${services[@]}"; do
        check "$service: image has a health check" has_health_check "$service"
        check "$service: image runs as 10001" has_user "$service" 10001:10001
        check "$service: unknown flag" ends_with_one_line "$service" serve --no-such-flag
        check "$service: plain TCP beyond loopback unasked" ends_with_one_line "$service" \
            serve --listen "tcp:0.0.0.0:${tcp_port[$service]}"
        check "$service: missing certificate" ends_with_one_line "$service" serve \
            --listen "tcp:0.0.0.0:${tcp_port[$service]}" \
            --tls-certificate /nowhere.pem --tls-key /nowhere.pem
    done
}

use_compose_files() {
    compose_files=()
    local file
    for file; do compose_files+=(--file "$file"); done
    transport=(--http2-prior-knowledge)
    scheme=http
    if [ $# -gt 1 ]; then
        transport=(--http2 --tlsv1.3 --cacert "$SECRETS_DIR/ca.pem")
        scheme=https
    fi
}

compose() { .venv-containers/bin/docker-compose "${compose_files[@]}" "$@"; }
compose_in() { compose --profile "$@"; }

profile_has() {
    local profile=$1 wanted=$2 seen
    seen=$(compose ${profile:+--profile "$profile"} config --services | sort | xargs)
    echo "$seen"
    [ "$seen" = "$wanted" ]
}

gpu_is_reserved() {
    local seen
    seen=$(compose_in gpu config | sed -n '/^services:/,/^networks:/p' | grep -c "driver: nvidia")
    echo "$seen reservations"
    [ "$seen" -eq "$1" ]
}

has_health_check() {
    podman image inspect --format '{{.HealthCheck.Test}}' "fovea/$1:dev" \
        | grep -F "[CMD /usr/local/bin/fovea-$1 health"
}

has_user() { podman image inspect --format '{{.User}}' "fovea/$1:dev" | grep -x "$2"; }

# A configuration that cannot be right: exit code 2 and one line that says why.
ends_with_one_line() {
    local service=$1 status=0 output
    shift
    output=$(timeout 20 podman run --rm --network none --read-only --no-healthcheck \
        "fovea/$service:dev" "$@" 2>&1) || status=$?
    echo "exit code $status: $output"
    [ "$status" -eq 2 ] && [ "$(wc -l <<<"$output")" -eq 1 ] && [ -n "$output" ]
}

# --- a running service ------------------------------------------------------------------------

check_service() {
    local service=$1
    check "$service: health by its executable, Unix socket" inside_container "$service" \
        "fovea-$service" health --server "unix:/run/fovea/$service.sock"
    check "$service: health by a foreign client, TCP" answers_serving "$service"
    check "$service: health by a foreign client, Unix socket" answers_on_socket "$service"
    check "$service: no token, no entry" is_answered "$service" $unauthenticated
    check "$service: wrong token, no entry" is_answered "$service" $unauthenticated \
        --header "authorization: Bearer wrong"
    check "$service: the right token" lets_in "$service"
    check "$service: metrics" shows_metrics "$service"
    check "$service: user, capabilities, seccomp" is_confined "$service"
    check "$service: root is read-only" may_not_write "$service" /usr/local/bin
    check "$service: may write where it must" writes "$service"
    check "$service: socket belongs to 10001, mode 0660" has_socket_mode "$service" "10001 660"
    check "$service: published on loopback only" is_on_loopback "$service" \
        "${tcp_port[$service]}" "${metrics_port[$service]}"
    check "$service: logs are JSON and hold no token" logs_json "$service"
    if [ "$scheme" = http ]; then
        check "$service: health by its executable, TCP" inside_container "$service" \
            "fovea-$service" health --server "127.0.0.1:${tcp_port[$service]}"
    else
        check "$service: an unknown authority is refused" refuses_foreign_authority "$service"
        check "$service: plain text on the TLS port is refused" refuses_plain "$service"
    fi
}

# Runs a command in a service's container.
inside_container() {
    local service=$1
    shift
    podman exec "fovea-$service-1" "$@"
}

# grpc_status SERVICE METHOD [CURL OPTION...]: makes a call with an empty message by a client that
# shares no code with ours, prints its grpc-status and leaves the answer in $state/answer. What
# curl thinks of a stream that is reset after its trailers does not matter.
grpc_status() {
    local service=$1 method=$2
    shift 2
    rm -f "$state/answer" "$state/headers"
    printf '\0\0\0\0\0' | curl --silent --show-error --max-time 5 "${transport[@]}" "$@" \
        --header "content-type: application/grpc" --header "te: trailers" --data-binary @- \
        --dump-header "$state/headers" --output "$state/answer" \
        "$scheme://127.0.0.1:${tcp_port[$service]}/$method" || true
    tr -d '\r' <"$state/headers" | sed -n 's/^grpc-status: //p'
}

answers_serving() {
    local status
    status=$(grpc_status "$1" grpc.health.v1.Health/Check) || return
    echo "grpc-status $status, $(od -An -tx1 "$state/answer")"
    [ "$status" = 0 ] && od -An -tx1 "$state/answer" | grep -qF "$serving"
}

# The volume as the machine sees it.
answers_on_socket() {
    local volume scheme=http transport
    volume=$(podman volume inspect --format '{{.Mountpoint}}' fovea_sockets)
    transport=(--http2-prior-knowledge --unix-socket "$volume/$1.sock")
    answers_serving "$1"
}

is_answered() {
    local service=$1 wanted=$2 status
    shift 2
    status=$(grpc_status "$service" "${list_method[$service]}" "$@") || return
    echo "grpc-status $status"
    [ "$status" = "$wanted" ]
}

# OK, or whatever a call says that got past the door.
lets_in() {
    local status
    status=$(grpc_status "$1" "${list_method[$1]}" \
        --header "authorization: Bearer $(cat "$SECRETS_DIR/token-reader")") || return
    echo "grpc-status $status"
    [ -n "$status" ] && [ "$status" != $unauthenticated ] && [ "$status" != 7 ]
}

shows_metrics() {
    local metrics
    metrics=$(curl --silent --show-error --fail --max-time 5 \
        "http://127.0.0.1:${metrics_port[$1]}/metrics") || return
    grep -m 1 '^process_resident_memory_bytes' <<<"$metrics"
}

# The process itself: the one child of the container's init.
process_of() { pgrep -P "$(podman inspect --format '{{.State.Pid}}' "fovea-$1-1")"; }

is_confined() {
    local pid line
    pid=$(process_of "$1") || return
    for line in "Uid: 10001 10001 10001 10001" "Gid: 10001 10001 10001 10001" \
        "CapEff: 0000000000000000" "CapBnd: 0000000000000000" "NoNewPrivs: 1" "Seccomp: 2"; do
        tr -s '\t' ' ' <"/proc/$pid/status" | grep -qxF "$line" || { echo "not $line"; return 1; }
    done
}

# may_not_write SERVICE FOLDER
may_not_write() {
    local output
    output=$(inside_container "$1" touch "$2/intruder" 2>&1) && return 1
    echo "$output"
    grep -qF "Read-only file system" <<<"$output"
}

writes() {
    local folder
    for folder in /tmp /run/fovea /var/lib/fovea/data; do
        inside_container "$1" touch "$folder/written-by-the-test" || return
    done
    inside_container "$1" rm /run/fovea/written-by-the-test
}

has_socket_mode() {
    local seen
    seen=$(inside_container "$1" stat --format '%u %a' "/run/fovea/$1.sock") || return
    echo "$seen"
    [ "$seen" = "$2" ]
}

is_on_loopback() {
    local seen
    seen=$(podman port "fovea-$1-1" | sort | xargs)
    echo "$seen"
    [ "$seen" = "$2/tcp -> 127.0.0.1:$2 $3/tcp -> 127.0.0.1:$3" ]
}

logs_json() {
    local logs token
    logs=$(podman logs "fovea-$1-1" 2>&1)
    for token in "$SECRETS_DIR"/token-*; do
        ! grep -qFf "$token" <<<"$logs" || return
    done
    /usr/bin/python3 -c 'import json, sys
lines = [json.loads(line) for line in sys.stdin]
print(len(lines), "lines")
sys.exit(not lines)' <<<"$logs"
}

# curl exits with 60 when it cannot verify a certificate.
refuses_foreign_authority() {
    local status=0
    curl --silent --max-time 5 --http2 "https://127.0.0.1:${tcp_port[$1]}/" || status=$?
    echo "curl exit code $status"
    [ "$status" -eq 60 ]
}

# The connection is made (7 would mean it was not) and then leads to nothing.
refuses_plain() {
    local status=0
    curl --silent --max-time 5 --http2-prior-knowledge "http://127.0.0.1:${tcp_port[$1]}/" \
        || status=$?
    echo "curl exit code $status"
    [ "$status" -ne 0 ] && [ "$status" -ne 7 ] && [ "$status" -ne 28 ]
}

# --- services together ------------------------------------------------------------------------

check_neighbours() {
    check "sockets are shared: trainer reaches dataset" inside_container trainer \
        fovea-trainer health --server unix:/run/fovea/dataset.sock
    check "inference reads what trainer wrote in models" shares_models
    check "inference cannot write there" may_not_write inference /var/lib/fovea/models
    check "dataset's memory limit" limit_is dataset \
        memory/memory.limit_in_bytes memory.max 268435456
    check "dataset's limit of processes" limit_is dataset pids/pids.max pids.max 256
    check "dataset's share of the cores" has_half_a_core dataset
    if [ "$scheme" = http ]; then
        check "names resolve: inference reaches dataset by TCP" inside_container inference \
            fovea-inference health --server dataset:7101
    else
        check "data outlived compose down" inside_container dataset \
            test -e /var/lib/fovea/data/written-by-the-test
    fi
}

shares_models() {
    inside_container trainer touch /var/lib/fovea/models/an-adapter \
        && inside_container inference test -e /var/lib/fovea/models/an-adapter
}

# limit_is SERVICE FILE-V1 FILE-V2 VALUE: as the container's own control group has it.
limit_is() {
    local seen
    seen=$(inside_container "$1" cat "/sys/fs/cgroup/$2" 2>/dev/null) \
        || seen=$(inside_container "$1" cat "/sys/fs/cgroup/$3") || return
    echo "$seen"
    [ "$seen" = "$4" ]
}

has_half_a_core() {
    limit_is "$1" cpu/cpu.cfs_quota_us cpu.max 50000 \
        || limit_is "$1" cpu/cpu.cfs_quota_us cpu.max "50000 100000"
}

# --- the end of a service ---------------------------------------------------------------------

# Kills the process, not the container: an engine takes the latter for a wish.
returns_after_kill() {
    local service=$1 start=${EPOCHREALTIME/./}
    kill -KILL "$(process_of "$service")"
    for _ in $(seq 200); do
        sleep 0.1
        has_restarted "$service" || continue
        echo "after $(((${EPOCHREALTIME/./} - start) / 1000)) ms"
        return
    done
    podman logs --tail 20 "fovea-$service-1"
    return 1
}

has_restarted() {
    [ "$(podman inspect --format '{{.RestartCount}} {{.State.Health.Status}}' "fovea-$1-1")" \
        = "1 healthy" ] \
        && answers_serving "$1" \
        && inside_container "$1" "fovea-$1" health --server "unix:/run/fovea/$1.sock"
} >/dev/null 2>&1

ended_with() {
    local seen
    seen=$(podman inspect --format '{{.State.Status}} {{.State.ExitCode}}' "fovea-$1-1")
    echo "$seen"
    [ "$seen" = "exited $2" ]
}

all_are_running() { [ "$(podman ps --quiet | wc -l)" -eq "${#services[@]}" ]; }
all_containers_are_gone() { [ -z "$(podman ps --all --quiet)" ]; }
all_volumes_are_gone() { [ -z "$(podman volume ls --quiet)" ]; }
