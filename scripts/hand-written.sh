#!/usr/bin/env bash
# Sourced by other scripts: which files people write.
set -euo pipefail

# Lists the Swift files of the repository that no generator wrote.
hand_written_swift() {
    git ls-files -co --exclude-standard '*.swift' \
        | grep -v -e '^Sources/Shared/CMessages/' -e '^Sources/Shared/Messages/Generated/'
}
