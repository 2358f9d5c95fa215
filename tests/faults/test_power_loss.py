"""F02: the power is lost at any write of a run of real commands, on a disk that tears and reorders what no sync covers.

`make test` looks at some of the states that a disk can be left in, `make test-long` at many more.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.disk import Cut, Disk, Naming, Sync, SyncFolder, Write
from tests.faults.power_loss import (
    Story,
    aimed_losses,
    losses,
    some_losses,
    tell_story,
    wrongs_after,
    wrongs_after_failed_sync,
    wrongs_of_spool,
)
from tests.faults.scenes import SCENES
from tests.faults.sweep import DENIED, run_words
from tests.faults.tracing import Point, needs_trace  # noqa: F401 # a fixture
from tests.store.ground import settings_in
from workbench.clock import SystemClock
from workbench.store.store import store_of

COMMANDS = ("pause", "narrow", "registry", "key")
SAMPLED = 40
"""States of each story that `make test` looks at."""
EACH = 2
"""States of each kind at each step that `make test-long` looks at."""

StoryOf = Callable[..., Story]


@pytest.fixture(scope="module")
def story_of(needs_trace: None, tmp_path_factory: pytest.TempPathFactory) -> StoryOf:  # noqa: F811
    """Return what tells a story of commands, each story once for this file."""
    told: dict[str, Story] = {}

    def story(*names: str, **how: object) -> Story:
        key = f"{names} {how}"
        if key not in told:
            told[key] = tell_story(tmp_path_factory.mktemp("told") / "root", names, **how)  # type: ignore[arg-type]
        return told[key]

    return story


@pytest.mark.parametrize("is_read", [False, True], ids=["alone", "beside a reader"])
def test_a_power_loss_takes_nothing_that_was_acknowledged(
    is_read: bool, story_of: StoryOf, tmp_path: Path
) -> None:
    """Wherever it comes, the log is whole and has all that was told, and no gate says a wrong CLEAR (I5, I6, I9, I14)."""
    story = story_of(*COMMANDS, is_read=is_read)
    for number, loss in enumerate(some_losses(story, SAMPLED, f"sample {is_read}")):
        assert wrongs_after(story, loss, tmp_path / str(number)) == []


@pytest.mark.long
@pytest.mark.parametrize("is_read", [False, True], ids=["alone", "beside a reader"])
def test_the_same_at_every_step(is_read: bool, story_of: StoryOf, tmp_path: Path) -> None:
    """The same before each write, cut, name and sync of the commands, several times over."""
    story = story_of(*COMMANDS, is_read=is_read)
    assert len(story.steps) > 20 * len(COMMANDS), "too little was recorded to prove anything"
    found = [
        wrong
        for number, loss in enumerate(losses(story, EACH))
        for wrong in wrongs_after(story, loss, tmp_path / str(number))
    ]
    assert found == []


def test_a_power_loss_takes_no_spooled_pause(story_of: StoryOf, tmp_path: Path) -> None:
    """At each step of a pause that goes to the spool: told means held at once and recorded once."""
    story = story_of("spool")
    assert len(story.steps) > 5
    for number, loss in enumerate(losses(story, EACH)):
        assert wrongs_of_spool(story, loss, tmp_path / str(number)) == []


@pytest.mark.parametrize(
    ("bug", "words"),
    [
        ("commits_without_a_sync", "was acknowledged"),
        ("commits_with_few_syncs", "was acknowledged"),
        ("publishes_without_a_sync", "no command was under way"),
        ("leaves_the_epoch_to_the_machine", "no command was under way"),
    ],
)
def test_a_missing_sync_is_caught(bug: str, words: str, story_of: StoryOf, tmp_path: Path) -> None:
    """A store that leaves its commits to the machine, and gates that are told in passing, are seen."""
    story = story_of("pause", "key", seed=bug, is_read=True)
    found = []
    for number, loss in enumerate(aimed_losses(story, 6)):
        found += _wrongs_or_crash(story, loss, tmp_path / str(number))
        if any(words in wrong for wrong in found):
            return
    pytest.fail(f"{bug} was not seen: {found}")


def _wrongs_or_crash(story: Story, loss: object, root: Path) -> list[str]:
    from workbench.errors import WorkbenchError

    try:
        return wrongs_after(story, loss, root)  # type: ignore[arg-type]
    except WorkbenchError as exc:
        return [exc.message]  # a file torn to pieces, as without any sync


def sync_points(root: Path) -> list[Point]:
    """Return every sync that a pause makes, as one that fails once."""
    scene = SCENES["pause"]
    scene.make(root)
    calls = run_words(scene, root).calls
    syncs = [c for c in calls if c.name in ("fsync", "fdatasync", "msync") and c.touches(root)]
    return [Point(c.name, c.ordinal, "EIO") for c in syncs]


COMMIT = Point("fdatasync", 4, "EIO")
"""The sync of a pause's commit: the fourth, after those of the epoch, of a new write-ahead log and of its folder."""


