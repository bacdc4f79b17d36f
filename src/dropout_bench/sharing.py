"""Workers that several processes share, one after the other: who needs them asks where they are.

They are started when the first one asks, so that nothing is started where nobody does. Who asks
compares the code that they were started with to its own. No Dask is needed here.

Whoever can use a scheduler can run anything in its workers. So who asks must know a word that is
in the environment of our own processes alone, and is then told the scheduler's keys too.
"""

import hashlib
import hmac
import json
import os
import secrets
import socket
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from dropout_bench.errors import BenchError

VARIABLE = "DROPOUT_BENCH_SCHEDULER"
_SCHEME = "ask://"
_PATIENCE = 5.0  # seconds in which who asks must say the word
_PACKAGE = Path(__file__).parent


class Shared(NamedTuple):
    """A scheduler that may be used.

    Attributes:
        scheduler: its address.
        keys: what it takes to connect, each as PEM: the certificate that it is known by, one's own
            and the key of this; empty where it lets everyone in.
    """

    scheduler: str
    keys: tuple[str, ...] = ()


class Lender:
    """Tells the address of a scheduler to whoever on this machine asks for it, until it is closed.

    Attributes:
        address: what those who ask are given as the scheduler's address.
    """

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        host, port = self._server.getsockname()
        self._word = secrets.token_hex(16)
        self.address = f"{_SCHEME}{self._word}@{host}:{port}"

    def serve(self, start: Callable[[], Shared], over: Callable[[], bool]) -> None:
        """Answer until ``over``, which is looked at after a :meth:`wake`; ``start`` is called once.

        It starts the workers, and returns their scheduler.
        """
        answer = b""
        while True:
            connection, _ = self._server.accept()
            with connection:
                if over():
                    return
                if not self._may_know(connection):
                    continue
                if not answer:
                    code = _code()  # before they import it
                    answer = json.dumps({**start()._asdict(), "code": code}).encode()
                try:
                    connection.sendall(answer)
                except OSError:  # it was stopped meanwhile
                    continue

    def _may_know(self, connection: socket.socket) -> bool:
        connection.settimeout(_PATIENCE)
        try:
            word = connection.recv(len(self._word))
        except OSError:
            return False
        connection.settimeout(None)
        return hmac.compare_digest(word, self._word.encode())

    def wake(self) -> None:
        """Have :meth:`serve` look whether it is over."""
        _connected(self.address).close()

    def close(self) -> None:
        """Answer no more."""
        self._server.close()


def asked(address: str | None) -> Shared | None:
    """Return the scheduler, asked for where there is somebody to ask.

    It is None where workers must be started: there are none, or their code is not that of now.

    Raises:
        BenchError: who lent the workers is gone.
    """
    address = address or os.environ.get(VARIABLE)
    if not address or not address.startswith(_SCHEME):
        return Shared(address) if address else None
    try:
        with _connected(address) as connection, connection.makefile("rb") as answer:
            connection.sendall(address.removeprefix(_SCHEME).partition("@")[0].encode())
            told = json.loads(answer.read())
    except (OSError, ValueError) as error:
        raise BenchError(
            "the `dropout-bench repro` that shares its workers is gone, and they with it; what is "
            "finished is kept: repeat it"
        ) from error
    if told["code"] != _code():
        print("the code has changed since the shared workers started: others start", flush=True)
        return None
    return Shared(str(told["scheduler"]), tuple(map(str, told["keys"])))


def _connected(address: str) -> socket.socket:
    host, _, port = address.rpartition("@")[2].partition(":")
    return socket.create_connection((host, int(port)))


def _code() -> str:
    """Digest every file of the package, as it is now."""
    digest = hashlib.sha256()
    for file in sorted(_PACKAGE.rglob("*.py")):
        digest.update(f"{file}\0".encode() + file.read_bytes())
    return digest.hexdigest()
