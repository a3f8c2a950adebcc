"""What an operator does with the records by hand, with the function's own environment.

python -m function.records drain            forward all that waits in the journal
python -m function.records export FOLDER    corrected records as a training set in MNIST's format (needs KEEP_GLYPHS)
"""

from __future__ import annotations

import sys
from pathlib import Path

from ..errors import Unavailable
from ..settings import read_settings
from . import Records, every, open_records
from .export import export
from .forwarded import ForwardedRecords


def main(arguments: list[str]) -> str | None:
    """The reason why it could not be done, or None."""
    records = open_records(read_settings())
    try:
        if isinstance(records, ForwardedRecords):
            records.forwarder.connect()
        match arguments:
            case ["drain"]:
                drain(records)
            case ["export", folder]:
                print(f"{export(every(records), Path(folder))} glyphs in {folder}")
            case _:
                return __doc__
    except Unavailable as error:
        return error.detail
    return None


def drain(records: Records) -> None:
    if not isinstance(records, ForwardedRecords):
        print("Nothing waits: SQLite has no journal.")
        return
    for left in records.forwarder.drain():
        print(f"{left} answers are left to forward", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
