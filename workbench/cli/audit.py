"""`workbench audit`: verify and show the audit log."""

from __future__ import annotations

from pathlib import Path

import click

from workbench.cli.present import as_json, demo_words, head_line, one_line, store_line, table, when
from workbench.errors import AuditBroken, NotFound, Refused, UsageFault
from workbench.records import Event
from workbench.settings import Settings
from workbench.store import open_store
from workbench.store.audit import AuditResult, verify_chain, verify_store
from workbench.store.exporting import VERIFIER, export_log
from workbench.store.witness import Witness, read_witness


@click.group()
def command() -> None:
    """Verify and show the audit log."""


@command.command("verify")
@click.option(
    "--anchors",
    "folders",
    multiple=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder with checkpoints kept elsewhere; may be given several times. Default: WORKBENCH_ANCHORS.",
)
@click.option(
    "--trust-key",
    "trusted",
    multiple=True,
    help="Public key in hex that counts as a signer of checkpoints, instead of those that the log enrolled.",
)
@click.option(
    "--head",
    "heads",
    multiple=True,
    help="Head note from a print-out or report, as `12 5b1c5bb09385265d` or the whole line; several may be given.",
)
@click.option(
    "--require-anchor",
    is_flag=True,
    help="Fail unless a signed checkpoint vouches for the newest event.",
)
@click.option(
    "--chain-only",
    is_flag=True,
    help="Chain and checkpoints alone, for a very long log; signers are those of --trust-key.",
)
@click.option("--json", "is_json", is_flag=True, help="Machine-readable output.")
def verify(
    folders: tuple[Path, ...],
    trusted: tuple[str, ...],
    heads: tuple[str, ...],
    *,
    require_anchor: bool,
    chain_only: bool,
    is_json: bool,
) -> None:
    """Recompute the chain and compare it with the stored one and with every checkpoint. Exit code 14: broken."""
    settings = Settings.from_environment()
    _refuse_absent(folders)
    anchors = folders or settings.anchor_folders
    store = open_store(settings, settings.clock())
    if chain_only:
        _refuse_heads(heads)
        result = verify_chain(store, anchors=anchors, trusted=_keys(trusted))
    else:
        keys, witnesses = _keys(trusted), _witnesses(heads)
        result = verify_store(store, anchors=anchors, trusted=keys, witnesses=witnesses)
    if is_json:
        may_change = list(map(str, store.changers()))
        click.echo(as_json({**_document(result), "may_change": may_change}))
    if not result.is_ok:
        raise AuditBroken(_why_broken(result), next_step=_way_out(result))
    if require_anchor and result.anchored.signed_size != result.event_count:
        raise Refused(
            f"No signed checkpoint vouches for event {result.event_count}: {one_line(result.finding)}.",
            next_step="give any command with an enrolled key, or name where checkpoints are with `--anchors`",
        )
    if not is_json:
        click.echo(f"{demo_words(settings)}{one_line(result.finding)}")
        if changers := ", ".join(map(str, store.changers())):
            click.echo(f"May change the log, whatever guards it: {one_line(changers)}")
        if result.head is not None:
            head_line(result.head)


def _refuse_absent(folders: tuple[Path, ...]) -> None:
    """Raise UsageFault for a folder that is named and not there: a slip must not read as a log without anchors."""
    if absent := [folder for folder in folders if not folder.is_dir()]:
        raise UsageFault(
            f"--anchors {one_line(str(absent[0]))}: there is no such folder; nothing was verified.",
            next_step="name the folder that holds the file ST-ID.checkpoints, or leave --anchors out",
        )


def _refuse_heads(heads: tuple[str, ...]) -> None:
    """Raise UsageFault for head notes where only the chain is verified: they would not be compared."""
    if heads:
        raise UsageFault(
            "With --chain-only head notes are not compared.", next_step="leave one out"
        )


