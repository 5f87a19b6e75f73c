"""A label drawn on a small picture."""

from typing import Any

from benchmarks.leaks.case import Case

CASE = Case(
    half="scoring",
    what="text drawn with Pillow",
    leaks="untracked",
    leaking_release="pillow==10.1.0",
    fixed_release="pillow==10.2.0",
    source="https://github.com/python-pillow/Pillow/issues/7540",
)
_picture: Any = None
_font: Any = None
_draw: Any = None


def setup() -> None:
    global _picture, _font, _draw
    from PIL import Image, ImageDraw, ImageFont

    _font = ImageFont.load_default(10)
    _picture = Image.new("RGB", (120, 20))
    _draw = ImageDraw


def step(i: int) -> None:
    _draw.Draw(_picture).text((1, 1), f"order {i}", font=_font)
