"""Which RECORDS_URL of a Cassandra means what, and which is refused without telling its secrets."""

from __future__ import annotations

import pytest

from function.records.address import Address, read_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("localhost", Address((("localhost", 9042),))),
        ("localhost/", Address((("localhost", 9042),))),
        ("10.0.0.1:9142/elsewhere", Address((("10.0.0.1", 9142),), keyspace="elsewhere")),
        ("[::1]:9142,[Fe80::2]", Address((("::1", 9142), ("Fe80::2", 9042)))),
        ("a.example,b_2,c-3:1/mnistkeyspace", Address((("a.example", 9042), ("b_2", 9042), ("c-3", 1)))),
        ("reader%40home@host", Address((("host", 9042),), user="reader@home")),
        ("host?dc=datacenter1", Address((("host", 9042),), dc="datacenter1")),
        ("host?consistency=local_one", Address((("host", 9042),), consistency="LOCAL_ONE")),
        ("host?replication=5", Address((("host", 9042),), replication=5)),
        ("host?tls=false", Address((("host", 9042),))),
        (
            "me@host/k?tls=true&ca=/run/ca.pem&cert=/run/c.pem&key=/run/k.pem",
            Address((("host", 9042),), "me", "k", tls=True, ca="/run/ca.pem", cert="/run/c.pem", key="/run/k.pem"),
        ),
    ],
)
def test_each_part_is_read(text: str, address: Address) -> None:
    assert read_address(text) == address


EXAMPLE = "must be like cassandra://host1,host2:9042/mnistkeyspace"
NO_KEYSPACE = "names no keyspace: like …/mnistkeyspace"
NO_LEVEL = "has a consistency that is none of ONE, TWO, THREE, QUORUM, ALL, LOCAL_QUORUM, LOCAL_ONE"
NO_NUMBER = "has a replication that is no number above zero"
NO_TRUTH = "has a tls that is neither true nor false"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", EXAMPLE),
        ("/mnistkeyspace", EXAMPLE),
        ("host,,host", EXAMPLE),
        ("host:port", EXAMPLE),
        ("host:-1", EXAMPLE),
        ("the host", EXAMPLE),
        ("hôte", EXAMPLE),
        ("me:hunter2@host", "must hold no password: set CASSANDRA_PASSWORD or CASSANDRA_PASSWORD_FILE"),
        ("host/Mnist", NO_KEYSPACE),
        ("host/mnist;drop", NO_KEYSPACE),
        ("host/" + "k" * 49, NO_KEYSPACE),
        ("host?password=hunter2", "has an option that is none of ca, cert, consistency, dc, key, replication, tls"),
        ("host?consistency=MOST", NO_LEVEL),
        ("host?replication=0", NO_NUMBER),
        ("host?replication=two", NO_NUMBER),
        ("host?replication=", NO_NUMBER),
        ("host?tls=yes", NO_TRUTH),
        ("host?tls=", NO_TRUTH),
        ("host?ca=/run/ca.pem", "has certificates, but no tls=true"),
        ("host?tls=true&cert=/run/c.pem", "has only one of cert and key"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words_and_without_a_secret(text: str, says: str) -> None:
    with pytest.raises(ValueError, match="RECORDS_URL") as refusal:
        read_address(text)
    assert str(refusal.value) == f"RECORDS_URL {says}"
    assert "hunter2" not in str(refusal.value)
