"""The way to Cassandra's nodes, and in words why there is none."""

from __future__ import annotations

import logging
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from cassandra import (
    AuthenticationFailed,
    ConsistencyLevel,
    InvalidRequest,
    OperationTimedOut,
    Unauthorized,
    WriteTimeout,
)
from cassandra import Unavailable as NoQuorum
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable
from cassandra.connection import ConnectionException, DefaultEndPoint, DefaultEndPointFactory
from cassandra.policies import (
    ConstantReconnectionPolicy,
    ConstantSpeculativeExecutionPolicy,
    DCAwareRoundRobinPolicy,
    HostStateListener,
    TokenAwarePolicy,
)
from cassandra.query import dict_factory

from ..errors import Down, Lost
from .address import Address

CONNECT = 2.0  # seconds until a node counts as gone
HEARTBEAT = 5  # seconds between two looks at a quiet connection, and until silence is taken for death
SPECULATE = 0.1  # seconds after which another node is asked too


def open_cluster(address: Address, password: str) -> Cluster:
    """The driver's cluster, with the nodes' addresses as they are now. Raises `Lost` if no name has any."""
    logging.getLogger("cassandra").setLevel(logging.CRITICAL)  # a failure is told once, by the forwarder
    names = {place: name for name, port in address.hosts for place in resolve(name, port)}
    if not names:
        raise Lost(f"no name leads anywhere: {', '.join(name for name, _ in address.hosts)}")
    nodes = Nodes(names, address)
    profile = ExecutionProfile(
        load_balancing_policy=TokenAwarePolicy(DCAwareRoundRobinPolicy(address.dc)),
        speculative_execution_policy=ConstantSpeculativeExecutionPolicy(SPECULATE, 2),
        consistency_level=ConsistencyLevel.name_to_value[address.consistency],
        serial_consistency_level=ConsistencyLevel.LOCAL_SERIAL,
        row_factory=dict_factory,
    )
    return Cluster(
        [nodes.at(*place) for place in names],
        endpoint_factory=nodes,
        protocol_version=4,  # every Cassandra since 2.2 speaks it, so no time is lost on finding out
        auth_provider=PlainTextAuthProvider(address.user, password) if address.user else None,
        ssl_context=tls_context(address) if address.tls else None,
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        reconnection_policy=ConstantReconnectionPolicy(1.0, None),
        connect_timeout=CONNECT,
        control_connection_timeout=CONNECT,
        idle_heartbeat_interval=HEARTBEAT,
        idle_heartbeat_timeout=HEARTBEAT,
    )


def resolve(name: str, port: int) -> list[tuple[str, int]]:
    """Where `name` is now; nowhere if it is not known."""
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return [(str(place[0]), port) for *_, place in found]


def tls_context(address: Address) -> ssl.SSLContext:
    """The node's certificate must come from `ca` (or from an authority that the system trusts) and name the host."""
    try:
        context = ssl.create_default_context(cafile=address.ca)
        if address.cert:
            context.load_cert_chain(address.cert, address.key)
    except OSError as error:
        raise Down(f"ca, cert or key of RECORDS_URL cannot be used: {error}") from error
    return context


class Nodes(DefaultEndPointFactory):  # type: ignore[misc]
    """The nodes that RECORDS_URL names and those that they tell of. TLS checks the certificate of each against its name
    in RECORDS_URL, if it has one there, else against its address."""

    def __init__(self, names: dict[tuple[str, int], str], address: Address) -> None:
        super().__init__(port=address.hosts[0][1])
        self._names = names
        self._tls = address.tls

    def at(self, address: str, port: int) -> Node:
        return Node(address, port, self._names.get((address, port), address) if self._tls else None)

    def create(self, row: Any) -> Node:
        found = super().create(row)
        return self.at(found.address, found.port)


class Node(DefaultEndPoint):  # type: ignore[misc]
    """`name` is None without TLS."""

    def __init__(self, address: str, port: int, name: str | None) -> None:
        super().__init__(address, port)
        self._name = name

    @property
    def ssl_options(self) -> dict[str, str] | None:
        return {"server_hostname": self._name} if self._name else None


class Listener(HostStateListener):  # type: ignore[misc]
    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed

    def on_up(self, host: Any) -> None:  # noqa: ARG002  (the driver's interface)
        self._changed()

    on_down = on_add = on_remove = on_up


# ── Why not ───────────────────────────────────────────────────────────────────────────────────────────────────
BROKEN_OFF = "alert|EOF occurred|reset by peer"  # which of these a node's refusal comes to is a matter of chance
USELESS = (NoHostAvailable, ConnectionException, OperationTimedOut, OSError, InvalidRequest)  # is a session after these


@contextmanager
def reasons() -> Iterator[None]:
    """Whatever the driver raises, of many kinds and not all its own, becomes a reason and never ends an answer."""
    try:
        yield
    except Down:
        raise
    except Exception as error:
        first = cause(error)
        raise (Lost if isinstance(first, USELESS) else Down)(reason(first)) from error


def cause(error: Exception) -> Exception:
    """What one node said, if `error` collects what all have said."""
    said = error.errors if isinstance(error, NoHostAvailable) and isinstance(error.errors, dict) else {}
    return next(iter(said.values()), error)


def reason(error: Exception) -> str:
    """In words for an operator, with no secret in them."""
    match error:
        case AuthenticationFailed():
            why = f"the login fails: {error}"
        case Unauthorized():
            why = f"the user is not allowed to: {error}"
        case NoQuorum():
            why = f"too few replicas are up: {error.alive_replicas} of {error.required_replicas}"
        case WriteTimeout():
            why = f"too few replicas answered in time: {error.received_responses} of {error.required_responses}"
        case OperationTimedOut():
            why = "no node answered in time"
        case NoHostAvailable():
            why = "no node is in reach: all connections broke, or dc names no data center that has any"
        case ConnectionException():
            why = f"the connection broke: {error}"
        case ConnectionRefusedError():
            why = "no node listens there"
        case OSError():  # TLS's own among them
            why = f"the connection fails: {failure(error)}"
        case _:
            why = f"{type(error).__name__}: {error}"
    return why[:300]


def failure(error: OSError) -> str:
    """The driver tells it at the end of a long line."""
    last = str(error).rpartition("Last error: ")[2]
    hint = "; the node may want TLS, or another client certificate" if re.search(BROKEN_OFF, last) else ""
    return re.sub(r"\[[\w: ]+\] |\.? \(_ssl\.c:\d+\)", "", last) + hint
