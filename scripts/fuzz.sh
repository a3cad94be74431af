#!/usr/bin/env bash
# Runs the fuzzers (suites with Fuzz in their name) under AddressSanitizer.
#
#     scripts/fuzz.sh [CASES] [SEED]     default 1000000 cases from seed 1
#
# A failure prints the seed of its case; `scripts/fuzz.sh 1 SEED` repeats it.
set -euo pipefail
cd "$(dirname "$0")/.."

FILTER=Fuzz FOVEA_FUZZ_CASES=${1:-1000000} FOVEA_FUZZ_SEED=${2:-1} scripts/sanitize.sh address
