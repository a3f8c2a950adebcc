"""RECORDS_URL of a Cassandra → where it is and how it is to be spoken to. Knows no driver."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

PORT = 9042
LEVELS = ("ONE", "TWO", "THREE", "QUORUM", "ALL", "LOCAL_QUORUM", "LOCAL_ONE")
OPTIONS = {"dc", "consistency", "replication", "tls", "ca", "cert", "key"}
KEYSPACE = "mnistkeyspace"


@dataclass(frozen=True)
class Address:
    """`replication` is None for as many as there are nodes or hosts, up to 3; `ca`, `cert` and `key` are paths of PEM
    files."""

    hosts: tuple[tuple[str, int], ...]
    user: str = ""
    keyspace: str = KEYSPACE
    dc: str = ""
    consistency: str = "LOCAL_QUORUM"
    replication: int | None = None
    tls: bool = False
    ca: str | None = None
    cert: str | None = None
    key: str | None = None


def read_address(text: str) -> Address:
    """user@host1,host2:9042/keyspace?dc=…&consistency=…&replication=…&tls=true&ca=…&cert=…&key=…

    Raises `ValueError`, which does not repeat `text`: it may hold a secret.
    """
    place, _, query = text.partition("?")
    authority, _, keyspace = place.partition("/")
    user, _, hosts = authority.rpartition("@")
    options = dict(parse_qsl(query, keep_blank_values=True))
    address = Address(
        hosts=tuple(read_host(host) for host in hosts.split(",")),
        user=unquote(user),
        keyspace=keyspace or KEYSPACE,
        dc=options.get("dc", ""),
        consistency=options.get("consistency", "LOCAL_QUORUM").upper(),
        replication=int(options["replication"]) if options.get("replication", "").isdecimal() else None,
        tls=options.get("tls") == "true",
        ca=options.get("ca"),
        cert=options.get("cert"),
        key=options.get("key"),
    )
    for wrong, says in (
        (":" in user, "must hold no password: set CASSANDRA_PASSWORD or CASSANDRA_PASSWORD_FILE"),
        (not re.fullmatch(r"[a-z][a-z0-9_]{0,47}", address.keyspace), "names no keyspace: like …/mnistkeyspace"),
        (options.keys() - OPTIONS, f"has an option that is none of {', '.join(sorted(OPTIONS))}"),
        (address.consistency not in LEVELS, f"has a consistency that is none of {', '.join(LEVELS)}"),
        ("replication" in options and not address.replication, "has a replication that is no number above zero"),
        (options.get("tls", "true") not in ("true", "false"), "has a tls that is neither true nor false"),
        (bool(address.cert) != bool(address.key), "has only one of cert and key"),
        (not address.tls and (address.ca or address.cert or address.key), "has certificates, but no tls=true"),
    ):
        if wrong:
            raise ValueError(f"RECORDS_URL {says}")
    return address


def read_host(text: str) -> tuple[str, int]:
    match = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[\w.-]+)(?::([0-9]{1,5}))?", text, re.ASCII)
    if not match:
        raise ValueError("RECORDS_URL must be like cassandra://host1,host2:9042/mnistkeyspace")
    return match[1].strip("[]"), int(match[2] or PORT)
