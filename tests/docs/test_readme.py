"""The README tells the truth: commands, files, links, exit codes and the source text are compared with it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from docs.readme import BEGIN, END, classes, exit_table, renewed
from workbench import errors
from workbench.cli import root
from workbench.recordings import Recording, shipped_names

REPOSITORY = Path(__file__).resolve().parents[2]
STATES = ("done", "part", "later", "elsewhere")
PLACEHOLDER = re.compile(r"[A-Z]|\.\.\.|\*")


def readme() -> str:
    """Return the README's text."""
    return (REPOSITORY / "README.md").read_text(encoding="utf-8")


def code_in(text: str) -> Iterator[str]:
    """Give each line of a code block and each piece of inline code, without shell remarks."""
    for block in re.findall(r"```(?:sh)?\n(.*?)```", text, re.DOTALL):
        yield from (line.partition(" #")[0].strip() for line in block.splitlines())
    bare = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    yield from re.findall(r"`([^`\n]+)`", bare)


def commands_in(text: str, program: str) -> list[list[str]]:
    """Return the commands of one program as words."""
    lines = {line for line in code_in(text) if line.startswith(f"{program} ")}
    return [shlex.split(line) for line in sorted(lines)]


def fault_of(words: list[str]) -> str:
    """Return what is wrong with a command line of the README, or an empty text."""
    group: click.Command = root
    context = click.Context(root, info_name="workbench")
    rest = words[1:]
    while isinstance(group, click.Group) and rest:
        found = group.get_command(context, rest[0])
        if found is None:
            return f"{' '.join(words)}: there is no {rest[0]!r}"
        group, rest = found, rest[1:]
    if isinstance(group, click.Group):
        return f"{' '.join(words)}: names no command"
    rest = rest[: rest.index("--")] if "--" in rest else rest
    known = {name for parameter in group.params for name in parameter.opts}
    unknown = [word for word in rest if word.startswith("--") and word not in known]
    return f"{' '.join(words)}: no option {unknown[0]}" if unknown else ""


def test_every_command_exists() -> None:
    """Each `workbench ...` of the README names a command and options that there are."""
    found = commands_in(readme(), "workbench")
    assert len(found) > 20
    assert [fault for words in found if (fault := fault_of(words))] == []


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("workbench explode", "no 'explode'"),
        ("workbench pause x --loudly", "no option --loudly"),
        ("workbench hold", "names no command"),
        ("workbench hold drop", "no 'drop'"),
        ("workbench pause kind=agent --reason x", ""),
    ],
)
def test_the_command_check_catches(line: str, fault: str) -> None:
    """A command, an option or a sub-command that does not exist is seen."""
    assert (fault in fault_of(shlex.split(line))) if fault else not fault_of(shlex.split(line))


def test_every_make_target_exists() -> None:
    """Each `make ...` of the README is a target of the Makefile."""
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    asked = {words[1] for words in commands_in(readme(), "make")}
    assert asked >= {"demo", "test", "lab"}
    assert asked - targets == set()


def test_the_exit_codes_are_the_code_s() -> None:
    """The table is what docs/readme.py generates from errors.py; run it when this fails."""
    text = readme()
    assert text.count(BEGIN) == text.count(END) == 1
    assert renewed(text) == text


def test_each_error_is_in_the_table_once() -> None:
    """Every class of the tree has a row with its own exit code and first sentence."""
    table = exit_table().splitlines()
    for found in classes(errors.WorkbenchError):
        rows = [line for line in table if f"| `{found.__name__}` |" in line]
        assert len(rows) == 1
        assert rows[0].startswith(f"| {found.exit_code} |")


def test_every_link_resolves() -> None:
    """Each relative link and picture of the README is a file of the repository."""
    targets = re.findall(r"\]\(([^)#]+)\)", readme())
    assert len(targets) >= 6
    local = [t for t in targets if "://" not in t]
    assert [t for t in local if not (REPOSITORY / t).is_file()] == []


