"""Modules imported when a request first needs them."""

from importlib import import_module

from benchmarks.leaks.case import Case

CASE = Case(half="tuning", what="lazy imports during the first requests")
_MODULES = (
    *("decimal", "xml.dom.minidom", "email.mime.multipart", "http.server", "sqlite3", "unittest.mock", "csv"),
    *("urllib.request", "xmlrpc.client", "logging.handlers", "multiprocessing.pool", "ftplib", "imaplib"),
)


def setup() -> None:
    pass


def step(i: int) -> None:
    if i % 700 == 0 and i // 700 < len(_MODULES):
        import_module(_MODULES[i // 700])
