"""Scopes: conjunctions of equalities that say which automations a command is about."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from workbench.errors import NoMatch, ScopeError
from workbench.records import Automation
from workbench.slug import SLUG as SLUG

KEYS: tuple[str, ...] = (
    "environment",
    "kind",
    "category",
    "automation",
    "owner",
    "engine",
    "provider",
    "tool",
)
"""Keys a scope may name; `tool` may be given several times, each must be one of the automation's tools."""

EVERYTHING = "*"

ALL_WORDS = ("all", "everything", "any", "safe-mode")
"""What people write when they mean `*`; refused with that, so that no word opens or stops all by accident."""


_SHOWN_VALUES = 8


def values_of(automation: Automation, key: str) -> tuple[str, ...]:
    """Return the values an automation has under a scope key; several only for `tool`."""
    if key == "tool":
        return automation.tools
    field = "automation_id" if key == "automation" else key
    value: str = getattr(automation, field)
    return (value,) if value else ()


@dataclass(frozen=True)
class Scope:
    """A conjunction of equalities in canonical order; no terms at all means everything."""

    terms: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str, known: Iterable[Automation] = ()) -> Scope:
        """Read `kind=agent,provider=acme-llm` or `*`; raises ScopeError naming the nearest known value."""
        automations = tuple(known)
        if text == EVERYTHING:
            return cls()
        if not text.strip():
            raise ScopeError(
                "The scope is empty; write `*` for everything or `kind=agent` for a part."
            )
        return cls(_canonical(_term(part, automations) for part in text.split(",")))

    @property
    def is_everything(self) -> bool:
        """Tell whether this is `*`, safe mode."""
        return not self.terms

    def covers(self, automation: Automation) -> bool:
        """Tell whether the automation has every value that the scope names."""
        for key, value in self.terms:  # noqa: SIM110  # each command asks it of every automation, and `all` takes twice as long
            if value not in values_of(automation, key):
                return False
        return True

    def names(self, automation_id: str) -> bool:
        """Tell whether the scope is `*` or exactly this automation, registered or not."""
        return self.is_everything or self.terms == (("automation", automation_id),)

    def select(self, automations: Iterable[Automation]) -> tuple[Automation, ...]:
        """Return the covered automations that are not retired, by id."""
        found = (a for a in automations if not a.is_retired and self.covers(a))
        return tuple(sorted(found, key=lambda a: a.automation_id))

    def __and__(self, other: Scope) -> Scope:
        """Return the narrower scope that both hold; raises ScopeError where they contradict."""
        if self.contradicts(other):
            raise ScopeError(
                f"{other} is not a part of {self}: no automation is in both.",
                next_step=f"name a part of {self}",
            )
        return Scope(_canonical((*self.terms, *(t for t in other.terms if t not in self.terms))))

    def contradicts(self, other: Scope) -> bool:
        """Tell whether the other scope names another value of a key that has only one."""
        own = {key: value for key, value in self.terms if key != "tool"}
        return any(key in own and own[key] != value for key, value in other.terms)

    def __str__(self) -> str:
        """Write the scope in its canonical form."""
        return ",".join(f"{key}={value}" for key, value in self.terms) or EVERYTHING


