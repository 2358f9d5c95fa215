"""The data dictionary covers every table and every query that asks them, and the page is what the files say."""

from __future__ import annotations

import pytest

from docs.data_dictionary import PAGE, page
from workbench.errors import QueryError
from workbench.queries import load_query, parse_query, query_names
from workbench.warehouse import dictionary
from workbench.warehouse.tables import table_names


def test_the_page_is_what_the_files_say() -> None:
    """Whoever changes a table or a query writes the page anew: `python -m docs.data_dictionary`."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_every_table_and_every_asking_query_has_its_part() -> None:
    """Nothing that an analyst may ask is left out; a new folder of queries is asked about here."""
    heads = {line.removeprefix("### ") for line in page().splitlines() if line.startswith("### ")}
    inner = {"bench", "demo", "merge", "setting", "staging", "watermark"}
    stores = {n.split(".")[0] for n in query_names() if n.startswith("store")}
    others = {n.split(".")[0] for n in query_names()} - inner - stores - {"warehouse"}
    assert others == set(dictionary.ASKING)
    assert heads == {*table_names(), *dictionary.asking_names()}


def test_each_entry_says_what_it_is() -> None:
    """A row has its grain; a parameter and a column have a type and a meaning; names are those of the query."""
    entries = dictionary.query_dictionary()
    for entry in entries:
        assert len(entry["meaning"]) > 2, entry
        assert (entry["part"] == "row") == (entry["type"] == ""), entry
        assert entry["type"] not in ("hugeint", "null"), entry
    for name in dictionary.asking_names():
        mine = [e for e in entries if e["query"] == name]
        assert [e["part"] for e in mine].count("row") == 1
        assert {e["name"] for e in mine if e["part"] == "parameter"} == set(
            load_query(name).parameters
        )


def test_no_header_explains_a_column_that_is_not_there() -> None:
    """What `-- > name:` explains is a column of the result."""
    entries = dictionary.query_dictionary()
    for name in dictionary.asking_names():
        made = {e["name"] for e in entries if e["query"] == name and e["part"] == "column"}
        assert set(load_query(name).columns) <= made, name


def test_a_column_that_nothing_explains_is_refused() -> None:
    """Seeded bug: a column of its own without a line in the header is named, with what to add."""
    query = parse_query("x.y", "-- One row per run.\nselect 1 as odd from run", sha256="0")
    with pytest.raises(QueryError, match=r"x\.y does not explain its column odd; add `-- > odd"):
        dictionary._meaning(query, "odd")


def test_a_header_explains_a_column_once() -> None:
    """Two meanings of one column are refused; a line that explains one is no part of the description."""
    text = "-- One row per run.\n-- > n: how many\n{}select 1 as n"
    query = parse_query("x.y", text.format(""), sha256="0")
    assert (query.description, query.columns) == ("One row per run.", {"n": "how many"})
    with pytest.raises(QueryError, match="explains the column n twice"):
        parse_query("x.y", text.format("-- > n: else\n"), sha256="0")
