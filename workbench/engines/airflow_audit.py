"""Reads Airflow's audit log, and finds who last switched a dag.

The log is a weak witness. A row is written before the change is tried, also of a request that is refused then
(422, 400, or 404 for a run or pool that is not there). A bulk pause names no dag. Rows of dags that were deleted are
not shown at all. So what the request's own words prove to be refused is told as a failure, what cannot be known as
unknown, and a bulk switch once for each dag that it matched.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from workbench.clock import to_text
from workbench.engines.airflow_client import API, AirflowClient
from workbench.engines.airflow_words import approval_key, instant_of, run_key, run_path
from workbench.engines.http import BadStatus, Query
from workbench.engines.rows import AuditRow, Bound
from workbench.errors import EngineError

Row = Mapping[str, Any]
Dags = Mapping[str, Mapping[str, Any]]

LOG = f"{API}/eventLogs"
STEP_STATES = (
    *("running", "queued", "scheduled", "restarting", "success", "failed", "skipped", "removed"),
    *("upstream_failed", "up_for_retry", "up_for_reschedule", "deferred", "awaiting_input"),
)
"""Events of tasks' ordinary life: they are in the attempts, not in the audit."""

BULK = "patch_dags"
_FILTERS = {"dag_id_pattern", "dag_id_prefix_pattern", "tags", "tags_match_mode", "owners"}
_OWN_KEYS = {"is_paused", "method", "update_mask", "limit", "offset", "exclude_stale", "paused"}
_ACTIONS = {
    "trigger_dag_run": "dag_run.triggered",
    "patch_pool": "pool.changed",
    "post_pool": "pool.made",
    "delete_pool": "pool.deleted",
    "pause_backfill": "backfill.paused",
    "unpause_backfill": "backfill.unpaused",
    "cancel_backfill": "backfill.cancelled",
    "create_backfill": "backfill.made",
    "update_hitl_detail": "approval.answered",
    "paused": "dag.paused",
    "cli_dag_pause": "dag.paused",
    "cli_dag_unpause": "dag.unpaused",
}


def read_audit(
    client: AirflowClient,
    dags: Dags,
    *,
    bound: Mapping[str, Bound],
    since: datetime | None,
    until: datetime,
) -> list[AuditRow]:
    """Return the audited acts since, oldest first."""
    window = {"before": to_text(until), **({"after": to_text(since)} if since else {})}
    asked = {"order_by": "event_log_id", "excluded_events": STEP_STATES, **window}
    rows = client.listed(LOG, key="event_logs", query=asked)
    born = _born(client) if any(row.get("event") == BULK for row in rows) else {}
    has_run = _asked_once(client)
    is_pool = any(row.get("event") == "patch_pool" for row in rows)
    pools = (
        {str(p["name"]) for p in client.listed(f"{API}/pools", key="pools")} if is_pool else set()
    )
    found = []
    for row in rows:
        entry = Entry.of(row)
        reached = matched(entry, dags, born=born) if entry.event == BULK else []
        found += [_audit_row(entry, dag_id, bound.get(dag_id), "success") for dag_id in reached]
        known = bool(reached) if entry.event == BULK else _is_there(entry, dags, pools, has_run)
        outcome = "failure" if refusal(entry) else "success" if known else "unknown"
        found.append(_audit_row(entry, entry.dag_id, bound.get(entry.dag_id), outcome))
    return found


@dataclass(frozen=True)
class Entry:
    """One row of the log.

    Attributes:
        said: what the request asked for, where it was one.
    """

    number: int
    at: datetime
    event: str
    dag_id: str
    dag_run_id: str
    by: str
    said: Mapping[str, Any]
    row: Row

    @classmethod
    def of(cls, row: Row) -> Entry:
        """Take a row as Airflow gives it."""
        at = instant_of(row.get("when"))
        if at is None:
            raise EngineError("Airflow gives an event without its instant; nothing was loaded")
        try:
            said = json.loads(str(row.get("extra") or "{}"))
        except ValueError:
            said = {"text": str(row.get("extra"))}
        return cls(
            int(row["event_log_id"]),
            at,
            str(row.get("event")),
            str(row.get("dag_id") or ""),
            str(row.get("run_id") or ""),
            str(row.get("owner") or ""),
            said if isinstance(said, dict) else {"text": str(said)},
            row,
        )

    @property
    def wants_paused(self) -> bool | None:
        """Whether it pauses (True) or unpauses (False); None where it does neither."""
        if self.event in ("paused", "cli_dag_pause"):
            return True
        if self.event == "cli_dag_unpause":
            return False
        is_switch = self.event in ("patch_dag", BULK) and not refusal(self)
        return truth_of(self.said.get("is_paused")) if is_switch else None


