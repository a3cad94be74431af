#!/usr/bin/env bash
# Builds everything, runs the Swift suites and the foreign-client tests, and prints a total.
#
#     scripts/test.sh                     all
#     FILTER=Tidy scripts/test.sh         only the Swift tests that match
#     CONFIG=release scripts/test.sh      optimised (debug also checks exclusivity and overflow)
set -euo pipefail
cd "$(dirname "$0")/.."

config=${CONFIG:-debug}
filter=${FILTER:-}
results=.build/test-results
status=0

rm -rf "$results"
mkdir -p "$results"

swift build --build-tests --configuration "$config"
bin=$(swift build --configuration "$config" --show-bin-path)

# Runs the suites that `swift test` selects by the arguments.
suites() {
    local name=$1
    shift
    swift test --skip-build --disable-xctest --configuration "$config" \
        --xunit-output "$results/$name.xml" "$@" || status=1
    [ -s "$results/$name.xml" ] || { echo "test: suites '$name' did not finish" >&2; status=1; }
}

# Arithmetic fills the processors: suites that wait for sockets and processes run by themselves.
arithmetic='(Evaluation|Generation|Images|Layers|Models|Numerics|Quality|Text|Training)Tests\.'
services='(Dataset|Trainer)Tests\.'
if [ -n "$filter" ]; then
    suites swift --filter "$filter"
else
    suites swift --skip "$arithmetic|$services|EndToEnd"
    suites arithmetic --filter "$arithmetic"
    suites services --filter "$services"
    suites end-to-end --filter EndToEnd
fi

if [ -z "$filter" ]; then
    FOVEA_BIN=$bin .venv/bin/python -m pytest -q Tests/Interop \
        --junit-xml "$results/interop.xml" || status=1
fi

.venv/bin/python scripts/count-tests.py "$results" || status=1
exit $status
