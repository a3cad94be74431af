#!/usr/bin/env bash
# Passes on what `swift test` prints, and fails if it ran no test: a filter that matches nothing
# would otherwise look like success.
set -euo pipefail

none=0
while IFS= read -r line; do
    printf '%s\n' "$line"
    if [[ $line == *"Test run with 0 tests"* ]]; then none=1; fi
done
[ $none -eq 0 ] || { echo "no test matched" >&2; exit 1; }
