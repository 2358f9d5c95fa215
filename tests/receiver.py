"""A receiver of notifications: a real HTTP server on loopback, reached as a `json://` address with a token in it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

TOKEN = "s3cr3t-t0ken"
"""What every address has in it and nothing else may ever have."""


@dataclass
class Receiver:
    """What came, and how it is answered.

    Attributes:
        got: role that the address names, and the message, in the order in which they came.
        status: what each message is answered with.
        at_each: called with the role before the answer.
    """

    port: int = 0
    got: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    status: dict[str, int] = field(default_factory=dict)
    at_each: Callable[[str], None] = lambda _: None

    @property
    def roles(self) -> list[str]:
        """Roles that were told, in order."""
        return [role for role, _ in self.got]

    def address(self, role: str) -> str:
        """Return the address of a role here."""
        return f"json://watcher:{TOKEN}@127.0.0.1:{self.port}/{role}"

    def write_book(self, path: Path, *roles: str) -> None:
        """Write the private file with an address for each role."""
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [f'{role} = "{self.address(role)}"' for role in roles]
        path.write_text("\n".join(["[roles]", *lines, ""]), encoding="utf-8")
        path.chmod(0o600)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Receive while the block lasts, whatever happens in it."""
    receiver = Receiver()

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            role = self.path.strip("/")
            receiver.got.append((role, body))
            receiver.at_each(role)
            self.send_response(receiver.status.get(role, 200))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing: a test reads what came."""

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A sender that was killed while it waited is what some tests are about."""

    with Quiet(("127.0.0.1", 0), Answers) as server:
        receiver.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join(60)
