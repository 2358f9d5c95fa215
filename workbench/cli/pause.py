"""`workbench pause`: place a hold and watch until it is confirmed."""

from __future__ import annotations

import contextlib
import sys
import uuid
from datetime import datetime

import click

from workbench.cli.pause_spool import (
    pause_without_store,
    show_what_is_known,
    spooled_document,
)
from workbench.cli.present import (
    as_json,
    ask,
    head_line,
    host_documents,
    hosts_table,
    not_delivered,
    one_line,
    scope_words,
    store_line,
    table,
    typed_again,
    when,
)
from workbench.clock import from_text
from workbench.control import Control, open_control
from workbench.control.commands import CONFIRM_WAIT_SECONDS
from workbench.control.placing import PauseRequest
from workbench.control.spooling import NO_MEMORY, Asker
from workbench.control.views import PauseReceipt, Preview
from workbench.errors import (
    BadSettings,
    NoMatch,
    NothingPaused,
    Refused,
    Spooled,
    StorageUnavailable,
    UsageFault,
    in_words,
)
from workbench.records import Automation, Mode, Purpose, TargetState
from workbench.settings import Settings

NOT_CONFIRMED_EXIT_CODE = 10


@click.command()
@click.argument("scope")
@click.option("--reason", "-r", default="", help="Why; asked for on a terminal.")
@click.option(
    "--mode", type=click.Choice([str(m) for m in Mode]), default=str(Mode.FREEZE), show_default=True
)
@click.option(
    "--purpose",
    type=click.Choice([str(p) for p in Purpose]),
    default=str(Purpose.INCIDENT),
    show_default=True,
)
@click.option("--incident", default="", help="Incident id, e.g. I-2.")
@click.option(
    "--review-by", default="", help="Instant after which the hold reads *overdue, still paused*."
)
@click.option(
    "--unregistered", is_flag=True, help="Hold automation=ID although it is not registered."
)
@click.option("--as", "role", help="Role you act for.")
@click.option("--command-id", default=None, help="Client-made id; the same id never acts twice.")
@click.option("--no-wait", is_flag=True, help="Do not wait for confirmation.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--json", "is_json", is_flag=True, help="Machine-readable output.")
def command(**options: object) -> int:
    """Pause SCOPE, e.g. `workbench pause kind=agent,provider=acme-llm --reason "wrong amounts"`.

    Exit code 0: every automation has confirmed. 10: recorded, not all confirmed. 11: the store could not
    record it, but gates hold it.
    """
    try:
        settings = Settings.from_environment()
    except BadSettings as exc:
        raise BadSettings(f"{exc.message} NOTHING is paused.", next_step=exc.then) from exc
    options["command_id"] = _text(options["command_id"]) or uuid.uuid4().hex
    try:
        return _pause(settings, options)
    except Spooled as exc:
        if not options["is_json"]:
            raise
        click.echo(spooled_document(exc))
        return exc.exit_code
    except NothingPaused:
        raise
    except StorageUnavailable as exc:
        return _spool(settings, options, exc)
    except OSError as exc:
        if exc.filename is None:  # a print-out that nobody takes, before anybody was sure
            raise
        why = f"{exc.filename} cannot be used: {in_words(exc)}."
        return _spool(settings, options, StorageUnavailable(why))
    except MemoryError:
        return _spool(settings, options, StorageUnavailable(NO_MEMORY))


