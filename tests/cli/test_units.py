"""The shipped systemd units: systemd takes them, their commands are there, run, and say that they live."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.ground import a_hold, a_store, last_seq, run, usage
from workbench.cli.unit_file import MIRROR, SERVE, quoted
from workbench.settings import Settings, notify_socket

KNOWN = {
    "Unit": {"Description", "Wants", "After", "StartLimitIntervalSec"},
    "Service": {
        "Type", "ExecStart", "User", "Environment", "Restart", "RestartSec", "RestartPreventExitStatus",
        "WatchdogSec", "NoNewPrivileges", "ProtectSystem", "ProtectKernelTunables", "ProtectControlGroups",
        "LockPersonality", "RestrictAddressFamilies",
    },
    "Install": {"WantedBy"},
}  # fmt: skip
"""The directives that the unit has, each looked up in systemd.unit(5), systemd.service(5) and systemd.exec(5)."""


def faults_of(path: Path) -> list[str]:
    """Return what systemd finds wrong with a unit, and what stands in it that should not."""
    found, section = [], ""
    for line in path.read_text().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#") and line.partition("=")[0] not in KNOWN[section]:
            found.append(f"{line} in {section}")
    if shutil.which("systemd-analyze"):
        done = subprocess.run(
            ["systemd-analyze", "verify", path], capture_output=True, text=True, check=False
        )
        found += done.stderr.splitlines()
        if done.returncode:
            found.append(f"systemd-analyze ends with {done.returncode}")
    return found


def printed(kind: str, folder: Path, verb: str = "mirror") -> Path:
    """Print a unit into a file that is named as it would be on a host."""
    found = run(verb, "--unit", kind)
    assert (found.code, found.err) == (0, "")
    path = folder / {"mirror": MIRROR, "serve": SERVE}[verb].name
    path.write_text(found.out)
    return path


def values(path: Path, name: str) -> list[str]:
    """Return the words of a directive as systemd would read them."""
    lines = [line for line in path.read_text().splitlines() if line.startswith(f"{name}=")]
    words = [word for line in lines for word in shlex.split(line.partition("=")[2])]
    return [word.replace("%%", "%") for word in words]


@pytest.mark.parametrize("verb", ["mirror", "serve"])
@pytest.mark.parametrize("kind", ["system", "user"])
def test_systemd_takes_the_unit(tmp_path: Path, kind: str, verb: str) -> None:
    """Printed for a host or for one user, no directive is unknown and the command is there; a typing error is caught."""
    path = printed(kind, tmp_path, verb)
    assert faults_of(path) == []
    assert "@" not in path.read_text().replace("between @ signs", "")
    path.write_text(path.read_text().replace("WatchdogSec", "WatchdogSecs"))
    assert faults_of(path) != []


def test_the_units_differ_in_whose_they_are(tmp_path: Path) -> None:
    """A host's runs as the user who printed it, without privileges; a user's own starts with the user's manager."""
    host = printed("system", tmp_path)
    assert (values(host, "WantedBy"), len(values(host, "User"))) == (["multi-user.target"], 1)
    assert values(host, "NoNewPrivileges") == ["yes"]
    own = printed("user", tmp_path)
    assert (values(own, "WantedBy"), values(own, "User")) == (["default.target"], [])


