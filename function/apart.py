"""AVIF and HEIC → pixels, in a process of its own that may take only so much time and memory.

They hold video: a file of 20 kB can have a decoder at work for hours, and the decoders have no limits that would stop it.
All other kinds are told by their structure (`bombs.py`). This costs 0.1 s, and what ends the process ends no more.
"""

from __future__ import annotations

import math
import sys
from typing import Any

from PIL import Image

SECONDS = 4  # of the processors' time, of all threads together: 64 megapixels take three
MEMORY = 3 * 2**29  # bytes
HANGING = 30  # seconds of any time
TOO_MANY = 3  # how the process ends if there are too many pixels


def limited() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def heif(data: bytes) -> tuple[int,int,Any]:
    import _pillow_heif
    images, _ = _pillow_heif.load_file(data, 4, True, False, False, True, "", False)
    return next(image for image in images if image is not None and image.primary)


def main(kind: str, max_pixels: int, side: int) -> int:
    limited()
    data = sys.stdin.buffer.read()
    if kind == "HEIF":
        coded = heif(data)
        w,h = coded.size_mode[0]
        if w*h>max_pixels: return 3
        pixels=coded.data
        size,mode=coded.size_mode
        image=Image.frombytes(mode,size,pixels,"raw",mode,coded.stride)
    else:
        import io
        from PIL import AvifImagePlugin
        image=AvifImagePlugin.AvifImageFile(io.BytesIO(data),"")
        size=image.size
        if size[0]*size[1]>max_pixels: return 3
        image.load()
    if image.mode not in ("RGB","RGBA"): image=image.convert("RGBA" if image.has_transparency_data else "RGB")
    image.thumbnail((side,side),Image.Resampling.BOX)
    sys.stdout.buffer.write(f"{image.mode} {image.width} {image.height} {size[0]} {size[1]}\n".encode()+image.tobytes())
    return 0

if __name__=="__main__":
    sys.exit(main(sys.argv[1],int(sys.argv[2]),int(sys.argv[3])))