def _pause(settings: Settings, options: dict[str, object]) -> int:
    control = open_control(settings, role=_text(options["role"]) or None)
    is_json, is_sure = bool(options["is_json"]), bool(options["yes"])
    mode = Mode(_text(options["mode"]))
    scope = _text(options["scope"])
    if not is_json:
        # Where nobody is asked, a pipe that closed or a disk that is full must not stop the pause.
        with contextlib.suppress(OSError) if is_sure else contextlib.nullcontext():
            click.echo(store_line(control.head_note(), settings))
            _show_what_comes(control, scope, mode, is_unregistered=bool(options["unregistered"]))
    request = _request(options)
    if not is_sure:
        _be_sure(is_json, reason=request.reason)
    wait = 0.0 if options["no_wait"] else CONFIRM_WAIT_SECONDS
    receipt = control.pause(request, command_id=_text(options["command_id"]), wait_seconds=wait)
    _refuse_released(receipt)
    try:
        click.echo(as_json(receipt_document(receipt)) if is_json else receipt_text(receipt))
        if not is_json:
            head_line(receipt.head)
    except OSError as exc:
        said = f"{receipt.hold.hold_id} is recorded; its receipt cannot be printed: {exc.strerror}."
        with contextlib.suppress(OSError):
            click.echo(f"workbench: {said}\n    next: see `workbench status`", err=True)
    return 0 if receipt.is_confirmed else NOT_CONFIRMED_EXIT_CODE


def _spool(settings: Settings, options: dict[str, object], cause: StorageUnavailable) -> int:
    """Hand the pause to the spool, for the store cannot be used; asks as a pause does."""
    is_json, is_sure = bool(options["is_json"]), bool(options["yes"])
    if not is_sure and not is_json:
        show_what_is_known(settings, _text(options["scope"]), cause=cause)
    elif not is_sure:
        _be_sure(is_json, reason=_text(options["reason"]))
    asker = Asker(_text(options["role"]) or None, settings.clock().now())
    error = pause_without_store(
        settings,
        _request(options),
        command_id=_text(options["command_id"]),
        asker=asker,
        cause=cause,
    )
    if not isinstance(error, Spooled) or not is_json:
        raise error from cause
    click.echo(spooled_document(error))
    return error.exit_code


def _request(options: dict[str, object]) -> PauseRequest:
    return PauseRequest(
        scope=_text(options["scope"]),
        reason=_reason(_text(options["reason"]), bool(options["yes"]) or bool(options["is_json"])),
        mode=Mode(_text(options["mode"])),
        purpose=Purpose(_text(options["purpose"])),
        incident_id=_text(options["incident"]),
        review_by=_instant(_text(options["review_by"])),
        is_unregistered=bool(options["unregistered"]),
    )


def _show_what_comes(control: Control, scope: str, mode: Mode, *, is_unregistered: bool) -> None:
    try:
        show_preview(control.preview(scope, mode))
    except NoMatch as exc:
        if not is_unregistered:
            raise _with_way_out(exc, scope) from exc
        click.echo("  Not registered: the hold will stand on exactly this id.")


def _with_way_out(exc: NoMatch, scope: str) -> NoMatch:
    """Name `--unregistered` where one automation was meant that the registry may not know yet."""
    way_out = " or, when the id is right, add `--unregistered`"
    is_of_one = scope.startswith("automation=") and "," not in scope
    return NoMatch(exc.message, next_step=exc.then + way_out * is_of_one)


def show_preview(preview: Preview) -> None:
    """Print every automation that a hold would cover and what it would not stop."""
    rows = [
        (a.automation_id, a.kind, a.category, a.owner, _stopped_by(preview, a))
        for a in preview.automations
    ]
    click.echo(table(["automation", "kind", "category", "owner", "stopped by"], rows))
    for note in preview.notes:
        click.echo(f"  {one_line(note)}")


def _stopped_by(preview: Preview, automation: Automation) -> str:
    by = ["the gate"] if automation.asks_gate else []
    if automation.automation_id in preview.stopped_by_engine:
        by.append(automation.engine)
    return " and ".join(by) or "NOTHING: not stopped"