def refusal(entry: Entry) -> str:
    """Return why Airflow must have refused this request, by its own words, or an empty text."""
    said = entry.said
    if entry.event in ("patch_dag", BULK):
        if said.get("update_mask", "is_paused") != "is_paused":
            return "refused: only is_paused can be changed"
        if truth_of(said.get("is_paused")) is None:
            return "refused: is_paused is not true or false"
        if entry.event == BULK and not {"dag_id_pattern", "dag_id_prefix_pattern"} & set(said):
            return "did nothing: without dag_id_pattern it matches no dag"
    if entry.event == "patch_pool":
        missing = {"pool", "slots", "include_deferred"} - set(said)
        if missing and "update_mask" not in said:
            return f"refused: {', '.join(sorted(missing))} is missing"
        if "slots" in said and not re.fullmatch(r"-1|\d+", str(said["slots"])):
            return f"refused: {said['slots']!r} is no number of slots"
        if said.get("pool") != said.get("pool_name"):
            return "refused: the pool's name cannot be changed"
    if entry.event == "trigger_dag_run" and "logical_date" not in said:
        return "refused: logical_date is missing"
    states = ("queued", "success", "failed", None)
    if entry.event == "patch_dag_run" and said.get("state") not in states:
        return f"refused: a run cannot be set to {said.get('state')!r}"
    return ""


def truth_of(said: Any) -> bool | None:
    """Return what Airflow takes a word for, which is generous with truth; None for what it refuses."""
    word = str(said).lower()
    if word in ("true", "t", "1", "yes", "y", "on"):
        return True
    return False if word in ("false", "f", "0", "no", "n", "off") else None


def matched(entry: Entry, dags: Dags, *, born: Mapping[str, datetime]) -> list[str]:
    """Return the dags that a bulk switch matched at its time, as far as Airflow still tells: tags are today's.

    Of several tags in one request the log keeps the last alone, so that a switch by two tags may name too many.
    """
    said = entry.said
    if entry.wants_paused is None:
        return []
    found = []
    for dag_id, dag in dags.items():
        is_there = dag_id not in born or born[dag_id] <= entry.at
        tags = {str(tag.get("name")) for tag in dag.get("tags") or ()}
        is_tagged = "tags" not in said or str(said["tags"]) in tags
        is_owned = "owners" not in said or str(said["owners"]) in (dag.get("owners") or ())
        is_named = _is_like(dag_id, said.get("dag_id_pattern"))
        has_prefix = _has_prefix(dag_id, said.get("dag_id_prefix_pattern"))
        if is_there and is_tagged and is_owned and is_named and has_prefix:
            found.append(dag_id)
    return sorted(found)


def _is_like(dag_id: str, pattern: Any) -> bool:
    """Match as Airflow does: a part of the name, `%` and `_` as in SQL, `|` between several, `~` is all."""
    if pattern is None or pattern == "~":
        return True
    terms = [term.strip() for term in str(pattern).split("|") if term.strip()] or [str(pattern)]
    signs = {"%": ".*", "_": "."}
    shapes = ["".join(signs.get(sign, re.escape(sign)) for sign in term) for term in terms]
    return any(re.search(shape, dag_id, re.IGNORECASE) for shape in shapes)


def _has_prefix(dag_id: str, prefix: Any) -> bool:
    terms = [term.strip() for term in str(prefix).split("|")]
    return prefix is None or prefix == "~" or dag_id.startswith(tuple(terms))


def _born(client: AirflowClient) -> dict[str, datetime]:
    """Return since when Airflow knows each dag: from its oldest version on."""
    found: dict[str, datetime] = {}
    for row in client.listed(
        f"{API}/dags/~/dagVersions", key="dag_versions", query={"order_by": "id"}
    ):
        at = instant_of(row.get("created_at"))
        if at is not None:
            found[str(row["dag_id"])] = min(at, found.get(str(row["dag_id"]), at))
    return found


def _asked_once(client: AirflowClient) -> Callable[[str], bool]:
    """Return a question whether Airflow has a run, which asks for each run once."""
    known: dict[str, bool] = {}

    def has_run(run_id: str) -> bool:
        if run_id not in known:
            try:
                client.get(run_path(run_id))
                known[run_id] = True
            except BadStatus as exc:
                if exc.status != 404:
                    raise
                known[run_id] = False
        return known[run_id]

    return has_run


