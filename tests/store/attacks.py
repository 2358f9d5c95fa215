"""The attacks of FAULTS F76 and F77 on the audit log, and what each defence is expected to say.

An attack is done for real to a store and its checkpoints. What is expected stands here, in one place: the tests
compare it with what verification answers, and the script beside the docs prints it as a table.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from itertools import takewhile
from pathlib import Path
from typing import Any

import apsw

from tests.store.copies import a_copy
from tests.store.ground import PLAIN_TABLE, pause, raw_sql, settings_in
from tests.store.test_anchors import anchored, rewritten
from workbench.control import Control
from workbench.control.enrolling_keys import Enrolment, enrol_key, revoke_key
from workbench.control.signing import file_signer
from workbench.store.anchors import anchor_file, append_note, read_notes
from workbench.store.audit import AuditResult
from workbench.store.checkpoint import note_of, read_note
from workbench.store.keys import SigningKey, make_key
from workbench.store.merkle import root_of


class Defence(StrEnum):
    """What verification has to go on, in the words of the table's head."""

    CHAIN = "chain alone"
    UNSIGNED = "unsigned checkpoints"
    SIGNED = "signed checkpoints"
    PINNED = "signed, key named"


class Answer(StrEnum):
    """What verification says, in the words of the table's cells."""

    BY_CHAIN = "found by the chain"
    BY_HEAD = "found by the head row"
    BY_CACHES = "found by the caches"
    BY_SCHEMA = "found by the schema"
    BY_SIGNATURE = "found by a command's signature"
    BY_WITNESS = "found by a head note"
    BY_CHECKPOINT = "found by a checkpoint"
    NAMED = "named, exit 0"
    SAID = "said: not vouched for"
    MISSED = "**missed**"
    NOTHING = "-"


@dataclass(frozen=True)
class Scene:
    """A store with a few commands in it, its checkpoints in another folder, and the key that signs both."""

    root: Path
    control: Control
    elsewhere: Path
    key: SigningKey

    @property
    def notes(self) -> Path:
        """The file of checkpoints."""
        return anchor_file(self.elsewhere, self.store_id)

    @property
    def store_id(self) -> str:
        """The id that the store's log vouches for."""
        return self.control.store.events()[0].store_id

    @property
    def sizes(self) -> list[int]:
        """Return how many events each checkpoint saw."""
        found = read_notes([self.elsewhere], self.store_id)
        return [read_note(text).size for _, _, text in found]

    def sql(self, *statements: str) -> None:
        """Do something with a SQLite shell, without the append-only triggers in the way."""
        raw_sql(self.control.store, *statements)

    def rewrite(self, change: Callable[[list[str]], list[str]]) -> None:
        """Put a log in place that is whole in itself, caches and head row with it."""
        rewritten(self.control, change)

    def command_unseen(self) -> None:
        """Give commands as the user of the key, without leaving checkpoints, until the log is longer than before."""
        control, folders = self.control, self.control.store.anchor_folders
        control.store.anchor_folders = ()
        for scope in ("automation=ticket-reply", "automation=stock-watch", "kind=workflow"):
            pause(control, scope, reason="nothing to see")
        control.store.anchor_folders = folders

    def exchange_notes(self, signer: SigningKey | None, signature_of: str = "") -> None:
        """Throw the checkpoints away and leave one of the log as it stands now."""
        self.notes.unlink(missing_ok=True)
        self.add_note(signer, signature_of=signature_of)

    def add_note(self, signer: SigningKey | None, **changed: Any) -> None:
        """Leave a checkpoint of the log as it stands now, or of what is named instead."""
        state = self.control.store.state()
        size = changed.get("size", state.event_count)
        note = note_of(
            changed.get("store_id", state.store_id), size, root=root_of(state.peaks), signer=signer
        )
        if changed.get("signature_of"):
            note = note[: -len(changed["signature_of"])] + changed["signature_of"]
        append_note((self.elsewhere,), state.store_id, note=note)

    def fingerprint(self) -> tuple[object, ...]:
        """Return everything that an attack can have touched."""
        file = settings_in(self.root).store / "store.sqlite"
        connection = apsw.Connection(str(file))
        try:
            tables = ("event", "head", "projection", "outbox", "meta", "sqlite_schema")
            rows = [list(connection.cursor().execute(f"select * from {t}")) for t in tables]
        finally:
            connection.close()
        files = sorted(self.root.glob("elsewhere/*"))
        return (*map(str, rows), *((path.name, path.read_bytes()) for path in files))


