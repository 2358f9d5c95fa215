"""The kernel a report runs in: this very Python, with these very settings."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager

import workbench
from workbench.settings import Settings, child_environment

PACKAGE_ROOT = Path(workbench.__file__).resolve().parent.parent


def kernel_manager_for(settings: Settings) -> type[AsyncKernelManager]:
    """Return a kernel manager class whose kernels see the given settings.

    A kernel looked up by the name `python3` may be one that the user installed for another project, so
    the specification is made here instead of searched for.
    """
    specification = _specification(settings)

    class ReportKernelManager(AsyncKernelManager):
        """Starts this Python as the kernel, whatever name the notebook carries."""

        @property
        def kernel_spec(self) -> KernelSpec:
            """Return the specification of this interpreter."""
            return specification

    return ReportKernelManager


def _specification(settings: Settings) -> KernelSpec:
    environment = child_environment(settings, WORKBENCH_UNATTENDED="1")
    search_path = [str(PACKAGE_ROOT), *filter(None, environment.get("PYTHONPATH", "").split(":"))]
    options: dict[str, Any] = {
        "argv": [
            sys.executable,
            "-m",
            "ipykernel_launcher",
            "--IPKernelApp.log_level=ERROR",
            "--HistoryManager.enabled=False",
            "-f",
            "{connection_file}",
        ],
        "display_name": "Python 3",
        "language": "python",
        "env": {
            **settings.as_environment(),
            "WORKBENCH_UNATTENDED": "1",
            "PYTHONPATH": ":".join(search_path),
        },
    }
    return KernelSpec(**options)
