"""What a supervised process tells systemd: that it is up, what it is doing, and that it does not hang."""

from __future__ import annotations

import contextlib
import socket


class Supervisor:
    """Sends words to the socket of a supervisor (sd_notify(3)); without one nothing is sent."""

    def __init__(self, address: str) -> None:
        """Remember the socket's address, as `NOTIFY_SOCKET` has it; an empty one is none."""
        self._address = f"\0{address[1:]}" if address.startswith("@") else address

    def tell(self, words: str) -> None:
        """Send words such as READY=1; a supervisor that cannot be told stops nothing."""
        if not self._address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.sendto(words.encode(), self._address)
