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
    os.chdir(root)
    os.execve(
        sys.executable,
        [sys.executable, "-W", "ignore", "-m", "tests.record.main", *sys.argv[1:], "--frozen"],
        {**os.environ, "PYTHONPATH": str(code), "PYTHONDONTWRITEBYTECODE": "1"},
    )


def set_environment(root: Path, port: int, pace: float) -> None:
    """Set what every program of the recording reads."""
    from tests.record.prefect_side import environment

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
    from tests.record.alerts import Alerts
    from tests.record.operations import Operator
    from tests.record.people import Deciders
    from tests.record.place import Place
    from tests.record.prefect_side import PrefectSide
    from tests.record.provider import Provider
    from tests.record.registry_file import write_registry
    from tests.record.snapshot import Collector
    from tests.record.world import World

    pace = options.minutes / 92.0
    place, started = Place(root), []
    set_environment(root, options.port, pace)
    provider = Provider()
    os.environ["RECORD_PROVIDER"] = provider.url
    world = World(place.world)
    world.put("config", "acme-llm", {"max_tokens": 512})
    prefect = PrefectSide(root, options.port, Path(sys.executable).parent / "prefect")
    operator = Operator(place, options.workbench_python, prefect, world, root / "operator-code")
    try:
        started.append(prefect.start())
        write_registry(root / "automations.toml")
        operator.run("store", "init", "--environment", "production")
        operator.run("registry", "apply", str(root / "automations.toml"), "--yes")
        started.append(
            subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", "tests.record.serve"],
                cwd=root,
                stdout=open(root / "serve.log", "ab"),
                stderr=subprocess.STDOUT,
            )
        )
        from tests.record.loops import start_loops
        from tests.record.stage import Stage

        collector = Collector(place, prefect, world, max(8.0, 60 * pace))
        alerts = Alerts(
            world,
            timedelta(minutes=max(0.4, 5 * pace)),
            max(1.0, 10 * pace),
            runs_needed=4 if pace > 0.5 else 2,
        )
        deciders = Deciders(world, max(2.0, 10 * pace), (40 * pace, 200 * pace))
        loops = start_loops(pace)
        for thread in (collector, alerts, deciders):
            thread.start()
        stage = Stage(
            world,
            provider,
            operator,
            collector,
            loops=loops,
            alerts=alerts,
            deciders=deciders,
            pace=pace,
        )
        tell_timeline(root, stage.began, pace)
        follow(stage, pace)
        for loop in loops.values():
            loop.ended.set()
        logging.info("collector errors: %s", collector.errors[-5:])
    finally:
        for child in reversed(started):
            child.terminate()
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()


def follow(stage: object, pace: float) -> None:
    """Play each beat at its minute; a beat that fails is logged and the next one comes."""
    from tests.record.story import BEATS

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


def tell_timeline(root: Path, began: datetime, pace: float) -> None:
    """Write the expected wall-clock time of every beat."""
    from tests.record.story import BEATS

    lines = [
        f"{began + timedelta(minutes=b.minute * pace):%H:%M:%S} UTC  minute {b.minute:5.1f}  {b.act} {' '.join(b.words)}"
        for b in BEATS
    ]
    (root / "TIMELINE").write_text("\n".join(lines) + "\n")
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
