"""The fictional provider acme-llm and the shop service: a real HTTP server whose faults are staged."""

from __future__ import annotations

import json
import random
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlparse

from tests.record.place import to_text

INPUT_PRICE = Decimal("0.000003")
OUTPUT_PRICE = Decimal("0.000012")
CALM: dict[str, float] = {"unavailable": 0.02}
DEGRADED: dict[str, float] = {
    "timeout": 0.26,
    "rate_limit": 0.20,
    "truncated": 0.18,
    "stale": 0.16,
    "unavailable": 0.04,
}
RELAPSED: dict[str, float] = {
    "timeout": 0.20,
    "rate_limit": 0.28,
    "truncated": 0.20,
    "stale": 0.14,
    "unavailable": 0.04,
}


@dataclass
class Faults:
    """What the server does wrong at present; the story changes it."""

    shares: dict[str, float] = field(default_factory=lambda: dict(CALM))
    limited_callers: set[str] = field(default_factory=set)
    shop_failure_share: float = 0.025
    slow_seconds: float = 6.0
    stale_hours: float = 7.0
    dice: random.Random = field(default_factory=lambda: random.Random(20261123))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def draw(self, caller: str) -> str:
        """Return the fault of the next answer, or ''."""
        if caller in self.limited_callers:
            return "rate_limit"
        with self.lock:
            point = self.dice.random()
        for name, share in self.shares.items():
            if point < share:
                return name
            point -= share
        return ""

    def shop_fails(self) -> bool:
        """Tell whether the next answer of the shop is a gateway error."""
        with self.lock:
            return self.dice.random() < self.shop_failure_share


class Answers(BaseHTTPRequestHandler):
    """Answers one request; the faults are those of its server."""

    protocol_version = "HTTP/1.0"
    faults: Faults

    def log_message(self, *args: Any) -> None:
        """Keep quiet."""

    def do_GET(self) -> None:
        """Answer as the shop: mostly the item, sometimes a gateway error, always 422 for a bad item."""
        item = parse_qs(urlparse(self.path).query).get("item", ["0"])[0]
        if self.faults.shop_fails():
            self._send(502, {"error": "bad gateway: upstream shop-db did not answer"})
        elif int(item) % 61 == 7:
            self._send(422, {"error": f"item {item} has no currency"})
        else:
            self._send(200, {"item": item})

    def do_POST(self) -> None:
        """Answer as the provider, with the staged fault of this moment."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        fault = self.faults.draw(asked["caller"])
        share = self.faults.dice.uniform(0.25, 0.45)
        if fault == "rate_limit":
            error = {"error": "rate limit reached for acme-large: retry after 20s"}
            self._send(429, error, {"Retry-After": "20"})
            return
        if fault == "unavailable":
            self._send(503, {"error": "acme-llm is overloaded"})
            return
        if fault == "timeout":
            time.sleep(self.faults.slow_seconds)
        body = json.dumps(self._answer(asked, share, is_stale=fault == "stale")).encode()
        self._send_bytes(200, body[: len(body) // 2] if fault == "truncated" else body)

    def _answer(self, asked: dict[str, Any], share: float, *, is_stale: bool) -> dict[str, Any]:
        tokens_in = 180 + len(asked["prompt"])
        tokens_out = int(asked["max_tokens"] * share)
        age = timedelta(hours=self.faults.stale_hours) if is_stale else timedelta(seconds=4)
        return {
            "text": f"answer for {asked['prompt']}",
            "factor": "1.17" if is_stale else "1.00",
            "context_as_of": to_text(datetime.now(UTC) - age),
            "usage": {"input": tokens_in, "output": tokens_out},
            "cost": str(tokens_in * INPUT_PRICE + tokens_out * OUTPUT_PRICE),
        }

    def _send(
        self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None
    ) -> None:
        self._send_bytes(status, json.dumps(body).encode(), headers)

    def _send_bytes(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        try:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:  # the caller gave up waiting, which is what a time-out is
            self.close_connection = True


class Provider:
    """The running server and its faults."""

    def __init__(self, port: int = 0) -> None:
        self.faults = Faults()
        answers = type("Answers", (Answers,), {"faults": self.faults})
        self.server = ThreadingHTTPServer(("127.0.0.1", port), answers)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
