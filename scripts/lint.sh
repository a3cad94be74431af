#!/usr/bin/env bash
# Checks what needs no build: Swift formatting, generated code against its protos, script syntax.
set -euo pipefail
cd "$(dirname "$0")/.."

status=0
source scripts/hand-written.sh

mapfile -t swift_files < <(hand_written_swift)
swift format lint --strict --parallel "${swift_files[@]}" || status=1

while IFS= read -r script; do
    bash -n "$script" || status=1
done < <(git ls-files -co --exclude-standard '*.sh' .ci/run bin)

git ls-files -coz --exclude-standard '*.py' | xargs -0 -r python3 -c '
import ast, sys
for path in sys.argv[1:]:
    ast.parse(open(path, encoding="utf-8").read(), path)' || status=1

# The generator's requirements are in the test environment.
[ ! -x .venv/bin/python ] || export PYTHON=$PWD/.venv/bin/python
if command -v protoc >/dev/null && command -v protoc-c >/dev/null; then
    scripts/check-protos.sh || status=1
else
    echo "lint: no protoc and protoc-c, so generated code is not compared with its protos"
fi

[ $status -eq 0 ] && echo "lint: nothing to report (${#swift_files[@]} Swift files)"
exit $status
