"""`workbench demo`: the first two minutes of a newcomer."""

from __future__ import annotations

from pathlib import Path

import click

from workbench.errors import UsageFault


@click.command()
@click.option("--no-open", is_flag=True, help="Do not open the reports in a browser.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="Folder to play in, instead of where WORKBENCH_* point.",
)
@click.option(
    "--recording",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=None,
    help="Folder of another recording, instead of the shipped one.",
)
@click.option(
    "--live",
    "is_live",
    is_flag=True,
    help="Play on a real Prefect server of its own environment (`make demo-live`).",
)
def command(no_open: bool, folder: Path | None, recording: Path | None, is_live: bool) -> None:
    """Show pause, proof, refusal, reports and a narrow restart, in a store of the demo's own.

    Real processes, real commands; the reports are of a recorded incident. A second demo replaces the
    first; any other store is refused.
    """
    if is_live:
        if recording is not None:
            raise UsageFault("`--live` plays nothing that was recorded; leave `--recording` out.")
        from workbench.demo.on_prefect.play import LiveWish, play_live

        play_live(LiveWish(folder))
        return
    from workbench.demo.play import Wish, play

    play(Wish(folder=folder, recording=recording, opens_reports=not no_open))
