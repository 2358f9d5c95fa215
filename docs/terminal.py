"""A terminal as a picture: run a command on a pseudo-terminal and turn what it wrote into HTML."""

from __future__ import annotations

import fcntl
import html
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence

COLUMNS = 110
ROWS = 60
ESCAPE = re.compile(r"\x1b\[([0-9;]*)m")
OTHER_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-ln-z]|\x1b\][^\x07]*\x07|\x1b[()][A-Z0-9]")

# Enough of "Select Graphic Rendition" for what click writes.
STYLES = {
    1: "font-weight:700",
    2: "opacity:.6",
    3: "font-style:italic",
    4: "text-decoration:underline",
    30: "color:#15191d",
    31: "color:#ff8b80",
    32: "color:#7ddc9a",
    33: "color:#f4cf6b",
    34: "color:#8ab8ff",
    35: "color:#e3a6ff",
    36: "color:#74dbe0",
    37: "color:#e8ecef",
    90: "color:#98a4ae",
}
PAGE = """<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; background: #fff; }}
.window {{ display: inline-block; margin: 14px; border-radius: 9px; background: #15191d;
  box-shadow: 0 5px 18px rgba(0,0,0,.3); }}
.bar {{ padding: 9px 13px 0; font: 12px sans-serif; color: #98a4ae; }}
pre {{ margin: 0; padding: 9px 18px 16px; color: #e8ecef; min-width: {columns}ch;
  font: 13.5px/1.42 "DejaVu Sans Mono", monospace; }}
</style><div class="window"><div class="bar">$ {title}</div><pre>{body}</pre></div>
"""


def run_on_terminal(command: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str]:
    """Run a command as if a person had typed it; returns its exit code and all that it wrote."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    own = {**environment, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}
    child = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=follower, stderr=follower, env=own
    )
    os.close(follower)
    written = b""
    while piece := _read(leader):
        written += piece
    os.close(leader)
    return child.wait(), written.decode("utf-8", errors="replace")


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux says EIO when the last writer has gone
        return b""


def settled(text: str) -> str:
    """Return what stays on the screen: lines rewritten with a carriage return show their last state."""
    clean = OTHER_CONTROL.sub("", text.replace("\r\n", "\n"))
    return "\n".join(line.rsplit("\r", 1)[-1] for line in clean.split("\n")).strip("\n")


def as_html(text: str, *, title: str) -> str:
    """Return a page that shows terminal text, colours included, everything else escaped."""
    parts: list[str] = []
    styles: list[str] = []
    place = 0
    for match in ESCAPE.finditer(text):
        parts.append(_span(text[place : match.start()], styles))
        styles = _after(styles, match.group(1))
        place = match.end()
    parts.append(_span(text[place:], styles))
    return PAGE.format(columns=COLUMNS, title=html.escape(title), body="".join(parts))


def _span(text: str, styles: list[str]) -> str:
    escaped = html.escape(text)
    return f'<span style="{";".join(styles)}">{escaped}</span>' if styles and escaped else escaped


def _after(styles: list[str], codes: str) -> list[str]:
    for code in (int(part or 0) for part in codes.split(";")):
        if code == 0:
            styles = []
        elif code in STYLES:
            kind = STYLES[code].split(":")[0]
            styles = [s for s in styles if not s.startswith(f"{kind}:")] + [STYLES[code]]
    return styles
