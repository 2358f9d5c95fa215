"""The chain is walked by blocks and says exactly what a walk row by row says, for every log and every alteration."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.store.ground import a_control, break_glass, pause
from workbench.control import Control
from workbench.store import chain
from workbench.store.anchors import append_note
from workbench.store.audit import verify_chain, verify_store
from workbench.store.chain import BLOCK, Row, roots_at, walk
from workbench.store.checkpoint import note_of
from workbench.store.connection import STORE_FILE, connect
from workbench.store.keys import SigningKey, make_key
from workbench.store.merkle import Peaks, grown, root_of

STORE_ID = "st-1"
COUNTS = (0, 1, 2, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 3 * BLOCK + 77)


def rows(count: int) -> list[Row]:
    """Return a log of so many rows."""
    found, prev = [], hashlib.sha256(STORE_ID.encode()).hexdigest()
    for seq in range(1, count + 1):
        body = f'{{"n":{seq},"reason":"zu teuer \N{EURO SIGN}"}}'
        own = hashlib.sha256(f"{prev}\n{body}".encode()).hexdigest()
        found.append((seq, prev.encode(), own.encode(), body.encode()))
        prev = own
    return found


def naive_count(log: Iterable[Row]) -> int:
    """Return how many rows follow each other, each looked at by itself."""
    prev, count = hashlib.sha256(STORE_ID.encode()).hexdigest().encode(), 0
    for seq, stored_prev, own, body in log:
        try:
            body.decode()
        except UnicodeDecodeError:
            return count
        wanted = hashlib.sha256(stored_prev + b"\n" + body).hexdigest().encode()
        if (seq, stored_prev, own) != (count + 1, prev, wanted):
            return count
        prev, count = own, count + 1
    return count


def naive_roots(bodies: Iterable[bytes]) -> list[bytes]:
    """Return the root at every size, one leaf after the other."""
    peaks: Peaks = ()
    found = [root_of(peaks)]
    for size, body in enumerate(bodies):
        peaks = grown(peaks, size, body=body.decode())
        found.append(root_of(peaks))
    return found


@pytest.mark.parametrize("count", COUNTS)
def test_a_whole_log_is_walked_to_its_end(count: int) -> None:
    """Every row counts, and the root at every size is that of a tree grown leaf by leaf."""
    log = rows(count)
    found = walk(log, STORE_ID, sizes=range(count + 9))
    assert (found.count, found.broken_at) == (count, None)
    assert found.head_hash.encode() == (log[-1][2] if log else found.head_hash.encode())
    assert found.roots == dict(enumerate(naive_roots(row[3] for row in log)))
    assert roots_at((row[3] for row in log), {count}) == {count: found.roots[count]}


@given(sizes=st.sets(st.integers(0, 700)), count=st.integers(0, 600))
def test_only_the_sizes_asked_for_and_the_end_have_roots(sizes: set[int], count: int) -> None:
    """Whatever sizes are asked for, those beyond the end have no root."""
    bodies = [row[3] for row in rows(count)]
    wanted = {size for size in sizes if size <= count} | {count}
    right = naive_roots(bodies)
    assert roots_at(bodies, sizes) == {size: right[size] for size in wanted}


ALTERATIONS: dict[str, Callable[[Row], Row]] = {
    "another body": lambda r: (r[0], r[1], r[2], r[3] + b" "),
    "a body that is no text": lambda r: (r[0], r[1], r[2], b"\xff\xfe"),
    "no body": lambda r: (r[0], r[1], r[2], b""),
    "another hash": lambda r: (r[0], r[1], r[2][::-1], r[3]),
    "a hash in capitals": lambda r: (r[0], r[1], r[2].upper(), r[3]),
    "a longer hash": lambda r: (r[0], r[1], r[2] + b"0", r[3]),
    "no hash": lambda r: (r[0], r[1], b"", r[3]),
    "another link": lambda r: (r[0], r[1][::-1], r[2], r[3]),
    "another number": lambda r: (r[0] + 1, r[1], r[2], r[3]),
}


@pytest.mark.parametrize("what", ALTERATIONS)
@pytest.mark.parametrize("place", [1, 2, BLOCK, BLOCK + 1, 2 * BLOCK + 5])
def test_an_altered_row_is_found_at_its_place(what: str, place: int) -> None:
    """In the first, the last and any row of a block: the walk ends before it and names it."""
    log = rows(2 * BLOCK + 5)
    log[place - 1] = ALTERATIONS[what](log[place - 1])
    found = walk(log, STORE_ID)
    assert found.count == naive_count(log) == place - 1
    assert found.broken_at == place
    assert found.roots == {}


def test_a_text_cut_between_two_bodies_is_no_text() -> None:
    """Two bodies that are text only when they are joined are found, although their hashes are right."""
    first, last = "\N{EURO SIGN}".encode()[:1], "\N{EURO SIGN}".encode()[1:]
    prev, log = hashlib.sha256(STORE_ID.encode()).hexdigest().encode(), []
    for seq, body in enumerate((first, last), start=1):
        own = hashlib.sha256(prev + b"\n" + body).hexdigest().encode()
        log.append((seq, prev, own, body))
        prev = own
    assert walk(log, STORE_ID).broken_at == 1


@given(
    place=st.integers(1, 300),
    cut=st.integers(0, 2),
    count=st.integers(1, 300),
)
def test_a_log_with_rows_cut_out_ends_before_them(place: int, cut: int, count: int) -> None:
    """A row that is missing, or there twice, is found where the next one stands."""
    log = rows(count)
    log[place - 1 : place - 1 + cut] = log[place - 1 : place] * (cut == 2) * 3
    found = walk(log, STORE_ID)
    assert found.count == naive_count(log)
    assert (found.broken_at is None) == (found.count == len(log))


def test_a_walk_that_forgets_the_links_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The seeded fault: blocks whose rows are hashed but not linked pass, and the comparison above sees it."""

    def unlinked(block: Collection[Row], count: int, last: bytes) -> bool:
        return all(
            hashlib.sha256(prev + b"\n" + body).hexdigest().encode() == own
            for _, prev, own, body in block
        )

    monkeypatch.setattr(chain, "_holds", unlinked)
    log = rows(20)
    del log[9]
    assert walk(log, STORE_ID).count != naive_count(log)


