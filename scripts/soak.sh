#!/usr/bin/env bash
# Makes many calls, by our client within one process and by a foreign one to a server of its own,
# and fails if resident memory grows. Then kills the dataset service 300 times in its work.
#
#     scripts/soak.sh [CALLS]     default 1000000
set -euo pipefail
cd "$(dirname "$0")/.."
calls=${1:-1000000}

FOVEA_SOAK_CALLS=$calls swift test --configuration release --scratch-path .build-soak \
    -Xswiftc -enable-testing --disable-xctest --filter Soak | scripts/some-tests.sh
swift build --configuration release --static-swift-stdlib --product fovea-echo
FOVEA_KILL_ROUNDS=300 swift test --disable-xctest --filter KillTests | scripts/some-tests.sh
FOVEA_BIN=.build/release .venv/bin/python Tests/Interop/soak.py --calls "$calls"
