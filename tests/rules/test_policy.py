"""The policy file: every setting changes what it says, and every bad document is refused with a clear sentence."""

import re
import tomllib
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.policy import DEFAULT, KindPolicy, Policy, PolicyProblem, Reason
from rules.vocabulary import CancellationCause, OnDeadline, OrderStatus, RequestKind

PAGE = Path(__file__).parents[2] / "docs" / "policy.md"
S = OrderStatus


def policy(toml: str) -> Policy:
    return Policy.from_mapping(tomllib.loads(toml))


def example() -> dict[str, Any]:
    (block,) = re.findall(r"^```toml\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return tomllib.loads(block)


def settings(table: dict[str, Any], place: str = "") -> set[str]:
    """The full names of all settings in a document; reasons and amounts are values."""
    names = set()
    for name, value in table.items():
        inner = isinstance(value, dict) and name not in ("minimum_amount", "minimum_price")
        names |= settings(value, f"{place}{name}.") if inner else {f"{place}{name}"}
    return names


def test_an_empty_file_is_the_default() -> None:
    assert policy("") == DEFAULT


def test_the_page_s_example_is_the_default_but_for_the_minimums() -> None:
    found = Policy.from_mapping(example())
    assert found == replace(
        DEFAULT,
        minimum_refund={"USD": 500, "EUR": 500, "JPY": 500},
        minimum_price={"USD": 5_000, "EUR": 5_000, "JPY": 5_000},
    )


def test_the_page_names_every_setting_of_its_complete_example() -> None:
    prose = PAGE.read_text(encoding="utf-8").split("```toml")[0]
    for name in settings(example()):
        short = name.rsplit(".", maxsplit=1)[-1]
        assert f"`{name}`" in prose or (name.startswith("requests.") and f"`{short}`" in prose), name


CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("[refund]\ncap_percent = 50", {"refund_cap_percent": 50}),
    ('[refund]\nminimum_amount = { USD = "5.00", JPY = "500" }', {"minimum_refund": {"USD": 500, "JPY": 500}}),
    ("[refund]\nminimum_amount = { KWD = 1.25 }", {"minimum_refund": {"KWD": 1_250}}),
    ('[refund]\nminimum_price = { USD = "50" }', {"minimum_price": {"USD": 5_000}}),
    ("[order]\nauto_complete_hours = 48", {"auto_complete_after": timedelta(hours=48)}),
    ("[order]\ncancel_alone_hours = 0.5", {"cancel_alone_after": timedelta(minutes=30)}),
    ("[order]\nlongest_extension_days = 7", {"longest_extension_days": 7}),
    ("[order]\nlongest_delivery_days = 30", {"longest_delivery_days": 30}),
    ("[reminders]\nhours = [1, 12, 1]", {"reminders": (timedelta(hours=12), timedelta(hours=1))}),
    ("[reminders]\nhours = []", {"reminders": ()}),
    ("[reminders]\nnear_hours = 2", {"near": timedelta(hours=2)}),
    ("[standing]\nwindow_days = 90", {"standing_window": timedelta(days=90)}),
    ("[standing]\nfull_from = 1", {"full_from": 1.0}),
    ("[standing]\nreduced_from = 0.9", {"reduced_from": 0.9}),
    ("[standing]\nnot_counted = []", {"uncounted": frozenset()}),
    (
        '[standing]\nnot_counted = ["CLIENT_ASKED", "SUPPORT_DECIDED"]',
        {"uncounted": frozenset({CancellationCause.CLIENT_ASKED, CancellationCause.SUPPORT_DECIDED})},
    ),
    ("[texts]\nmost = 500", {"longest_text": 500}),
    (
        '[reasons]\nrefund = [{ code = "A", label = "B", requires_text = true }]',
        {"refund_reasons": (Reason("A", "B", requires_text=True),)},
    ),
    (
        '[reasons]\ncancellation_by_freelancer = [{ code = "A", label = "B" }]',
        {"freelancer_cancellation_reasons": (Reason("A", "B"),)},
    ),
    (
        '[reasons]\ncancellation_by_client = [{ code = "A", label = "B" }]',
        {"client_cancellation_reasons": (Reason("A", "B"),)},
    ),
]


@pytest.mark.parametrize(("toml", "values"), CHANGES, ids=lambda value: value if isinstance(value, str) else "")
def test_each_setting_changes_one_thing_and_nothing_else(toml: str, values: dict[str, Any]) -> None:
    assert policy(toml) == replace(DEFAULT, **values)


def test_every_field_of_the_policy_can_be_changed_by_the_file() -> None:
    changed = {name for _, values in CHANGES for name in values}
    assert {field.name for field in fields(Policy)} == changed | {"kinds"}


@pytest.mark.parametrize("kind", RequestKind)
def test_each_kind_of_request_has_its_own_terms(kind: RequestKind) -> None:
    found = policy(f'[requests.{kind}]\nwindow_hours = 1\nsilence = "ESCALATE"\nopen_in = ["DELIVERED"]')
    terms = KindPolicy(timedelta(hours=1), OnDeadline.ESCALATE, frozenset({S.DELIVERED}))
    assert found.kinds == {**DEFAULT.kinds, kind: terms}


