"""Mappings: foreign fields become our columns, and a mistake in the file is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from workbench.errors import BadSettings
from workbench.sources.mapping import Mapping, load_mapping, look_up, shipped_names

COLUMNS = frozenset(
    {"source_id", "run_id", "status", "raw_status", "labels", "started_at", "version"}
)


def mapping(**other: Any) -> Mapping:
    """Return a small mapping to runs."""
    return Mapping(
        **{"name": "m", "table": "run", "fields": {"run_id": "id", "status": "result"}, **other}
    )


def test_fields_take_our_names_and_the_rest_stays() -> None:
    """A mapped field is renamed; a field without a rule stays under its own name, to become a label."""
    found = mapping().apply({"id": "1", "result": "ok", "region": "eu"}, COLUMNS)
    assert found == {"run_id": "1", "status": "ok", "raw_status": "ok", "region": "eu"}


def test_words_are_translated_and_the_raw_word_kept() -> None:
    """A known word becomes ours whatever its case; another word stays, for the loader to call unknown."""
    one = mapping(words={"status": {"ok": "succeeded"}})
    assert one.apply({"id": "1", "result": " OK "}, COLUMNS)["status"] == "succeeded"
    assert one.apply({"id": "1", "result": " OK "}, COLUMNS)["raw_status"] == " OK "
    assert one.apply({"id": "1", "result": "odd"}, COLUMNS)["status"] == "odd"


def test_a_field_named_like_a_column_is_not_taken_for_it() -> None:
    """The source's own `status`, which no rule reads, goes to the labels instead of over ours."""
    found = mapping().apply({"id": "1", "result": "ok", "status": "open", "version": 3}, COLUMNS)
    assert found["status"] == "ok"
    assert found["labels"] == {"status": "open", "version": 3}


def test_names_can_be_kept() -> None:
    """Where the mapping says so, fields that are named like our columns are those columns."""
    one = mapping(keep_names=True, fields={"run_id": "id"}, constants={"version": "9"})
    record = {"id": "1", "status": "failed", "labels": {"a": "b"}, "version": "8"}
    found = one.apply(record, COLUMNS)
    assert found["status"] == "failed"
    assert found["version"] == "8"
    assert found["labels"] == {"a": "b"}


def test_constants_fill_what_the_record_lacks() -> None:
    """A constant never overrides a value of the record."""
    one = mapping(constants={"version": "0"}, fields={"run_id": "id", "version": "v"})
    assert one.apply({"id": "1"}, COLUMNS)["version"] == "0"
    assert one.apply({"id": "1", "v": "9"}, COLUMNS)["version"] == "9"


def test_rules_look_inside_join_and_choose() -> None:
    """`a.b` looks inside, all_of joins, any_of takes the first that is there, a list becomes text."""
    one = mapping(
        fields={
            "run_id": {"all_of": ["repo", "job.id"], "join": "#"},
            "status": {"any_of": ["end", "state"]},
            "version": {"any_of": ["tags"], "join": ", "},
        }
    )
    record = {"repo": "a/b", "job": {"id": 7}, "end": None, "state": "x", "tags": ["p", "q"]}
    found = one.apply(record, COLUMNS)
    assert found == {"run_id": "a/b#7", "status": "x", "raw_status": "x", "version": "p, q"}
    assert "run_id" not in one.apply({"repo": "a/b"}, COLUMNS)


def test_a_name_with_a_dot_may_be_a_field_itself() -> None:
    """A field whose name holds a dot is found before the path is tried."""
    assert look_up({"a.b": 1, "a": {"b": 2}}, "a.b") == 1
    assert look_up({"a": {"b": 2}}, "a.b") == 2
    assert look_up({"a": "text"}, "a.b") is None


def test_ignored_fields_are_left_out() -> None:
    """What the mapping ignores is neither a column nor a label."""
    assert mapping(ignore=("big",)).apply({"id": "1", "big": "x"}, COLUMNS) == {"run_id": "1"}


def test_the_shipped_mappings_are_whole() -> None:
    """Each shipped mapping reads, and names only columns of its table."""
    from workbench.warehouse.tables import table

    assert shipped_names() == [
        "alertmanager",
        "github-actions-jobs",
        "grafana",
        "pagerduty",
        "status-page-as-announced",
        "status-page-incidents",
    ]
    for name in shipped_names():
        found = load_mapping(name)
        assert {*found.fields, *found.constants, *found.words} <= set(
            table(found.table).column_names
        )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("table = 'run'", r"entry fields: Field required"),
        ("table = 'run'\nfield = 1\n[fields]\n", r"entry field: Extra inputs"),
        (
            "table = 'run'\nnaive_offset = 'CET'\n[fields]\n",
            r"entry naive_offset: String should match",
        ),
        ("table = 'run'\n[fields]\nrun_id = 7", r"entry fields\.run_id"),
        ("table = ", "is not TOML"),
    ],
)
def test_a_mistake_in_a_mapping_is_named(tmp_path: Path, text: str, said: str) -> None:
    """File and entry are in the sentence, and the exit code is 17."""
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(BadSettings, match=said) as caught:
        load_mapping(str(path))
    assert caught.value.exit_code == 17


def test_an_unknown_mapping_is_answered_with_the_shipped_ones() -> None:
    """A typing mistake names what there is."""
    with pytest.raises(
        BadSettings, match="shipped are alertmanager, github-actions-jobs, grafana, "
    ):
        load_mapping("github-actions")


def test_what_a_mapping_says_is_its_digest(tmp_path: Path) -> None:
    """Another word in the mapping makes another batch; another comment does not."""
    one, two, three = (tmp_path / name for name in ("m1.toml", "m2.toml", "m3.toml"))
    text = "name = 'm'\ntable = 'run'\n[fields]\nrun_id = 'id'\n"
    one.write_text(text)
    two.write_text("# a remark\n" + text)
    three.write_text(text + "status = 'result'\n")
    digests = [load_mapping(str(path)).digest for path in (one, two, three)]
    assert digests[0] == digests[1] != digests[2]
