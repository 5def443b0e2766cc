#!/usr/bin/env bash
# A real upstream: PowerDNS from Debian's packages, driven through tollbridge and by curl.
#
#   tests/scripts/powerdns.sh [TOLLBRIDGE]
#
# Imports the description that PowerDNS serves (Swagger 2.0, behind its key), opens six of its
# operations as tools, creates, patches, reads, searches, lists and deletes a zone over MCP,
# and compares each answer with that of the same request made by curl. TOLLBRIDGE is the
# binary, by default target/debug/tollbridge. Everything listens on loopback, on free ports,
# and is ended by its process id. The last line is "N passed, N failed"; the exit status is 0
# where none failed, 1 where one did, 2 where the script could not run.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
binary=${1:-$root/target/debug/tollbridge}
[ -x "$binary" ] || { echo "there is no binary $binary: cargo build, or name one" >&2; exit 2; }
binary=$(cd "$(dirname "$binary")" && pwd)/$(basename "$binary")
PATH=$PATH:/usr/sbin

if ! { command -v pdns_server && command -v sqlite3 && command -v curl; } >/dev/null; then
    [ "$(id -u)" = 0 ] || { echo "install pdns-server, pdns-backend-sqlite3, sqlite3 and curl" >&2; exit 2; }
    export DEBIAN_FRONTEND=noninteractive
    timeout 120 apt-get update -qq >&2
    timeout 300 apt-get install -y -qq --no-install-recommends \
        pdns-server pdns-backend-sqlite3 sqlite3 curl >&2
fi

# shellcheck source=tests/scripts/venv.sh
. "$here/venv.sh"
python=$(make_venv "$root") || exit 2

work=$(mktemp -d)
pdns=
finish() {
    if [ -n "$pdns" ]; then
        kill "$pdns" 2>/dev/null || true
        wait "$pdns" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 2' INT TERM

free_ports() {
    "$python" -c '
import socket
both = [socket.socket() for _ in range(2)]
for one in both: one.bind(("127.0.0.1", 0))
print(*(one.getsockname()[1] for one in both))'
}
read -r dns_port web_port < <(free_ports)

export PDNS_KEY=pdns-key-for-tests NO_COLOR=1
api=http://127.0.0.1:$web_port/api/v1

# --- PowerDNS
sqlite3 "$work/zones.db" </usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql
: >"$work/pdns.conf"
pdns_server --config-dir="$work" --launch=gsqlite3 --gsqlite3-database="$work/zones.db" \
    --local-address=127.0.0.1 --local-port="$dns_port" \
    --api=yes --api-key="$PDNS_KEY" --webserver=yes --webserver-address=127.0.0.1 \
    --webserver-port="$web_port" --webserver-allow-from=127.0.0.0/8 --socket-dir="$work" \
    --daemon=no --guardian=no --setuid= --setgid= --security-poll-suffix= \
    >"$work/pdns.log" 2>&1 &
pdns=$!
for _ in $(seq 100); do
    curl -sf -o /dev/null -m 2 -H "X-API-Key: $PDNS_KEY" "$api/servers" && break
    kill -0 "$pdns" 2>/dev/null || { cat "$work/pdns.log" >&2; exit 2; }
    sleep 0.1
done

# --- Import and check
cd "$work"
echo "\$ tollbridge import http://127.0.0.1:$web_port/api/docs --name powerdns …"
timeout 60 "$binary" import "http://127.0.0.1:$web_port/api/docs" \
    --name powerdns --base-url "$api" --header 'X-API-Key: env:PDNS_KEY' \
    --select listZones --select createZone --select listZone \
    --select patchZone --select deleteZone --select searchData

# The header above was for fetching the description; calls need credentials of their own.
auth='auth = { kind = "api_key", in = "header", name = "X-API-Key", value = "env:PDNS_KEY" }'
"$python" - tools.toml "$auth" <<'PYTHON'
import re, sys
path, auth = sys.argv[1:]
lines = [line for line in open(path) if not re.match(r"#?\s*auth\s*=", line)]
at = next(n for n, line in enumerate(lines) if line.strip() == "[api.powerdns]")
open(path, "w").writelines(lines[: at + 1] + [auth + "\n"] + lines[at + 1 :])
PYTHON

echo "\$ tollbridge check"
timeout 60 "$binary" check

# --- The same day twice: over MCP and by curl
status=0
timeout --kill-after=10 120 "$python" "$here/powerdns_client.py" "$binary" "$work/tools.toml" "$api" \
    >"$work/result" || status=$?
# Cut off before its end, it has no last line of its own.
tail -n 1 "$work/result" | grep -q ' passed, ' || echo "0 passed, 1 failed" >>"$work/result"
sed '$d' "$work/result"

echo "\$ tollbridge trace"
timeout 30 "$binary" trace || status=1
tail -n 1 "$work/result"
exit "$status"
