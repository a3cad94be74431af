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

swift test --skip-build --disable-xctest --configuration "$config" \
    --xunit-output "$results/swift.xml" ${filter:+--filter "$filter"} || status=1
[ -s "$results/swift.xml" ] || { echo "test: the Swift suites did not finish" >&2; status=1; }

if [ -z "$filter" ]; then
    FOVEA_BIN=$bin .venv/bin/python -m pytest -q Tests/Interop \
        --junit-xml "$results/interop.xml" || status=1
fi

.venv/bin/python scripts/count-tests.py "$results" || status=1
exit $status
