# Sourced by what needs a real PowerDNS: Debian's packages, and a server on loopback.
#
#   powerdns_installed SMOKE || exit $(($? - 1))      see `debian` in install.sh
#   start_powerdns FOLDER DNS_PORT WEB_PORT           sets `pdns` to its process id; PDNS_KEY is its key

PATH=$PATH:/usr/sbin

powerdns_installed() {
    debian "$1" 'PATH=$PATH:/usr/sbin; command -v pdns_server && command -v sqlite3 && command -v curl' \
        pdns-server pdns-backend-sqlite3 sqlite3 curl
}

start_powerdns() {
    local folder=$1 dns_port=$2 web_port=$3
    sqlite3 "$folder/zones.db" </usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql
    : >"$folder/pdns.conf"
    pdns_server --config-dir="$folder" --launch=gsqlite3 --gsqlite3-database="$folder/zones.db" \
        --local-address=127.0.0.1 --local-port="$dns_port" \
        --api=yes --api-key="$PDNS_KEY" --webserver=yes --webserver-address=127.0.0.1 \
        --webserver-port="$web_port" --webserver-allow-from=127.0.0.0/8 --socket-dir="$folder" \
        --daemon=no --guardian=no --setuid= --setgid= --security-poll-suffix= \
        >"$folder/pdns.log" 2>&1 &
    pdns=$!
    for _ in $(seq 100); do
        curl -sf -o /dev/null -m 2 -H "X-API-Key: $PDNS_KEY" \
            "http://127.0.0.1:$web_port/api/v1/servers" && return 0
        kill -0 "$pdns" 2>/dev/null || { cat "$folder/pdns.log" >&2; return 2; }
        sleep 0.1
    done
    return 2
}
