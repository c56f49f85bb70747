"""Who may download and mail what, by role, switch and company together; and what a zip file leaves out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from pbx_plugin.domain.access import Role, Viewer
from pbx_plugin.domain.handing import Rules
from pbx_plugin.services.exporting import Manifest, why_left_out
from pbx_plugin.services.handing import Recorded, why_no_download, why_no_link

AT = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
BOSS = Viewer("t", "a", "Sofie", Role.SUPERUSER, may_listen=True, may_download=True, may_mail=True)
OPEN = Rules(downloads=True, links=True)
CALL = Recorded(
    "r", "m", "c", "t", "anna", "", frozenset(), AT, "Anna/../Ærø", "101", "incoming", "=1+1\r\n", "", "", "stored",
    "x.wav", "ab", 9, 8000, 1500, "right", None, None, deletable_by_hand=True, held=False, deleted_at=None,
)  # fmt: skip


@pytest.mark.parametrize(
    ("viewer", "rules", "download", "link"),
    [
        (BOSS, OPEN, True, True),
        (BOSS, Rules(downloads=False, links=False), False, False),
        (replace(BOSS, may_download=False), OPEN, False, True),
        (replace(BOSS, may_mail=False), OPEN, True, False),
        (replace(BOSS, may_listen=False), OPEN, False, False),
        (replace(BOSS, role=Role.OWN, person_id="anna"), OPEN, True, True),
        (replace(BOSS, role=Role.OWN, person_id="bo"), OPEN, False, False),
        (replace(BOSS, role=Role.NONE), OPEN, False, False),
        (replace(BOSS, tenant_id="other"), OPEN, False, False),
    ],
)
def test_handing_on_wants_role_switch_and_company(viewer: Viewer, rules: Rules, download: bool, link: bool) -> None:
    assert (not why_no_download(viewer, rules, CALL)) is download
    assert (not why_no_link(viewer, rules, CALL)) is link
    assert (not why_left_out(viewer, rules, CALL)) is download


def test_what_has_no_sound_is_left_out_whoever_asks() -> None:
    assert why_left_out(None, Rules(), CALL) == ""
    assert "deleted" in why_left_out(None, Rules(), replace(CALL, state="deleted", path="", deleted_at=AT))
    assert "no such recording" in why_left_out(None, Rules(), None)


def test_a_file_is_named_for_people_in_their_own_zone_and_climbs_nowhere() -> None:
    name = CALL.file_name(ZoneInfo("Europe/Copenhagen"), "wav")
    assert name == "2026-11-23_00-30-00_Anna-Ærø-101_1+1_unknown.wav"


def test_a_manifest_says_what_is_altered_and_no_cell_is_a_formula() -> None:
    manifest = Manifest("e", "Company", AT, "Sofie")
    manifest.has(CALL, "a.wav", "ab", 9)
    manifest.has(CALL, "b.wav", "cd", 9)
    manifest.lacks("gone", "it is gone")
    assert [said.get("sha256_when_stored") for said in manifest.inside] == [None, "ab"]
    assert "'=1+1" in manifest.as_csv().decode()
    assert b"it is gone" in manifest.as_json()