def a_scene(root: Path, defence: Defence) -> Scene:
    """Return a store whose commands left what a defence rests on, and an anchor folder in any case."""
    how = {Defence.CHAIN: "chain", Defence.UNSIGNED: "unsigned"}.get(defence, "signed")
    control, elsewhere, key = anchored(root, how)
    return Scene(root, control, elsewhere, key)


def answer_of(result: AuditResult, defence: Defence, *, touches_log: bool) -> Answer:
    """Return what a verification said, in the words of the table."""
    if result.broken_at is not None:
        if "head row" in result.finding:
            return Answer.BY_HEAD
        if "did not sign it" in result.finding:
            return Answer.BY_SIGNATURE
        if "the head note" in result.finding:
            return Answer.BY_WITNESS
        return Answer.BY_CHECKPOINT if "checkpoint" in result.finding else Answer.BY_CHAIN
    if result.stale_caches:
        return Answer.BY_CACHES
    if result.weakened_by:
        return Answer.BY_SCHEMA
    if result.drift:
        return Answer.NAMED
    if defence is Defence.CHAIN:
        return Answer.MISSED if touches_log else Answer.NOTHING
    vouched = result.anchored
    reached = vouched.size if defence is Defence.UNSIGNED else vouched.signed_size
    return Answer.MISSED if reached == result.event_count else Answer.SAID


def _reordered(bodies: list[str]) -> list[str]:
    n, m = len(bodies), len(bodies) - 1
    return [
        *bodies[:-2],
        bodies[-1].replace(f'"seq":{n}', f'"seq":{m}'),
        bodies[-2].replace(f'"seq":{m}', f'"seq":{n}'),
    ]


def _edited(bodies: list[str]) -> list[str]:
    return [body.replace("wrong amounts", "planned work") for body in bodies]


def _under_a_signature(bodies: list[str]) -> list[str]:
    """Put a release at the end with the mark of the command that placed a hold."""
    place, body = next((n, b) for n, b in enumerate(bodies, 1) if '"action":"hold.place"' in b)
    said = body.replace(f'"seq":{place},', f'"seq":{len(bodies) + 1},')
    return [*bodies, said.replace('"action":"hold.place"', '"action":"hold.release"')]


def _inserted(bodies: list[str]) -> list[str]:
    size = len(bodies)
    said = bodies[-1].replace(f'"seq":{size}', f'"seq":{size + 1}')
    return [*bodies, said.replace('"id":"', '"id":"0')]


def _restore_backup(scene: Scene) -> None:
    scene.rewrite(lambda bodies: bodies[:-2])


def _fork(scene: Scene) -> None:
    scene.rewrite(lambda bodies: bodies[:-2])
    for scope in ("automation=ticket-reply", "automation=product-copy"):
        pause(scene.control, scope, reason="on the other branch")


def _regrow(scene: Scene) -> None:
    scene.rewrite(lambda bodies: bodies[:-2])
    scene.command_unseen()


def _change_behind_new_triggers(scene: Scene) -> None:
    scene.sql(
        "update event set body = replace(body, 'wrong amounts', 'planned work')",
        "create trigger event_no_update before update on event begin select raise(abort, 'no'); end",
    )


def _write_schema(scene: Scene) -> None:
    raw_sql(
        scene.control.store,
        "pragma writable_schema = on",
        "update sqlite_schema set sql = replace(sql, 'before update', 'after insert') where name = 'event_no_update'",
        "delete from sqlite_schema where type = 'trigger'",
        "pragma writable_schema = reset",
        "update event set body = replace(body, 'wrong amounts', 'planned work')",
        without_triggers=False,
    )


def _another_store_id(scene: Scene) -> None:
    old = scene.store_id
    raw_sql(scene.control.store, "update meta set value = 'st-0' where name = 'store_id'")
    scene.rewrite(lambda bodies: [body.replace(old, "st-0") for body in bodies])


