"""One tree of errors: each class names its exit code, and its docstring is the default message."""

from __future__ import annotations

from typing import ClassVar


class WorkbenchError(Exception):
    """Something went wrong in the workbench; run `workbench doctor`."""

    exit_code: ClassVar[int] = 1
    next_step: ClassVar[str] = "run `workbench doctor`"

    def __init__(self, message: str | None = None, *, next_step: str | None = None) -> None:
        """Keep one sentence for people and, apart from it, what to do next."""
        self.message = message or (self.__class__.__doc__ or "").strip()
        self.then = next_step or self.next_step
        super().__init__(self.message)

    def diagnostics(self) -> dict[str, str]:
        """Return what happened, of which kind it is, and the next step."""
        return {"error": type(self).__name__, "message": self.message, "next_step": self.then}


class UsageFault(WorkbenchError):
    """The command was not understood; add `--help` to see its form."""

    exit_code = 2
    next_step = "add `--help` to see the form of the command"


class ScopeError(UsageFault):
    """The scope is not valid; write it as `kind=agent,provider=acme-llm` or `*`."""

    next_step = "try `workbench find TEXT` to get scopes proposed"


class Refused(WorkbenchError):
    """The command is refused."""

    exit_code = 3
    next_step = "read the reason; nothing was changed"


class Conflict(Refused):
    """The same command id was used before with other content; nothing was changed."""

    next_step = "give the new command an id of its own"


class NotFound(WorkbenchError):
    """No such thing is known here."""

    exit_code = 4
    next_step = "try `workbench find TEXT`"


class NoMatch(NotFound):
    """The scope covers no automation, so nothing would stop."""

    next_step = "try `workbench find TEXT` to get scopes that match"


class NotConfirmed(WorkbenchError):
    """The hold is recorded, but not every automation has confirmed it."""

    exit_code = 10
    next_step = "watch with `workbench status`, and stop what is UNCONFIRMED or UNREACHABLE by hand"


class Spooled(WorkbenchError):
    """The store could not record the pause; the spool keeps it, and gates hold what it covers."""

    exit_code = 11
    next_step = "mend the store; the next command that works records the pause as a hold"


class ReportIncomplete(WorkbenchError):
    """The report could not be completed; what there is says INCOMPLETE."""

    exit_code = 12
    next_step = "open the report to see the failing cell"


class TooManyRejects(WorkbenchError):
    """More lines were rejected than allowed."""

    exit_code = 13
    next_step = 'see them with `workbench sql "select * from ingest_reject"`'


class AuditBroken(WorkbenchError):
    """The audit log does not verify."""

    exit_code = 14
    next_step = "keep the store as it is and compare it with the head notes in earlier reports"


class StorageUnavailable(WorkbenchError):
    """The store or the warehouse cannot be used."""

    exit_code = 15
    next_step = "run `workbench doctor`"


class NothingPaused(StorageUnavailable):
    """The store could not record the pause and no spool took it: NOTHING is paused."""

    next_step = "stop by hand what must not run, then run `workbench doctor`"


class StoreMissing(StorageUnavailable):
    """No store is there, and none is ever made silently."""

    next_step = (
        "point WORKBENCH_STORE at it, or make one with `workbench store init --environment E`"
    )


class WarehouseError(StorageUnavailable):
    """The warehouse cannot be read or written."""


class QueryError(StorageUnavailable):
    """The query cannot be run."""

    next_step = "see the query's header for its parameters"


class EngineError(WorkbenchError):
    """The engine did not answer as expected."""

    exit_code = 16
    next_step = "check the engine's address and that it is up"


class BadSettings(WorkbenchError):
    """The settings or the registry are not valid."""

    exit_code = 17
    next_step = "mend the named line and run the command again"


class SourceError(Refused):
    """The file cannot be loaded as it is; nothing of it was loaded."""

    next_step = "mend or convert the file and load it again; nothing of it was loaded"


def why_unreadable(exc: OSError | UnicodeError) -> str:
    """Return in words why a file cannot be read: the system's own begin with a number and name the file again."""
    if isinstance(exc, UnicodeError):
        return "it is not text in UTF-8"
    if isinstance(exc, FileNotFoundError):
        return "there is no such file"
    if isinstance(exc, IsADirectoryError):
        return "it is a folder, not a file"
    return exc.strerror or type(exc).__name__


def in_words(exc: Exception) -> str:
    """Return what went wrong without the number and the path that an error of the system has around it."""
    return exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
