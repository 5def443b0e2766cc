#!/usr/bin/env bash
# Drives tollbridge with the official Python client: stdio and HTTP, both protocol eras.
#
#   tests/scripts/python-client.sh [TOLLBRIDGE]
#
# TOLLBRIDGE is the binary, by default target/debug/tollbridge. The client is installed from
# PyPI once (venv.sh). The last line is "N passed, N failed"; the exit status is 0 where none
# failed, 1 where one did, 2 where the script could not run.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
binary=${1:-$root/target/debug/tollbridge}
[ -x "$binary" ] || { echo "there is no binary $binary: cargo build, or name one" >&2; exit 2; }
binary=$(cd "$(dirname "$binary")" && pwd)/$(basename "$binary")

# shellcheck source=tests/scripts/venv.sh
. "$here/venv.sh"
python=$(make_venv "$root") || exit 2

# In its own process group, so that the time limit ends what it started as well.
exec timeout --kill-after=10 180 "$python" "$here/python_client.py" "$binary"
