"""Scopes say exactly what they cover, and refuse what only looks like a name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.store.ground import an_automation
from workbench.errors import ScopeError
from workbench.records import Automation
from workbench.scope import KEYS, Scope, nearest, no_match, propose, why_no_match

KNOWN = (
    an_automation(
        "invoice-triage", provider="acme-llm", tools=("stripe", "mail"), title="Invoices"
    ),
    an_automation("order-sync", "workflow", provider="shop"),
    an_automation("refund-playbook", "playbook", tools=("stripe",), category="support"),
    an_automation("old-watch", "watcher", is_retired=True, provider="gone"),
)

slugs = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,8}", fullmatch=True)
few = st.sampled_from(["a", "b", "a1"])


@st.composite
def scopes(draw: st.DrawFn, values: st.SearchStrategy[str] = slugs) -> Scope:
    """Draw scopes by their text, so that they are canonical."""
    keys = draw(st.lists(st.sampled_from([k for k in KEYS if k != "tool"]), unique=True))
    terms = [f"{key}={draw(values)}" for key in keys]
    terms += [f"tool={draw(values)}" for _ in range(draw(st.integers(0, 2)))]
    return Scope.parse(",".join(draw(st.permutations(terms))) or "*")


@st.composite
def automations(draw: st.DrawFn) -> Automation:
    """Draw automations over very few values, so that scopes match often."""
    return an_automation(
        draw(few),
        draw(few),
        category=draw(few),
        environment=draw(few),
        owner=draw(few),
        engine=draw(st.one_of(st.just(""), few)),
        provider=draw(st.one_of(st.just(""), few)),
        tools=tuple(draw(st.lists(few, max_size=2, unique=True))),
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("agent", "did you mean `kind=agent`?"),
        ("acme-llm", "did you mean `provider=acme-llm`?"),
        ("invoice-triage", "did you mean `automation=invoice-triage`?"),
        ("Invoice-Triag", "did you mean `automation=invoice-triage`?"),
        ("Agents", "did you mean `kind=agent`?"),
        ("all", "everything is `*`"),
        ("Everything", "everything is `*`"),
        ("zzz", "keys are environment"),
        ("kind", "key=value"),
        ("*,kind=agent", "key=value"),
        ("kind=agent,", "key=value"),
        ("kind=agent;owner=x", "not a valid value"),
        ("knd=agent", "did you mean `kind`"),
        ("Kind=agent", "did you mean `kind`"),
        ("zzz=agent", "keys are environment"),
        ("kind=", "not a valid value"),
        ("kind==agent", "not a valid value"),
        ("kind=agent,kind=agent", "names `kind` twice"),
        ("kind=agent,owner=x,kind=workflow", "names `kind` twice (agent, workflow)"),
        ("provider=acme-llm ", "nearest known value is `acme-llm`"),
        ("provider= acme-llm", "nearest known value is `acme-llm`"),
        ("kind=agent, provider=shop", "did you mean `provider`"),
        ("provider=ACME-LLM", "nearest known value is `acme-llm`"),
        ("provider=\u0430\u0441me-llm", "nearest known value is `acme-llm`"),  # Cyrillic a and s
        ("provider=acme\u2010llm", "nearest known value is `acme-llm`"),  # another hyphen
        ("provider=acme\u200b-llm", "nearest known value is `acme-llm`"),  # zero width
        ("provider=\uff41cme-llm", "nearest known value is `acme-llm`"),  # full width
        ("automation=order\x00sync", "not a valid value"),
        ("automation=../order-sync", "not a valid value"),
        ("automation=" + "a" * 64, "not a valid value"),
        ("automation=-a", "not a valid value"),
        ("kind=agent\n", "not a valid value"),
    ],
)
def test_what_only_looks_like_a_scope_is_refused(text: str, words: str) -> None:
    """Look-alikes, spaces, other case and doubled keys are refused, and the nearest known value is named."""
    with pytest.raises(ScopeError) as caught:
        Scope.parse(text, KNOWN)
    assert words in caught.value.message
    assert caught.value.exit_code == 2


@given(scopes())
def test_a_scope_is_read_as_it_is_written(scope: Scope) -> None:
    """Writing a scope and reading it again gives the same scope, in one canonical form."""
    assert Scope.parse(str(scope)) == scope
    assert str(Scope.parse(str(scope))) == str(scope)


@given(scopes(few), scopes(few), automations())
def test_narrowing_never_widens(one: Scope, other: Scope, automation: Automation) -> None:
    """What two scopes cover together is covered by each; contradictions are refused, never widened."""
    try:
        both = one & other
    except ScopeError:
        assert not (one.covers(automation) and other.covers(automation))
    else:
        assert both.covers(automation) == (one.covers(automation) and other.covers(automation))


@given(automations(), scopes(few))
def test_a_scope_covers_what_has_every_value(automation: Automation, scope: Scope) -> None:
    """Coverage is equality on each key, and membership for tools: no prefix, no pattern."""
    wanted = True
    for key, value in scope.terms:
        name = "automation_id" if key == "automation" else key
        has = automation.tools if key == "tool" else (getattr(automation, name),)
        wanted = wanted and value in has
    assert scope.covers(automation) is wanted


def test_everything_and_one_id_name_what_is_not_registered() -> None:
    """Only `*` and exactly one automation can speak of something that is not registered."""
    assert Scope.parse("*").names("ghost")
    assert Scope.parse("automation=ghost").names("ghost")
    assert not Scope.parse("automation=ghost2").names("ghost")
    assert not Scope.parse("automation=ghost,kind=agent").names("ghost")
    assert not Scope.parse("kind=agent").names("ghost")


def test_several_tools_must_all_be_there() -> None:
    """`tool` may be given twice: then the automation must use both."""
    assert [a.automation_id for a in Scope.parse("tool=stripe").select(KNOWN)] == [
        "invoice-triage",
        "refund-playbook",
    ]
    both = Scope.parse("tool=mail,tool=stripe").select(KNOWN)
    assert [a.automation_id for a in both] == ["invoice-triage"]


def test_retired_automations_are_not_selected() -> None:
    """A retired automation is matched by its scope and yet never selected."""
    assert Scope.parse("kind=watcher").covers(KNOWN[3])
    assert Scope.parse("kind=watcher").select(KNOWN) == ()


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        ("provider=acme-lm", "no automation has provider=acme-lm; did you mean provider=acme-llm?"),
        ("kind=agent,provider=shop", "no automation has all of them"),
        ("kind=zzzzzzz", "no automation has kind=zzzzzzz."),
        ("provider=gone", "no automation has provider=gone"),
    ],
)
def test_a_scope_without_match_says_which_part_is_wrong(scope: str, words: str) -> None:
    """The part that matches nothing is named, with what is nearest to it."""
    assert words in why_no_match(Scope.parse(scope), KNOWN)


def test_without_a_registry_the_next_step_is_named() -> None:
    """Where nothing is registered the refusal says what to run; elsewhere how to find a scope."""
    empty, known = (no_match(Scope.parse("kind=agent,tool=x"), among) for among in ((), KNOWN))
    assert "no automation is registered yet" in empty.message
    assert empty.then == "`workbench registry apply FILE`"
    assert "workbench find" in known.then


def test_the_nearest_value_is_of_the_same_key() -> None:
    """A near miss is looked for among the values of the key that was given, and nowhere else."""
    assert nearest("Invoice_Triage", "automation", among=KNOWN) == "invoice-triage"
    assert nearest("invoice-triage", "provider", among=KNOWN) is None


def test_the_smallest_scope_that_answers_all_words_comes_first() -> None:
    """`stripe refunds` proposes the refund playbook before everything that uses stripe."""
    found = propose("Stripe refunds", KNOWN)
    assert str(found[0].scope) in {"automation=refund-playbook", "category=support,tool=stripe"}
    assert found[0].automation_ids == ("refund-playbook",)
    assert "stripe" in [str(p.scope).partition("=")[2] for p in found]
    assert [p.count for p in found if p.count == 0] == []


def test_nothing_is_proposed_for_strange_words() -> None:
    """Words that hit nothing, or only what is retired, propose nothing rather than everything."""
    assert propose("xylophone", KNOWN) == []
    assert propose("gone", KNOWN) == []
    assert propose("%_'; drop", KNOWN) == []


@given(st.text(max_size=30))
def test_any_words_propose_only_scopes_that_cover_something(text: str) -> None:
    """Whatever is typed, a proposal can be read back and covers exactly what it lists."""
    for proposal in propose(text, KNOWN):
        again = Scope.parse(str(proposal.scope))
        assert tuple(a.automation_id for a in again.select(KNOWN)) == proposal.automation_ids != ()
