"""A plain Asterisk's own files are read as Asterisk reads them, and no further."""

from __future__ import annotations

from pathlib import Path

import pytest

from pbx_plugin.asterisk.read_config import ConfigFileError, read_config
from pbx_plugin.asterisk.read_people import queues_of, users_of_pjsip

PJSIP = r"""
; phones
[phone](!)
type = endpoint
language = da
callerid = Company <33445566>
password = template-secret

[101](phone)
callerid = "Anna \"A\" Ærø" <101> ; not this
auth = 101
[101]
type=auth
password=hemmelig;not a comment for a password
[101-soft](phone)
callerid=Anna <101>
;-- [999](phone)
a block ;-- nested --; still --;
[desk-7](phone)
mailboxes=107@default
[102](phone)
[trunk]
type=endpoint
outbound_auth=trunk
[line2]
type=endpoint
[line2-ident]
type=identify
endpoint=line2
[door]
type=endpoint
[101](+)
language=en-GB
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "asterisk"
    made.mkdir()
    (made / "pjsip.conf").write_text(PJSIP, encoding="utf-8")
    return made


def test_users_are_found_with_names_phones_and_language(folder: Path) -> None:
    found = users_of_pjsip(folder / "pjsip.conf", "DK")
    rows = {row.cells["extension"]: row.cells for row in found.table.rows}
    assert rows == {
        "101": {"extension": "101", "devices": "PJSIP/101|PJSIP/101-soft", "name": 'Anna "A" Ærø', "language": "da"},
        "102": {"extension": "102", "devices": "PJSIP/102", "language": "da"},
        "107": {"extension": "107", "devices": "PJSIP/desk-7", "language": "da"},
    }
    assert [remark.partition(": ")[2] for remark in found.remarks] == [
        "endpoint 'trunk' is a trunk: left out",
        "endpoint 'line2' is a trunk: left out",
        "endpoint 'door' has no internal number: left out",
    ]


def test_no_password_is_kept_or_shown(folder: Path) -> None:
    config = read_config(folder / "pjsip.conf", ("type", "callerid"))
    assert "secret" not in repr(config)
    assert "hemmelig" not in repr(config)
    (folder / "pjsip.conf").write_text("password=hemmelig\n", encoding="utf-8")
    with pytest.raises(ConfigFileError) as error:
        read_config(folder / "pjsip.conf", ("type",))
    assert "line 1" in str(error.value)
    assert "hemmelig" not in str(error.value)


def test_included_files_are_read_in_their_place(folder: Path) -> None:
    (folder / "more").mkdir()
    (folder / "more" / "a.conf").write_text("[103](phone)\n", encoding="utf-8")
    (folder / "more" / "b.conf").write_text("[104](phone)\ncallerid=Bo <104>\n", encoding="utf-8")
    with (folder / "pjsip.conf").open("a", encoding="utf-8") as file:
        file.write('#include "more/*.conf"\n#tryinclude nowhere.conf\n#exec /bin/rm\n')
    found = users_of_pjsip(folder / "pjsip.conf", "DK")
    assert [row.cells["extension"] for row in found.table.rows][-2:] == ["103", "104"]
    assert any("#exec is not obeyed" in remark for remark in found.remarks)


@pytest.mark.parametrize("directive", ["include", "tryinclude"])
@pytest.mark.parametrize("target", ["../secret.conf", "{outside}/secret.conf", "link.conf", "../*.conf"])
def test_nothing_outside_the_folder_is_opened(folder: Path, directive: str, target: str) -> None:
    outside = folder.parent
    (outside / "secret.conf").write_text("[901]\ntype=endpoint\n", encoding="utf-8")
    (folder / "link.conf").symlink_to(outside / "secret.conf")
    what = target.format(outside=outside)
    (folder / "pjsip.conf").write_text(f"#{directive} {what}\n[101]\ntype=endpoint\n", encoding="utf-8")
    with pytest.raises(ConfigFileError, match="outside"):
        read_config(folder / "pjsip.conf", ("type",))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("#include nowhere.conf\n", "line 1: the included file is not there"),
        ("#include pjsip.conf\n", "includes itself"),
        ("[101](nothing)\n", "line 1: template 'nothing' is not there"),
        ("[101](+)\n", "adds to a section that is not there"),
        ("[101\n", "line 1: a section's name has no end"),
    ],
)
def test_what_cannot_be_read_is_told_with_file_and_line(folder: Path, text: str, words: str) -> None:
    (folder / "pjsip.conf").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigFileError, match="pjsip") as error:
        read_config(folder / "pjsip.conf", ("type",))
    assert words in str(error.value)


def test_queues_are_found_with_their_members_in_order(folder: Path) -> None:
    (folder / "queues.conf").write_text(
        "[general]\npersistentmembers=yes\n[tmpl](!)\nstrategy=ringall\n"
        "[sales](tmpl)\nmember => PJSIP/102,1,Bo\nmember => Local/101@from-queue/n,0,Anna\nmember => PJSIP/102\n"
        "member => DAHDI/1\nmember => Local/999@x\n[600](tmpl)\n[lost]\nmember => PJSIP/101\n[known]\n",
        encoding="utf-8",
    )
    devices = {"PJSIP/101": "101", "PJSIP/102": "102"}
    found = queues_of(folder / "queues.conf", {"sales": "601"}, devices, {"known": "602"})
    assert [dict(row.cells) for row in found.table.rows] == [
        {"name": "sales", "number": "601", "members": "102|101"},
        {"name": "600", "number": "600", "members": ""},
        {"name": "known", "number": "602", "members": ""},
    ]
    assert len([r for r in found.remarks if "a member that is no user" in r]) == 2
    assert any("'lost' has no number: say --queue-number lost=NUMBER" in remark for remark in found.remarks)
