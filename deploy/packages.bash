# packages.bash: sees to it that Debian packages are there. Sourced by deploy/local/ and Tests/run.

# Prints those of the given packages that are not installed.
missing_packages() {
    local package
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
    done
}

# Installs what is missing of the given packages, without letting any of them start a service. Only root can; anybody
# else is told the command, and the status is 3.
require_packages() {
    local missing policy=/usr/sbin/policy-rc.d made_policy=
    if ! command -v dpkg-query >/dev/null; then
        echo "This is not Debian. What has to be here, by its Debian names: $*" >&2
        return 0
    fi
    mapfile -t missing < <(missing_packages "$@")
    [ "${#missing[@]}" -eq 0 ] && return 0
    if [ "$(id -u)" -ne 0 ]; then
        {
            echo "These Debian packages are missing: ${missing[*]}"
            echo "Ask root for this, once, then run $0 again:"
            echo
            echo "    apt-get update && apt-get install --yes --no-install-recommends ${missing[*]}"
        } >&2
        return 3
    fi
    echo "Installing ${missing[*]}"
    # Debian starts a service as soon as its package is unpacked, unless this file forbids it.
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        made_policy=yes
    fi
    local status=0 log
    log=$(mktemp)
    {
        apt-get update -q &&
            DEBIAN_FRONTEND=noninteractive apt-get install -q --yes --no-install-recommends "${missing[@]}"
    } >"$log" 2>&1 </dev/null || status=$?
    if [ -n "$made_policy" ]; then rm -f "$policy"; fi
    if [ "$status" -ne 0 ]; then
        tail -n 20 "$log" >&2
        echo "apt-get could not install ${missing[*]}" >&2
        status=3
    fi
    rm -f "$log"
    return "$status"
}

# Says what is wrong with Swift on this machine; the status is 3 then.
require_swift() {
    local version
    if ! command -v swift >/dev/null; then
        echo "Swift 6.2 or later is needed and not in PATH: https://www.swift.org/install/linux/" >&2
        return 3
    fi
    version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p' | head -n 1)
    case "$version" in
        6.[2-9] | 6.[1-9][0-9] | [7-9].* | [1-9][0-9].*) ;;
        *)
            echo "Swift 6.2 or later is needed; this is Swift ${version:-of unknown version}" >&2
            return 3
            ;;
    esac
}
