"""Workers that several processes share, one after the other: who needs them asks where they are.

They are started when the first one asks, so that nothing is started where nobody does. Who asks
compares the code that they were started with to its own. No Dask is needed here.
"""

import hashlib
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

from dropout_bench.errors import BenchError

VARIABLE = "DROPOUT_BENCH_SCHEDULER"
_SCHEME = "ask://"
_PACKAGE = Path(__file__).parent


class Lender:
    """Tells the address of a scheduler to whoever on this machine asks for it, until it is closed.

    Attributes:
        address: what those who ask are given as the scheduler's address.
    """

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        host, port = self._server.getsockname()
        self.address = f"{_SCHEME}{host}:{port}"

    def serve(self, start: Callable[[], str], over: Callable[[], bool]) -> None:
        """Answer until ``over``, which is looked at after a :meth:`wake`; ``start`` is called once.

        It starts the workers, and returns the address of their scheduler.
        """
        answer = b""
        while True:
            connection, _ = self._server.accept()
            with connection:
                if over():
                    return
                if not answer:
                    code = _code()  # before they import it
                    answer = json.dumps({"scheduler": start(), "code": code}).encode()
                try:
                    connection.sendall(answer)
                except OSError:  # it was stopped meanwhile
                    continue

    def wake(self) -> None:
        """Have :meth:`serve` look whether it is over."""
        _connected(self.address).close()

    def close(self) -> None:
        """Answer no more."""
        self._server.close()


def asked(address: str | None) -> str | None:
    """Return the address of the scheduler, asked for where there is somebody to ask.

    It is None where workers must be started: there are none, or their code is not that of now.

    Raises:
        BenchError: who lent the workers is gone.
    """
    address = address or os.environ.get(VARIABLE)
    if not address or not address.startswith(_SCHEME):
        return address or None
    try:
        with _connected(address) as connection, connection.makefile("rb") as answer:
            told = json.loads(answer.read())
    except (OSError, ValueError) as error:
        raise BenchError(
            "the `dropout-bench repro` that shares its workers is gone, and they with it; what is "
            "finished is kept: repeat it"
        ) from error
    if told["code"] != _code():
        print("the code has changed since the shared workers started: others start", flush=True)
        return None
    return str(told["scheduler"])


def _connected(address: str) -> socket.socket:
    host, _, port = address.removeprefix(_SCHEME).partition(":")
    return socket.create_connection((host, int(port)))


def _code() -> str:
    """Digest every file of the package, as it is now."""
    digest = hashlib.sha256()
    for file in sorted(_PACKAGE.rglob("*.py")):
        digest.update(f"{file}\0".encode() + file.read_bytes())
    return digest.hexdigest()
