"""The session of a connection with TLS is looked at for each request: Python 3.11 loses a copy each time.

Reported as python/cpython#116810. The two ends of the connection are in memory.
"""

import shutil
import ssl
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="sessions of TLS that were looked at",
    leaks="native",
    source="https://github.com/python/cpython/issues/116810",
)
_traffic = Traffic(66)
_client: Any = None


def setup() -> None:
    global _client
    folder = Path(tempfile.mkdtemp())
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=shop", "-days", "2"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate, key)
    shutil.rmtree(folder)
    asking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    asking.check_hostname, asking.verify_mode = False, ssl.CERT_NONE
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    _client = asking.wrap_bio(back, there)
    server = serving.wrap_bio(there, back, server_side=True)
    for _ in range(4):
        for end in (_client, server):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 40 == 0:
        assert _client.session is not None
