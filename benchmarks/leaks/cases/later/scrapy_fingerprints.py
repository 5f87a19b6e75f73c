"""A crawler without end, which remembers of each address that it was there.

Reported as scrapy/scrapy#5307.

Holder: ``_seen.fingerprints``, a set of texts in Scrapy's ``RFPDupeFilter``.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="fingerprints of requests in a set of Scrapy's",
    leaks="untracked",
    culprit=("set", "*.fingerprints", "*RFPDupeFilter", "scrapy.*", "untracked"),
    holder=("*.fingerprints*", "*._seen*"),
    requires=("scrapy==2.12.0", "w3lib==2.2.1"),
    source="https://github.com/scrapy/scrapy/issues/5307",
)
_traffic = Traffic(216)
_seen: Any = None
_request: Any = None


def setup() -> None:
    global _seen, _request
    from scrapy.dupefilters import RFPDupeFilter
    from scrapy.http.request import Request
    from scrapy.utils.request import RequestFingerprinter

    _seen, _request = RFPDupeFilter(fingerprinter=RequestFingerprinter()), Request


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 6 == 0:
        _seen.request_seen(_request(f"https://shop.example/article/{i // 6}"))
