"""No leak: messages of a chat as stanzas, each of which is its own attribute.

Reported as fritzy/SleekXMPP#18, and written after it.

Holder: stanzas that refer to themselves, until the next collection.
"""

import random
from xml.etree import ElementTree as ET

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="stanzas that wait for the collector",
    source="https://github.com/fritzy/SleekXMPP/issues/18",
)
_traffic = Traffic(433)
_random = random.Random(433)


class Stanza:
    """An element of a stream, which may be asked for its parts in two ways."""

    def __init__(self, xml: ET.Element) -> None:
        self.xml = xml
        self.attrib = self
        self.parts = [Stanza(child) for child in xml]

    def __getitem__(self, name: str) -> str:
        return self.xml.get(name, "")


def setup() -> None:
    """Nothing."""


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 20 == 0:
        xml = ET.Element("message", {"to": f"user{i % 90}", "id": str(i)})
        for number in range(_random.randint(1, 12)):
            ET.SubElement(xml, "body").text = f"line {number} of {i}"
        stanza = Stanza(xml)
        assert stanza.attrib["id"] == str(i)
