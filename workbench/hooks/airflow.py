"""Lets every task of Airflow 3 ask the gate before it acts, without a change to any dag.

In `airflow_local_settings.py`, in the folder `config` of the Airflow home:

    from workbench.hooks.airflow import task_policy

It needs the standard library and this package alone (`pip install --no-deps`), and where its workers run the gate
folder that `WORKBENCH_GATE` names. A task that is held goes back to Airflow as `up_for_reschedule`: it keeps no
worker, spends no try, and asks again. What a dag asks as is its tag `automation:ID`, else the setting
`[workbench] automations` (`dag=automation, ...`), else its own name. A dag that no registry knows goes on, unless
everything is held. Tasks that Airflow ends without a worker, such as an EmptyOperator, do not ask: they do nothing.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from workbench.answers import GateAnswer
from workbench.gate import Gate, OnUnknown, Paused, Unknown
from workbench.gate.asked import AskedRun

Ask = Callable[[Mapping[str, Any]], None]

SECTION = "workbench"
RECHECK_SECONDS = 15
"""How long a held task rests before it asks again, unless `[workbench] recheck_seconds` says otherwise."""

_BEGUN = ("running", "success", "failed", "up_for_retry", "deferred", "awaiting_input")
_ALL_SUCCESS = "all_success"
_log = logging.getLogger(__name__)
_gates: dict[str, Gate] = {}


def task_policy(task: Any) -> None:
    """Make a task ask before it acts; Airflow calls this for every task of every dag that it reads."""
    if getattr(task, "is_mapped", False):
        own = task.partial_kwargs.get("pre_execute")
        task.partial_kwargs["pre_execute"] = asking(own)
    else:
        task._pre_execute_hook = asking(task._pre_execute_hook)


def asking(own: Callable[..., Any] | None) -> Callable[..., Any]:
    """Return a hook that asks the gate and then does what the dag's own hook does."""
    if getattr(own, "asks_gate", False):  # the same task may be read twice
        return own  # type: ignore[return-value]  # it has the mark, so it is ours

    def ask(context: Any) -> Any:
        ask_gate(context)
        return own(context) if own is not None else None

    def ask_and_give(context: Any) -> Any:
        ask_gate(context)
        yield from own(context)  # type: ignore[misc]  # it is a generator function, asked below

    hook = ask_and_give if inspect.isgeneratorfunction(own) else ask
    hook.asks_gate = True  # type: ignore[attr-defined]  # our mark on it
    return hook


def ask_gate(context: Mapping[str, Any]) -> None:
    """Return where the task may go on; else send it back to Airflow, to ask again in a while."""
    dag_id, dag_run_id = str(context["dag"].dag_id), str(context["run_id"])
    automation_id = automation_of(dag_id, context["dag"].tags or ())
    run = AskedRun(automation_id, f"{dag_id}/{dag_run_id}", on_unknown=_on_unknown())
    gate = _gate()
    try:
        if _has_begun(context):
            gate.go_on(run)
        else:
            gate.enter(run)
    except Unknown as exc:
        if not _is_unregistered(automation_id, exc.answer):
            _come_back(exc)
        _log.info("%s; it goes on", exc)
    except Paused as exc:
        _come_back(exc)


def automation_of(dag_id: str, tags: Any) -> str:
    """Return the automation that a dag is."""
    for tag in sorted(tags):
        if str(tag).startswith("automation:"):
            return str(tag).removeprefix("automation:")
    pairs = (pair.partition("=") for pair in _setting("automations", "").split(","))
    named = {dag.strip(): automation.strip() for dag, _, automation in pairs}
    return named.get(dag_id, dag_id)


def _has_begun(context: Mapping[str, Any]) -> bool:
    """Tell whether the run is in flight: some task of it was let in before this one, or this one was.

    What Airflow ends without a worker never asked: a run that begins with an EmptyOperator has not begun by it.
    """
    step, tasks = context["ti"], getattr(context["dag"], "task_dict", {})
    if step.try_number > 1 or _is_resumed(step):
        return True
    rule = getattr(step.task, "trigger_rule", _ALL_SUCCESS)
    before = step.task.upstream_task_ids
    # Else Airflow is asked, for with other rules the tasks before may have been skipped, or not have run at all.
    if getattr(rule, "value", rule) == _ALL_SUCCESS and not all(
        _is_empty(tasks, t) for t in before
    ):
        return True
    states = step.get_task_states(dag_id=step.dag_id, run_ids=[step.run_id])
    others = dict(states.get(step.run_id) or {})
    others.pop(step.task_id, None)
    begun = [task_id for task_id, state in others.items() if str(state) in _BEGUN]
    return not all(_is_empty(tasks, task_id) for task_id in begun)


def _is_empty(tasks: Mapping[str, Any], task_id: str) -> bool:
    return bool(getattr(tasks.get(task_id), "inherits_from_empty_operator", False))


def _is_resumed(step: Any) -> bool:
    """Tell whether the task goes on after it was deferred or had asked a person."""
    told = getattr(step, "_ti_context_from_server", None)
    return bool(getattr(told, "next_method", None))


def _is_unregistered(automation_id: str, answer: GateAnswer) -> bool:
    return answer.reason == f"{automation_id} is not registered"


def _come_back(why: Exception) -> None:
    from airflow.sdk.exceptions import AirflowRescheduleException

    seconds = float(_setting("recheck_seconds", str(RECHECK_SECONDS)))
    _log.warning("%s; this task asks again in %g s", why, seconds)
    raise AirflowRescheduleException(datetime.now(UTC) + timedelta(seconds=seconds)) from why


def _on_unknown() -> OnUnknown:
    return "continue" if _setting("on_unknown", "stop") == "continue" else "stop"


def _gate() -> Gate:
    """Return this process's gate, on the folder of `[workbench] gate_folder` or of `WORKBENCH_GATE`."""
    folder = _setting("gate_folder", "")
    if folder not in _gates:
        _gates[folder] = Gate(folder or None)
    return _gates[folder]


def _setting(name: str, otherwise: str) -> str:
    from airflow.sdk.configuration import conf

    return str(conf.get(SECTION, name, fallback=otherwise))
