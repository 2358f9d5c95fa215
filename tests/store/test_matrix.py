"""The detection matrix: every attack of FAULTS F76 and F77 against each defence, done for real."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from docs import tampering
from tests.postgres_server import Server
from tests.store.attacks import (
    ATTACKS,
    ON_A_SERVER,
    Answer,
    Attack,
    Defence,
    ServerAttack,
    a_scene,
    answer_of,
)
from tests.store.ground import DATABASE_FILE, a_control, pause
from workbench.store.audit import verify_store

SETUPS = {
    Defence.CHAIN: (Defence.CHAIN,),
    Defence.UNSIGNED: (Defence.UNSIGNED,),
    Defence.SIGNED: (Defence.SIGNED, Defence.PINNED),
}
"""One store serves the two defences that differ only in whom verification trusts."""


@pytest.mark.parametrize("setup", SETUPS)
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_each_defence_answers_as_the_matrix_says(
    tmp_path: Path, attack: Attack, setup: Defence
) -> None:
    """Done to a real store, the attack is found, said or missed exactly as the table prints it."""
    scene = a_scene(tmp_path, setup)
    if setup is Defence.CHAIN and not attack.touches_log:
        assert attack.expected[0] is Answer.NOTHING  # there is no checkpoint to attack
        return
    before = scene.fingerprint()
    attack.do(scene)
    assert scene.fingerprint() != before
    folders = () if setup is Defence.CHAIN else (scene.elsewhere,)
    for defence in SETUPS[setup]:
        trusted = [scene.key.public_hex] if defence is Defence.PINNED else []
        result = verify_store(scene.control.store, anchors=folders, trusted=trusted)
        answer = answer_of(result, defence, touches_log=attack.touches_log)
        assert answer == attack.expected[list(Defence).index(defence)], (defence, result.finding)


@pytest.mark.parametrize("attack", ON_A_SERVER, ids=lambda attack: attack.name)
def test_a_server_answers_as_the_matrix_says(
    database_place: Path, postgres_server: Server, attack: ServerAttack
) -> None:
    """Done in a real database, the attack is found or named exactly as the table prints it."""
    control = a_control(database_place)
    pause(control)
    assert verify_store(control.store).drift == ()
    address = (database_place / DATABASE_FILE).read_text()
    with psycopg.connect(address, autocommit=True) as connection:
        for statement in attack.statements:
            connection.execute(statement.encode())
    result = verify_store(control.store)
    answer = answer_of(result, Defence.CHAIN, touches_log=True)
    assert answer == attack.expected, result.finding


def test_every_kind_of_attack_is_in_the_matrix() -> None:
    """The table has at least the fourteen kinds of F76 and F77, each under one name, and prints all of them."""
    names = [attack.name for attack in ATTACKS]
    assert len(set(names)) == len(names) >= 14
    assert {attack.fault for attack in ATTACKS} == {"F70", "F76", "F77"}
    assert [a for _, rows in tampering.SECTIONS for a in rows] == ATTACKS


@pytest.mark.parametrize("defence", Defence)
def test_an_untouched_store_is_vouched_for_by_each_defence(
    tmp_path: Path, defence: Defence
) -> None:
    """Without an attack every defence answers as it does to one that it misses, so no finding is an alarm for nothing."""
    scene = a_scene(tmp_path, defence)
    trusted = [scene.key.public_hex] if defence is Defence.PINNED else []
    result = verify_store(scene.control.store, anchors=(scene.elsewhere,), trusted=trusted)
    assert answer_of(result, defence, touches_log=True) is Answer.MISSED


def test_the_page_prints_the_matrix() -> None:
    """docs/tampering.md is what its script writes from the attacks that were carried out."""
    assert tampering.PAGE.read_text(encoding="utf-8") == tampering.page()
