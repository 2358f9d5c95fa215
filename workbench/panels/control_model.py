"""The state of the control panel: always re-read from the store, never kept as the only copy."""

from __future__ import annotations

import threading
from datetime import datetime

import traitlets

from workbench.control.views import Status
from workbench.errors import StorageUnavailable, WorkbenchError
from workbench.panels.pause_model import PauseModel
from workbench.panels.ports import PanelControl
from workbench.panels.resume_model import ResumeModel
from workbench.panels.signoff_model import SignoffModel
from workbench.records import HeadNote, HoldState, Target, TargetState

REFRESH_SECONDS = 1.0
NARROW = "narrow restart"
"""The state of an automation that gets through its holds."""

REFRESH_PATIENCE_SECONDS = 2.0
"""An action waits so long for a re-read that is under way; a hung read must not hold up a pause."""


class ControlModel(traitlets.HasTraits):
    """State of the whole panel: whose store, what is paused, how far, and the three forms.

    Attributes:
        recorded_at: the instant of a recorded clock, or None; every screen then says DEMO.
        actor: who the log will name for what is clicked here.
        head: which store this is and where its log stands.
        statuses: every automation with its state; `holds` are those that stand, newest first.
        hosts: hosts whose mirrors report, the silent ones first.
        flags: what somebody should look at; `pressing` those of them that are never folded away.
        publication_fault: why gates may not know the newest state.
        targets: how far the hold `watched_id` has come.
        read_at: when the store was last read; `read_problem` says why it cannot be read now.
        reach: what the status line says while it cannot be; empty while it can.
        spooled: which pauses the spools hold meanwhile.
    """

    recorded_at = traitlets.Instance(datetime, allow_none=True)
    actor = traitlets.Unicode()
    head = traitlets.Instance(HeadNote, allow_none=True)
    statuses = traitlets.Tuple()
    holds = traitlets.Tuple()
    hosts = traitlets.Tuple()
    flags = traitlets.Tuple()
    pressing = traitlets.Tuple()
    publication_fault = traitlets.Unicode()
    watched_id = traitlets.Unicode()
    targets = traitlets.Tuple()
    read_at = traitlets.Instance(datetime, allow_none=True)
    read_problem = traitlets.Unicode()
    reach = traitlets.Unicode()
    spooled = traitlets.Unicode()

    def __init__(
        self, control: PanelControl, *, actor: str = "", recorded_at: datetime | None = None
    ) -> None:
        """Take the control layer and read the store once."""
        super().__init__(actor=actor, recorded_at=recorded_at)
        self._control = control
        self._read_lock = threading.Lock()
        self._stopped = threading.Event()
        self.pause = PauseModel(control)
        self.resume = ResumeModel(control)
        self.signoff = SignoffModel(control.desk, actor=actor)
        self.pause.observe(lambda change: self.watch(change["new"].hold.hold_id), "receipt")
        self.resume.observe(lambda _: self.refresh(), "opened_count")
        self.signoff.observe(lambda _: self.refresh(), "given_count")
        self.refresh()

    @property
    def stopped_count(self) -> int:
        """Return how many automations a hold stops now."""
        return sum(row.state == "paused" for row in self.statuses)

    @property
    def narrow_count(self) -> int:
        """Return how many automations get through their holds in a narrow restart."""
        return sum(row.state == NARROW for row in self.statuses)

    @property
    def not_stopped_count(self) -> int:
        """Return how many automations are under a hold that does not stop them."""
        return sum(row.state.startswith("held") for row in self.statuses)

    @property
    def unconfirmed_count(self) -> int:
        """Return how many targets of the watched hold ask the gate and have not confirmed yet."""
        return sum(
            target.confirmed_at is None
            and (
                target.delivered_at is not None
                or target.state in (TargetState.UNREACHABLE, TargetState.CANNOT)
            )
            for target in self.targets
        )

    @property
    def overdue_count(self) -> int:
        """Return how many holds are past their review and still pause."""
        return sum(view.state is HoldState.LAPSED for view in self.holds)

    def watch(self, hold_id: str) -> None:
        """Show the targets of a hold."""
        self.watched_id = hold_id
        self.refresh()

    def choose_resume(self, hold_id: str) -> None:
        """Open the resume form of a hold."""
        chosen = [view for view in self.holds if view.hold.hold_id == hold_id]
        self.resume.choose(chosen[0] if chosen else None)

    def refresh(self) -> None:
        """Read everything shown again from the store; failing, keep what is shown and say since when."""
        if not self._read_lock.acquire(timeout=REFRESH_PATIENCE_SECONDS):
            self._say_unread("The store has not answered yet.", "THE STORE HAS NOT ANSWERED")
            return
        try:
            self._read()
            if self.reach:
                self.pause.look_again()
            self.reach = self.read_problem = ""
        except StorageUnavailable as error:
            self.spooled = self._control.spool_words()
            self._say_unread(f"{error.message} ({error.then})", "THE STORE CANNOT BE REACHED")
        except WorkbenchError as error:
            self._say_unread(f"{error.message} ({error.then})")
        except Exception as error:  # noqa: BLE001 - the thread that re-reads must outlive any one failure
            self._say_unread(f"{type(error).__name__}: {error}")
        finally:
            self._read_lock.release()

    def _say_unread(self, why: str, reach: str = "THE STORE CANNOT BE READ") -> None:
        since = f" since {self.read_at:%H:%M:%S} UTC" if self.read_at else ""
        self.reach, self.read_problem = f"{reach}{since}; the kernel answers", why

    def start(self) -> None:
        """Re-read once a second from a daemon thread until stopped."""
        threading.Thread(
            target=self._refresh_until_stopped, name="panel-refresh", daemon=True
        ).start()

    def stop(self) -> None:
        """Re-read no more."""
        self._stopped.set()

    def _refresh_until_stopped(self) -> None:
        while not self._stopped.wait(REFRESH_SECONDS):
            self.refresh()

    def _status(self) -> Status:
        """Read the state; what went to the spool meanwhile is recorded first, as every command does."""
        status = self._control.status()
        if not self.spooled and not self.pause.is_spooled:
            return status
        self._control.take_in_spooled()
        self.spooled = self._control.spool_words()
        if not self.spooled:
            self.pause.taken_in()
        return self._control.status()

    def _read(self) -> None:
        status = self._status()
        self.head = status.head
        self.holds = status.holds
        self.statuses = status.automations
        self.pause.offer(row.automation for row in status.automations)
        self.hosts = status.hosts
        self.pressing, self.flags = status.pressing, status.flags
        self.publication_fault = status.publication_fault
        standing = [view.hold.hold_id for view in status.holds]
        if self.watched_id not in standing:
            self.watched_id = standing[0] if standing else ""
        self.targets = self._look_at_targets()
        self._follow_receipt(standing)
        self.resume.follow(status.holds)
        self.signoff.follow()
        self.read_at = status.now

    def _follow_receipt(self, standing: list[str]) -> None:
        """Let the pause form say what is so now of the pause that it last made, watched or not."""
        hold_id = self.pause.awaited_id
        if not hold_id:
            return
        targets = self.targets
        if hold_id != self.watched_id:
            targets = self._control.targets(hold_id) if hold_id in standing else ()
        self.pause.follow(targets, self.publication_fault)

    def _look_at_targets(self) -> tuple[Target, ...]:
        if not self.watched_id:
            return ()
        receipt = self.pause.receipt
        if receipt is not None and receipt.hold.hold_id == self.watched_id:
            # What arrives after the click is evidence, too, and a review asks for it later.
            return self._control.observe(self.watched_id)
        return self._control.targets(self.watched_id)
