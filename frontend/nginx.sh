#!/bin/sh
# nginx in a container, where $FUNCTION (name:port) stands for one function or several, which come and go with new addresses.
#
# nginx looks a name up only as it starts, and ends if there is none (a paid version, and 1.27.3 and later, can do more). So the
# addresses are looked up here, each second, and put into the configuration whenever they change.
set -eu
: "${FUNCTION:=function:8080}"
folder=$(cd "$(dirname "$0")" && pwd)

configure() {
  servers=$(getent hosts "${FUNCTION%:*}" | awk -v port="${FUNCTION##*:}" '{ print "server " $1 ":" port }' | sort -u)
  : "${servers:=server 127.0.0.1:1}" # nobody: nginx then says that the reader is not available
  awk -v servers="$servers" '/server 127\.0\.0\.1:8080/ { n = split(servers, each, "\n"); rest = $0; sub(/.*:8080/, "", rest);
    for (i = 1; i <= n; i++) print each[i] rest; next } { print }' "$folder/nginx.conf" > /tmp/next.conf
  ! cmp -s /tmp/next.conf /tmp/nginx.conf && mv /tmp/next.conf /tmp/nginx.conf
}

configure
while sleep 1; do
  if configure; then kill -HUP 1; fi
done &
exec nginx -p "$folder/" -c /tmp/nginx.conf -e stderr -g 'daemon off;'