def _replay_old_note(scene: Scene) -> None:
    first = scene.notes.read_text().split("\n----\n")[0]
    scene.notes.write_text(f"{first}\n----\n")


def _no_note(scene: Scene) -> None:
    append_note((scene.elsewhere,), scene.store_id, note="workbench/x")


def _cut_log_and_notes(scene: Scene) -> None:
    kept = scene.notes.read_text().split("\n----\n")[:-2] if scene.notes.exists() else []
    size = scene.sizes[-2] if kept else len(scene.control.store.events()) - 2
    scene.rewrite(lambda bodies: bodies[:size])
    if kept:
        scene.notes.write_text("".join(f"{note}\n----\n" for note in kept))


def _only_a_copy(scene: Scene) -> tuple[Path, Path]:
    """Leave notebook and page of a report as all that is kept elsewhere."""
    copies = a_copy(scene.control, scene.elsewhere)
    scene.notes.unlink(missing_ok=True)
    return copies


def _rewritten_behind_a_copy(scene: Scene) -> None:
    _only_a_copy(scene)
    scene.rewrite(_edited)


def _in_copies(change: Callable[[Scene, str], str]) -> Callable[[Scene], None]:
    """Return the attack that edits every copy of a report, and leaves the log alone."""

    def attack(scene: Scene) -> None:
        for path in _only_a_copy(scene):
            path.write_text(change(scene, path.read_text()))

    return attack


def _with_another_root(scene: Scene, text: str) -> str:
    root = base64.b64encode(root_of(scene.control.state().peaks)).decode()
    return text.replace(root, base64.b64encode(b"r" * 32).decode())


def _with_another_log(scene: Scene, text: str) -> str:
    return text.replace(f"workbench/{scene.store_id}", "workbench/st-else")


def _with_another_head(scene: Scene, text: str) -> str:
    return text.replace(f"log head {len(scene.control.store.events())} ", "log head 2 ")


def _without_witnesses(scene: Scene, text: str) -> str:
    return (
        text.replace("wb-note", "wb-not").replace("Log head", "Log").replace('"checkpoint"', '"x"')
    )


def _rewritten_with_its_copies(scene: Scene) -> None:
    """Rewrite the log, and let every copy say the new head and an unsigned note."""
    copies = _only_a_copy(scene)
    scene.rewrite(_edited)
    scene.control.anchor_key = None
    for path in copies:
        path.unlink()
    a_copy(scene.control, scene.elsewhere)


def _own_unsigned_note(scene: Scene) -> None:
    _regrow(scene)
    scene.exchange_notes(None)


def _own_foreign_key(scene: Scene) -> None:
    _regrow(scene)
    scene.exchange_notes(make_key(scene.root / "foreign.json"))


def _forged_signature(scene: Scene) -> None:
    _regrow(scene)
    scene.exchange_notes(scene.key, signature_of="AAAAAAA=\n")


def _revoked_key(scene: Scene) -> None:
    if scene.control.store.state().keys:
        other = make_key(scene.root / "other.json")  # the last key that lasts is not revoked
        enrol_key(scene.control, Enrolment(other.public_hex, "ann", "ops-lead"))
        revoke_key(scene.control, scene.key.key_id, reason="stolen")
    scene.rewrite(_edited)
    scene.exchange_notes(scene.key)


def _is_before_people(body: str) -> bool:
    return '"key.enrol"' not in body and '"hold.place"' not in body


def _own_first_key(scene: Scene) -> None:
    thief = make_key(scene.root / "thief" / "key.json")
    scene.rewrite(lambda bodies: list(takewhile(_is_before_people, bodies)))
    scene.control.store.anchor_folders = ()
    scene.control.signer = file_signer(scene.root / "thief")
    enrol_key(scene.control, Enrolment(thief.public_hex, "mallory", "ops-lead"))
    scene.command_unseen()
    scene.exchange_notes(thief)


def _with_the_key(scene: Scene) -> None:
    _regrow(scene)
    scene.exchange_notes(scene.key)


