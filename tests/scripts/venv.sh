# Sourced by the scripts beside it: makes a virtual environment with the Python MCP client.
#
# It lands in $TOLLBRIDGE_VENV, by default target/venv, and is made only once.

# make_venv ROOT: prints the path of the environment's python.
make_venv() {
    local venv="${TOLLBRIDGE_VENV:-$1/target/venv}"
    local wanted='import mcp, importlib.metadata as m; v = m.version("mcp").split("."); assert v[0] == "2" and int(v[1]) >= 3'
    if ! "$venv/bin/python" -c "$wanted" >/dev/null 2>&1; then
        python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || {
            echo "Python 3.10 or newer is needed" >&2
            return 2
        }
        echo "installing the Python MCP client into $venv" >&2
        python3 -m venv "$venv" >&2
        timeout 300 "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
            'mcp>=2.3,<3' >&2
        "$venv/bin/python" -c "$wanted" >&2
    fi
    printf '%s\n' "$venv/bin/python"
}
