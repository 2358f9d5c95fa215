"""The README's terminal picture shows what a person would have seen."""

from __future__ import annotations

import os
import sys

from docs.terminal import as_html, run_on_terminal, settled


def test_a_command_believes_it_is_on_a_terminal() -> None:
    """What is pictured is the coloured, interactive output, with its exit code."""
    script = "import sys; print(sys.stdout.isatty()); sys.exit(3)"
    code, written = run_on_terminal([sys.executable, "-c", script], os.environ)
    assert (code, settled(written)) == (3, "True")


def test_a_rewritten_line_shows_its_last_state() -> None:
    """A progress line that rewrites itself appears once, as it ended."""
    assert settled("load 10 %\rload 100 %\r\ndone\r\n") == "load 100 %\ndone"


def test_colours_become_styles_and_text_is_escaped() -> None:
    """Bold and colour survive, a reset ends them, and markup in the output stays text."""
    page = as_html("\x1b[1;31mHELD\x1b[0m <b>&", title="make demo")
    assert '<span style="font-weight:700;color:#ff8b80">HELD</span> &lt;b&gt;&amp;' in page
    assert "$ make demo" in page


def test_a_later_colour_replaces_an_earlier_one() -> None:
    """Two colours in a row do not add up."""
    assert "color:#ff8b80;color" not in as_html("\x1b[31m\x1b[32mok", title="t")