@dataclass(frozen=True)
class Attack:
    """One attack: who can do it to what, and what each defence is to answer, in the order of `Defence`."""

    name: str
    fault: str
    do: Callable[[Scene], None]
    expected: tuple[Answer, Answer, Answer, Answer]
    touches_log: bool = True


def _sql(*statements: str) -> Callable[[Scene], None]:
    return lambda scene: scene.sql(*statements)


def _shell(*statements: str) -> Callable[[Scene], None]:
    return lambda scene: raw_sql(scene.control.store, *statements, without_triggers=False)


def _rewrite(change: Callable[[list[str]], list[str]]) -> Callable[[Scene], None]:
    return lambda scene: scene.rewrite(change)


CHAIN, HEAD, CACHES = Answer.BY_CHAIN, Answer.BY_HEAD, Answer.BY_CACHES
SIGNATURE, POINT, WITNESS = Answer.BY_SIGNATURE, Answer.BY_CHECKPOINT, Answer.BY_WITNESS
SAID, MISSED, NOTHING = Answer.SAID, Answer.MISSED, Answer.NOTHING
SCHEMA, NAMED = Answer.BY_SCHEMA, Answer.NAMED
_LAST = "(select max(seq) from event)"

WITH_A_SHELL = [
    Attack("edit a row", "F76", _sql("update event set body = replace(body, 'wrong amounts', 'planned work')"), (CHAIN,) * 4),
    Attack("delete a row", "F76", _sql("delete from event where seq = 3"), (CHAIN,) * 4),
    Attack("exchange two rows", "F76", _sql("update event set seq = -1 where seq = 4", "update event set seq = 4 where seq = 5", "update event set seq = 5 where seq = -1"), (CHAIN,) * 4),
    Attack("insert a row", "F76", _sql(f"insert into event (seq, prev_hash, hash, body) select seq + 1, hash, 'x', body from event where seq = {_LAST}"), (CHAIN,) * 4),
    Attack("duplicate a row", "F76", _sql(*PLAIN_TABLE, f"insert into event (seq, prev_hash, hash, body) select seq + 1, prev_hash, hash, body from event where seq = {_LAST}"), (CHAIN,) * 4),
    Attack("cut the tail", "F76", _sql(f"delete from event where seq = {_LAST}"), (HEAD,) * 4),
    Attack("cut the tail, head row set back", "F76", _sql(f"delete from event where seq > {_LAST} - 2", f"update head set seq = {_LAST}, hash = (select hash from event where seq = {_LAST})"), (CACHES, POINT, POINT, POINT)),
    Attack("wipe all rows", "F76", _sql("delete from event"), (HEAD,) * 4),
    Attack("drop the triggers, edit, make them again", "F76", _change_behind_new_triggers, (CHAIN,) * 4),
    Attack("`PRAGMA writable_schema`, then edit", "F76", _write_schema, (CHAIN,) * 4),
    Attack("projection says released, the log says active", "F76", _sql("update projection set body = json_set(body, '$.released_seq', 12, '$.released_by', 'ann') where entity = 'hold'"), (CACHES,) * 4),
    Attack("outbox row edited", "F76", _sql("update outbox set desired = 'running'"), (CACHES,) * 4),
]  # fmt: skip
"""Somebody with a SQLite shell changes rows as they lie."""

ON_THE_SCHEMA = [
    Attack("drop the append-only triggers, change nothing", "F76", _sql(), (SCHEMA,) * 4),
    Attack("a trigger made again, under its name, that refuses nothing", "F76", _shell("drop trigger event_no_delete", "create trigger event_no_delete before delete on event begin select 1; end"), (SCHEMA,) * 4),
    Attack("a trigger of one's own on the log", "F76", _shell("create trigger note after insert on event begin update outbox set desired = 'running'; end"), (SCHEMA,) * 4),
    Attack("a generated column dropped", "F76", _shell("alter table event drop column reason"), (SCHEMA,) * 4),
    Attack("a generated column made again, saying something else", "F76", _shell("alter table event drop column actor", "alter table event add column actor text generated always as ('ann') virtual"), (SCHEMA,) * 4),
    Attack("a column added to the log", "F76", _shell("alter table event add column note text"), (SCHEMA,) * 4),
    Attack("an index of one's own on the log", "F76", _shell("create index worded on event (json_extract(body, '$.reason'))"), (SCHEMA,) * 4),
    Attack("a check taken off by `PRAGMA writable_schema`", "F76", _shell("pragma writable_schema = on", "update sqlite_schema set sql = replace(sql, 'check (only = 1)', '') where name = 'head'", "pragma writable_schema = reset"), (SCHEMA,) * 4),
    Attack("a table and a view of one's own beside the store's", "F76", _shell("create table mine (a text)", "create view theirs as select body from event"), (NAMED,) * 4),
]  # fmt: skip
"""Somebody with a SQLite shell changes what guards the rows, and no row."""

