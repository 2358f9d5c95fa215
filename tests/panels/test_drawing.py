"""What the panel shows: every state in words, and nothing from the store as markup."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest

from tests.panels.stage import (
    HOSTILE,
    FaultyControl,
    a_control,
    a_decision,
    a_pause,
    a_registry,
    an_automation,
)
from tests.store.test_hosts import forge, row_of
from workbench.clock import FixedClock
from workbench.control import open_control
from workbench.control.enrolling_keys import Enrolment, enrol_key
from workbench.control.resuming import ResumeRequest
from workbench.gate import Gate
from workbench.panels import control_html as html
from workbench.panels import form_html as forms
from workbench.panels.control_model import ControlModel
from workbench.panels.control_text import write_summary
from workbench.panels.guard import Message
from workbench.panels.html_parts import draw_message, element
from workbench.records import Mode, VerdictKind
from workbench.registry import Registry
from workbench.settings import KEY_FILE, Settings
from workbench.store import hosts
from workbench.store.keys import make_key


class Reader(HTMLParser):
    """Reads HTML as a browser would: its text, its elements, its attributes."""

    def __init__(self, drawn: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.text = ""
        self.feed(drawn)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def text_of(drawn: str) -> str:
    """Return what a person reads."""
    return Reader(drawn).text


def everything(model: ControlModel) -> str:
    """Return all HTML that the panel can draw now."""
    return "".join(
        [
            html.draw_summary(model),
            html.draw_flags(model),
            html.draw_read(model),
            forms.draw_preview(model.pause),
            forms.draw_armed(model.pause),
            forms.draw_resume_title(model.resume),
            forms.draw_armed_resume(model.resume),
            draw_message(model.pause.message),
            draw_message(model.resume.message),
        ]
    )


def test_hosts_are_drawn_with_the_silent_ones_marked(
    control: FaultyControl, model: ControlModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing where no host reports; then each with its state, and nothing of its name as markup."""
    assert html.draw_hosts(model) == ""
    forge(control, row_of(HOSTILE[:60], gate_folder=HOSTILE))
    model.refresh()
    drawn = html.draw_hosts(model)
    assert "told" in text_of(drawn)
    assert "img" not in Reader(drawn).tags
    monkeypatch.setattr(hosts, "SILENT_SECONDS", -1.0)
    model.refresh()
    assert "UNREACHABLE" in text_of(html.draw_hosts(model))
    assert "wb-row-warn" in html.draw_hosts(model)
    assert "is UNREACHABLE" in write_summary(model)
    assert "img" not in Reader(everything(model)).tags


def test_no_stored_text_becomes_markup(clock: FixedClock) -> None:
    """Titles, reasons, break-glass reasons and refusals written by a stranger are shown as text."""
    control = a_control(
        clock, an_automation("refunds", "agent", "commerce", provider="acme-llm", title=HOSTILE)
    )
    control.pause(_request(reason=HOSTILE, incident_id=HOSTILE), wait_seconds=0)
    control.resume_narrow(
        ResumeRequest("H-1", only="automation=refunds", runs=2, break_glass_reason=HOSTILE)
    )
    model = ControlModel(control, actor=HOSTILE)
    model.pause.scope, model.pause.reason = "*", HOSTILE
    model.pause.arm()
    model.choose_resume("H-1")
    model.resume.only, model.resume.break_glass_reason = "automation=refunds", HOSTILE
    model.resume.arm()
    model.pause.message = Message(HOSTILE, HOSTILE, is_alert=True)
    drawn = everything(model)
    read = Reader(drawn)
    assert read.text.count("<script>alert(2)</script>") >= 6
    assert not {"img", "script"} & set(read.tags)
    assert not {name for name in read.attributes if name.startswith("on")}
    assert set(read.attributes) <= {"class", "role", "title", "aria-label", "scope"}


def _request(**more: str) -> object:
    from workbench.control.placing import PauseRequest

    return PauseRequest("kind=agent,provider=acme-llm", **more)


def test_a_hostile_search_is_only_text(model: ControlModel) -> None:
    """What was typed into the search comes back as text."""
    model.pause.search = HOSTILE
    model.pause.find()
    assert "<script>" in text_of(draw_message(model.pause.message))


