"""One screen, top to bottom: scenes, sentences, commands with what they printed, and the board of writes."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Mapping, Sequence
from datetime import datetime

import click

from workbench.demo.world import Count
from workbench.records import Automation

WIDTH_AT_MOST = 104
COLUMN = 9
STAMP = "%Y-%m-%d %H:%M:%S"


class Screen:
    """Writes lines and never moves the cursor, so that a pipe or a log shows the same."""

    def __init__(self) -> None:
        """Take the terminal's width, within reason."""
        self.width = max(60, min(WIDTH_AT_MOST, shutil.get_terminal_size((100, 24)).columns))

    def scene(self, number: int, title: str) -> None:
        """Begin a scene."""
        click.echo("\n" + click.style(f"{number}  {title}", bold=True))

    def say(self, text: str, *, colour: str | None = None, indent: str = "   ") -> None:
        """Write a sentence, wrapped."""
        for line in textwrap.wrap(
            text, self.width, initial_indent=indent, subsequent_indent=indent
        ):
            click.echo(click.style(line, fg=colour))

    def typed(self, words: str) -> None:
        """Show a command as a person types it."""
        click.echo(click.style(f"   $ {words}", fg="cyan"))

    def printed(self, text: str, *, colour: str | None = None) -> None:
        """Show what a command printed, word for word; long lines go on under their beginning."""
        for said in text.strip("\n").splitlines():
            indent = "     " + " " * (len(said) - len(said.lstrip()))
            for line in textwrap.wrap(
                said.strip(), self.width, initial_indent=indent, subsequent_indent=indent
            ):
                click.echo(click.style(line, fg=colour))

    def recorded(self, at: datetime, text: str, *, colour: str | None = None) -> None:
        """Write what comes from the recording: each line says DEMO and the recorded time."""
        mark = f"   DEMO {at:{STAMP}} UTC  "
        for line in textwrap.wrap(text, max(40, self.width - len(mark))):
            click.echo(click.style(mark, fg="magenta") + click.style(line, fg=colour))

    def bare(self, text: str) -> None:
        """Write a line as it is, never wrapped: a path, for people and scripts."""
        click.echo(text)


class Board:
    """Writes per second of each automation, one line a second."""

    def __init__(self, screen: Screen, automations: Sequence[Automation]) -> None:
        """Take the automations, one column each."""
        self.screen = screen
        self.automations = automations

    def head(self) -> None:
        """Write the heads of the columns: kind, then the id over two lines."""
        ids = [a.automation_id.partition("-") for a in self.automations]
        rows = (
            ["", *(a.kind.removeprefix("custom_") for a in self.automations), ""],
            ["", *(f"{first}-" for first, _, _ in ids), "alert on"],
            ["UTC", *(last for _, _, last in ids), "failures"],
        )
        click.echo()
        for row in rows:
            click.echo(click.style(self._line(row), dim=True))

    def row(self, until: datetime, counts: Mapping[str, Count], *, alert: str) -> None:
        """Write one second: how many writes each automation made in it, and what the alert says."""
        cells = [self._cell(counts.get(a.automation_id, Count())) for a in self.automations]
        colour = "red" if alert.startswith("FIRING") else "green"
        click.echo(f"   {until:%H:%M:%S}{''.join(cells)}  {click.style(alert, fg=colour)}")

    def _cell(self, count: Count) -> str:
        if count.failures:
            return click.style(f"{f'{count.entries} ({count.failures}!)':>{COLUMN}}", fg="red")
        return click.style(f"{count.entries:>{COLUMN}}", fg=None if count.entries else "yellow")

    def _line(self, cells: Sequence[str]) -> str:
        first, *middle, last = cells
        return f"   {first:<8}{''.join(f'{cell:>{COLUMN}}' for cell in middle)}  {last}".rstrip()
