"""AVIF and HEIC → pixels, by a program of its own (`video.py`) that may take only so much time and memory.

They hold video: 20 kB may keep a decoder at work for hours, and the decoders have no limits that prevent it. What ends
that program ends nothing else. To start it takes a tenth of a second. All other kinds are told by their structure, in
`bombs.py`.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from PIL import Image

from .bombs import TOO_LONG, check_size
from .errors import Unreadable

PROGRAM = Path(__file__).with_name("video.py")
ENDED = (-signal.SIGXCPU, -signal.SIGKILL)
HANGING = 30  # seconds of any time; of the processor's, fewer


def decode_apart(kind: str, data: bytes, *, side: int, max_pixels: int) -> tuple[Image.Image, int, int, int]:
    """An RGB or RGBA image of at most `side` pixels a side, the full picture's width and height, and its orientation as
    EXIF has it. Raises `Unreadable` for too many pixels or too long a time, and `ValueError` for damage."""
    # -P: the modules beside the program are not for it, and might be taken for Python's own.
    command = [sys.executable, "-P", str(PROGRAM), kind, str(side), str(max_pixels)]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=HANGING, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise Unreadable(TOO_LONG) from error
    if done.returncode in ENDED:
        raise Unreadable(TOO_LONG)
    head, _, pixels = done.stdout.partition(b"\n")
    mode, *numbers = head.decode().split()
    across, down, width, height, orientation = map(int, numbers)
    check_size(width * height, max_pixels)
    return Image.frombytes(mode, (across, down), pixels), width, height, orientation