def _is_there(entry: Entry, dags: Dags, pools: set[str], has_run: Callable[[str], bool]) -> bool:
    """Tell whether nothing that we know could have stood against an act: its target is there, its words are known."""
    said = set(entry.said)
    if entry.event == "patch_dag":
        return said <= _OWN_KEYS and entry.dag_id in dags
    if entry.event == "patch_dag_run" and entry.dag_run_id:
        is_plain = said <= {"state", "note", "method"}
        return is_plain and has_run(run_key(entry.dag_id, entry.dag_run_id))
    if entry.event == "patch_pool":
        is_plain = said <= {
            "pool_name",
            "pool",
            "slots",
            "include_deferred",
            "description",
            "method",
        }
        return is_plain and entry.said.get("pool_name") in pools
    return entry.event == "paused"


def _audit_row(entry: Entry, dag_id: str, bound: Bound | None, outcome: str) -> AuditRow:
    is_one_of_many = entry.event == BULK and bool(dag_id)
    kind, target = _target(entry, dag_id, bound)
    run_id = run_key(entry.dag_id, entry.dag_run_id) if entry.dag_run_id else None
    payload = {**entry.said, **({"dag_id": dag_id} if dag_id else {})}
    if run_id and entry.row.get("task_id"):
        index = int(entry.said.get("map_index") or -1)
        payload["approval_id"] = approval_key(run_id, entry.row["task_id"], index=index)
    return AuditRow(
        event_id=f"{entry.number}:{dag_id}" if is_one_of_many else str(entry.number),
        occurred_at=entry.at,
        actor=entry.by or None,
        action=action_of(entry),
        raw_action=entry.event,
        target_kind=kind,
        target_id=target,
        outcome=outcome,
        reason=refusal(entry) or None,
        correlation_id=run_id,
        payload=payload,
    )


def _target(entry: Entry, dag_id: str, bound: Bound | None) -> tuple[str | None, str | None]:
    if entry.dag_run_id:
        return "run", run_key(entry.dag_id, entry.dag_run_id)
    if dag_id:
        return "dag", bound.automation_id if bound else dag_id
    if entry.event == BULK:
        asked = [f"{name}={entry.said[name]}" for name in sorted(_FILTERS) if name in entry.said]
        return "dags", " ".join(asked) or None
    name = entry.said.get("pool_name") or entry.said.get("backfill_id") or entry.said.get("name")
    return ("backfill" if "backfill_id" in entry.said else None), str(name) if name else None


def action_of(entry: Entry) -> str:
    """Return `object.verb` for an event."""
    if entry.event in ("patch_dag", BULK):
        wanted = truth_of(entry.said.get("is_paused"))
        return "dag.changed" if wanted is None else "dag.paused" if wanted else "dag.unpaused"
    if entry.event == "patch_dag_run":
        state = entry.said.get("state")
        return f"dag_run.set_{state}" if isinstance(state, str) else "dag_run.noted"
    if entry.event.startswith("cli_") and entry.event not in _ACTIONS:
        return f"command.{entry.event.removeprefix('cli_')}"
    return _ACTIONS.get(entry.event, f"airflow.{entry.event}")


def switches(
    client: AirflowClient, dags: Dags, *, wanted: Sequence[str], each_up_to: int = 20
) -> Iterator[tuple[str, Entry]]:
    """Give the switches of these dags, the newest first; none where the user may not read the log."""
    newest: Query = {"order_by": "-event_log_id"}
    singles = ("patch_dag", "paused", "cli_dag_pause", "cli_dag_unpause")
    one_by_one = [{"dag_id": dag_id, "included_events": singles} for dag_id in wanted]
    questions: list[tuple[Query, int]] = [({"included_events": [BULK]}, 200)]
    if len(wanted) <= each_up_to:
        questions += [(asked, 20) for asked in one_by_one]
    else:
        questions.append(({"included_events": singles}, 2_000))
    rows: list[dict[str, Any]] = []
    try:
        for asked, most in questions:
            rows += client.listed(LOG, key="event_logs", query={**newest, **asked}, at_most=most)
    except BadStatus as exc:
        if exc.status != 403:
            raise
        return
    for entry in sorted(map(Entry.of, rows), key=lambda one: -one.number):
        if entry.wants_paused is None:
            continue
        for dag_id in matched(entry, dags, born={}) if entry.event == BULK else [entry.dag_id]:
            yield dag_id, entry


def pool_switches(client: AirflowClient) -> dict[str, Entry]:
    """Return the newest change of each pool that Airflow cannot have refused."""
    asked: Query = {"order_by": "-event_log_id", "included_events": ["patch_pool"]}
    try:
        rows = client.listed(LOG, key="event_logs", query=asked, at_most=200)
    except BadStatus as exc:
        if exc.status != 403:
            raise
        return {}
    found: dict[str, Entry] = {}
    for entry in sorted(map(Entry.of, rows), key=lambda one: -one.number):
        if not refusal(entry):
            found.setdefault(str(entry.said.get("pool_name")), entry)
    return found
