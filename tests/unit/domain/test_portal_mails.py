"""What accounts are mailed: every language whole, one link, and no name that becomes more than a name."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pbx_plugin.domain.notices import CODE_MARK
from pbx_plugin.domain.portal_mails import LANGUAGES, Change, MailText, changed_mail, link_mail
from pbx_plugin.domain.signing import LinkPurpose

WHERE = "https://calls.example.com/password/"


def written(purpose: LinkPurpose, language: str, *, name: str = "Anna", hours: float = 72) -> MailText:
    return link_mail(
        purpose,
        language,
        name=name,
        email="anna@acme.dk",
        company="Acme",
        address=WHERE,
        holds=timedelta(hours=hours),
    )


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("purpose", LinkPurpose)
def test_every_language_has_whole_mails_of_its_own(language: str, purpose: LinkPurpose) -> None:
    mail = written(purpose, language)
    assert mail.language == language
    assert mail.body.count(f"{WHERE}{CODE_MARK}") == 1
    assert mail.body.replace(CODE_MARK, "").count("{") == 0
    assert "Anna" in mail.body
    assert "anna@acme.dk" in mail.body
    assert "72 " in mail.body
    assert "Acme" in mail.subject
    for change in Change:
        told = changed_mail(change, language, name="Anna", email="anna@acme.dk", company="Acme")
        assert "{" not in told.subject + told.body
        assert all(word in told.body for word in ("Anna", "anna@acme.dk", "Acme"))


def test_no_two_languages_say_the_same() -> None:
    assert len({written(LinkPurpose.RESET, language).body for language in LANGUAGES}) == len(LANGUAGES) == 5


def test_a_language_that_we_have_not_is_english() -> None:
    assert written(LinkPurpose.RESET, "fr").language == "en"
    assert written(LinkPurpose.RESET, "de-AT").language == "de"


@pytest.mark.parametrize(("hours", "said"), [(1, "60 minutes"), (0.5, "30 minutes"), (72, "72 hours"), (1.5, "90 min")])
def test_the_time_is_told_as_people_say_it(hours: float, said: str) -> None:
    assert said in written(LinkPurpose.RESET, "en", hours=hours).body


def test_a_name_stays_a_name() -> None:
    mail = written(
        LinkPurpose.RESET, "en", name="Anna {link} {code}\r\nBcc: x@y\u202e https://evil.example " + "x" * 500
    )
    assert mail.body.count(CODE_MARK) == 1
    assert "\r" not in mail.body + mail.subject
    assert "\u202e" not in mail.body
    assert "\nBcc" not in mail.body
    assert "x" * 101 not in mail.body