def test_a_hostile_scope_is_only_text(model: ControlModel) -> None:
    """A scope that is markup is refused, and the refusal quotes it as text."""
    model.pause.scope = f"kind={HOSTILE}"
    assert "<script>" in text_of(forms.draw_preview(model.pause))
    assert "script" not in Reader(forms.draw_preview(model.pause)).tags


def test_attributes_are_escaped() -> None:
    """A quotation mark in a hover text does not end the attribute."""
    drawn = element("b", "x", title='" onmouseover="alert(1)')
    assert Reader(drawn).attributes == ["title"]


@pytest.mark.parametrize(
    ("environment", "css"),
    [
        ("production", "wb-band-production"),
        ("staging", "wb-band-staging"),
        ("lab", "wb-band-other"),
    ],
)
def test_the_band_takes_its_colour_from_inside_the_store(
    clock: FixedClock, environment: str, css: str
) -> None:
    """The environment stands in capitals in a band of its own colour, with id, place, head and person."""
    control = a_control(clock, environment="staging")
    model = ControlModel(control, actor="ops-lead (os:anna, unverified)")
    assert model.head is not None
    head = type(model.head)(
        model.head.store_id, environment, model.head.seq, model.head.hash, model.head.place
    )
    model.head = head
    drawn = html.draw_band(model)
    assert css in drawn
    for part in (environment.upper(), head.store_id, head.place, f"{head.seq} ", head.hash[:12]):
        assert part in text_of(drawn)
    assert "ops-lead (os:anna, unverified)" in text_of(drawn)
    assert "DEMO" not in drawn


def test_the_panel_says_who_signed_its_head(clock: FixedClock) -> None:
    """Band and text say unsigned, and once a command was signed the same words as the command line."""
    control = a_control(clock)
    for shown in (html.draw_band, write_summary):
        assert "unsigned" in shown(ControlModel(control))
    home = Settings.from_environment().home
    key = make_key(home / KEY_FILE)
    signing = open_control(Settings.from_environment(), clock)
    enrol_key(signing, Enrolment(key.public_hex, "ann", "ops-lead"))
    signed = f"signed by ops-lead (ann, key {key.key_id})"
    assert signed in text_of(html.draw_band(ControlModel(control)))
    assert write_summary(ControlModel(control)).splitlines()[3] == control.head_note().text
    assert control.head_note().text.endswith(f", {signed}")


def test_a_recorded_clock_says_demo_and_its_time(control: FaultyControl) -> None:
    """On a recorded clock every drawing of the panel says DEMO and the recorded instant."""
    at = datetime(2026, 11, 20, 3, 12, tzinfo=UTC)
    model = ControlModel(control, recorded_at=at)
    for shown in (
        text_of(html.draw_band(model)),
        text_of(html.draw_summary(model)),
        write_summary(model),
    ):
        assert "DEMO" in shown
        assert "2026-11-20 03:12:00 UTC" in shown


def test_a_store_never_read_is_said(model: ControlModel) -> None:
    """Without a head the band says so and shows no environment."""
    model.head = None
    assert text_of(html.draw_band(model)) == "NO STORE READ"


def test_the_headline_counts_only_what_is_stopped(
    model: ControlModel, control: FaultyControl
) -> None:
    """What a hold covers and does not stop is never counted as paused."""
    assert "Nothing is paused; 5 automations may run" in text_of(html.draw_headline(model))
    a_pause(control)
    control.resume_narrow(
        ResumeRequest("H-1", only="automation=ticket-reply", runs=2, break_glass_reason="a try")
    )
    model.refresh()
    shown = text_of(html.draw_headline(model))
    assert "1 of 5 automations paused" in shown
    assert "1 held and NOT stopped" in shown
    assert "1 in a narrow restart" in shown
    assert "By 1 hold: H-1." in shown


def test_the_headline_says_what_has_not_confirmed(
    filled: ControlModel, control: FaultyControl
) -> None:
    """A pause that nobody has seen yet is not shown as done, in the headline or in the text."""
    filled.pause.arm()
    filled.pause.confirm()
    assert "2 of H-1 not confirmed yet" in text_of(html.draw_headline(filled))
    assert "2 of H-1 not confirmed yet" in write_summary(filled)
    gate = Gate(control.store.gate_folder)
    gate.check("invoice-triage")
    gate.check("ticket-reply")
    filled.refresh()
    assert "not confirmed" not in text_of(html.draw_headline(filled))


