"""Finding and checking SQL texts: what is wrong is named, and nothing is run."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from workbench.errors import QueryError
from workbench.queries import load_query, parse_query, queries_folder, query_names

GOOD = """-- One row per failed step of the window.
-- Threshold: five, by the policy.
-- $since: timestamptz, UTC, inclusive
select run_id from step where started_at >= $since order by run_id
"""


def write(folder: Path, text: str, name: str = "failed_steps") -> Path:
    """Write one query file and return the folder of all queries."""
    (folder / "review").mkdir(exist_ok=True)
    (folder / "review" / f"{name}.sql").write_text(text, encoding="utf-8")
    return folder


def test_a_query_is_found_by_its_dotted_name(tmp_path: Path) -> None:
    """Description, grain, parameters and digest come from the file itself."""
    query = load_query("review.failed_steps", folder=write(tmp_path, GOOD))
    assert query.grain == "One row per failed step of the window"
    assert query.parameters == {"since": "timestamptz, UTC, inclusive"}
    assert (
        query.description
        == "One row per failed step of the window. Threshold: five, by the policy."
    )
    assert query.sha256 == hashlib.sha256(GOOD.encode()).hexdigest()


def test_an_unknown_name_is_answered_with_near_ones(tmp_path: Path) -> None:
    """A typing mistake names the query that was meant."""
    folder = write(tmp_path, GOOD)
    with pytest.raises(QueryError, match=r"there is review\.failed_steps"):
        load_query("review.failed_step", folder=folder)
    with pytest.raises(QueryError, match=r"there is review\.\*"):
        load_query("zzz.zzz", folder=folder)


@pytest.mark.parametrize("name", ["../errors", "review/failed_steps", "review", "a.b.c", ""])
def test_a_name_never_leaves_the_folder(tmp_path: Path, name: str) -> None:
    """A name is folder.stem; paths and other forms are no names."""
    with pytest.raises(QueryError, match="no query is named"):
        load_query(name, folder=write(tmp_path, GOOD))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("-- One row.\nselect 1; select 2", "more than one statement"),
        ("-- One row.\nselect $since", r"uses \$since but its header"),
        ("-- One row.\n-- $since: timestamptz\nselect 1", r"declares \$since in its header but"),
        ("-- One row.\n-- $a: int\n-- $a: int\nselect $a", r"declares \$a twice"),
        ("select 1", "has no header"),
        ("-- One row.\n", "has no statement"),
    ],
)
def test_what_breaks_the_rules_is_refused(text: str, said: str) -> None:
    """Each broken rule is named in one sentence."""
    with pytest.raises(QueryError, match=said):
        parse_query("review.x", text, sha256="0")


def test_text_and_comments_hold_no_parameters() -> None:
    """A dollar or semicolon inside text, a quoted name or a comment is no parameter and ends no statement."""
    query = parse_query("review.x", "-- One row.\nselect 'a;$b' as \"c;$d\" -- $e;\n", sha256="0")
    assert query.parameters == {}


def test_a_trigger_is_one_statement() -> None:
    """The statements inside a trigger's body belong to the trigger."""
    text = "-- Refuses.\ncreate trigger t before delete on e\nbegin\n    select raise(abort, 'no');\nend"
    assert parse_query("store.t", text, sha256="0").sql.endswith("end")


def test_names_are_listed_by_prefix(tmp_path: Path) -> None:
    """Names come sorted and can be narrowed to a folder."""
    folder = write(write(tmp_path, GOOD), GOOD, "approvals")
    assert query_names("review.", folder=folder) == ["review.approvals", "review.failed_steps"]
    assert query_names("store.", folder=folder) == []


def test_an_installed_package_finds_its_own_queries(tmp_path: Path) -> None:
    """Without a checkout around it, the package uses the queries that travel in the wheel."""
    package = tmp_path / "site" / "workbench"
    package.mkdir(parents=True)
    source = Path(queries_folder()).parent / "workbench"
    for name in ("queries.py", "errors.py"):
        (package / name).write_bytes((source / name).read_bytes())
    (package / "__init__.py").write_text("")
    write_to = package / "_shipped" / "queries"
    write_to.mkdir(parents=True)
    write(write_to, GOOD)
    code = "from workbench.queries import query_names; print(query_names())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=package.parent, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "['review.failed_steps']"


def test_finding_queries_loads_no_engine() -> None:
    """The store and the pause use queries, so finding one imports neither DuckDB nor pandas."""
    code = (
        "import sys; from workbench.queries import load_query; load_query('store.get_head');"
        "print([name for name in ('duckdb', 'pandas', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
