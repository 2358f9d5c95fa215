"""The question of a review is derived from the hold by the documented rule."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from tests.review.world import (
    AS_OF,
    ONSET,
    PAUSED,
    Tables,
    at,
    calm_tables,
    every,
    request,
    rows,
    runs_of,
)
from workbench.errors import NotFound, UsageFault
from workbench.review.ground import shaped
from workbench.review.onset import find_onset
from workbench.review.request import (
    QueryCall,
    ReviewThresholds,
    derive_request,
    find_request,
    hold_chain,
    onset_queries,
    registry_queries,
)


def _runs(*parts: list[tuple[str, str, str]], **more: Any) -> pd.DataFrame:
    return shaped(
        "review.runs",
        pd.concat([runs_of("triage", part, **more) for part in parts], ignore_index=True),
    )


def _alerts(text: str = "alert_id | fired_at | automation_id | resolved_at") -> pd.DataFrame:
    return shaped("review.alerts", rows(text))


def _derive(tables: Tables, hold_id: str = "H-1", **more: Any) -> Any:
    return derive_request(hold_id, tables, as_of=AS_OF, **more)


def test_everything_follows_from_the_hold() -> None:
    """Scope, automations, providers, onset, pause and baseline come from the hold and the runs before it."""
    found = _derive(calm_tables())
    assert (found.hold_id, found.scope, found.only) == ("H-1", "kind=agent", None)
    assert (found.automation_ids, found.providers, found.environment) == (
        ("triage",),
        ("acme",),
        "production",
    )
    assert (found.onset_at, found.paused_at, found.as_of) == (ONSET, PAUSED, AS_OF)
    assert found.baseline_since == found.since == ONSET - timedelta(days=7)
    assert "burst" in found.onset_rule


def test_the_onset_is_the_first_troubled_run_of_the_burst() -> None:
    """A lone failure long before does not move the onset, and neither does an earlier small incident."""
    calm = every(1, "06:00", "10:00", "succeeded", "b")
    lone = [("07:00:30", "failed", "x1")]
    small = every(1, "08:00", "08:04", "failed", "s")
    burst = every(1, "10:01", "10:25", "failed", "f")
    assert find_onset(_runs(calm, lone, small, burst), _alerts(), paused_at=PAUSED).at == at(
        "10:01"
    )


def test_a_run_that_a_retry_saved_is_troubled() -> None:
    """Retries that helped show the onset before any run fails for good."""
    calm = _runs(every(1, "08:00", "10:00", "succeeded", "b"))
    saved = _runs(every(1, "10:00", "10:20", "succeeded", "r"), attempt_count=2.0)
    assert find_onset(pd.concat([calm, saved]), _alerts(), paused_at=PAUSED).at == at("10:00")


def test_only_failures_means_from_the_first() -> None:
    """Where every run failed, the first one is the onset."""
    assert find_onset(
        _runs(every(1, "09:00", "09:30", "failed", "f")), _alerts(), paused_at=PAUSED
    ).at == at("09:00")


def test_steady_failures_are_no_burst() -> None:
    """A rate that never rose has no onset; then the alert that still fired speaks."""
    steady = [
        (f"{8 + n // 60:02d}:{n % 60:02d}", "failed" if n % 5 == 0 else "succeeded", f"r{n}")
        for n in range(120)
    ]
    alerts = _alerts(
        "alert_id | fired_at | automation_id | resolved_at\nAL-1 | 09:00 | triage | 09:10\nAL-2 | 09:50 | triage | -"
    )
    assert find_onset(_runs(steady), alerts, paused_at=PAUSED).at == at("09:50")


def test_the_recorded_begin_of_the_incident_comes_before_the_alert() -> None:
    """Without a burst the begin that people recorded counts, if it is before the pause."""
    alerts = _alerts("alert_id | fired_at | automation_id | resolved_at\nAL-1 | 10:10 | triage | -")
    runs = _runs(every(5, "08:00", "10:00", "succeeded", "b"))
    assert find_onset(runs, alerts, paused_at=PAUSED, incident_began_at=at("10:05")).at == at(
        "10:05"
    )
    assert find_onset(runs, alerts, paused_at=PAUSED, incident_began_at=at("10:45")).at == at(
        "10:10"
    )


def test_without_any_sign_the_onset_is_the_pause() -> None:
    """No failure, no incident and no alert: the pause itself, and the rule says so."""
    found = find_onset(
        _runs(every(5, "08:00", "10:00", "succeeded", "b")), _alerts(), paused_at=PAUSED
    )
    assert found.at == PAUSED
    assert "pause itself" in found.rule


def test_a_person_may_give_the_onset() -> None:
    """A given onset counts, but never after the first pause."""
    assert _derive(calm_tables(), onset_at=at("09:30")).onset_at == at("09:30")
    assert _derive(calm_tables(), onset_at=at("10:50")).onset_at == PAUSED


def _with_second_hold(
    incident_id: str, scope: str = "kind=agent", released: str = "10:35"
) -> Tables:
    tables = calm_tables()
    tables["review.holds"] = shaped(
        "review.holds",
        rows(
            f"""
            hold_id | scope      | purpose  | mode   | incident_id   | placed_at | released_at
            H-1     | kind=agent | incident | freeze | {incident_id} | 10:30     | {released}
            H-2     | {scope}    | incident | freeze | {incident_id} | 10:50     | -
            """
        ),
    )
    return tables


def test_a_second_hold_continues_the_incident() -> None:
    """What went wrong before the first hold of an incident is not forgotten in the review of the second."""
    found = _derive(_with_second_hold("I-1"), "H-2")
    assert (found.onset_at, found.paused_at) == (ONSET, at("10:50"))


def test_the_same_scope_soon_after_continues_too() -> None:
    """Without an incident id the same scope within the relapse window is the same trouble; another scope is not."""
    limits = ReviewThresholds()
    for scope, released, expected in (
        ("kind=agent", "10:35", ["H-1", "H-2"]),
        ("*", "10:35", ["H-2"]),
        ("kind=agent", "-", ["H-2"]),
    ):
        holds = _with_second_hold("-", scope, released)["review.holds"]
        assert list(hold_chain(holds.iloc[1], holds, limits=limits)["hold_id"]) == expected


def test_only_narrows_what_the_hold_covers() -> None:
    """A narrower scope leaves the rest out; one outside of the hold is refused."""
    assert _derive(calm_tables(), only="automation=triage").only == "automation=triage"
    with pytest.raises(NotFound, match="covers no automation"):
        _derive(calm_tables(), only="automation=mailer")


def test_what_was_covered_when_placed_stays_covered() -> None:
    """An automation that the registry no longer has is still reviewed under the hold that covered it."""
    tables = calm_tables()
    tables["review.registered_automations"] = tables["review.registered_automations"].iloc[:0]
    assert _derive(tables).automation_ids == ("triage",)


def test_an_unknown_hold_is_named_with_those_there_are() -> None:
    """A wrong hold id is answered with the right ones."""
    with pytest.raises(NotFound, match=r"no hold H-9 .* there is: H-1"):
        _derive(calm_tables(), "H-9")


def test_the_window_must_run_forward() -> None:
    """A review whose pause lies after its end is refused with the instants."""
    with pytest.raises(UsageFault, match="since <= baseline_since"):
        request(paused_at=at("12:00"))


def test_every_threshold_says_where_it_comes_from() -> None:
    """No number decides without a source."""
    limits = ReviewThresholds()
    for name in vars(limits).keys() - {"sources"}:
        assert len(limits.source(name)) > 10, name


def test_asking_for_the_tables_and_deriving_is_one_call() -> None:
    """`find_request` asks for exactly the queries it lists and gives what `derive_request` gives."""
    tables = calm_tables()
    asked: list[QueryCall] = []

    def run(call: QueryCall) -> pd.DataFrame:
        asked.append(call)
        return tables[call.name]

    assert find_request(run, "H-1", as_of=AS_OF) == _derive(tables)
    assert asked == [*registry_queries(AS_OF), *onset_queries("H-1", tables)]
