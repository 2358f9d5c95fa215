"""The restart decision as a notebook shows it: one object, one property or call for each cell."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from workbench.reports.markup import Fragment, heading, join, style
from workbench.reports.opened import Opened, open_report
from workbench.reports.parameters import check_parameters
from workbench.reports.parts import (
    Ending,
    check_table,
    header,
    headline,
    headline_document,
    strips,
    verdict_banner,
    verdict_document,
)
from workbench.reports.sections import SectionPages
from workbench.review.restart import RestartReview, assess_restart, restart_queries

NAME = "restart-decision"


def restart_decision(given: Mapping[str, Any]) -> RestartDecision:
    """Check the parameters again, open the sealed snapshot, and judge."""
    opened = open_report(NAME, check_parameters(NAME, given), queries_of=restart_queries)
    return RestartDecision(opened, assess_restart(opened.request, opened.tables))


class RestartDecision:
    """One restart decision, computed once; its properties are the parts of the page."""

    def __init__(self, opened: Opened, review: RestartReview) -> None:
        """Take the frozen ground and what the review made of it."""
        self._opened = opened
        self.review = review
        self._pages = SectionPages(
            review.sections,
            statuses={check.name: check.status.value for check in review.checks},
            request=opened.request,
        )

    @property
    def style(self) -> Fragment:
        """The style sheet, for a notebook opened in JupyterLab."""
        return style()

    @property
    def top(self) -> Fragment:
        """Strips, what it is about, the verdict with its reason, and the headline contrast."""
        return join(
            [
                strips(self._opened),
                header(self._opened, "Restart decision"),
                verdict_banner(self.review.verdict),
                headline(self.review.headline),
            ]
        )

    @property
    def checks(self) -> Fragment:
        """The table of all checks."""
        return join([heading("Checks", anchor="checks"), check_table(self.review.checks)])

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
        # The check table and the table of query digests stand beside the sections' own.
        promised = {**promised, "tables": promised["tables"] + 2}
        return Ending(self._opened, document, promised=promised)
