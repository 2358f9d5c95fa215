"""The post-incident review as a notebook shows it: one object, one property or call for each cell."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from workbench.reports.markup import Fragment, heading, join, paragraph, style
from workbench.reports.opened import Opened, open_report
from workbench.reports.parameters import check_parameters
from workbench.reports.parts import (
    Ending,
    header,
    headline_document,
    outcome,
    strips,
    verdict_document,
)
from workbench.reports.sections import SectionPages
from workbench.review.incident import IncidentReview, assess_incident, incident_queries

NAME = "post-incident-review"


def post_incident_review(given: Mapping[str, Any]) -> PostIncidentReview:
    """Check the parameters again, open the sealed snapshot, and look back."""
    opened = open_report(NAME, check_parameters(NAME, given), queries_of=incident_queries)
    return PostIncidentReview(opened, assess_incident(opened.request, opened.tables))


class PostIncidentReview:
    """One post-incident review, computed once; its properties are the parts of the page."""

    def __init__(self, opened: Opened, review: IncidentReview) -> None:
        """Take the frozen ground and what the review made of it."""
        self._opened = opened
        self.review = review
        self._pages = SectionPages(review.sections, statuses={}, request=opened.request)

    @property
    def style(self) -> Fragment:
        """The style sheet, for a notebook opened in JupyterLab."""
        return style()

    @property
    def top(self) -> Fragment:
        """Strips, what it is about, the summary with its numbers, and where the restart stands."""
        return join(
            [
                strips(self._opened),
                header(self._opened, "Post-incident review"),
                heading("Summary", level=2, anchor="summary"),
                paragraph(self.review.summary, "wb-lede"),
                outcome(self.review.verdict),
            ]
        )

    def show(self, *names: str) -> Fragment:
        """Return the named sections."""
        return self._pages.show(*names)

    def rest(self) -> Fragment:
        """Return the sections that no cell named."""
        return self._pages.rest()

    @cached_property
    def ending(self) -> Ending:
        """The seal, and the words that end a recorded run."""
        says = headline_document(self.review.headline)
        document = verdict_document(
            self._opened, self.review.verdict, checks=self.review.checks, says=says
        )
        promised = self._pages.promised()
        # The table of query digests stands beside the sections' own.
        return Ending(
            self._opened,
            {**document, "summary": self.review.summary},
            promised={**promised, "tables": promised["tables"] + 1},
        )
