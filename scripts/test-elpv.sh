#!/usr/bin/env bash
# Takes the pictures of elpv-dataset from a CSV file to an export, and checks every count.
#
#     scripts/test-elpv.sh
#
# FOVEA_BIN names the folder of a built fovea-dataset; without it a release build is made.
set -euo pipefail
cd "$(dirname "$0")/.."

bin=${FOVEA_BIN:-}
if [ -z "$bin" ]; then
    swift build --configuration release --product fovea-dataset
    bin=$(swift build --configuration release --show-bin-path)
fi
"${ELPV_PYTHON:-.venv-elpv/bin/python}" Tests/RealData/check_elpv.py "$bin/fovea-dataset"