WITH_A_PROGRAM = [
    Attack("edit", "F76", _rewrite(_edited), (MISSED, POINT, SIGNATURE, SIGNATURE)),
    Attack("reorder", "F76", _rewrite(_reordered), (MISSED, POINT, SIGNATURE, SIGNATURE)),
    Attack("insert at the end", "F76", _rewrite(_inserted), (MISSED, SAID, SAID, SAID)),
    Attack("another event at the end, under the signature of a command in the log", "F70", _rewrite(_under_a_signature), (MISSED, SAID, SIGNATURE, SIGNATURE)),
    Attack("cut the tail (also: restore a backup)", "F76", _restore_backup, (MISSED, POINT, POINT, POINT)),
    Attack("wipe down to the first event", "F76", _rewrite(lambda bodies: bodies[:1]), (MISSED, POINT, POINT, POINT)),
    Attack("fork: an older copy goes on by itself", "F76", _fork, (MISSED, POINT, POINT, POINT)),
    Attack("cut and regrow with a valid key", "F76", _regrow, (MISSED, POINT, POINT, POINT)),
    Attack("put another log id everywhere", "F77", _another_store_id, (MISSED, SAID, SIGNATURE, SIGNATURE)),
]  # fmt: skip
"""Somebody replaces the store by one that is whole in itself: chain, head row and caches worked out anew."""

ON_THE_CHECKPOINTS = [
    Attack("checkpoints thrown away", "F77", lambda s: s.notes.unlink(), (NOTHING, SAID, SAID, SAID), False),
    Attack("an old checkpoint alone is shown", "F77", _replay_old_note, (NOTHING, SAID, SAID, SAID), False),
    Attack("a checkpoint of another log among them", "F77", lambda s: s.add_note(s.key, store_id="st-else"), (NOTHING, POINT, POINT, POINT), False),
    Attack("a checkpoint larger than the log", "F77", lambda s: s.add_note(s.key, size=999), (NOTHING, POINT, POINT, POINT), False),
    Attack("a checkpoint that cannot be read", "F77", _no_note, (NOTHING, POINT, POINT, POINT), False),
]  # fmt: skip
"""Somebody who may write the anchor folder, while the log is untouched."""

ON_BOTH = [
    Attack("own note, unsigned", "F77", _own_unsigned_note, (MISSED, MISSED, SAID, SAID)),
    Attack("own note, signed by a key that nobody enrolled", "F77", _own_foreign_key, (MISSED, MISSED, SAID, SAID)),
    Attack("own note, forged signature of an enrolled key", "F77", _forged_signature, (MISSED, MISSED, POINT, POINT)),
    Attack("own note, signed by a stolen key that was revoked", "F77", _revoked_key, (MISSED, MISSED, SIGNATURE, SIGNATURE)),
    Attack("log begun anew with the attacker's key as its first", "F77", _own_first_key, (MISSED, MISSED, MISSED, SAID)),
    Attack("newest checkpoints cut off together with the tail", "F77", _cut_log_and_notes, (MISSED, MISSED, MISSED, MISSED)),
    Attack("own note, signed by a stolen key that still counts", "F77", _with_the_key, (MISSED, MISSED, MISSED, MISSED)),
]  # fmt: skip
"""Somebody who rewrites the store and may write the anchor folder as well."""

