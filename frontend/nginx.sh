#!/bin/sh
# nginx in a container, where $FUNCTION (name:port) stands for one function or several, which come and go with new addresses.
#
# nginx looks up a name in `upstream` only as it starts, and ends if it finds nothing. A name in a variable is asked of the
# network's own name server whenever it is wanted, once a second at most. (To write the addresses into the configuration and
# reload it would not do: that closes connections which clients are about to use.)
set -eu
: "${FUNCTION:=function:8080}"
folder=$(cd "$(dirname "$0")" && pwd)
server=$(awk '$1 == "nameserver" { print $2 ~ /:/ ? "[" $2 "]" : $2; exit }' /etc/resolv.conf)

sed "s|set \$function function;|set \$function $FUNCTION; resolver ${server:-127.0.0.11} valid=1s ipv6=off; resolver_timeout 6s;|" \
  "$folder/nginx.conf" > /tmp/nginx.conf
exec nginx -p "$folder/" -c /tmp/nginx.conf -e stderr -g 'daemon off;'
