"""The live demo, played whole on a real Prefect server: `make test-engines` runs it, nothing else does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.demo.played import living_in, run_workbench
from tests.demo.test_live_parts import sleeping_in
from tests.engines.live.prefect_live import ENVIRONMENT, environment_folder
from workbench.demo.on_prefect.desk import OTHERS, PAUSED
from workbench.demo.on_prefect.place import choose_folder
from workbench.settings import Settings

pytestmark = [pytest.mark.live, pytest.mark.engine_prefect, pytest.mark.slow]


def test_it_plays_to_its_end_and_leaves_nothing_running(tmp_path: Path) -> None:
    """Pause, proof, refusal, review, five runs: each figure is as promised, the log says the same, no process is left."""
    folder = tmp_path / "live"
    own = {ENVIRONMENT: str(environment_folder())}
    ended = run_workbench("demo", "--live", "--folder", str(folder), environment=own)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    flat = " ".join(ended.stdout.split())
    quiet = re.search(r"since it was confirmed, as Prefect tells: (.*?); not paused: (.*?)\.", flat)
    assert quiet
    assert quiet[1] == ", ".join(f"{name} 0" for name in PAUSED)
    assert all(re.search(rf"{name} [1-9]", quiet[2]) for name in OTHERS)
    narrow = re.search(r"Runs at work since, as Prefect tells: (.*?); not paused", flat)
    assert narrow
    assert narrow[1] == f"{PAUSED[0]} 5, {PAUSED[1]} 0"
    left = choose_folder(Settings.from_environment(), folder).settings.as_environment()
    status = json.loads(run_workbench("status", "--json", environment=left).stdout)
    holds = {one["automation_id"]: one["holds"] for one in status["automations"]}
    assert all(holds[name] for name in PAUSED)
    assert not any(holds[name] for name in OTHERS)
    assert run_workbench("audit", "verify", environment=left).returncode == 0
    assert (
        next((folder / "reports").glob("st-*/R-1/restart-decision.html")).stat().st_size > 100_000
    )
    assert living_in(folder) == []
    assert sleeping_in(folder) == []
