#!/usr/bin/env bash
# Writes adapters, merged models and the log of a run, and reads them with PEFT, transformers and
# TensorBoard.
#
#     scripts/test-peers.sh
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
FOVEA_PEER_FOLDER=$folder swift test --filter ModelsTests.PeerFolderTests
"${PEERS_PYTHON:-.venv-peers/bin/python}" Tests/Peers/check_adapters.py "$folder"

log=$(mktemp -d)
trap 'rm -rf "$folder" "$log"' EXIT
FOVEA_PEER_LOG=$log swift test --filter TrainingTests.PeerLogTests
"${PEERS_PYTHON:-.venv-peers/bin/python}" Tests/Peers/check_log.py "$log"
