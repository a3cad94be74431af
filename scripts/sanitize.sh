#!/usr/bin/env bash
# Runs the Swift suites under ThreadSanitizer and AddressSanitizer, each with its own build folder.
# With the latter C code is also checked for undefined behaviour; Swift checks its own.
#
#     scripts/sanitize.sh [thread|address]...     default: both
#     FILTER=Framing scripts/sanitize.sh          only the suites that match
set -euo pipefail
cd "$(dirname "$0")/.."

export TSAN_OPTIONS="suppressions=$PWD/scripts/tsan-suppressions.txt halt_on_error=0 exitcode=66"
export ASAN_OPTIONS="detect_leaks=1 exitcode=66"
export UBSAN_OPTIONS="halt_on_error=1 print_stacktrace=1 exitcode=66"

# Tidy only reads files. The linker's word on each symbol of the sanitizer helps nobody.
suites() {
    local sanitizer=$1 scratch=$2
    shift 2
    swift test --sanitize="$sanitizer" --scratch-path "$scratch" --disable-xctest "$@" 2>&1 \
        | sed -u '/warning: Cannot export local symbol/d' | scripts/some-tests.sh
}

# EndToEnd waits for processes, with patience for a machine that does nothing else. Its services
# are checked for leaks; the test itself is not, since Foundation keeps what it made to start them.
run() {
    echo "sanitize: $1"
    if [ -n "${FILTER:-}" ]; then
        suites "$@" --filter "$FILTER"
    else
        suites "$@" --skip 'TidyTests|EndToEnd'
        ASAN_OPTIONS="detect_leaks=0 exitcode=66" suites "$@" --filter EndToEnd
    fi
}

[ $# -gt 0 ] || set -- thread address
for sanitizer in "$@"; do
    case $sanitizer in
        thread) run thread .build-tsan ;;
        address) run address .build-asan -Xcc -fsanitize=undefined ;;
        *) echo "sanitize: unknown sanitizer '$sanitizer'; use thread or address" >&2; exit 2 ;;
    esac
done
