"""Generates the part of the README that comes from the code: `python docs/readme.py` writes it anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from workbench import errors

README = Path(__file__).resolve().parents[1] / "README.md"
BEGIN = "<!-- exit codes: written by docs/readme.py -->"
END = "<!-- end of exit codes -->"

WITHOUT_ERROR = {
    0: ("-", "Done. After a pause: every automation has confirmed.", ""),
    15: ("-", "`workbench doctor`: something is WRONG; its line says what to do.", ""),
    20: ("-", "`workbench gate`: the automation is PAUSED.", ""),
    21: ("-", "`workbench gate`: UNKNOWN; that is not a yes.", ""),
    22: ("-", "`workbench triggers --once`: something fires.", ""),
    23: ("-", "`workbench recheck`: with what came late the verdict would have been another.", ""),
    24: (
        "-",
        "`workbench recheck`: UNKNOWN; the sealed inputs cannot be had as they were, or a source is not yet "
        "loaded up to the report's instant.",
        "",
    ),
    127: (
        "-",
        "`workbench gate ... -- COMMAND`: COMMAND cannot be run. Any other code there is COMMAND's own, 128 and "
        "more where a signal ended it.",
        "",
    ),
    130: ("-", "Stopped at the keyboard; nothing further was done.", ""),
}
"""Exit codes that are answers, not failures."""


def classes(base: type[errors.WorkbenchError]) -> Iterator[type[errors.WorkbenchError]]:
    """Give an error class and all below it that the vocabulary defines."""
    yield base
    for below in base.__subclasses__():
        if below.__module__ == errors.__name__:
            yield from classes(below)


def exit_table() -> str:
    """Return the table of exit codes, generated from the classes and their docstrings."""
    rows: dict[int, list[tuple[str, str, str]]] = {c: [row] for c, row in WITHOUT_ERROR.items()}
    for found in classes(errors.WorkbenchError):
        sentence = " ".join((found.__doc__ or "").split())
        rows.setdefault(found.exit_code, []).append(
            (f"`{found.__name__}`", sentence, found.next_step)
        )
    lines = ["| Code | Error | What it means | What to do next |", "| ---: | --- | --- | --- |"]
    for code in sorted(rows):
        for name, sentence, then in rows[code]:
            lines.append(f"| {code} | {name} | {_cell(sentence)} | {_cell(then)} |")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def renewed(text: str) -> str:
    """Return the README with the generated part put in."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{exit_table()}\n\n{END}{after}"


if __name__ == "__main__":
    README.write_text(renewed(README.read_text(encoding="utf-8")), encoding="utf-8")
