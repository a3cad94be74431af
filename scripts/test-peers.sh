#!/usr/bin/env bash
# Writes adapters and merged models, and loads them with PEFT and transformers.
#
#     scripts/test-peers.sh
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
FOVEA_PEER_FOLDER=$folder swift test --filter ModelsTests.PeerFolderTests
"${PEERS_PYTHON:-.venv-peers/bin/python}" Tests/Peers/check_adapters.py "$folder"