ON_COPIES = [
    Attack("the store rewritten behind a copy", "F76", _rewritten_behind_a_copy, (MISSED, WITNESS, SIGNATURE, SIGNATURE)),
    Attack("the note in a copy edited", "F77", _in_copies(_with_another_root), (NOTHING, POINT, POINT, POINT), False),
    Attack("the note in a copy exchanged for another log's", "F77", _in_copies(_with_another_log), (NOTHING, POINT, POINT, POINT), False),
    Attack("the head note in a copy edited", "F77", _in_copies(_with_another_head), (NOTHING, WITNESS, WITNESS, WITNESS), False),
    Attack("note and head note cut out of a copy", "F77", _in_copies(_without_witnesses), (NOTHING, SAID, SAID, SAID), False),
    Attack("the store rewritten and its copies with it, unsigned", "F77", _rewritten_with_its_copies, (MISSED, MISSED, SIGNATURE, SIGNATURE)),
]  # fmt: skip
"""Somebody who meets nothing elsewhere but notebook and page of one report that was mailed."""

ATTACKS = [
    *WITH_A_SHELL,
    *ON_THE_SCHEMA,
    *WITH_A_PROGRAM,
    *ON_THE_CHECKPOINTS,
    *ON_BOTH,
    *ON_COPIES,
]


@dataclass(frozen=True)
class ServerAttack:
    """One attack on a store in a PostgreSQL database, as its owner or the server's administrator, and its answer."""

    name: str
    statements: tuple[str, ...]
    expected: Answer


ON_A_SERVER = [
    ServerAttack("edit a row with the trigger switched off meanwhile", ("alter table workbench.event disable trigger user", "update workbench.event set body = replace(body, 'wrong amounts', 'planned work')", "alter table workbench.event enable trigger user"), CHAIN),
    ServerAttack("delete the newest row in a replica's session, where no trigger runs", ("set session_replication_role = replica", "delete from workbench.event where seq = (select max(seq) from workbench.event)"), HEAD),
    ServerAttack("drop a trigger, change nothing", ("drop trigger event_no_change on workbench.event",), SCHEMA),
    ServerAttack("switch a trigger off", ("alter table workbench.event disable trigger event_no_truncate",), SCHEMA),
    ServerAttack("a trigger's function made again, that refuses nothing", ("create or replace function workbench.refuse_change() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as 'begin return new; end'",), SCHEMA),
    ServerAttack("a trigger of one's own on the log", ("create trigger note before insert on workbench.event for each row execute function workbench.refuse_moved()",), SCHEMA),
    ServerAttack("a rule that turns deletes into nothing", ("create rule quiet as on delete to workbench.outbox do instead nothing",), SCHEMA),
    ServerAttack("rows hidden by row security", ("alter table workbench.event enable row level security", "create policy few on workbench.event using (seq > 3)"), SCHEMA),
    ServerAttack("a table that inherits from the log", ("create table workbench.more () inherits (workbench.event)",), SCHEMA),
    ServerAttack("the log kept without its write-ahead log", ("alter table workbench.event set unlogged",), SCHEMA),
    ServerAttack("the view of the log made again, with another actor", ("create or replace view workbench.event_fields as select e.seq, e.prev_hash, e.hash, e.body, e.body as occurred_at, 'ann' as actor, e.body as action, e.body as target, e.body as outcome, e.body as reason, e.body as correlation_id from workbench.event as e",), SCHEMA),
    ServerAttack("writers may change rows", ("grant update, delete on workbench.event to workbench_writer",), SCHEMA),
    ServerAttack("everybody may add events", ("grant insert on workbench.event to public",), SCHEMA),
    ServerAttack("one column of the log may be changed by readers", ("grant update (body) on workbench.event to workbench_reader",), SCHEMA),
    ServerAttack("the log given to another owner", ("alter table workbench.event owner to workbench_writer",), SCHEMA),
    ServerAttack("readers may not read any more", ("revoke select on workbench.event from workbench_reader",), NAMED),
    ServerAttack("an auditor's role may read, and a table of its own", ("grant select on workbench.event to pg_monitor", "create table workbench.mine (a text)"), NAMED),
]  # fmt: skip
"""Somebody who owns the tables or the server."""
