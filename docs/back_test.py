"""Writes docs/back-test.md from the shipped recording and the public incidents: `python -m docs.back_test`.

The incidents lie beside the checkout (`../shared/data`) and are never copied into it; only what was counted is.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pandas as pd

from workbench.clock import FixedClock, from_text
from workbench.reports.back_test import BEGINNING, LABELS
from workbench.reports.back_test_place import recorded_place, replay_holds
from workbench.reports.tables import amount, is_missing, label_of
from workbench.review.backtest_page import LIMITS, history_section, replay_section
from workbench.review.ground import Section
from workbench.review.histories import histories_of, history_queries
from workbench.review.relapse import History
from workbench.review.replay import HoldReplay
from workbench.sources.mapping import load_mapping
from workbench.warehouse import LoadOptions, Warehouse

PAGE = Path(__file__).with_name("back-test.md")
DATA = PAGE.parents[2] / "shared" / "data"
INCIDENTS = "github_provider_incidents.jsonl"
RECORDING = "agents-relapse"
AS_OF = from_text("2026-08-21T00:00:00Z")
"""The day after the newest incident of the file."""

HEAD = """# Back-test: what "resume when the alert stops" would have met

Written by `python -m docs.back_test`; do not edit. Tests compare the two parts with what they compute
(`tests/docs/test_back_test.py`, `tests/recordings/test_back_test.py`). For your own incidents and holds:

```sh
workbench load --mapping status-page-as-announced --constant provider=github incidents.jsonl
workbench back-test
```

A provider's history comes in two mappings. `status-page-as-announced` has the times of the page's messages: a rule that
resumes on *Resolved* could act on nothing else, so these are used here. `status-page-incidents` has the times that the
provider corrected afterwards, which the reviews want; with them the counts below differ by a few.

## How it is counted

- Incidents of one component that overlap are one trouble: it is resolved when none of them is open. Maintenance is
  left out.
- A resolution counts once the whole horizon after it was watched; a relapse is new trouble of the same component
  within it.
- Share: exact interval (Clopper and Pearson). Chance: a Poisson stream in quiet hours, at the component's own rate
  over its history, and at the local rate of the 30 days before and after, without the day after the resolution.
  *More than chance* is a binomial test against the larger of the two, corrected for the number of components (Holm).
- A wait avoids a relapse that begins while everything is still paused; its hours end there. *Avoided by chance* is
  what the same hours would have avoided at any other time.
- The gate in such a history: its provider check keeps everything paused while any component is open, then a narrow
  restart lets counted runs through until 59 were clean, at ten runs an hour. What begins in that time meets a few
  counted runs, not everything. Its other eleven checks have nothing to look at here.
- Intervals of totals: blocks of four weeks drawn again, never single incidents, for one incident strikes several
  components and one relapse follows another. Fewer than twenty blocks, or fewer than five relapses, have none.
"""

GITHUB = """## Public incidents: GitHub's status page, March 2022 to August 2026

801 incidents other than maintenance, from a public archive (`mrshu/github-statuses`, MIT)."""

REPLAYED = """## The gate itself: the shipped recording

On a status page nothing ran. In the recording something did, and somebody followed the rule: H-1 was released because
the alert was green. The restart review is asked again, a second after the last alert of each hold had stopped and then
minute by minute, knowing the log and the rows up to that instant, as if all sources were loaded just then. The fault
of the recording is staged, and two holds are two holds; what the gate says of them is not staged."""

FOLLOWS = """## What follows

- An alert that stopped is a poor reason to start everything: on the public page every seventh resolution relapsed
  within a day, where chance gives every twelfth. A fifth of that excess is drift of the rates, for Copilot nearly half.
  Taken for itself only Actions passes the corrected test; by blocks of time the excess of both is about the same: 7.5 %
  (2.3 % to 12.6 %) of its resolutions for Actions, 7.8 % (2.7 % to 12.9 %) for Copilot.
- Waiting alone is a dear answer. Six hours for everything avoid little more than a third of the relapses, at some
  hundred held hours for each. A wait for as long as the incident lasted avoids fewer; that it is cheaper for each is
  not shown: 14 hours less, and drawn by blocks in pairs 39 less to 54 more.
- A narrow restart gets nearly the same relapses into a time in which only counted runs are let through, and holds next
  to nothing back in full. That is what the gate's rule is for; the hours of the narrow restart are its price.
- Where runs, records and approvals can be looked at, as in the recording, most of what kept the gate shut was nothing
  that a status page tells: a leak, a broken audit chain, open approvals, records that nobody had verified.
"""


def github_sections(data: Path = DATA) -> list[Section]:
    """Return the section of the public incidents."""
    return [history_section(github_history(data))]


def github_history(data: Path = DATA) -> History:
    """Return the public incidents, loaded by the strict way into a warehouse that goes again."""
    with tempfile.TemporaryDirectory(prefix="workbench-back-test-page-") as folder:
        warehouse = Warehouse.open(Path(folder), FixedClock(AS_OF))
        mapping = load_mapping("status-page-as-announced")
        options = LoadOptions(shows_progress=False)
        warehouse.load_rows("provider_status", data / INCIDENTS, mapping=mapping, options=options)
        return _history(warehouse, as_of=AS_OF)


def _history(warehouse: Warehouse, *, as_of: datetime) -> History:
    calls = history_queries(since=BEGINNING, as_of=as_of)
    with warehouse.snapshot() as snapshot:
        tables = {call.name: snapshot.query(call.name, **call.parameters) for call in calls}
    (found,) = histories_of(tables, as_of=as_of)
    return found


def recorded_holds() -> list[HoldReplay]:
    """Return the holds of the shipped recording, replayed."""
    with recorded_place(RECORDING) as place:
        return replay_holds(place, most=10)


def github_part(sections: Sequence[Section]) -> str:
    """Return the part about the public incidents."""
    return "\n\n".join([GITHUB, *(_section(one) for one in sections)])


def recording_part(replays: Sequence[HoldReplay]) -> str:
    """Return the part about the recording."""
    return f"{REPLAYED}\n\n{_section(replay_section(replays, title=''))}"


def _section(section: Section) -> str:
    said = "\n".join(f"> {line}\n>" for line in section.sentence.splitlines()).removesuffix("\n>")
    tables = [f"**{caption}**\n\n{_table(rows)}" for caption, rows in section.tables.items()]
    return "\n\n".join([said, *tables])


def _table(rows: pd.DataFrame) -> str:
    names = [LABELS.get(str(name), label_of(str(name))) for name in rows.columns]
    lines = [f"| {' | '.join(names)} |", f"|{' --- |' * len(names)}"]
    for row in rows.itertuples(index=False, name=None):
        cells = (_cell(str(name), value) for name, value in zip(rows.columns, row, strict=True))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(column: str, value: object) -> str:
    if is_missing(value):
        return "-"
    return (
        amount(column, value) if isinstance(value, int | float) else str(value).replace("|", "\\|")
    )


def page(sections: Sequence[Section], replays: Sequence[HoldReplay]) -> str:
    """Return the whole page."""
    limits = "\n".join(["## What this cannot tell", "", *(f"- {line}" for line in LIMITS)])
    parts = [HEAD.rstrip(), github_part(sections), recording_part(replays), limits, FOLLOWS]
    return "\n\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(github_sections(), recorded_holds()), encoding="utf-8")