def a_log(root: Path) -> tuple[Control, SigningKey, Path]:
    """Return a store with some commands, a key, and a folder with a signed checkpoint of its end."""
    control = a_control(root)
    pause(control)
    control.resume_full(break_glass("H-1"))
    key, elsewhere = make_key(root / "key.json"), root / "elsewhere"
    witness(control, key, elsewhere)
    return control, key, elsewhere


def witness(control: Control, key: SigningKey, folder: Path) -> None:
    """Lay a signed checkpoint of where the log stands into a folder."""
    state = control.state()
    root = bytes.fromhex(state.head.root)
    note = note_of(state.store_id, state.event_count, root=root, signer=key)
    assert append_note([folder], state.store_id, note=note) == []


def alter(control: Control, statement: str) -> None:
    """Change rows of the log behind everybody's back."""
    with connect(Path(control.store.place) / STORE_FILE) as connection:
        for trigger in connection.execute(
            "select name from sqlite_master where type = 'trigger'"
        ).fetchall():
            connection.execute(f"drop trigger {trigger[0]}")
        connection.execute(statement)


def test_chain_and_checkpoints_are_verified_alone(tmp_path: Path) -> None:
    """A log that holds is ok to its end and signed to it, and the finding says that this was not all."""
    control, key, elsewhere = a_log(tmp_path)
    found = verify_chain(control.store, anchors=[elsewhere], trusted=[key.public_hex])
    count = control.state().event_count
    assert (found.is_ok, found.event_count, found.anchored.signed_size) == (True, count, count)
    assert found.finding.startswith(f"chain ok to {count}, anchored")
    assert "nothing else was verified" in found.finding
    assert verify_chain(control.store).finding.startswith(f"chain ok to {count}, unanchored")


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("update event set body = body || ' ' where seq = 3", "broken at 3"),
        ("delete from event where seq = (select max(seq) from event)", "the head row says"),
        ("update event set hash = hash || '0' where seq = 2", "broken at 2"),
    ],
)
def test_the_chain_alone_finds_what_the_whole_finds(
    tmp_path: Path, statement: str, words: str
) -> None:
    """An altered row, a cut tail, a copied hash: both say the same of it."""
    control, key, elsewhere = a_log(tmp_path)
    alter(control, statement)
    alone = verify_chain(control.store, anchors=[elsewhere], trusted=[key.public_hex])
    whole = verify_store(control.store, anchors=[elsewhere], trusted=[key.public_hex])
    assert words in alone.finding
    assert (alone.finding, alone.broken_at) == (whole.finding, whole.broken_at)


def test_the_chain_alone_compares_each_checkpoint(tmp_path: Path) -> None:
    """A checkpoint of another history, and one that was forged, break it as they break the whole."""
    control, key, elsewhere = a_log(tmp_path)
    state = control.state()
    other = note_of(state.store_id, 2, root=b"\1" * 32, signer=key)
    append_note([elsewhere], state.store_id, note=other)
    found = verify_chain(control.store, anchors=[elsewhere], trusted=[key.public_hex])
    assert "the first 2 events are not those" in found.finding
    assert not found.is_ok


def test_what_events_say_is_not_looked_at(tmp_path: Path) -> None:
    """An altered cache breaks the whole and not the chain: that is why the finding says what was verified."""
    control, _, _ = a_log(tmp_path)
    alter(control, "update projection set body = '{}' where entity = 'hold'")
    assert verify_chain(control.store).is_ok
    assert not verify_store(control.store).is_ok
