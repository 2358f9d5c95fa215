"""Error signatures: errors of one cause look the same, errors of two causes do not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.sources.signature import MAX_SIGNATURE_LENGTH, error_signature


@pytest.mark.parametrize(
    ("message", "signature"),
    [
        ("Timeout after 30.5 s for invoice INV-20931", "Timeout after <n> s for invoice INV-<n>"),
        ("run 4f2b9c1a-1111-2222-3333-444455556666 failed", "run <uuid> failed"),
        ("failed at 2026-11-23T21:00:00.123Z", "failed at <time>"),
        (
            "ValueError: bad 'abc' in /usr/lib/x.py line 3",
            "ValueError: bad <value> in <path> line <n>",
        ),
        ("HTTP 503 from https://acme.example/v1?key=1", "HTTP 503 from <url>"),
        ("object at 0x7fa8403bc400", "object at <hex>"),
        ("commit deadbeef1234 is gone", "commit <n> is gone"),
        ("mail to ops@acme.example bounced", "mail to <address> bounced"),
        ("Traceback (most recent call last):\n  File \"x\"\nKeyError: 'a'", "KeyError: <value>"),
        ("\n\n  first line\nsecond", "first line"),
        ("", ""),
    ],
)
def test_what_differs_between_runs_is_masked(message: str, signature: str) -> None:
    """Ids, numbers, paths, hex, instants and quoted values give way to their kind."""
    assert error_signature(message) == signature


def test_two_failures_of_one_cause_share_a_signature() -> None:
    """The count of failures by signature does not fall apart by run."""
    texts = [f"HTTP 503 after {n} ms for order {n}-{n * 7}" for n in (12, 3456, 789)]
    assert len({error_signature(text) for text in texts}) == 1


def test_two_causes_stay_apart() -> None:
    """An HTTP status names the cause, so it is kept."""
    assert error_signature("HTTP 503 from provider") != error_signature("HTTP 429 from provider")


@given(
    ids=st.lists(st.text("0123456789abcdef", min_size=8, max_size=32), min_size=2, max_size=5)
    | st.lists(st.text("0123456789", min_size=1, max_size=12), min_size=1, max_size=3).map(
        lambda digits: [*digits, "0a1b2c3d", "12345678", "deadbeef"]
    ),
    words=st.sampled_from(
        ["refused (request {})", "job-{} failed", "id={}: gone", "request #{}, 3 tries", "call {}"]
    ),
)
def test_an_id_that_is_digits_by_chance_does_not_split_a_cause(ids: list[str], words: str) -> None:
    """Whichever digits and letters a hex id has, the words around it give one signature."""
    assert len({error_signature(words.format(text)) for text in ids}) == 1


def test_a_long_id_after_a_status_word_is_masked_and_a_status_is_not() -> None:
    """A status has few digits; an id that follows the same word is an id, with letters or without."""
    texts = ["gave code 12345678", "gave code 1234567a"]
    assert {error_signature(text) for text in texts} == {"gave code <n>"}
    assert error_signature("gave code 137") == "gave code 137"


@given(st.text(max_size=3_000))
def test_a_signature_is_one_bounded_line(message: str) -> None:
    """Whatever a sender wrote, the signature is short, one line, and the same each time."""
    signature = error_signature(message)
    assert len(signature) <= MAX_SIGNATURE_LENGTH
    assert len(signature.splitlines()) <= 1
    assert error_signature(message) == signature