def test_an_overdue_hold_says_overdue_still_paused(
    clock: FixedClock, control: FaultyControl
) -> None:
    """LAPSED is never shown by that name, and never as free to run."""
    a_pause(control, review_by=clock.now() + timedelta(hours=1))
    control.clock = FixedClock(clock.now() + timedelta(hours=2))
    model = ControlModel(control)
    assert "1 overdue, still paused" in text_of(html.draw_headline(model))
    assert "overdue, still paused" in text_of(forms.draw_hold(model.holds[0]))
    assert "lapsed" not in everything(model).lower()


def test_a_fault_of_publication_and_a_failed_read_are_alerts(model: ControlModel) -> None:
    """What may make the screen or the gates wrong is announced, not only coloured."""
    model.publication_fault = "the gate folder is read-only"
    model.read_problem = "the store is away"
    drawn = html.draw_headline(model)
    assert drawn.count("role='alert'") == 2
    assert "Gates may not know the newest state: the gate folder is read-only." in text_of(drawn)
    assert "what is shown is old. the store is away" in text_of(drawn)


def test_the_preview_names_what_is_not_stopped_first(model: ControlModel) -> None:
    """The one automation a pause does not stop stands on top of the list, in words."""
    assert "Choose a scope" in text_of(forms.draw_preview(model.pause))
    model.pause.scope = "*"
    drawn = forms.draw_preview(model.pause)
    shown = text_of(drawn)
    assert "5 automations under * (safe mode: everything)" in shown
    assert "1 automation will NOT be stopped." in shown
    assert shown.index("product-copy") < shown.index("invoice-triage")
    assert drawn.count("NOT STOPPED") == 1
    assert drawn.count("<tr class=") == 1 + 5 - 1


def test_the_preview_shows_what_each_mode_does(model: ControlModel) -> None:
    """Each mode is told in plain words beside the list."""
    model.pause.scope = "kind=agent"
    for mode in Mode:
        model.pause.mode = mode
        assert mode.in_plain_words in text_of(forms.draw_preview(model.pause))


def test_the_armed_pause_repeats_what_will_be_recorded(filled: ControlModel) -> None:
    """Scope, mode and reason stand beside the confirmation as they will be recorded."""
    assert forms.draw_armed(filled.pause) == ""
    filled.pause.arm()
    shown = text_of(forms.draw_armed(filled.pause))
    assert "Nothing is paused until you confirm" in shown
    assert "kind=agent,provider=acme-llm" in shown
    assert "three agents fail since 02:40" in shown


def test_targets_show_the_four_steps_apart(filled: ControlModel) -> None:
    """Recorded, delivered, confirmed and quiet are counted and timed each on its own."""
    assert "nothing to watch" in text_of(html.draw_targets(filled))
    filled.pause.arm()
    filled.pause.confirm()
    shown = text_of(html.draw_targets(filled))
    assert "3 of 3 recorded" in shown
    assert "2 of 3 delivered" in shown
    assert "0 of 3 confirmed" in shown
    assert "0 of 3 quiet" in shown
    assert shown.count("UNCONFIRMED") == 3
    assert "has not asked yet" in shown
    assert "NOT stopped" in shown


def test_only_recorded_instants_are_shown(model: ControlModel, control: FaultyControl) -> None:
    """What nobody recorded has no time: it is seen now; observed and recorded, the instant stands."""
    a_pause(control, "automation=order-sync")
    Gate(control.store.gate_folder).check("order-sync")
    model.refresh()
    (target,) = model.targets
    assert target.unrecorded == ("confirmed_at", "quiet_at")
    shown = html.draw_targets(model)
    assert text_of(shown).count("seen now, not recorded") == 4
    assert text_of(shown).count("09:30:00") == 2, "recorded and delivered alone"
    assert "1 of 1 confirmed1 seen now, not recorded" in text_of(shown)
    control.observe("H-1")
    model.refresh()
    assert model.targets[0].unrecorded == ()
    assert "seen now" not in html.draw_targets(model)


