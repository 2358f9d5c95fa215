"""What one question to the gate costs an automation against looking a word up in a dict."""

from __future__ import annotations

from pathlib import Path

from benchmarks.measure import Figure, Target, alternate, of_rounds
from benchmarks.place import HELD, OPEN, hold_by_four_keys, make_place
from workbench.gate import Gate, GateState

AUTOMATION_COUNT = 100
CALLS = 2_000
ROUNDS = 101
"""Many short rounds: one that the machine interrupts does not move the median."""

TARGET = Target(300e-9)


def measure(root: Path) -> list[Figure]:
    """Ask the gate under a hold whose scope has four keys, by turns with asking a dict."""
    settings, control = make_place(root, automation_count=AUTOMATION_COUNT)
    hold_by_four_keys(control)
    gate = Gate(settings.gate)
    refuse_wrong_answers(gate)
    states = {f"a-{n}": "CLEAR" for n in range(AUTOMATION_COUNT)}
    clear, paused, bare = alternate(
        lambda: gate.check(OPEN),
        lambda: gate.check(HELD),
        lambda: states.get(OPEN),
        calls=CALLS,
        rounds=ROUNDS,
    )
    note = "both sides are called through a lambda; ours sees a pause given by any other process"
    return [
        of_rounds("gate, CLEAR", clear, bare, bare="dict.get", target=TARGET, note=note),
        of_rounds("gate, PAUSED", paused, bare, bare="dict.get", note=note),
    ]


def refuse_wrong_answers(gate: Gate) -> None:
    """Raise RuntimeError where the gate does not tell the held automation from the open one."""
    found = gate.check(OPEN).state, gate.check(HELD).state
    if found != (GateState.CLEAR, GateState.PAUSED):
        raise RuntimeError(f"the gate answers {found}, so that there is nothing to compare")
