"""F01 and F03: the real command line killed, and its disk made to fail, at every call that touches the store.

`make test` takes a few points of each command, `make test-long` every one.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.scenes import SCENES
from tests.faults.sweep import Ground, lay_ground, run_words, sweep_point
from tests.faults.tracing import Call, Point, needs_trace, read_calls, retried_syncs  # noqa: F401 # a fixture

SAMPLED = 2
"""Points of each command that `make test` takes."""
AT_ONCE = 2
"""Commands that run side by side in the whole sweep."""

GroundOf = Callable[[str], Ground]


@pytest.fixture(scope="module")
def ground_of(needs_trace: None, tmp_path_factory: pytest.TempPathFactory) -> GroundOf:  # noqa: F811
    """Return what gives the ground of a scene, laid once for this file."""
    laid: dict[str, Ground] = {}

    def ground(name: str) -> Ground:
        if name not in laid:
            laid[name] = lay_ground(SCENES[name], tmp_path_factory.mktemp(name))
        return laid[name]

    return ground


def sample_of(ground: Ground) -> list[Point]:
    """Return a kill and an error, the same each time."""
    chance = random.Random(f"sweep of {ground.scene.name}")
    points = ground.points()
    kills = [p for p in points if p.fault == "KILL"]
    errors = [p for p in points if p.fault != "KILL"]
    return [*chance.sample(kills, SAMPLED // 2), *chance.sample(errors, SAMPLED - SAMPLED // 2)]


@pytest.mark.parametrize("name", SCENES)
def test_a_command_that_is_hit_is_whole_or_not_there(
    name: str, ground_of: GroundOf, tmp_path: Path
) -> None:
    """At a kill and at an error: all or nothing, what was acknowledged is there, no gate says a wrong CLEAR."""
    ground = ground_of(name)
    for number, point in enumerate(sample_of(ground)):
        assert sweep_point(ground, point, tmp_path / str(number)) == []


@pytest.mark.long
@pytest.mark.parametrize("name", SCENES)
def test_the_same_at_every_call(name: str, ground_of: GroundOf, tmp_path: Path) -> None:
    """The same at each call of each command that touches its folders, for each way in which it can fail."""
    ground = ground_of(name)
    points = ground.points()
    assert len(points) > 30
    with ThreadPoolExecutor(AT_ONCE) as crew:
        each = crew.map(
            lambda numbered: sweep_point(ground, numbered[1], tmp_path / str(numbered[0])),
            enumerate(points),
        )
        assert [wrong for wrongs in each for wrong in wrongs] == []


def test_the_points_are_those_of_the_issue(ground_of: GroundOf) -> None:
    """A pause is hit where it writes ahead, syncs file and folder, publishes and renames, by kill and by error."""
    hit = {(p.name, p.fault) for p in ground_of("pause").points()}
    for name in (
        "openat",
        "pwrite64",
        "write",
        "fdatasync",
        "fsync",
        "rename",
        "ftruncate",
    ):
        assert (name, "KILL") in hit
        assert (name, "EIO") in hit
    assert ("pwrite64", "ENOSPC") in hit
    assert any(p.is_lasting for p in ground_of("pause").points())


def first_of(calls: Iterable[Call], name: str, part: str, fault: str) -> Point:
    """Return the point of the first call of a name that is about a file whose path has a part."""
    calls = (c for c in calls if c.name == name and part in c.given)
    return Point(name, next(calls).ordinal, fault)


@pytest.mark.parametrize(
    ("bug", "name", "part", "fault", "words"),
    [
        ("acknowledges_before_the_commit", "pwrite64", "-wal>", "KILL", "acknowledged and is not"),
        ("tries_a_failed_sync_of_the_snapshot_again", "fsync", "snapshot", "EIO", "tried again"),
        ("tells_no_gate", "fsync", "checkpoints>", "EIO", "nobody was told so"),
    ],
)
def test_a_seeded_bug_is_caught(
    bug: str, name: str, part: str, fault: str, words: str, ground_of: GroundOf, tmp_path: Path
) -> None:
    """A store that acknowledges too early, one that syncs again after an error, and one that tells no gate, are seen."""
    ground = ground_of("pause")
    undisturbed = run_words(ground.scene, ground.copy(tmp_path / "trial"), seed=bug)
    point = first_of(undisturbed.calls, name, part, fault)
    wrongs = sweep_point(ground, point, tmp_path / "hit", seed=bug)
    assert any(words in wrong for wrong in wrongs), wrongs


def test_a_sync_that_is_tried_again_is_read_from_the_calls() -> None:
    """The same handle after an error is reported; another handle, or the same number opened anew, is not."""
    log = (
        "7 fsync(3</a/x>) = -1 EIO (Input/output error) (INJECTED)\n"
        "7 fsync(4</a/y>) = 0\n{}"
        "7 fsync(3</a/x>) = 0\n"
    )
    again = list(read_calls(log.format("")))
    assert [call.ordinal for call in again] == [1, 2, 3]
    assert len(retried_syncs(again)) == 1
    assert retried_syncs(list(read_calls(log.format("7 close(3</a/x>) = 0\n")))) == []


def test_calls_of_two_threads_are_read_in_the_order_of_their_effects() -> None:
    """What was under way while another thread called stands where it returned; what closes, where it began."""
    log = (
        "7 fsync(3</a/x> <unfinished ...>\n"
        "8 close(4</a/y> <unfinished ...>\n"
        "7 <... fsync resumed>) = -1 EIO (Input/output error)\n"
        '7 openat(AT_FDCWD</w>, "/a/z", O_RDONLY) = 4</a/z>\n'
        "8 <... close resumed>) = 0\n"
        "8 fsync(5</a/w> <unfinished ...>\n"
        "7 fsync(4</a/z>) = 0\n"
    )
    found = [
        (c.pid, c.name, c.ordinal, c.given.partition("<")[0], c.result[:2]) for c in read_calls(log)
    ]
    assert found == [
        (8, "close", 1, "4", "0"),
        (7, "fsync", 1, "3", "-1"),
        (7, "openat", 1, "AT_FDCWD", "4<"),
        (8, "fsync", 1, "5", ""),
        (7, "fsync", 2, "4", "0"),
    ]


def test_a_call_that_never_returned_is_read_too() -> None:
    """A killed call stands in the log without a result, and counts."""
    killed = list(
        read_calls('9 openat(AT_FDCWD</w>, "/a/x", O_RDONLY) = ?\n9 +++ killed by SIGKILL +++\n')
    )
    assert killed == [Call(9, "openat", 1, 'AT_FDCWD</w>, "/a/x", O_RDONLY', "")]