def test_a_host_s_word_is_no_recorded_instant(model: ControlModel, control: FaultyControl) -> None:
    """What another host's mirror tells moves with its newest report, so that it is seen now and no more."""
    forge(control, row_of("till", published_seq=0))
    a_pause(control, "automation=order-sync")
    forge(control, row_of("till"))
    model.refresh()
    assert "delivered_at" in model.targets[0].unrecorded
    assert "seen now, not recorded" in text_of(html.draw_targets(model))


def test_runs_in_flight_are_shown_where_quiet_would_be(filled: ControlModel) -> None:
    """A target with runs in flight says how many instead of a time."""
    filled.pause.arm()
    filled.pause.confirm()
    busy = filled.targets[0].__class__(
        automation_id="invoice-triage", state=filled.targets[0].state, in_flight_count=2
    )
    filled.targets = (busy,)
    assert "2 in flight" in text_of(html.draw_targets(filled))


def test_a_hold_shows_scope_mode_reason_person_and_time(
    model: ControlModel, control: FaultyControl
) -> None:
    """Everything the next shift asks about a hold stands in its row, decisions included."""
    a_pause(control, incident_id="I-1")
    a_decision(control, "H-1", VerdictKind.KEEP_PAUSED, "invoice-triage")
    model.refresh()
    shown = text_of(forms.draw_hold(model.holds[0]))
    for part in (
        "H-1",
        "kind=agent,provider=acme-llm",
        "freeze",
        "incident",
        "I-1",
        "3 automations",
    ):
        assert part in shown
    assert "three agents fail since 02:40" in shown
    assert "since 2026-11-20 09:30:00 UTC" in shown
    assert "D-1, keep_paused, by " in shown


def test_a_narrow_restart_shows_how_much_is_used(
    model: ControlModel, control: FaultyControl
) -> None:
    """Runs taken, the limit and the grounds of a narrow restart stand under its hold."""
    a_pause(control)
    control.resume_narrow(
        ResumeRequest("H-1", only="automation=ticket-reply", runs=2, break_glass_reason="a try")
    )
    model.refresh()
    shown = text_of(forms.draw_hold(model.holds[0]))
    assert "Narrow restart P-1 of ticket-reply: 0 of 2 runs used, on break-glass" in shown
    assert "P-1 restarted" in text_of(html.draw_flags(model))


def test_only_the_newest_flags_are_listed(model: ControlModel) -> None:
    """Many flags do not push the holds off the screen, and are not hidden either."""
    assert html.draw_flags(model) == ""
    model.flags = tuple(f"flag {number}" for number in range(5))
    shown = text_of(html.draw_flags(model))
    assert "flag 4" in shown
    assert "flag 1" not in shown
    assert "and 2 more" in shown


def test_every_automation_is_listed_with_owner_and_state(
    model: ControlModel, control: FaultyControl
) -> None:
    """Held automations stand on top, and one that is held and not stopped says so."""
    a_pause(control)
    model.refresh()
    shown = text_of(html.draw_automations(model))
    assert shown.index("ticket-reply") < shown.index("order-sync")
    assert "held, NOT STOPPED" in shown
    assert shown.count("ops-lead") == 10


def test_a_message_marks_commands_and_its_role() -> None:
    """Commands to type stand in code; an alert is announced at once, a note politely."""
    assert draw_message(Message()) == ""
    alert = draw_message(Message("no", "type `workbench review H-7`", is_alert=True))
    assert "role='alert'" in alert
    assert "<code>workbench review H-7</code>" in alert
    assert "role='status'" in draw_message(Message("done"))


def test_the_text_summary_says_what_stands(model: ControlModel, control: FaultyControl) -> None:
    """For a log or a terminal the same state is plain lines, with what could not be read."""
    a_pause(control)
    model.refresh()
    model.read_problem = "the store is away"
    shown = write_summary(model)
    assert "environment staging" in shown
    assert "2 of 5 automations paused" in shown
    assert "1 held and NOT stopped" in shown
    assert "H-1 kind=agent,provider=acme-llm freeze (paused)" in shown
    assert "NOT READ: the store is away" in shown


def test_an_empty_registry_draws(clock: FixedClock) -> None:
    """A store with no automation yet is shown as that, without an error."""
    control = a_control(clock)
    registry = a_registry()
    control.apply_registry(Registry(registry.owners, registry.categories, {}))
    shown = text_of(html.draw_summary(ControlModel(control)))
    assert "Nothing is paused; 0 automations may run" in shown
