"""Writes the state of the control panel as plain text, for scheduled runs and terminals."""

from __future__ import annotations

from workbench.control.pending import Pending
from workbench.control.views import HoldView
from workbench.panels.control_model import ControlModel
from workbench.panels.html_parts import counted


def write_summary(model: ControlModel) -> str:
    """Return whose store it is, what is paused and by which holds; nothing in it can be clicked."""
    lines = ["control panel, read-only"]
    if model.recorded_at is not None:
        lines.append(f"DEMO, recorded clock: {model.recorded_at:%Y-%m-%d %H:%M:%S} UTC")
    if model.head is not None:
        lines += [
            f"environment {model.head.environment}",
            f"place {model.head.place}",
            model.head.text,
        ]
    if model.read_problem:
        lines.append(f"NOT READ: {model.read_problem}")
    lines.append(f"{model.stopped_count} of {counted(len(model.statuses), 'automation')} paused")
    if model.not_stopped_count:
        lines.append(
            f"{model.not_stopped_count} held and NOT stopped: no gate or engine confirms it"
        )
    if model.unconfirmed_count:
        lines.append(f"{model.unconfirmed_count} of {model.watched_id} not confirmed yet")
    lines += [view.sentence for view in model.hosts if view.host.is_silent]
    waiting = [
        f"to {p.deed} waits: {p.plan_in_words}, asked by {p.asked_by}{_ground(p)}"
        for p in model.signoff.pending
        if p.is_wanting
    ]
    return "\n".join([*lines, *map(_write_hold, model.holds), *waiting])


def _ground(pending: Pending) -> str:
    ground = pending.ground_in_words
    return f"; it rests on {ground}" if ground else ""


def _write_hold(view: HoldView) -> str:
    hold = view.hold
    since = f"{hold.placed_at:%Y-%m-%d %H:%M:%S} UTC"
    what = f"{hold.hold_id} {hold.scope} {hold.mode} ({view.state_in_words})"
    return f"{what} since {since} by {hold.placed_by}: {view.reason_in_words}"