def test_no_password_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address of a server stands there without its secrets."""
    monkeypatch.setenv(
        "WORKBENCH_STORE", "postgresql://ann:hunter2@db/w?sslmode=require&sslpassword=hunter3"
    )
    text = printed("system", tmp_path).read_text()
    assert "postgresql://ann@db/w?sslmode=require" in text
    assert "hunter" not in text


@pytest.mark.parametrize(
    "word", ["plain", "a b", 'say "x"', "100%", "back\\slash", "a\nb", "$HOME"]
)
def test_a_word_is_read_as_it_was_meant(word: str) -> None:
    """Blanks, quotes, percent signs and line ends of a path neither end the word nor begin another directive."""
    assert "\n" not in quoted(word)
    read = shlex.split(quoted(word))[0].replace("%%", "%")
    assert read.replace("\\n", "\n") == word


@pytest.fixture
def supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Listen as systemd does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield listening


def started(path: Path) -> subprocess.Popen[bytes]:
    """Start what the unit says, with the settings that it names and no others."""
    bare = {k: v for k, v in os.environ.items() if not k.startswith("WORKBENCH_")}
    own = dict(word.split("=", 1) for word in values(path, "Environment"))
    return subprocess.Popen(
        values(path, "ExecStart"),
        env=bare | own,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def heard_until(listening: socket.socket, *wanted: str) -> list[str]:
    """Return what was said until each of some words was."""
    heard: list[str] = []
    while not all(any(word in said for said in heard) for word in wanted):
        heard.append(listening.recv(4096).decode())
    return heard


def test_the_command_of_the_unit_mirrors_and_says_so(
    tmp_path: Path, supervisor: socket.socket
) -> None:
    """Started as the unit says: ready, alive again and again, the newest event as its status, and over at SIGTERM."""
    a_store()
    a_hold()
    child = started(printed("user", tmp_path))
    try:
        have = f"have event {last_seq()}"
        heard = heard_until(supervisor, "READY=1", "WATCHDOG=1", have)
        assert f"STATUS=gates in {Settings.from_environment().gate} {have}" in heard
        child.send_signal(signal.SIGTERM)
        assert child.wait(60) == 0
        assert "STOPPING=1" in heard_until(supervisor, "STOPPING=1")
    finally:
        child.kill()
        child.wait()


def test_a_store_that_is_away_is_no_hang(tmp_path: Path, supervisor: socket.socket) -> None:
    """Without a store the service is up and alive all the same: to start it again would bring none."""
    child = started(printed("user", tmp_path))
    try:
        heard = heard_until(supervisor, "READY=1", "There is no store")
        heard += heard_until(supervisor, "WATCHDOG=1")
        assert child.poll() is None
        assert "STATUS=There is no store" in "\n".join(heard)
    finally:
        child.kill()
        child.wait()


def test_without_a_supervisor_nobody_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """From a terminal there is no socket, and one that is gone is no failure."""
    from workbench.cli.supervised import Supervisor

    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    Supervisor(notify_socket()).tell("READY=1")
    Supervisor("/nowhere/at/all").tell("READY=1")
    Supervisor("@nobody-listens").tell("READY=1")


def test_the_command_of_the_unit_serves_and_says_so(
    tmp_path: Path, supervisor: socket.socket
) -> None:
    """Started as the unit says it is ready and alive while its engine is away, and over at SIGTERM."""
    a_store()
    engines = Settings.from_environment().engines_file
    engines.parent.mkdir(parents=True, exist_ok=True)
    engines.write_text('[engines.main]\nkind = "prefect"\nurl = "http://127.0.0.1:9/api"\n')
    child = started(printed("user", tmp_path, "serve"))
    try:
        assert heard_until(supervisor, "READY=1", "WATCHDOG=1")
        child.send_signal(signal.SIGTERM)
        assert child.wait(60) == 0
    finally:
        child.kill()
        child.wait()


def test_serve_prints_a_unit_or_goes_once() -> None:
    """Both at once is refused."""
    usage(run("serve", "--once", "--unit", "user"))


@pytest.mark.parametrize("words", [(), ("--watch", "--once"), ("--watch", "--unit", "user")])
def test_one_thing_at_a_time(words: tuple[str, ...]) -> None:
    """To watch, to do it once and to print the unit exclude each other."""
    usage(run("mirror", *words))


def test_another_kind_of_unit_is_a_usage_error() -> None:
    """Only the host's and the user's own are known."""
    assert run("mirror", "--unit", "cron").code == 2