@command.command("export")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def export(folder: Path) -> None:
    """Write the log to FOLDER with its checkpoints and a verifier that needs no workbench.

    The checkpoints are those of WORKBENCH_ANCHORS and of the reports in WORKBENCH_HOME, each once.
    """
    from workbench.reports.shelf import Shelf

    settings = Settings.from_environment()
    store = open_store(settings, settings.clock())
    made = export_log(
        store,
        folder,
        anchors=settings.anchor_folders,
        shelf=Shelf(settings.home, store.meta()["store_id"]).folder,
    )
    click.echo(
        f"{demo_words(settings)}{made.event_count:,} events in {one_line(str(folder))}, with "
        f"{made.note_count:,} different checkpoints as witnesses, {made.reported_count:,} of them in reports"
    )
    click.echo(f"Verify it anywhere: python {folder / VERIFIER}")
    head_line(made.head)


def _keys(trusted: tuple[str, ...]) -> list[str]:
    from workbench.store.keys import key_id_of

    for public_hex in trusted:
        try:
            key_id_of(public_hex)
        except ValueError as exc:
            raise UsageFault(f"--trust-key {one_line(public_hex)[:80]}: {exc}.") from exc
    return [public_hex.lower() for public_hex in trusted]


def _document(result: AuditResult) -> dict[str, object]:
    return {
        "is_ok": result.is_ok,
        "event_count": result.event_count,
        "broken_at": result.broken_at,
        "finding": result.finding,
        "stale_caches": list(result.stale_caches),
        "schema_faults": list(result.weakened_by),
        "schema_extras": [one.finding for one in result.drift if one.is_harmless],
        "anchored_seq": result.anchored.size,
        "signed_seq": result.anchored.signed_size,
        "foreign_count": result.anchored.foreign_count,
    }


def _witnesses(heads: tuple[str, ...]) -> list[Witness]:
    found = []
    for head in heads:
        try:
            found.append(read_witness(head))
        except ValueError as exc:
            raise UsageFault(f"--head {one_line(head)[:80]}: {exc}.") from exc
    return found


def _why_broken(result: AuditResult) -> str:
    if result.broken_at is not None:
        return f"The audit log is {one_line(result.finding)}."
    holds = f"the log itself holds to event {result.event_count}"
    if result.stale_caches:
        names = one_line(", ".join(result.stale_caches[:3]))
        return (
            f"{len(result.stale_caches)} rows kept beside the log were altered ({names}); "
            f"{holds} and wins."
        )
    return (
        f"What guards the log was changed: {one_line(', '.join(result.weakened_by))}; "
        f"{holds}, and the database no longer refuses what it did."
    )


def _way_out(result: AuditResult) -> str | None:
    """Return the next step where it is another than that of a broken log."""
    if result.broken_at is not None or result.stale_caches:
        return None
    return (
        "find out who did it, then `workbench store migrate --to PLACE`: "
        "it copies the log, verified, into a schema that is whole"
    )


@command.command("show")
@click.option(
    "--after",
    "after_seq",
    type=click.IntRange(0, 2**53),
    default=0,
    help="Show events after this one.",
)
@click.option("--hold", "hold_id", default="", help="Show only events about this hold.")
@click.option("--json", "is_json", is_flag=True, help="Machine-readable output, one event a line.")
def show(after_seq: int, hold_id: str, is_json: bool) -> None:
    """Show the events of the log in order."""
    settings = Settings.from_environment()
    store = open_store(settings, settings.clock())
    events = store.events(after_seq=after_seq)
    if hold_id:
        events = _about(hold_id, store.events(), after_seq)
    if is_json:
        for event in events:
            click.echo(event.body)
        return
    head = store.head_note()
    click.echo(store_line(head, settings))
    rows = [
        (e.seq, when(e.occurred_at), e.actor, e.action, e.target, e.outcome, _short(e.reason))
        for e in events
    ]
    click.echo(table(["event", "when", "actor", "action", "target", "outcome", "reason"], rows))
    head_line(head)


def _about(hold_id: str, events: list[Event], after_seq: int) -> list[Event]:
    """Return the events about a hold, the ends of its narrow restarts included; raises NotFound."""
    ids = {hold_id} | {e.target for e in events if e.payload.get("hold_id") == hold_id}
    found = [e for e in events if e.target in ids or e.correlation_id == hold_id]
    if not found:
        raise NotFound(
            f"The log has no event about {hold_id}.", next_step="try `workbench hold list --all`"
        )
    return [e for e in found if e.seq > after_seq]


def _short(reason: str) -> str:
    return reason if len(reason) <= 80 else f"{reason[:77]}..."
