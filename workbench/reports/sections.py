"""Shows the sections of a review: sentence first, then the picture, then the rows."""

from __future__ import annotations

from collections.abc import Mapping

from workbench.plots.drawing import to_svg
from workbench.reports.drawers import DRAWERS
from workbench.reports.markup import Fragment, figure, heading, join, paragraph
from workbench.reports.tables import TableNote, table
from workbench.review.ground import Section
from workbench.review.request import ReviewRequest


class SectionPages:
    """The sections of one report, each shown once, none left out."""

    def __init__(
        self,
        sections: Mapping[str, Section],
        *,
        statuses: Mapping[str, str],
        request: ReviewRequest,
    ) -> None:
        """Take the sections, the status of the check of the same name, and what was asked."""
        self._sections = sections
        self._statuses = statuses
        self._request = request
        self._shown: list[str] = []
        # One figure may show what another section found: the pauses stand in several.
        self._rows = {
            name: rows for part in sections.values() for name, rows in part.figures.items()
        }

    def show(self, *names: str) -> Fragment:
        """Return the named sections one below the other."""
        return join([self._section(name) for name in names])

    def rest(self) -> Fragment:
        """Return every section that was not shown yet, so that a new one is never forgotten."""
        return self.show(*(name for name in self._sections if name not in self._shown))

    def promised(self) -> dict[str, int]:
        """Return how many tables and figures the sections have, shown or not yet."""
        sections = self._sections.values()
        return {
            "tables": sum(len(section.tables) for section in sections),
            "figures": sum(len(_drawn(section)) for section in sections),
        }

    def _section(self, name: str) -> Fragment:
        self._shown.append(name)
        section = self._sections[name]
        pieces = [
            heading(section.title, status=self._statuses.get(name, ""), anchor=name),
            paragraph(section.sentence, "wb-lede"),
        ]
        pieces += [self._figure(key) for key in _drawn(section)]
        pieces += [table(frame, TableNote(caption)) for caption, frame in section.tables.items()]
        return Fragment(
            "\n".join(piece.html for piece in pieces), "\n".join(piece.text for piece in pieces)
        )

    def _figure(self, name: str) -> Fragment:
        draw, caption = DRAWERS[name]
        return figure(to_svg(draw(self._rows, self._request)), caption)


def _drawn(section: Section) -> list[str]:
    return [name for name, rows in section.figures.items() if name in DRAWERS and len(rows)]
