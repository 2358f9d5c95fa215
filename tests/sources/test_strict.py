"""Strict JSON: what the quick parsers let through is refused with a reason."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.sources.strict import MAX_DEPTH, NotStrict, parse_object, refusal_of

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"a": NaN}', "NaN is not JSON"),
        ('{"a": -Infinity}', "-Infinity is not JSON"),
        ('{"a": 1e400}', "out of range"),
        ('{"a": 1, "a": 2}', "the key 'a' stands twice"),
        ('{"a": {"b": 1, "b": 2}}', "the key 'b' stands twice"),
        ("[1, 2]", "is an array, not an object"),
        ('"text"', "is a text, not an object"),
        ("7", "is a number, not an object"),
        ("null", "is null, not an object"),
        ("true", "is a truth value, not an object"),
        ('{"a": 1}{"b": 2}', "is not JSON"),
        ('{"a": 1,}', "is not JSON"),
        (
            '{"a": "\ud800"}'.encode("utf-8", "surrogatepass").decode("utf-8", "surrogatepass"),
            "surrogate",
        ),
        ('{"a": "\\ud800"}', "half of a surrogate pair"),
        ('\ufeff{"a": 1}', "byte order mark"),
        ('{"a": "x\ty"}', "is not JSON"),
        ("{'a': 1}", "is not JSON"),
        ('{"a": 0012}', "is not JSON"),
        ('{"a":' * (MAX_DEPTH + 1) + "1" + "}" * (MAX_DEPTH + 1), "nested deeper"),
        ('{"a":' + "[" * 100_000 + "]" * 100_000 + "}", "nested deeper"),
        ('{"run_id": "1"', "is not JSON"),
    ],
)
def test_what_is_not_strict_is_refused_with_its_reason(line: str, said: str) -> None:
    """Each defect is named; none of them is read as something that looks near."""
    assert said in (refusal_of(line) or "taken")


def test_brackets_inside_text_are_not_depth() -> None:
    """A long text full of brackets is a text."""
    line = json.dumps({"a": "[{" * 500, "b": '\\"[{'})
    assert refusal_of(line) is None


def test_an_integer_of_thirty_digits_stays_itself() -> None:
    """A long id is not rounded to a double."""
    assert (
        parse_object('{"id": 123456789012345678901234567890}')["id"]
        == 123456789012345678901234567890
    )


@given(st.dictionaries(st.text(), VALUES, max_size=5))
def test_what_a_correct_writer_wrote_is_taken(record: dict[str, object]) -> None:
    """Any object that a correct writer can write is read back as it was."""
    line = json.dumps(record)
    if "\\u" in line:
        try:
            json.dumps(record, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            with pytest.raises(NotStrict):
                parse_object(line)
            return
    assert parse_object(line) == record


@given(st.text(max_size=60))
def test_any_text_gives_a_record_or_a_reason(line: str) -> None:
    """No text raises anything but a refusal."""
    reason = refusal_of(line)
    assert reason is None or reason
