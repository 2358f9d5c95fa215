"""Two clocks of one machine, read together: the one that people set, and the one that nobody can."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from workbench.identity import boot_id


def read_clocks() -> dict[str, Any]:
    """Return wall clock and running clock, read together, in nanoseconds, and what the second belongs to.

    The running clock counts since the machine was started, asleep too, and nobody can set it: where the wall
    clock moved by another amount meanwhile, it was set. Both are slewed alike, so slewing is no difference.
    """
    running = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    wall_ns, running_ns = time.time_ns(), time.clock_gettime_ns(running)
    return {
        "runs_in": f"{boot_id()} {_time_namespace()}",
        "wall_ns": wall_ns,
        "running_ns": running_ns,
    }


def _time_namespace() -> str:
    """Return what tells a container with a running clock of its own from the others of one machine."""
    try:
        return os.readlink("/proc/self/ns/time")
    except OSError:
        return ""


def jumped_seconds(then: Mapping[str, Any], now: Mapping[str, Any]) -> float | None:
    """Return by how much the wall clock was set between two readings, forward positive.

    None where they cannot be compared: another machine, or this one started again meanwhile.
    """
    try:
        if then["runs_in"] != now["runs_in"] or str(now["runs_in"]).startswith(" "):
            return None
        passed = [int(now[name]) - int(then[name]) for name in ("wall_ns", "running_ns")]
    except (KeyError, TypeError, ValueError):
        return None
    return (passed[0] - passed[1]) / 1e9
