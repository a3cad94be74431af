#!/bin/sh
# Fails if the committed code is not what generate-protos.sh makes of proto/, or if proto/ breaks
# what the last tag promised. The same requirements as generate-protos.sh.
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

scripts/generate-protos.sh "$work/new"
failed=0
for folder in CMessages Messages/Generated; do
    diff -ru "Sources/Shared/$folder" "$work/new/$folder" || failed=1
done
if [ $failed -ne 0 ]; then
    echo "check-protos: committed code differs from proto/; run scripts/generate-protos.sh" >&2
    exit 1
fi

descriptors=Sources/Shared/CMessages/descriptors.bin
tag=$(git describe --tags --abbrev=0 2>/dev/null || true)
if [ -n "$tag" ] && git cat-file -e "$tag:$descriptors" 2>/dev/null; then
    git show "$tag:$descriptors" >"$work/old.bin"
    PYTHONDONTWRITEBYTECODE=1 "${PYTHON:-python3}" scripts/compare_descriptors.py \
        "$work/old.bin" "$descriptors" "$tag"
fi
