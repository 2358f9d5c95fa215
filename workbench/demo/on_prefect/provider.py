"""The fictional providers of the live demo: one small HTTP server on loopback, of which one can be told to degrade."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from workbench.clock import to_text

PROVIDER = "acme-llm"
FAULT = "503 overloaded: no capacity for acme-large"


class Provider:
    """Answers every POST: 200, or 503 on the path of a provider that was told to degrade.

    Attributes:
        answered: path -> how many requests were answered well and how many badly.
    """

    def __init__(self) -> None:
        """Begin in good health, with a status line that says so."""
        self.lock = threading.Lock()
        self.answered: dict[str, list[int]] = {}
        self._lines: list[dict[str, Any]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _answers_of(self))
        self._told("operational", "", "all models answer")

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def is_degraded(self) -> bool:
        """Tell whether it answers badly at present."""
        return bool(self._lines[-1]["status"] != "operational")

    def degrade(self) -> None:
        """Answer every request to PROVIDER with 503 from now on, and say so on the status page."""
        self._told("major_outage", "AC-1", "acme-large is overloaded")

    def mend(self) -> None:
        """Answer well again, and say so on the status page."""
        self._told("operational", "AC-1", "acme-large answers again")

    def answer(self, path: str) -> tuple[int, dict[str, str]]:
        """Return status and body of one request, and count it."""
        is_bad = self.is_degraded and path == f"/{PROVIDER}"
        with self.lock:
            self.answered.setdefault(path, [0, 0])[is_bad] += 1
        return (503, {"error": FAULT}) if is_bad else (200, {"text": "a draft"})

    def write_status_page(self, path: Path) -> None:
        """Write the status page so far, one line each, as a table of the warehouse."""
        path.write_text("".join(json.dumps(line) + "\n" for line in self._lines), encoding="utf-8")

    def _told(self, status: str, incident: str, title: str) -> None:
        now = to_text(datetime.now(UTC))
        if self._lines:
            self._lines[-1]["until_at"] = now
        self._lines.append(
            {
                "provider": PROVIDER,
                "component": "acme-large",
                "since_at": now,
                "until_at": None,
                "status": status,
                "impact": "major" if incident and status != "operational" else "none",
                "incident_ref": incident or None,
                "title": title,
            }
        )

    @contextmanager
    def answering(self) -> Iterator[Provider]:
        """Answer in a thread until the block is left."""
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()


def _answers_of(provider: Provider) -> type[BaseHTTPRequestHandler]:
    class Answers(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Keep quiet: the terminal is the story's."""

        def do_POST(self) -> None:  # the name is http.server's
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, body = provider.answer(self.path)
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    return Answers
