"""Texts that people write: trimmed, not empty, not endless, free of control characters."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.refusals import Refusal, Refused
from rules.texts import optional_text, text
from rules.vocabulary import RefusalCode


def refusal(value: str, *, most: int = 2_500, lines: bool = True) -> Refusal:
    with pytest.raises(Refused) as refused:
        text(value, "message", most=most, lines=lines)
    (only,) = refused.value.refusals
    assert only.path == ("message",)
    return only


def test_a_text_is_trimmed_and_keeps_its_lines_and_tabs() -> None:
    assert text("  first\r\n\tsecond \n", "message", most=100) == "first\n\tsecond"


@pytest.mark.parametrize("blank", ["", " ", "\n\t", "\u3000", "\x1f"])
def test_a_blank_text_is_required(blank: str) -> None:
    found = refusal(blank)
    assert (found.code, found.message) == (RefusalCode.TEXT_REQUIRED, "Write something here: it can't be empty.")


def test_the_longest_text_is_taken_and_one_more_character_is_not() -> None:
    assert len(text("é" * 2_500, "message", most=2_500)) == 2_500
    assert len(text("  " + "x" * 2_500 + "  ", "message", most=2_500)) == 2_500
    found = refusal("x" * 2_501)
    assert found.code is RefusalCode.TEXT_TOO_LONG
    assert found.message == "This is 2,501 characters long; at most 2,500 are taken."


@pytest.mark.parametrize("control", ["\x00", "\x07", "\x1b", "\x7f", "\x85", "\x9f", "\r", "\ud800"])
def test_control_characters_and_half_surrogates_are_refused(control: str) -> None:
    assert refusal(f"before{control}after").code is RefusalCode.VALUE_INVALID


@pytest.mark.parametrize(
    ("lines", "categories", "kept"), [(True, {"Cc", "Cs"}, "\n\t"), (False, {"Cc", "Cs", "Zl", "Zp"}, "")]
)
def test_what_is_refused_is_what_unicode_calls_so(lines: bool, categories: set[str], kept: str) -> None:
    """Every character there is."""
    wrong = []
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        try:
            text(f"a{character}b", "message", most=10, lines=lines)
            taken = True
        except Refused:
            taken = False
        if taken != (unicodedata.category(character) not in categories or character in kept):
            wrong.append(code)
    assert wrong == []


@pytest.mark.parametrize("line", ["\n", "\t", "\r\n", "\u2028", "\u2029"])
def test_a_title_has_one_line(line: str) -> None:
    assert refusal(f"a{line}b", lines=False).code is RefusalCode.VALUE_INVALID


@pytest.mark.parametrize("kept", ["日本語", "👩‍🎨", "مرحبا", "a\u00a0b", "«»", "e\u0301"])
def test_every_script_is_welcome(kept: str) -> None:
    assert text(kept, "message", most=100) == kept


@pytest.mark.parametrize("nothing", [None, "", "  \n "])
def test_an_optional_text_may_be_nothing(nothing: str | None) -> None:
    assert optional_text(nothing, "note", most=10) is None


def test_an_optional_text_obeys_the_same_rules() -> None:
    assert optional_text(" yes ", "note", most=10) == "yes"
    with pytest.raises(Refused):
        optional_text("x" * 11, "note", most=10)


@given(st.text(max_size=40, alphabet=st.characters()))
def test_what_was_taken_once_is_taken_unchanged_again(value: str) -> None:
    try:
        taken = text(value, "message", most=30)
    except Refused:
        return
    assert text(taken, "message", most=30) == taken
    assert 1 <= len(taken) <= 30
    assert all(unicodedata.category(character) not in ("Cc", "Cs") or character in "\n\t" for character in taken)
