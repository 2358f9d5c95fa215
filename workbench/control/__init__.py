"""Commands on the store: pause, resume, decide, and what screens read."""

from workbench.control.commands import Control
from workbench.control.opening import open_control

__all__ = ["Control", "open_control"]
