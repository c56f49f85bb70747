#!/bin/sh
# The portal's foreign files anew, from the npm registry: scripts, styles, icons, their licences, and the checksums that
# a test holds them against. Only for who wants another version; needs npm.
set -eu
. "$(dirname -- "$0")/lib.sh"
have npm || fail 2 "npm is needed to fetch the portal's scripts. On Debian, as root: apt-get install npm"

vendor=$top/pbx_plugin/portal/static/vendor
work=$(mktemp -d "${TMPDIR:-/tmp}/pbx_plugin.XXXXXX")
trap 'rm -rf "$work"' EXIT

# package NAME VERSION FOLDER: unpack it there.
package() {
    say "Fetching $1 $2"
    mkdir -p "$work/$3"
    (cd "$work/$3" && npm pack --silent "$1@$2" >/dev/null 2>&1 && tar xzf ./*.tgz --strip-components=1) ||
        fail 1 "$1 $2 could not be fetched."
}

# plain FROM TO: without the last line that names a file of hints for debuggers, which we do not ship.
plain() { sed -e 's|/\*# sourceMappingURL=[^*]*\*/||' -e 's|^//# sourceMappingURL=.*$||' "$1" >"$2"; }

package htmx.org 2.0.11 htmx
package @alpinejs/csp 3.17.4 alpine
package @tabler/core 1.6.1 tabler
package @tabler/icons 3.51.0 icons
package wavesurfer.js 8.0.1 wavesurfer

plain "$work/htmx/dist/htmx.min.js" "$vendor/htmx.min.js"
plain "$work/alpine/dist/cdn.min.js" "$vendor/alpine-csp.min.js"
plain "$work/tabler/dist/css/tabler.min.css" "$vendor/tabler.min.css"
plain "$work/wavesurfer/dist/wavesurfer.min.js" "$vendor/wavesurfer.min.js"
plain "$work/wavesurfer/dist/plugins/regions.min.js" "$vendor/wavesurfer-regions.min.js"
cp "$work/htmx/LICENSE" "$vendor/licences/htmx.txt"
cp "$work/wavesurfer/LICENSE" "$vendor/licences/wavesurfer.txt"
cp "$work/icons/LICENSE" "$vendor/licences/tabler-icons.txt"
# Alpine's and Tabler's packages hold no licence file; licences/ has theirs, written down once.

# One picture that holds every icon in ICONS, each to be shown by <use href="icons.svg#NAME">.
{
    printf '<svg xmlns="http://www.w3.org/2000/svg">\n'
    while read -r icon; do
        [ -f "$work/icons/icons/outline/$icon.svg" ] || fail 2 "ICONS names $icon, which Tabler's icons do not have."
        printf '<symbol id="%s" viewBox="0 0 24 24">' "$icon"
        sed -e '/^ *<svg/,/^>/d' -e '/<\/svg>/d' -e 's/^ *//' "$work/icons/icons/outline/$icon.svg" | tr -d '\n'
        printf '</symbol>\n'
    done <"$vendor/ICONS"
    printf '</svg>\n'
} >"$vendor/icons.svg"

cd "$vendor"
find . -type f ! -name CHECKSUMS | LC_ALL=C sort | sed 's|^\./||' | xargs sha256sum >CHECKSUMS
chmod 644 ./*.* CHECKSUMS ICONS licences/*
