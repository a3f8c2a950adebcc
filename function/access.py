"""Who may do what: keys, and the pages of other sites."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from .errors import Forbidden, Unauthorised

ALLOWED_HEADERS = (
    "Authorization, Content-Disposition, Content-Type, Idempotency-Key, Inference-Header-Content-Length, X-Request-ID, "
    "traceparent, tracestate"
)
EXPOSED_HEADERS = (
    "Inference-Header-Content-Length, Retry-After, Server-Timing, WWW-Authenticate, X-Request-ID, traceparent"
)
A_DAY = "86400"


def check_key(authorization: str, key: str, realm: str) -> None:
    """Raises `Unauthorised` unless the header Authorization bears `key` (RFC 6750), or there is none to bear."""
    scheme, _, token = authorization.partition(" ")
    given = token.strip().encode("latin-1", "replace") if scheme.lower() == "bearer" else b""
    if key and not hmac.compare_digest(given, key.encode()):
        wrong = ', error="invalid_token"' if given else ""
        raise Unauthorised(
            f"{'This is not the key' if given else 'A key is needed'}: send Authorization: Bearer <key>.",
            headers={"WWW-Authenticate": f'Bearer realm="{realm}"{wrong}'},
        )


def check_site(headers: Mapping[str, str], allowed: Collection[str]) -> None:
    """Raises `Forbidden` for what the page of another site has its visitor's browser send, unless that is `allowed`.

    Browsers say so themselves (W3C Fetch Metadata), or, where they do not, by an Origin that is not the Host.
    """
    origin = headers.get("Origin", "")
    if is_allowed(origin, allowed):
        return
    site = headers.get("Sec-Fetch-Site")
    if site:
        is_foreign = site not in ("same-origin", "none")
    else:
        hosts = {headers.get(name, "").lower() for name in ("Host", "X-Forwarded-Host")} - {""}
        is_foreign = bool(origin) and urlsplit(origin).netloc.lower() not in hosts
    if is_foreign:
        raise Forbidden(f"A page of another site may not do this. Name {origin or 'it'} in ALLOWED_ORIGINS if it may.")


def cors_headers(origin: str, allowed: Collection[str]) -> dict[str, str]:
    """What lets the page of an allowed origin ask, and read the answer (WHATWG Fetch); nothing for any other."""
    if not is_allowed(origin, allowed):
        return {}
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": "DELETE, GET, HEAD, POST, PUT",
        "Access-Control-Allow-Headers": ALLOWED_HEADERS,
        "Access-Control-Expose-Headers": EXPOSED_HEADERS,
        "Access-Control-Max-Age": A_DAY,
    }


def is_allowed(origin: str, allowed: Collection[str]) -> bool:
    return bool(origin) and ("*" in allowed or origin.lower() in allowed)
