"""The Hub's user: asked of the Hub with its own token, believed from nothing else."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.store.ground import a_control, pause
from workbench.control.actor import actor_text
from workbench.control.hub import _asked, hub_user
from workbench.settings import Settings

TOKEN = "a-secret-token-of-the-hub"


class Hub(BaseHTTPRequestHandler):
    """Answers GET /hub/api/user as JupyterHub does, to its own token alone."""

    answer = json.dumps({"name": "anna", "admin": False})

    def do_GET(self) -> None:
        """Answer one request."""
        is_right = (
            self.headers["Authorization"] == f"token {TOKEN}" and self.path == "/hub/api/user"
        )
        self.send_response(200 if is_right else 403)
        self.end_headers()
        self.wfile.write(self.answer.encode() if is_right else b"{}")

    def log_message(self, *words: object) -> None:
        """Say nothing."""


@pytest.fixture(autouse=True)
def forgotten() -> None:
    """Forget what earlier tests asked."""
    _asked.cache_clear()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run a Hub on loopback and set the variables that it gives to its servers."""
    server = HTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/hub/api"
    monkeypatch.setenv("JUPYTERHUB_API_URL", url)
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", TOKEN)
    yield url
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_hub_vouches_for_its_user(hub: str, tmp_path: Path) -> None:
    """A pause from a Hub's server is recorded under the name that the Hub gave."""
    assert pause(a_control(tmp_path)).hold.placed_by == "hub:anna (no key)"


@pytest.mark.parametrize("name", ["USER", "LOGNAME", "JUPYTERHUB_USER"])
def test_no_variable_is_believed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Setting a user's name in the environment names nobody (F70)."""
    monkeypatch.setenv(name, "boss")
    assert "boss" not in actor_text(None, {})


def test_a_wrong_token_is_nobody(hub: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that the Hub does not know gives the system's user, unverified."""
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "another")
    assert actor_text(None, {}).startswith("os:")
    assert "unverified" in actor_text(None, {})


@pytest.mark.parametrize(
    "answer", ["", "[]", "{}", '{"name": 7}', '{"name": "a\\nb"}', "<html>", "[" * 60_000]
)
def test_an_answer_that_is_none_names_nobody(
    hub: str, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not the Hub's answer is not a name."""
    monkeypatch.setattr(Hub, "answer", answer)
    assert hub_user() is None


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc",
        "http://127.0.0.1:1/hub/api",
        "nonsense",
        "http://[::1",
        "http://127.0.0.1:99999",
        "http://h\x01x/",
    ],
)
def test_a_hub_that_cannot_be_asked_stops_no_pause(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an answer the pause is recorded under the system's user."""
    monkeypatch.setenv("JUPYTERHUB_API_URL", url)
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", TOKEN)
    assert pause(a_control(tmp_path)).hold.placed_by.startswith("os:")


def test_the_token_is_shown_nowhere(hub: str) -> None:
    """The settings print without the token."""
    assert TOKEN not in repr(Settings.from_environment())
