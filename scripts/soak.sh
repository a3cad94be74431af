#!/usr/bin/env bash
# Runs the soak suites (those with Soak in their name), optimised.
#
#     scripts/soak.sh [CALLS]     default 1000000
set -euo pipefail
cd "$(dirname "$0")/.."

FOVEA_SOAK_CALLS=${1:-1000000} \
    swift test --configuration release --scratch-path .build-soak --disable-xctest --filter Soak \
    | scripts/some-tests.sh