def test_what_a_failed_sync_was_to_cover_is_not_claimed(story_of: StoryOf, tmp_path: Path) -> None:
    """After an error at the commit the pause is told as spooled, and is there when the unsynced pages are gone."""
    assert COMMIT in sync_points(tmp_path / "trial")
    story = story_of("pause", point=COMMIT, is_read=True)
    assert wrongs_after_failed_sync(story, tmp_path / "after") == []


def test_a_resume_whose_sync_failed_is_not_denied(needs_trace: None, tmp_path: Path) -> None:  # noqa: F811
    """While somebody reads, what was not synced stays in the log's file and a crash may bring it back: nothing is claimed."""
    root = tmp_path / "root"
    SCENES["release"].make(root)
    with store_of(settings_in(root), SystemClock()).backend.reading() as session:
        session.meta()
        ran = run_words(SCENES["release"], root, COMMIT)
        crashed = shutil.copytree(root, tmp_path / "crashed")
    assert (ran.code, DENIED.search(ran.err)) == (15, None), ran.err
    assert "whether the command was recorded is not known" in ran.err
    (crashed / "store" / "store.sqlite-shm").unlink()
    actions = [
        store_of(settings_in(at), SystemClock()).events()[-1].action for at in (crashed, root)
    ]
    assert actions == ["hold.release", "hold.observe"]


@pytest.mark.long
def test_the_same_for_each_sync(needs_trace: None, tmp_path: Path) -> None:  # noqa: F811
    """The same whichever sync of a pause fails."""
    points = sync_points(tmp_path / "trial")
    assert len(points) > 15
    for number, point in enumerate(points):
        story = tell_story(tmp_path / f"told{number}", ["pause"], point=point, is_read=True)
        assert wrongs_after_failed_sync(story, tmp_path / f"after{number}") == [], point


def test_a_sync_that_is_tried_again_is_caught(story_of: StoryOf, tmp_path: Path) -> None:
    """A database that takes a second sync for the first tells of a pause that is nowhere, and that is seen."""
    story = story_of("pause", seed="tries_a_failed_sync_again", point=COMMIT, is_read=True)
    found = wrongs_after_failed_sync(story, tmp_path / "after")
    assert any("is nowhere" in wrong for wrong in found), found


def a_disk(*, is_ordered: bool = True) -> Disk:
    """Return a disk with one file of eight bytes."""
    return Disk({"d/a": b"oldbytes"}, is_ordered=is_ordered)


def outcomes(disk: Disk, name: str = "d/a", sector: int = 2) -> set[bytes | None]:
    """Return everything that a file may be after a power loss."""
    return {disk.lose_power(random.Random(n), sector).get(name) for n in range(400)}


def test_what_is_synced_is_there_and_the_rest_may_be() -> None:
    """Unsynced bytes may be there, be missing, be torn or come without earlier ones; synced bytes are there."""
    disk = a_disk()
    disk.take(Write(0, 0, b"NEWB"))
    disk.take(Write(0, 6, b"ES"))
    assert outcomes(disk) >= {
        b"oldbytes",
        b"NEWBytES",
        b"NEWBytes",
        b"oldbytES",
        b"NEdbytes",
        b"olWBytes",
    }
    disk.take(Sync(0))
    assert outcomes(disk) == {b"NEWBytES"}
    disk.take(Cut(0, 2))
    assert outcomes(disk) == {b"NEWBytES", b"NE"}


def test_what_a_failed_sync_covered_is_lost_for_good() -> None:
    """A second sync says that all is well, and does not bring back what the first had dropped."""
    disk = a_disk()
    disk.take(Write(0, 0, b"NEW"))
    disk.take(Sync(0, is_failed=True))
    disk.take(Sync(0))
    assert outcomes(disk) == {b"oldbytes"}


@pytest.mark.parametrize("is_ordered", [True, False])
def test_names_wait_for_a_sync(is_ordered: bool) -> None:
    """A journal keeps the order of names and takes any sync; else they come in any order, after their folder's."""
    disk = a_disk(is_ordered=is_ordered)
    disk.take(Naming((("d/b", 1),)))
    disk.take(Naming((("d/c", 1),)))
    found = {tuple(sorted(disk.lose_power(random.Random(n), 512))) for n in range(100)}
    assert (("d/a", "d/c") in found) is not is_ordered
    disk.take(Sync(0))
    assert (outcomes(disk, "d/c") == {b""}) is is_ordered
    disk.take(SyncFolder("d"))
    assert outcomes(disk, "d/c") == {b""}
