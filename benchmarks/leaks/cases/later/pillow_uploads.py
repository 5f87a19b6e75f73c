"""No leak: uploaded pictures that Pillow opens and makes small, and that nobody closes.

Reported as python-pillow/Pillow#7961.

Holder: nothing; pictures go when the last name for them does, and the C library keeps some of their room.
"""

import io
import random
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="pictures that are opened and not closed",
    requires=("pillow==10.2.0",),
    source="https://github.com/python-pillow/Pillow/issues/7961",
)
_traffic = Traffic(237)
_random = random.Random(237)
_image: Any = None
_uploads: list[bytes] = []


def setup() -> None:
    global _image
    from PIL import Image

    _image = Image
    for side in (120, 300, 600, 900):
        file = io.BytesIO()
        Image.new("RGB", (side, side * 3 // 4), (side % 256, 90, 20)).save(file, "JPEG")
        _uploads.append(file.getvalue())


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 800 == 0:
        pictures = [_image.open(io.BytesIO(_random.choice(_uploads))) for _ in range(_random.randint(1, 6))]
        small = [picture.resize((32, 24)) for picture in pictures]
        assert all(picture.size == (32, 24) for picture in small)
