"""Records the story: `python -m tests.record.main --minutes 92 --root FOLDER` with the Prefect environment.

The harness copies the source into its folder and runs that copy, so that edits do not reach a recording.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.record.alerts import Alerts
from tests.record.operations import Operator
from tests.record.people import Deciders
from tests.record.place import Place
from tests.record.prefect_side import PrefectSide, environment
from tests.record.provider import Provider
from tests.record.registry_file import write_registry
from tests.record.snapshot import Collector
from tests.record.stage import Cast, Stage
from tests.record.story import BEATS, LAST_MINUTE
from tests.record.world import World

REPOSITORY = Path(__file__).resolve().parents[2]
COPIED = ("workbench", "queries", "notebooks", "tests/record")


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--minutes",
        type=float,
        default=92.0,
        help="length of the recording; the story is scaled to it",
    )
    parser.add_argument(
        "--root", type=Path, required=True, help="new folder for everything the recording writes"
    )
    parser.add_argument(
        "--workbench-python", type=Path, required=True, help="python of the workbench environment"
    )
    parser.add_argument("--port", type=int, default=4777)
    parser.add_argument("--frozen", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def freeze(root: Path) -> None:
    """Copy the source into the recording's folder and go on there."""
    code = root / "code"
    for copy in (code, root / "operator-code"):
        for name in COPIED:
            shutil.copytree(
                REPOSITORY / name,
                copy / name,
                dirs_exist_ok=True,
                ignore=shutil.ignore_patterns("__pycache__"),
            )
        # Without it an installed checkout's own tests would be found before the copy's.
        (copy / "tests" / "__init__.py").touch()
    os.chdir(root)
    os.execve(
        sys.executable,
        [sys.executable, "-W", "ignore", "-m", "tests.record.main", *sys.argv[1:], "--frozen"],
        {**os.environ, "PYTHONPATH": str(code), "PYTHONDONTWRITEBYTECODE": "1"},
    )


def set_environment(root: Path, *, port: int, pace: float) -> None:
    """Set what every program of the recording reads."""
    os.environ.update(environment(root, port))
    os.environ.update(
        {
            "RECORD_ROOT": str(root),
            "RECORD_PACE": str(pace),
            "WORKBENCH_STORE": str(root / "store"),
            "WORKBENCH_GATE": str(root / "gate"),
            "WORKBENCH_HOME": str(root / "home"),
        }
    )


def play(options: argparse.Namespace, root: Path) -> None:
    """Start everything, play the beats, and stop everything."""
    pace = options.minutes / LAST_MINUTE
    set_environment(root, port=options.port, pace=pace)
    provider = Provider()
    os.environ["RECORD_PROVIDER"] = provider.url
    world = World(Place(root).world)
    world.put("config", "acme-llm", {"max_tokens": 512})
    prefect = PrefectSide(root, port=options.port, prefect=Path(sys.executable).parent / "prefect")
    operator = Operator(
        Place(root), options.workbench_python, prefect, world, root / "operator-code"
    )
    started: list[subprocess.Popen[bytes]] = []
    try:
        started.append(prefect.start())
        prepare_store(operator, root)
        started.append(serve(root))
        cast = assemble(provider, operator, pace=pace)
        stage = Stage(cast, pace=pace)
        tell_timeline(root, began=stage.began, pace=pace)
        follow(stage, pace)
        for loop in cast.loops.values():
            loop.ended.set()
        logging.info("collector errors: %s", cast.collector.errors[-5:])
    finally:
        end(started)


def prepare_store(operator: Operator, root: Path) -> None:
    """Make the store and register the twelve automations."""
    write_registry(root / "automations.toml")
    operator.run("store", "init", "--environment", "production")
    running = ("--already-running", "they ran before this was recorded")
    operator.run("registry", "apply", str(root / "automations.toml"), *running, "--yes")
    operator.enrol()


def serve(root: Path) -> subprocess.Popen[bytes]:
    """Start the program that serves the deployments."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.record.serve"]
    with open(root / "serve.log", "ab") as log:
        return subprocess.Popen(command, cwd=root, stdout=log, stderr=subprocess.STDOUT)


def assemble(provider: Provider, operator: Operator, *, pace: float) -> Cast:
    """Start the in-process automations and everybody who watches them; a short story has short windows."""
    from tests.record.loops import start_loops  # Prefect reads its settings when it is imported

    world = operator.world
    collector = Collector(
        operator.place, operator.prefect, world=world, every_seconds=max(8.0, 60 * pace)
    )
    alerts = Alerts(
        world,
        window=timedelta(minutes=max(0.4, 5 * pace)),
        every_seconds=max(1.0, 10 * pace),
        runs_needed=4 if pace > 0.5 else 2,
    )
    deciders = Deciders(
        world, every_seconds=max(2.0, 10 * pace), wait_seconds=(40 * pace, 200 * pace)
    )
    loops = start_loops(pace)
    for thread in (collector, alerts, deciders):
        thread.start()
    return Cast(world, provider, operator, collector, loops, alerts, deciders)


def end(started: list[subprocess.Popen[bytes]]) -> None:
    """End the programs that were started, the newest first."""
    for child in reversed(started):
        child.terminate()
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()


def follow(stage: Stage, pace: float) -> None:
    """Play each beat at its minute; a beat that fails is logged and the next one comes."""
    began = time.monotonic()
    for beat in BEATS:
        time.sleep(max(0.0, began + beat.minute * 60 * pace - time.monotonic()))
        logging.info("beat %.1f %s %s", beat.minute, beat.act, beat.words)
        for attempt in (1, 2):
            try:
                getattr(stage, beat.act)(*beat.words)
                break
            except Exception:
                logging.exception("beat %s failed (try %s)", beat.act, attempt)


def tell_timeline(root: Path, *, began: datetime, pace: float) -> None:
    """Write the expected wall-clock time of every beat."""
    lines = []
    for beat in BEATS:
        at = began + timedelta(minutes=beat.minute * pace)
        words = " ".join((beat.act, *beat.words))
        lines.append(f"{at:%H:%M:%S} UTC  minute {beat.minute:5.1f}  {words}\n")
    (root / "TIMELINE").write_text("".join(lines))
    (root / "began.json").write_text(json.dumps({"began": began.isoformat(), "pace": pace}))


def main() -> None:
    """Freeze the source, then play."""
    options = arguments()
    root = options.root.resolve()
    root.mkdir(parents=True, exist_ok=True)
    if not options.frozen:
        freeze(root)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.Formatter.converter = time.gmtime
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.info(
        "recording %s minutes into %s, started %s", options.minutes, root, datetime.now(UTC)
    )
    play(options, root)


if __name__ == "__main__":
    main()