def _canonical(terms: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    found = list(terms)
    for key in {key for key, _ in found if key != "tool"}:
        values = [value for other, value in found if other == key]
        if len(values) > 1:
            raise ScopeError(f"The scope names `{key}` twice ({', '.join(values)}); give it once.")
    return tuple(sorted(set(found), key=lambda term: (KEYS.index(term[0]), term[1])))


def _term(part: str, automations: tuple[Automation, ...]) -> tuple[str, str]:
    key, equals, value = part.partition("=")
    if not equals:
        raise ScopeError(f"{part!r} is not of the form key=value; {_meant(part, automations)}")
    if key not in KEYS:
        near = difflib.get_close_matches(key.lower().strip(), KEYS, 1)
        hint = f"; did you mean `{near[0]}`?" if near else f"; keys are {', '.join(KEYS)}."
        raise ScopeError(f"{key!r} is not a key of a scope{hint}")
    if not SLUG.fullmatch(value):
        near_value = nearest(value, key, among=automations)
        hint = f"; the nearest known value is `{near_value}`" if near_value else ""
        raise ScopeError(
            f"{value!r} is not a valid value of `{key}` (letters a-z, digits, . _ -; no spaces){hint}."
        )
    return key, value


def _meant(word: str, automations: tuple[Automation, ...]) -> str:
    """Say which scopes a bare word can stand for: those that have it as a value, else the nearest one."""
    folded = word.casefold().strip()
    if folded in ALL_WORDS:
        return f"everything is `{EVERYTHING}`, in quotes."
    known = [(key, value) for key in KEYS for a in automations for value in values_of(a, key)]
    near = difflib.get_close_matches(folded, {value for _, value in known}, 1, cutoff=0.75)
    found = dict.fromkeys(f"`{key}={value}`" for key, value in known if value in (folded, *near))
    exact = [text for text in found if text.endswith(f"={folded}`")]
    said = exact or list(found)
    return f"did you mean {' or '.join(said)}?" if said else f"keys are {', '.join(KEYS)}."


def nearest(value: str, key: str, *, among: Iterable[Automation]) -> str | None:
    """Return the known value of a key that is most like the given one, or None."""
    known = sorted({found for a in among for found in values_of(a, key)})
    folded = value.casefold().strip()
    matches = difflib.get_close_matches(folded, known, 1, cutoff=0.5)
    return matches[0] if matches else None


def no_match(scope: Scope, automations: Iterable[Automation]) -> NoMatch:
    """Return the refusal of a scope that covers nothing, with what to type."""
    known = tuple(automations)
    is_empty = all(a.is_retired for a in known)
    return NoMatch(
        f"The scope {scope} covers no automation: {why_no_match(scope, known)}",
        next_step="`workbench registry apply FILE`" if is_empty else None,
    )


def why_no_match(scope: Scope, automations: Iterable[Automation]) -> str:
    """Say which part of a scope matches nothing and what is nearest to it."""
    known = tuple(a for a in automations if not a.is_retired)
    if not known:
        return "no automation is registered yet."
    for key, value in scope.terms:
        if any(value in values_of(a, key) for a in known):
            continue
        near = nearest(value, key, among=known)
        return f"no automation has {key}={value}" + (
            f"; did you mean {key}={near}?" if near else "."
        )
    return "each part matches some automation, but no automation has all of them."


def values_under(scope: Scope, automations: Sequence[Automation]) -> str:
    """Name what a part of these automations can be: their values of the keys that a scope names, and their ids."""
    keys = dict.fromkeys([*(key for key, _ in scope.terms), "automation"])
    said = []
    for key in keys:
        values = sorted({value for a in automations for value in values_of(a, key)})
        more = f" and {len(values) - _SHOWN_VALUES} more" if len(values) > _SHOWN_VALUES else ""
        if values:
            said.append(f"{key}={', '.join(values[:_SHOWN_VALUES])}{more}")
    return "; ".join(said) or "nothing"


@dataclass(frozen=True)
class Proposal:
    """A scope proposed for a text, with how many automations it covers and why it was proposed."""

    scope: Scope
    automation_ids: tuple[str, ...]
    why: str
    words: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """Number of automations covered."""
        return len(self.automation_ids)


def propose(text: str, automations: Iterable[Automation], *, limit: int = 8) -> list[Proposal]:
    """Propose the smallest scopes for words such as "stripe refunds", best first.

    Each word is looked for in ids, titles and every value a scope can name. A scope is proposed for a
    value that a word hits, for pairs of such values, and for an automation that answers more than those,
    ordered by how many words they answer, then by how few automations they cover.
    """
    known = tuple(a for a in automations if not a.is_retired)
    words = words_of(text)
    hits: dict[tuple[str, str], set[str]] = {}
    for automation in known:
        for key in KEYS:
            for value in values_of(automation, key):
                found = {
                    w
                    for w in words
                    if _hits(w, value if key != "automation" else f"{value} {automation.title}")
                }
                if found:
                    hits.setdefault((key, value), set()).update(found)
    candidates: list[tuple[tuple[tuple[str, str], ...], set[str]]] = [
        ((term,), found) for term, found in hits.items()
    ]
    terms = sorted(hits)
    candidates += [
        ((a, b), hits[a] | hits[b])
        for i, a in enumerate(terms)
        for b in terms[i + 1 :]
        if a[0] != b[0]
        and "automation" not in (a[0], b[0])
        and len(hits[a] | hits[b]) > max(len(hits[a]), len(hits[b]))
    ]
    candidates += _whole_answers(hits, candidates, known)
    return _ranked(candidates, known)[:limit]


def words_of(text: str) -> list[str]:
    """Return the words that are looked for in a text."""
    return [word for word in re.split(r"[^a-z0-9]+", text.casefold()) if word]


def unanswered(text: str, found: Sequence[Proposal]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the words of a text that nothing registered matches, and those that the best proposal leaves out."""
    answered = {word for proposal in found for word in proposal.words}
    best = set(found[0].words) if found else set()
    words = tuple(dict.fromkeys(words_of(text)))
    unknown = tuple(word for word in words if word not in answered)
    return unknown, tuple(word for word in words if word in answered - best)


def _whole_answers(
    hits: Mapping[tuple[str, str], set[str]],
    candidates: Sequence[tuple[tuple[tuple[str, str], ...], set[str]]],
    known: Iterable[Automation],
) -> list[tuple[tuple[tuple[str, str], ...], set[str]]]:
    """Return the automations whose own values answer, together, more words than any wider scope of them."""
    found: list[tuple[tuple[tuple[str, str], ...], set[str]]] = []
    for automation in known:
        own = {(key, value) for key in KEYS for value in values_of(automation, key)}
        words = set().union(*(hits.get(term, set()) for term in own))
        best = max((len(w) for terms, w in candidates if set(terms) <= own), default=0)
        if len(words) > best:
            found.append(((("automation", automation.automation_id),), words))
    return found


def _hits(word: str, value: str) -> bool:
    parts = re.split(r"[^a-z0-9]+", value.casefold())
    stem = word[:-1] if len(word) > 3 and word.endswith("s") else word
    return any(
        part.startswith(stem) or (len(part) > 3 and stem.startswith(part)) for part in parts if part
    )


def _ranked(
    candidates: list[tuple[tuple[tuple[str, str], ...], set[str]]], known: tuple[Automation, ...]
) -> list[Proposal]:
    found: dict[tuple[str, ...], tuple[tuple[int, int, int, str], Proposal]] = {}
    for terms, words in candidates:
        scope = Scope(_canonical(terms))
        covered = tuple(a.automation_id for a in scope.select(known))
        if not covered:
            continue
        rank = (-len(words), len(covered), len(terms), str(scope))
        if covered not in found or rank < found[covered][0]:
            answered = tuple(sorted(words))
            why = f"matches {', '.join(answered)}"
            found[covered] = (rank, Proposal(scope, covered, why, answered))
    return [proposal for _, proposal in sorted(found.values(), key=lambda item: item[0])]
