"""`workbench key` as an operator meets it."""

from __future__ import annotations

from tests.cli.ground import a_hold, a_store, refused, run, usage
from workbench.settings import KEY_FILE, Settings


def test_a_key_is_made_enrolled_used_and_revoked() -> None:
    """From `key new` to `key revoke`: each step names the next, and what was signed is shown as signed."""
    a_store()
    made = run("key", "new")
    assert "does not count before it is enrolled" in made.out
    assert (Settings.from_environment().home / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert "No key is enrolled" in run("key", "list").out
    assert run("key", "enrol", "--as", "ops-lead", "--person", "ann", "-y").code == 0
    a_hold()
    (hold,) = run("hold", "list", "--json").document
    (key,) = run("key", "list", "--json").document
    assert hold["placed_by"] == f"ops-lead (ann, key {key['key_id']})"
    assert run("audit", "verify").code == 0
    gone = run("key", "revoke", key["key_id"], "-r", "laptop lost", "-y")
    assert "laptop lost" in gone.out
    assert "revoked" in run("key", "list").out
    refused(run("registry", "apply", "missing.toml"), 17)


def test_what_cannot_be_enrolled_is_refused() -> None:
    """No key, no public key and no such role each get their own sentence."""
    a_store()
    refused(
        run("key", "enrol", "--as", "ops-lead", "-y"), 4, "There is no key", "`workbench key new`"
    )
    usage(run("key", "enrol", "abc", "--as", "ops-lead", "-y"), "is not a public key")
    run("key", "new")
    refused(run("key", "enrol", "--as", "boss", "-y"), 3, "'boss' is not a registered role")
    refused(run("key", "revoke", "ab", "-r", "x", "-y"), 4, "There is no key ab")
