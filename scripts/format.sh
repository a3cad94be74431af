#!/usr/bin/env bash
# Formats the hand-written Swift files in place.
set -euo pipefail
cd "$(dirname "$0")/.."

source scripts/hand-written.sh
hand_written_swift | tr '\n' '\0' | xargs -0 swift format --in-place --parallel
