#!/bin/sh
# nginx in a container, where $FUNCTION (name:port) stands for one function or several, which come and go with new addresses.
#
# nginx looks a name up only as it starts, and ends if it finds nothing. So the addresses are looked up here, each second, and
# put into the configuration whenever they change. (From 1.27.3 on, `server … resolve` could do that.)
set -eu
: "${FUNCTION:=function:8080}"
folder=$(cd "$(dirname "$0")" && pwd)

# Write /tmp/nginx.conf, and tell whether it is another than before. A name that leads nowhere for a moment changes nothing.
configure() {
  SERVERS=$(getent ahostsv4 "${FUNCTION%:*}" | awk -v port="${FUNCTION##*:}" '{ print "server " $1 ":" port }' | sort -u)
  if [ -z "$SERVERS" ] && [ -e /tmp/nginx.conf ]; then return 1; fi
  export SERVERS="${SERVERS:-server 127.0.0.1:1}" # nobody: nginx then says that the reader is not available
  awk '/server 127\.0\.0\.1:8080/ {
    rest = $0; sub(/.*:8080/, "", rest)
    count = split(ENVIRON["SERVERS"], servers, "\n")
    for (i = 1; i <= count; i++) print servers[i] rest
    next
  } { print }' "$folder/nginx.conf" > /tmp/next.conf
  if cmp -s /tmp/next.conf /tmp/nginx.conf; then return 1; fi
  mv /tmp/next.conf /tmp/nginx.conf
}

configure || true
while sleep 1; do
  if configure; then kill -HUP 1; fi
done &
exec nginx -p "$folder/" -c /tmp/nginx.conf -e stderr -g 'daemon off;'
