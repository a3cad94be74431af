#!/usr/bin/env bash
# Runs benchmarks and prints what they found.
#
#     scripts/bench.sh            every part
#     scripts/bench.sh rpc        one: runs Benchmarks/rpc/run.sh or run.py,
#                                 which writes bench-results/rpc.json
#     SMOKE=1 scripts/bench.sh    small, to see that they still work; the figures mean nothing
set -euo pipefail
cd "$(dirname "$0")/.."

run_part() {
    local part=$1
    mkdir -p bench-results
    rm -f "bench-results/$part.json"
    if [ -x "Benchmarks/$part/run.sh" ]; then
        "Benchmarks/$part/run.sh"
    elif [ -f "Benchmarks/$part/run.py" ]; then
        .venv/bin/python "Benchmarks/$part/run.py"
    else
        echo "bench: no part '$part'; there are: $(parts)" >&2
        exit 2
    fi
    .venv/bin/python scripts/print-bench.py "bench-results/$part.json"
}

# Lists the parts, on one line.
parts() { find Benchmarks -mindepth 2 -maxdepth 2 -name 'run.*' -printf '%h\n' \
    | sed 's|.*/||' | sort -u | xargs; }

export SMOKE=${SMOKE:-}
[ $# -gt 0 ] || { read -ra all <<<"$(parts)"; set -- "${all[@]}"; }
[ $# -gt 0 ] || { echo "bench: there are no benchmarks" >&2; exit 1; }
for part in "$@"; do run_part "$part"; done