def seed_rows() -> list[list[str]]:
    """Return the rows of the table of the source text, cell by cell, heads left out."""
    text = readme()
    part = text.partition("<!-- seed table:")[2].partition("<!-- end of seed table -->")[0]
    lines = [line for line in part.splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines[2:]]
    return [row for row in rows if not row[0].startswith("**")]


def test_each_row_is_whole_and_honest() -> None:
    """Each row has five cells and a state; what is done or in part names its test and how to do it."""
    for row in seed_rows():
        assert len(row) == 5, row
        state = re.split(r"[:;,]", row[4])[0]
        assert state in STATES, row
        if state in ("done", "part"):
            assert row[1] != "-", row
            assert row[3] != "-", row
        if state == "part":
            assert len(row[4]) > len("part: "), f"say what is missing: {row}"


def test_every_file_of_the_table_exists() -> None:
    """Each test and notebook that the table names is there."""
    for row in seed_rows():
        for name in row[3].split(", "):
            assert name == "-" or (REPOSITORY / name).is_file(), name
        for name in row[2].split(", "):
            assert name == "-" or (REPOSITORY / "notebooks" / f"{name}.ipynb").is_file(), name


def sentences_of(text: str) -> list[str]:
    """Return the sentences of the source text in order; a line without a full stop is a heading."""
    lines = [line.strip().removeprefix("- ") for line in text.splitlines()]
    whole = [line for line in lines if line.endswith(".")]
    return [part for line in whole for part in re.split(r"(?<=\.)\s+", line)]


def test_every_sentence_of_the_source_text_is_there() -> None:
    """The table quotes each sentence of the source text, word for word, in its order."""
    seed = REPOSITORY.parent / "shared" / "pause-model.txt"
    if not seed.is_file():
        pytest.skip("no ../shared/pause-model.txt beside this checkout: it is not shipped with it")
    quoted = [part for row in seed_rows() for part in row[0].split("<br>")]
    assert quoted == sentences_of(seed.read_text(encoding="utf-8"))


def test_every_named_file_and_folder_exists() -> None:
    """Paths that the README writes as code are there."""
    paths = {c for c in code_in(readme()) if re.fullmatch(r"(workbench|queries|tests|docs)/\S+", c)}
    user = {"workbench/store"}  # inside the user's data directory
    assert [path for path in paths - user if not (REPOSITORY / path).exists()] == []


def test_the_mappings_are_those_that_ship() -> None:
    """Each mapping that the README loads with is shipped, or plainly the reader's own."""
    asked = set(re.findall(r"--mapping (\S+)", readme())) - {"my-mapping.toml"}
    folder = REPOSITORY / "workbench" / "sources" / "mappings"
    assert asked == {path.stem for path in folder.glob("*.toml")}


def test_the_public_names_are_used_as_they_are() -> None:
    """What the Python example calls on the package is public."""
    import workbench as wb

    block = next(b for b in re.findall(r"```python\n(.*?)```", readme(), re.DOTALL) if "wb." in b)
    assert set(re.findall(r"\bwb\.(\w+)", block)) - set(wb.__all__) == set()
    surface = wb.Surface
    assert [n for n in re.findall(r"\bw\.(\w+)", block) if not hasattr(surface, n)] == []


def test_no_recorded_word_is_promised_that_does_not_ship() -> None:
    """The recording that the README describes is there and names what was staged and what was not."""
    recording = Recording.open(shipped_names()[-1])
    assert recording.staged
    assert recording.real
    assert set(recording.instants) >= {"alert-resolved", "relapse", "narrow-restart", "end"}


def test_sentences_are_short() -> None:
    """The README is easy to read: outside of tables and code hardly a sentence has forty words."""
    bare = re.sub(
        r"```.*?```|<!--.*?-->|^\|.*$|^#.*$", "", readme(), flags=re.DOTALL | re.MULTILINE
    )
    sentences = re.split(r"(?<=[.:;])\s+|\n\s*\n|\n- |\n\d\. ", bare)
    long = [s for s in sentences if len(s.split()) > 40]
    assert long == []
