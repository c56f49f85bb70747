"""What the prompts say: words, placeholders, languages, names."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from pbx_plugin.domain.call import User
from pbx_plugin.domain.consent_ivr import Prompt
from pbx_plugin.domain.rulebook import ConsentNumber, Rulebook, Tenant
from pbx_plugin.prompts.texts import (
    GENERAL,
    PromptTextError,
    Texts,
    base_language,
    load_texts,
    question_name,
    wordings,
)
from pbx_plugin.resources import resource_dir

TEXTS = load_texts(resource_dir("ivr_prompts"))
TENANT = Tenant("acme", "Acme & Søn", "DK", "da")


def number(identity: str = "n1", language: str = "da", purpose: str = "quality", days: int = 7) -> ConsentNumber:
    return ConsentNumber(identity, "acme", "800", language, "yes", "no", purpose=purpose, keep_days=days)


def rulebook(*numbers: ConsentNumber, users: tuple[User, ...] = ()) -> Rulebook:
    return Rulebook(tenants={"acme": TENANT}, users=users, consent_numbers=numbers)


@pytest.mark.parametrize("language", sorted(TEXTS))
def test_the_question_names_company_purpose_keeping_time_and_both_keys(language: str) -> None:
    texts = TEXTS[language]
    said = texts.question("Acme & Søn", number(days=30))

    assert "Acme & Søn" in said
    assert texts.purposes["quality"] in said
    assert texts.many_days.replace("{days}", "30") in said
    assert said.index("1") < said.rindex("2")
    assert not set("{}\n") & set(said)


@pytest.mark.parametrize("language", sorted(TEXTS))
def test_every_language_has_every_prompt_that_the_ivr_can_play(language: str) -> None:
    assert {prompt.value for prompt in Prompt} - {"consent", "language"} < set(GENERAL)
    for name in GENERAL:
        assert len(TEXTS[language].general(name)) > 10
    assert "9" in TEXTS[language].offer("9")
    assert set(TEXTS[language].purposes) == set(TEXTS["en"].purposes)


def test_no_prompt_promises_that_a_call_will_be_recorded_after_a_yes() -> None:
    assert "may be" in TEXTS["en"].general("thanks-yes")
    assert "not recorded" in TEXTS["en"].general("thanks-no")


@pytest.mark.parametrize(("days", "said"), [(1, "after one day."), (2, "after 2 days."), (365, "after 365 days.")])
def test_the_keeping_time_is_told_in_grammar(days: int, said: str) -> None:
    assert said in TEXTS["en"].question("Acme", number(days=days))


def test_a_purpose_in_the_company_s_own_words_is_spoken_as_it_stands() -> None:
    assert "because the law says so" in TEXTS["en"].question("Acme", number(purpose="because the law says so"))


@pytest.mark.parametrize("name", ["[[h@'loU]]", "<speak>", "{keeping}", "a\x00b\nc", "{0.__class__}"])
def test_a_company_s_name_is_only_ever_read_aloud(name: str) -> None:
    said = TEXTS["en"].question(name, number())

    assert not set("[]<>{}\x00\n") & set(said)
    assert said.count("7 days") == 1


def test_a_number_speaks_its_language_and_all_languages_in_use_have_the_general_prompts() -> None:
    user = User("u", "acme", "Ann", "101", language="en")
    made = wordings(rulebook(number(language="da-DK"), users=(user,)), TEXTS)

    assert {(one.language, one.name) for one in made} == {
        *(("da", name) for name in GENERAL),
        *(("en", name) for name in GENERAL),
        *((language, "announce") for language in TEXTS),
        ("da", "consent-n1"),
    }


def test_a_number_asks_in_each_of_its_languages_and_offers_those_that_have_a_key() -> None:
    spoken = replace(number(), by_country=(("SE", "sv"), ("FI", "fi")), by_key=(("9", "en"), ("8", "fi")))
    made = {(one.language, one.name) for one in wordings(rulebook(spoken), TEXTS)}

    assert {one for one in made if one[1] == "consent-n1"} == {(tongue, "consent-n1") for tongue in ("da", "sv", "en")}
    assert {one for one in made if one[1].startswith("language")} == {("en", "language-9")}
    assert {("sv", name) for name in GENERAL} < made
    (offer,) = [one for one in wordings(rulebook(spoken), TEXTS) if one.name == "language-9"]
    assert offer.text == "For English, press 9."


def test_a_number_in_a_language_without_texts_asks_in_english() -> None:
    (question,) = [one for one in wordings(rulebook(number(language="fi")), TEXTS) if one.general == "consent"]

    assert question.language == "en"
    assert question.text.startswith("Welcome")
    assert question.keep_days == 7


@pytest.mark.parametrize("identity", ["../../etc/passwd", "a/b", "", "ø", "x" * 300, "a b", "a\n"])
def test_whatever_a_number_s_id_is_its_prompt_is_one_plain_file_name(identity: str) -> None:
    name = question_name(number(identity))

    assert name.startswith("consent-")
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert len(name) < 100


def test_two_numbers_never_share_a_prompt() -> None:
    names = {question_name(number(identity)) for identity in ("a", "b", "a/b", "a/c", "a b", "")}
    assert len(names) == 6


@pytest.mark.parametrize(("tag", "base"), [("da-DK", "da"), ("da_DK", "da"), (" EN ", "en"), ("en", "en")])
def test_a_language_tag_is_known_by_its_first_part(tag: str, base: str) -> None:
    assert base_language(tag) == base


GOOD = (resource_dir("ivr_prompts") / "en.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('text_version = "2026-1"', "", "text_version"),
        ("thanks-no =", "thanks-nope =", "thanks-no"),
        ("{keeping}", "a week", "keeping"),
        ("press {key}", "press nine", "key"),
        ("{company}", "{company} {phone}", "company"),
        ("[purposes]", "[purposes", "en.toml"),
        ("words_per_minute = 150", 'words_per_minute = "fast"', "fast"),
    ],
)
def test_a_text_file_with_a_mistake_is_refused_by_name(tmp_path: Path, old: str, new: str, named: str) -> None:
    assert old in GOOD
    (tmp_path / "en.toml").write_text(GOOD.replace(old, new), encoding="utf-8")

    with pytest.raises(PromptTextError, match=named) as refused:
        load_texts(tmp_path)
    assert str(tmp_path / "en.toml") in str(refused.value)


def test_without_english_there_is_nothing_to_fall_back_on(tmp_path: Path) -> None:
    (tmp_path / "da.toml").write_text(GOOD, encoding="utf-8")
    with pytest.raises(PromptTextError, match=r"en\.toml"):
        load_texts(tmp_path)


def test_the_texts_are_plain_values() -> None:
    assert all(isinstance(texts, Texts) for texts in TEXTS.values())
    assert set(TEXTS) == {"en", "da", "sv", "nl", "de"}


WRITTEN = {
    ("da", "2026-1"): "f5397371db66312047714c97e729f1df",
    ("de", "2026-1"): "8f08161704da50c7dfc0040dcee4ec24",
    ("en", "2026-1"): "7d884a416364ade9b5347dfb123759d1",
    ("nl", "2026-1"): "c9a3e6e65a8884ae780c4d5f3e50aec1",
    ("sv", "2026-1"): "dba7fcdc087de9321a56a1b6e83db68f",
}
"""The texts of every version that was ever spoken. A text that changes gets a new version, and a new line here."""


@pytest.mark.parametrize("language", sorted(TEXTS))
def test_a_changed_text_has_a_version_of_its_own(language: str) -> None:
    texts = TEXTS[language]
    words = [*sorted(texts.prompts.items()), *sorted(texts.purposes.items()), texts.one_day, texts.many_days]

    assert hashlib.sha256(repr(words).encode()).hexdigest()[:32] == WRITTEN[language, texts.text_version]
