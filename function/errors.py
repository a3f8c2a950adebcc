"""Everything that can be wrong with a request, as the problems of RFC 9457; translated to HTTP in answer.py."""

from __future__ import annotations

import os
from collections.abc import Mapping

LATEST = 3  # seconds after which they come back who are turned away: not all at once


class Problem(Exception):
    """A request that cannot be answered: `title` says what is wrong, `detail` what to do about it."""

    status = 500
    slug = "fault"
    title = "Something went wrong here"

    def __init__(self, detail: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = dict(headers or {})


class BadRequest(Problem):
    status, slug, title = 400, "bad-request", "The request is broken"


class Unauthorised(Problem):
    status, slug, title = 401, "unauthorised", "This needs a key"


class Forbidden(Problem):
    status, slug, title = 403, "forbidden", "This is not for other sites"


class NotFound(Problem):
    status, slug, title = 404, "not-found", "There is nothing here"


class MethodNotAllowed(Problem):
    status, slug, title = 405, "method-not-allowed", "This cannot be done here"


class TooLarge(Problem):
    status, slug, title = 413, "too-large", "The picture is too large"


class NotAPicture(Problem):
    status, slug, title = 415, "not-a-picture", "This is not a picture"


class Unreadable(Problem):
    status, slug, title = 422, "unreadable", "The picture cannot be read"


class Busy(Problem):
    status, slug, title = 503, "busy", "The reader is busy"

    def __init__(self) -> None:
        super().__init__(
            "More is asked of it than it can do. Ask again in a moment.",
            headers={"Retry-After": str(1 + os.urandom(1)[0] % LATEST)},
        )


class Unavailable(Problem):
    status, slug, title = 503, "unavailable", "The answer cannot be recorded just now"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"Retry-After": "5"})


class Down(Unavailable):
    """The database cannot be reached or takes nothing; `detail` says why."""


class Lost(Down):
    """The session with the database is of no use any more; a new one may be."""