def receipt_text(receipt: PauseReceipt) -> str:
    """Return the print-out of a pause: the four steps apart, those not yet there on top."""
    hold = receipt.hold
    rows = [
        (
            t.automation_id,
            t.state,
            when(t.recorded_at),
            when(t.delivered_at),
            when(t.confirmed_at),
            when(t.quiet_at),
            t.remark,
        )
        for t in receipt.targets
    ]
    again = " (the same command id as before: nothing was added)" if receipt.is_repeat else ""
    lines = [
        f"\n{hold.hold_id} placed on {scope_words(hold.scope)} ({hold.mode}) at {when(hold.placed_at)}{again}",
        f"{receipt.confirmed_count} of {len(receipt.targets)} automations confirmed.",
        table(["automation", "state", "recorded", "delivered", "confirmed", "quiet", "note"], rows),
    ]
    if receipt.hosts:
        lines.append(hosts_table(receipt.hosts))
    elif any(t.state is TargetState.UNCONFIRMED for t in receipt.targets):
        folder = one_line(receipt.gate_folder)
        lines.append(f"Published to {folder}; automations must read the same WORKBENCH_GATE.")
    if receipt.publication_fault:
        lines.append(not_delivered(receipt.publication_fault))
    if waiting := [t.automation_id for t in receipt.targets if t.confirmed_at is None]:
        lines.append(f"NOT ALL CONFIRMED: stop by hand, or look at, {', '.join(waiting)}.")
    lines += _not_told(receipt)
    lines.append(f"Next: `workbench review {hold.hold_id}` when you want to restart it.")
    return "\n".join(lines)


def _not_told(receipt: PauseReceipt) -> list[str]:
    """Say which hosts were not told of the hold: whatever they run may go on."""
    found = [f"NOT TOLD: {one_line(view.sentence)}." for view in receipt.not_told]
    more = "NOT TOLD: there are more hosts than can be looked at; see `workbench doctor`."
    return [*found, *([more] if receipt.has_more_hosts else [])]


def receipt_document(receipt: PauseReceipt) -> dict[str, object]:
    """Return the receipt as plain values."""
    return {
        "hold_id": receipt.hold.hold_id,
        "scope": receipt.hold.scope,
        "mode": str(receipt.hold.mode),
        "placed_at": receipt.hold.placed_at,
        "is_repeat": receipt.is_repeat,
        "confirmed_count": receipt.confirmed_count,
        "target_count": len(receipt.targets),
        "publication_fault": receipt.publication_fault,
        "gate_folder": receipt.gate_folder,
        "is_confirmed": receipt.is_confirmed,
        "hosts": host_documents(receipt.hosts),
        "targets": [
            {
                "automation_id": t.automation_id,
                "state": str(t.state),
                "recorded_at": t.recorded_at,
                "delivered_at": t.delivered_at,
                "confirmed_at": t.confirmed_at,
                "quiet_at": t.quiet_at,
                "note": t.remark,
            }
            for t in receipt.targets
        ],
        "head": {"seq": receipt.head.seq, "hash": receipt.head.hash},
    }


def _reason(given: str, is_quiet: bool) -> str:
    if given.strip() or is_quiet or not sys.stdin.isatty():
        return given
    answer: str = click.prompt("Reason")
    return answer


def _be_sure(is_json: bool, *, reason: str) -> None:
    """Ask before a pause; a program that wants JSON is not asked, a person who does says `--yes`."""
    lacking = () if reason.strip() else ("--reason", "TEXT")
    if not is_json:
        ask("Pause these?", *lacking)
    elif sys.stdin.isatty():
        raise UsageFault(
            "With `--json` nothing is asked, so nothing was paused.",
            next_step=typed_again(*lacking, "--yes"),
        )


def _refuse_released(receipt: PauseReceipt) -> None:
    """Say plainly that a repeated command id names a hold that stops nothing any more."""
    hold = receipt.hold
    if hold.released_seq is not None:
        raise Refused(
            f"This command id placed {hold.hold_id}, which was released at "
            f"{when(hold.released_at)}; it stops nothing now and nothing was added.",
            next_step="pause again with a new command id",
        )


def _instant(text: str) -> datetime | None:
    if not text:
        return None
    try:
        return from_text(text)
    except ValueError as exc:
        raise UsageFault(
            f"--review-by: {exc}. NOTHING is paused.",
            next_step=f"to pause now, without it: {typed_again(without=['--review-by VALUE'])}",
        ) from exc


def _text(value: object) -> str:
    return str(value) if value is not None else ""
