"""The hook for Airflow on a gate of its own: who asks as what, who is sent back, and who goes on.

The live suite shows the same in a real Airflow; here its few names are stood in for.
"""

from __future__ import annotations

import sys
import types
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.unit.published import PROBATION, a_hold, publish
from workbench.hooks import airflow as hook
from workbench.presence import read_presences
from workbench.tickets import TicketBook


class AirflowRescheduleException(Exception):
    """As Airflow's own: sends a task back until an instant."""

    def __init__(self, reschedule_date: datetime) -> None:
        super().__init__()
        self.reschedule_date = reschedule_date


@dataclass
class Settings:
    """Airflow's configuration, section `workbench`."""

    values: dict[str, str] = field(default_factory=dict)

    def get(self, section: str, name: str, fallback: str) -> str:
        assert section == "workbench"
        return self.values.get(name, fallback)


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Stand in for the names that the hook takes from Airflow."""
    settings = Settings()
    names: dict[str, dict[str, Any]] = {
        "airflow": {},
        "airflow.sdk": {},
        "airflow.sdk.exceptions": {"AirflowRescheduleException": AirflowRescheduleException},
        "airflow.sdk.configuration": {"conf": settings},
    }
    for name, members in names.items():
        module = types.ModuleType(name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(hook, "_gates", {})
    return settings


@pytest.fixture
def gate(tmp_path: Path, settings: Settings) -> Path:
    """The gate folder that the hook asks, with nothing held."""
    settings.values["gate_folder"] = str(tmp_path)
    publish(tmp_path, automations={"orders": [], "billing": []})
    return tmp_path


def step(
    *, upstream: tuple[str, ...] = (), tries: int = 1, others: dict[str, str] | None = None,
    method: str | None = None, rule: str = "all_success",
) -> Any:  # fmt: skip
    """Return a task attempt as Airflow gives it, with the states of the other tasks of its run."""
    return types.SimpleNamespace(
        dag_id="orders",
        run_id="r1",
        task_id="write",
        try_number=tries,
        task=types.SimpleNamespace(upstream_task_ids=set(upstream), trigger_rule=rule),
        get_task_states=lambda dag_id, run_ids: {"r1": {"write": "running", **(others or {})}},
        _ti_context_from_server=types.SimpleNamespace(next_method=method),
    )


TASKS = {
    "begin": types.SimpleNamespace(inherits_from_empty_operator=True),
    "first": types.SimpleNamespace(inherits_from_empty_operator=False),
}
"""Tasks of the dag: the first does nothing, so that Airflow ends it without a worker."""


def context(dag_id: str = "orders", tags: tuple[str, ...] = (), **about: Any) -> dict[str, Any]:
    """Return what Airflow gives a task to know."""
    return {
        "dag": types.SimpleNamespace(dag_id=dag_id, tags=set(tags), task_dict=TASKS),
        "run_id": "r1",
        "ti": step(**about),
    }


def is_let_in(**about: Any) -> bool:
    """Tell whether a task may act."""
    try:
        hook.ask_gate(context(**about))
    except AirflowRescheduleException:
        return False
    return True


def test_a_held_dag_is_sent_back_for_a_while(gate: Path, settings: Settings) -> None:
    """A hold sends the task back, to ask again after as many seconds as are set; without one it goes on."""
    assert is_let_in()
    publish(gate, seq=2, automations={"orders": [a_hold()]})
    settings.values["recheck_seconds"] = "40"
    before = datetime.now(UTC)
    with pytest.raises(AirflowRescheduleException) as caught:
        hook.ask_gate(context())
    assert timedelta(seconds=39) < caught.value.reschedule_date - before < timedelta(seconds=60)
    publish(gate, seq=3, automations={"orders": []})
    assert is_let_in()


def test_a_process_that_asked_is_seen(gate: Path) -> None:
    """A hold on the dag can be confirmed: the asking process, its run and the position it saw are noted."""
    hook.ask_gate(context())
    (seen,) = read_presences(gate)["orders"]
    assert (seen.in_flight, seen.seen_seq) == (("orders/r1",), 1)


@pytest.mark.parametrize(
    ("about", "goes_on"),
    [
        ({}, False),
        ({"others": {"first": "up_for_reschedule"}}, False),
        ({"others": {"first": "success"}}, True),
        ({"upstream": ("first",)}, True),
        ({"upstream": ("begin",), "others": {"begin": "success"}}, False),
        ({"upstream": ("begin", "first"), "others": {"begin": "success"}}, True),
        ({"upstream": ("begin",), "others": {"begin": "success", "first": "running"}}, True),
        ({"others": {"begin": "success", "first": "up_for_reschedule"}}, False),
        ({"upstream": ("first",), "rule": "always", "others": {"first": "queued"}}, False),
        ({"upstream": ("first",), "rule": "all_done", "others": {"first": "skipped"}}, False),
        ({"upstream": ("first",), "rule": "all_done", "others": {"first": "failed"}}, True),
        ({"tries": 2}, True),
        ({"method": "execute_complete"}, True),
    ],
)
def test_under_a_drain_a_run_in_flight_goes_on(
    gate: Path, about: dict[str, Any], goes_on: bool
) -> None:
    """What has begun ends: a later task, a retry, one that was deferred. A first task is held, also beside held ones.

    So is one after tasks that no worker carried out: that an EmptyOperator is over lets no new run start.
    """
    publish(gate, seq=2, automations={"orders": [a_hold(mode="drain")]})
    assert is_let_in(**about) is goes_on


@pytest.mark.parametrize("mode", ["freeze", "halt"])
def test_under_freeze_and_halt_the_next_task_is_held(gate: Path, mode: str) -> None:
    """Stronger modes hold a run in flight before its next task."""
    publish(gate, seq=2, automations={"orders": [a_hold(mode=mode)]})
    assert not is_let_in(upstream=("first",))


def test_a_narrow_restart_lets_whole_runs_through(gate: Path) -> None:
    """One ticket is one run of the dag, whatever its tasks; a second run is held."""
    TicketBook(gate, "P-1", 1).create()
    publish(gate, seq=2, automations={"orders": [a_hold(probation={**PROBATION, "until": None})]})
    assert is_let_in()
    assert is_let_in(upstream=("first",))
    second = context()
    second["run_id"] = "r2"
    with pytest.raises(AirflowRescheduleException):
        hook.ask_gate(second)


@pytest.mark.parametrize(
    ("dag_id", "tags", "automation_id"),
    [
        ("orders", (), "orders"),
        ("nightly", (), "billing"),
        ("nightly", ("automation:stock-watch", "finance"), "stock-watch"),
        ("Loose", ("finance",), "Loose"),
    ],
)
def test_a_dag_asks_as_its_automation(
    settings: Settings, dag_id: str, tags: tuple[str, ...], automation_id: str
) -> None:
    """Its tag comes first, then the setting, then its own name."""
    settings.values["automations"] = "nightly=billing, other = orders"
    assert hook.automation_of(dag_id, tags) == automation_id


def test_a_dag_that_no_registry_knows_goes_on_unless_all_is_held(gate: Path) -> None:
    """Putting the hook in stops nothing by itself; safe mode stops everything."""
    assert is_let_in(dag_id="loose")
    publish(gate, seq=2, everything=[a_hold()])
    assert not is_let_in(dag_id="loose")


def test_without_an_answer_it_stops_or_goes_on_as_is_set(
    tmp_path: Path, settings: Settings
) -> None:
    """A gate that cannot tell sends tasks back by default; who prefers to go on says so."""
    settings.values["gate_folder"] = str(tmp_path / "nothing")
    assert not is_let_in()
    settings.values["on_unknown"] = "continue"
    assert is_let_in()


def test_every_task_gets_the_hook_once_and_keeps_its_own(gate: Path) -> None:
    """What the dag's author put before a task still runs, after the gate; a generator's values come through."""
    said: list[str] = []

    def own(context: Any) -> str:
        said.append("own")
        return "done"

    def giving(context: Any) -> Any:
        said.append("given")
        yield "value"

    plain = types.SimpleNamespace(_pre_execute_hook=None)
    taken = types.SimpleNamespace(_pre_execute_hook=own)
    mapped = types.SimpleNamespace(is_mapped=True, partial_kwargs={"pre_execute": giving})
    for one in (plain, taken, mapped, taken, mapped):
        hook.task_policy(one)
    assert plain._pre_execute_hook(context()) is None
    assert taken._pre_execute_hook(context()) == "done"
    assert list(mapped.partial_kwargs["pre_execute"](context())) == ["value"]
    assert said == ["own", "given"]
    publish(gate, seq=2, automations={"orders": [a_hold()]})
    for before in (
        taken._pre_execute_hook,
        lambda c: list(mapped.partial_kwargs["pre_execute"](c)),
    ):
        with pytest.raises(AirflowRescheduleException):
            before(context())
    assert said == ["own", "given"]


def test_the_hook_needs_nothing_but_the_standard_library() -> None:
    """Airflow's environment gets no package by it: what it loads is ours and Python's own."""
    import subprocess

    probe = "import sys, workbench.hooks.airflow; print(*{m.split('.')[0] for m in sys.modules})"
    found = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True
    )
    bare = subprocess.run([sys.executable, "-c", "import sys; print(*{m.split('.')[0] for m in sys.modules})"], capture_output=True, text=True, check=True)  # fmt: skip
    brought = set(found.stdout.split()) - set(bare.stdout.split()) - sys.stdlib_module_names
    assert brought == {"workbench"}
