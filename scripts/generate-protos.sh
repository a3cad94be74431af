#!/bin/sh
# Makes the C and Swift code of the messages from proto/. What it writes is committed, so building
# needs neither protoc nor Python. Needs the Debian packages protobuf-compiler and
# protobuf-c-compiler, and scripts/requirements.txt.
#
#   generate-protos.sh [FOLDER]    FOLDER takes the place of Sources/Shared
set -eu
cd "$(dirname "$0")/.."
root=$PWD
target=${1:-$root/Sources/Shared}
python=${PYTHON:-python3}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
well_known=$(dirname "$(command -v protoc)")/../include
mkdir -p "$work/c/include" "$work/swift"

cd proto
# shellcheck disable=SC2046  # proto paths have no spaces
protoc -I . --include_imports --descriptor_set_out="$work/all.bin" $(find . -name '*.proto' |
    sed 's|^\./||' | LC_ALL=C sort)
"$python" "$root/scripts/list_files.py" "$work/all.bin" >"$work/files"
# shellcheck disable=SC2046
protoc -I . -I "$well_known" --include_imports --descriptor_set_out="$work/c/descriptors.bin" \
    $(cat "$work/files")
# shellcheck disable=SC2046
protoc -I . -I "$well_known" --include_imports --include_source_info \
    --descriptor_set_out="$work/all.bin" $(cat "$work/files")
# shellcheck disable=SC2046
protoc -I . -I "$well_known" --plugin=protoc-gen-c="$root/scripts/protoc-gen-c-optional" \
    --c_out="$work/c" $(cat "$work/files")

# Headers are what others include; their own sources find them on the same path.
cd "$work/c"
find . -name '*.pb-c.h' | while read -r header; do
    mkdir -p "include/$(dirname "$header")"
    mv "$header" "include/$header"
done
PYTHONDONTWRITEBYTECODE=1 "$python" "$root/scripts/generate_messages.py" \
    "$work/all.bin" "$work/swift" "$work/c"

rm -rf "$target/CMessages" "$target/Messages/Generated"
mkdir -p "$target/Messages"
cp -R "$work/c" "$target/CMessages"
cp -R "$work/swift" "$target/Messages/Generated"