def test_a_kind_keeps_what_the_file_does_not_say() -> None:
    found = policy("[requests.CANCELLATION]\nwindow_hours = 24").kinds[RequestKind.CANCELLATION]
    assert found == replace(DEFAULT.kinds[RequestKind.CANCELLATION], window=timedelta(hours=24))


def test_a_kind_may_be_switched_off() -> None:
    assert policy("[requests.ORDER_UPDATE]\nopen_in = []").kinds[RequestKind.ORDER_UPDATE].open_in == frozenset()


HOURS = "must be a number of hours, more than 0 and at most 8760"


@pytest.mark.parametrize(
    ("toml", "sentence"),
    [
        ("refunds = 1", "the file: there is no setting «refunds»; there are order, reasons, refund,"),
        ("refund = 1", "refund: must be a table, [refund]"),
        ("requests = []", "requests: must be a table, [requests]"),
        ("[requests]\nCANCELLATION = 1", "requests.CANCELLATION: must be a table"),
        ("[requests.REFUND]", "requests: there is no setting «REFUND»; there are CANCELLATION,"),
        ("[requests.CANCELLATION]\nhours = 1", "requests.CANCELLATION: there is no setting «hours»"),
        ("[requests.CANCELLATION]\nwindow_hours = 0", f"requests.CANCELLATION.window_hours: {HOURS}"),
        ("[requests.CANCELLATION]\nwindow_hours = -1", f"requests.CANCELLATION.window_hours: {HOURS}"),
        ("[requests.CANCELLATION]\nwindow_hours = 1e-12", f"requests.CANCELLATION.window_hours: {HOURS}"),
        ("[requests.CANCELLATION]\nwindow_hours = 8761", f"requests.CANCELLATION.window_hours: {HOURS}"),
        ("[requests.CANCELLATION]\nwindow_hours = nan", f"requests.CANCELLATION.window_hours: {HOURS}"),
        ("[requests.CANCELLATION]\nwindow_hours = inf", f"requests.CANCELLATION.window_hours: {HOURS}"),
        ("[requests.CANCELLATION]\nwindow_hours = true", f"requests.CANCELLATION.window_hours: {HOURS}"),
        ('[requests.CANCELLATION]\nwindow_hours = "48"', f"requests.CANCELLATION.window_hours: {HOURS}"),
        (
            '[requests.CANCELLATION]\nsilence = "accept"',
            "requests.CANCELLATION.silence: «accept» is none of ACCEPT, ESCALATE, EXPIRE",
        ),
        (
            '[requests.CANCELLATION]\nsilence = ["ACCEPT"]',
            "requests.CANCELLATION.silence: «['ACCEPT']» is none of ACCEPT, ESCALATE, EXPIRE",
        ),
        (
            '[requests.ORDER_UPDATE]\nsilence = "ACCEPT"',
            "requests.ORDER_UPDATE.silence: silence can't answer a question; write EXPIRE or ESCALATE",
        ),
        ('[requests.CANCELLATION]\nopen_in = "DELIVERED"', "requests.CANCELLATION.open_in: must be a list"),
        ('[requests.CANCELLATION]\nopen_in = ["COMPLETED"]', "requests.CANCELLATION.open_in: «COMPLETED» is none of"),
        ("[requests.CANCELLATION]\nopen_in = [1]", "requests.CANCELLATION.open_in: «1» is none of"),
        ("[requests.CANCELLATION]\nopen_in = [{}]", "requests.CANCELLATION.open_in: «{}» is none of"),
        ("[refund]\ncap = 50", "refund: there is no setting «cap»; there are cap_percent,"),
        ("[refund]\ncap_percent = 0", "refund.cap_percent: must be a whole number from 1 to 100"),
        ("[refund]\ncap_percent = 101", "refund.cap_percent: must be a whole number from 1 to 100"),
        ("[refund]\ncap_percent = 60.0", "refund.cap_percent: must be a whole number from 1 to 100"),
        ("[refund]\ncap_percent = true", "refund.cap_percent: must be a whole number from 1 to 100"),
        ("[refund]\nminimum_amount = 5", "refund.minimum_amount: must be a table"),
        ('[refund]\nminimum_amount = { XXX = "5" }', "refund.minimum_amount: there is no setting «XXX»"),
        ('[refund]\nminimum_amount = { USD = "5.001" }', "refund.minimum_amount.USD: write an exact amount, like"),
        ('[refund]\nminimum_amount = { USD = "0" }', "refund.minimum_amount.USD: write an exact amount, like"),
        ('[refund]\nminimum_amount = { USD = "five" }', "refund.minimum_amount.USD: write an exact amount, like"),
        ("[refund]\nminimum_amount = { USD = nan }", "refund.minimum_amount.USD: write an exact amount, like"),
        ("[refund]\nminimum_price = { USD = true }", "refund.minimum_price.USD: write an exact amount, like"),
        ("[refund]\nminimum_price = { USD = [5] }", "refund.minimum_price.USD: write an exact amount, like"),
        ("[order]\nauto_complete_days = 3", "order: there is no setting «auto_complete_days»"),
        ("[order]\nauto_complete_hours = 0", f"order.auto_complete_hours: {HOURS}"),
        ("[order]\ncancel_alone_hours = []", f"order.cancel_alone_hours: {HOURS}"),
        ("[order]\nlongest_extension_days = 0", "order.longest_extension_days: must be a whole number from 1 to 3650"),
        ("[order]\nlongest_delivery_days = 3651", "order.longest_delivery_days: must be a whole number from 1 to 3650"),
        ("[reminders]\nhours = 24", "reminders.hours: must be a list"),
        ("[reminders]\nhours = [24, 0]", f"reminders.hours: {HOURS}"),
        ('[reminders]\nnear_hours = "4"', f"reminders.near_hours: {HOURS}"),
        ("[reminders]\nminutes = [5]", "reminders: there is no setting «minutes»"),
        ("[standing]\nwindow_days = 0", "standing.window_days: must be a whole number from 1 to 3650"),
        ("[standing]\nfull_from = 1.1", "standing.full_from: must be a number from 0 to 1"),
        ("[standing]\nreduced_from = nan", "standing.reduced_from: must be a number from 0 to 1"),
        ("[standing]\nreduced_from = true", "standing.reduced_from: must be a number from 0 to 1"),
        ("[standing]\nfull_from = 0.6", "standing.full_from: must not be less than standing.reduced_from"),
        ("[standing]\nreduced_from = 0.95", "standing.full_from: must not be less than standing.reduced_from"),
        ('[standing]\nnot_counted = ["LATE"]', "standing.not_counted: «LATE» is none of CLIENT_ALONE_OVERDUE,"),
        ('[standing]\nnot_counted = "CLIENT_ASKED"', "standing.not_counted: must be a list"),
        ("[standing]\nrate = 1", "standing: there is no setting «rate»"),
        ("[texts]\nmost = 0", "texts.most: must be a whole number from 1 to 100000"),
        ("[texts]\nleast = 1", "texts: there is no setting «least»; there are most"),
        ("[reasons]\nother = []", "reasons: there is no setting «other»; there are cancellation_by_client,"),
        ("[reasons]\nrefund = {}", "reasons.refund: must be a list"),
        ("[reasons]\nrefund = []", "reasons.refund: name at least one reason"),
        ('[reasons]\nrefund = ["GOODWILL"]', "reasons.refund: must be a table"),
        ('[reasons]\nrefund = [{ code = "A" }]', "reasons.refund: each reason is { code ="),
        ('[reasons]\nrefund = [{ code = "", label = "B" }]', "reasons.refund: each reason is { code ="),
        ('[reasons]\nrefund = [{ code = " ", label = "B" }]', "reasons.refund: each reason is { code ="),
        ('[reasons]\nrefund = [{ code = "A", label = "" }]', "reasons.refund: each reason is { code ="),
        ('[reasons]\nrefund = [{ code = "A", label = "  " }]', "reasons.refund: each reason is { code ="),
        ('[reasons]\nrefund = [{ code = 1, label = "B" }]', "reasons.refund: each reason is { code ="),
        (
            f'[reasons]\nrefund = [{{ code = "{"A" * 65}", label = "B" }}]',
            "reasons.refund: each reason is { code =",
        ),
        (
            '[reasons]\nrefund = [{ code = "A", label = "B", requires_text = 1 }]',
            "reasons.refund.requires_text: write true or false",
        ),
        (
            '[reasons]\nrefund = [{ code = "A", label = "B", text = true }]',
            "reasons.refund: there is no setting «text»",
        ),
        (
            '[reasons]\nrefund = [{ code = "A", label = "B" }, { code = "A", label = "C" }]',
            "reasons.refund: a code stands there twice",
        ),
    ],
)
def test_a_bad_document_is_refused_with_its_place_and_what_to_write(toml: str, sentence: str) -> None:
    with pytest.raises(PolicyProblem) as problem:
        policy(toml)
    assert str(problem.value).startswith(sentence)


SCALARS = st.one_of(st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just("ACCEPT"))
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner))
NAMES = sorted(settings(example()))


@given(st.sampled_from(NAMES), VALUES)
def test_any_value_at_any_place_is_taken_or_refused_never_an_accident(name: str, value: object) -> None:
    document: object = value
    for part in reversed(name.split(".")):
        document = {part: document}
    assert isinstance(document, dict)
    try:
        assert isinstance(Policy.from_mapping(document), Policy)
    except PolicyProblem as problem:
        assert ": " in str(problem)  # noqa: PT017  # either outcome is right; this is what a problem must look like
