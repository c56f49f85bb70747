"""A real Asterisk takes the generated files, holds exactly what they say, and does what they mean."""

import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from dialplan_asterisk import ASKED, PLAIN, Site, company, site

from pbx_plugin.asterisk.install import NAMES, DialplanInstaller, Installed, InstallError
from pbx_plugin.asterisk.load import AmiLoader
from pbx_plugin.asterisk.render import version_of
from pbx_plugin.asterisk.variables import FEATURES
from pbx_plugin.cli import check_asterisk
from pbx_plugin.cli.check import Health
from pbx_plugin.cli.check_site import consent_places
from pbx_plugin.domain.rulebook import Rulebook
from pbx_plugin.settings import Settings

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    place = site(tmp_path_factory.mktemp("dialplan"))
    with place.asterisk:
        yield place


@pytest.fixture
def installer(running: Site) -> DialplanInstaller:
    return DialplanInstaller(running.etc, running.asterisk.folder / "backups", AmiLoader(running.ami))


@pytest.fixture
def installed(running: Site, installer: DialplanInstaller) -> Installed:
    """The ordinary company is in force, whatever stood there before."""
    return installer.install(running.generated(company()), NOON)


@contextmanager
def consent_service(running: Site, route: str) -> Iterator[list[str]]:
    """An AGI service that answers nothing but the route; the requests that came."""
    asked: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            lines = []
            while (line := self.rfile.readline().strip()) != b"":
                lines.append(line.decode())
            asked.extend(line for line in lines if line.startswith(("agi_network_script", "agi_arg_1")))
            self.wfile.write(f"SET VARIABLE PBXREC_ROUTE {route}\n".encode())
            self.rfile.readline()

    class Server(socketserver.TCPServer):
        allow_reuse_address = True

    with Server((running.agi.host, running.agi.port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield asked
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.usefixtures("installed")
class TestLoaded:
    def test_asterisk_holds_the_version_the_star_code_the_queue_and_the_phones(self, running: Site) -> None:
        assert running.extensions()["pbxrec-version"] == {f"v{version_of(running.generated(company()))}"}
        features = running.asterisk.rx("features show")
        assert [line.split() for line in features.splitlines() if line.startswith(("pbxrec", "own"))] == [
            ["own", "no", "def", "*7"],
            ["pbxrec-pause", "no", "def", "*5"],
            ["pbxrec-toggle", "no", "def", "*4"],
            ["pbxrec-withdraw", "no", "def", "*6"],
        ]
        queue = running.asterisk.rx("queue show asked")
        assert "101 (PJSIP/101)" in queue
        assert "102 (PJSIP/102)" in queue
        assert "102/102" in running.asterisk.rx("pjsip show endpoints")
        assert "127.0.0.9/32" in running.asterisk.rx("pjsip show identifies")

    def test_nothing_was_warned_about(self, running: Site) -> None:
        log = running.asterisk.log_path.read_text()
        about_us = [line for line in log.splitlines() if "pbx-plugin.d" in line or "pbxrec" in line]
        assert not [line for line in about_us if "WARNING" in line or "ERROR" in line]

    def test_hostile_names_add_nothing_to_the_dialplan(self, running: Site, installer: DialplanInstaller) -> None:
        usual = running.extensions()
        names = ("x\n[pbxrec-trunk]\nexten => _X.,1,Dial(PJSIP/${EXTEN}@trunk)", 'B", <sip:x>;${SHELL(id)} Ødegård)')
        installer.install(running.generated(company(names)), NOON + timedelta(hours=1))
        hostile = running.extensions()
        assert hostile.pop("pbxrec-version") != usual.pop("pbxrec-version")
        assert hostile == usual
        shown = running.asterisk.rx("pjsip show endpoint 102")
        assert '"B sip x SHELL id Ødegård" <102>' in shown

    def test_each_group_is_carried_once_and_in_order(self, running: Site) -> None:
        assert running.probe("presented") == f"{ASKED}+{PLAIN}+a000"

    def test_the_star_code_is_added_to_what_the_channel_has_and_only_once(self, running: Site) -> None:
        assert running.probe("features") == f"own#pbxrec-toggle-not#{FEATURES}/pbxrec-users"

    def test_a_channel_that_is_no_users_phone_gets_no_star_code(self, running: Site) -> None:
        assert running.probe("outsider") == "(/)"

    def test_with_the_service_down_consent_stays_required_and_the_call_goes_unrecorded(self, running: Site) -> None:
        assert running.probe("call-7000") == f"required/{PLAIN}/"

    def test_a_yes_leads_to_the_recorded_group(self, running: Site) -> None:
        with consent_service(running, "yes") as asked:
            assert running.probe("call-7000") == f"required/{ASKED}/"
        assert asked == ["agi_network_script: consent", "agi_arg_1: c0000001"]

    @pytest.mark.parametrize("answer", ["no", "yes-please", ""])
    def test_anything_but_a_yes_leads_to_the_unrecorded_group(self, running: Site, answer: str) -> None:
        with consent_service(running, answer):
            assert running.probe("call-7000") == f"required/{PLAIN}/"

    def test_who_has_refused_is_not_asked_again(self, running: Site) -> None:
        with consent_service(running, "yes") as asked:
            assert running.probe("refused-7000") == f"refused/{PLAIN}/"
        assert asked == []

    @pytest.mark.parametrize("spelling", ["+4533120800", "4533120800", "004533120800", "33120800"])
    def test_a_direct_number_is_reached_and_marks_the_call(self, running: Site, spelling: str) -> None:
        assert running.probe(f"ddi-{spelling}") == f"/{ASKED}/+4533120800"

    def test_a_user_reaches_the_outside(self, running: Site) -> None:
        assert running.dial("31200118", "pbxrec-users")[-1] == "Dial(PJSIP/31200118@trunk,90)"
        assert running.dial("+4531200118", "pbxrec-users")[-1] == "Dial(PJSIP/+4531200118@trunk,90)"

    def test_an_emergency_call_goes_straight_out(self, running: Site) -> None:
        assert running.dial("112", "pbxrec-users") == ["Dial(PJSIP/112@trunk)"]

    @pytest.mark.parametrize(
        "number", ["31200118&PJSIP/101", "312,9", "31200118)", "312;x", '31"2', "31${EPOCH}", "+45x", "12\\", "31 2"]
    )
    def test_what_is_no_number_does_not_go_out(self, running: Site, number: str) -> None:
        ran = running.dial(number, "pbxrec-outside")
        assert not [step for step in ran if step.startswith("Dial")]

    @pytest.mark.parametrize("number", ["31200118", "+4531200118", "112", "101", "800", "s"])
    def test_from_outside_nothing_but_the_published_numbers_exists(self, running: Site, number: str) -> None:
        assert "There is no existence" in running.asterisk.rx(f"dialplan show {number}@pbxrec-trunk")


def test_without_a_change_asterisk_is_not_disturbed(
    running: Site, installer: DialplanInstaller, installed: Installed
) -> None:
    before = running.asterisk.log_path.read_text().count("Reloading module")
    assert installer.install(running.generated(company()), NOON).changed == ()
    assert running.asterisk.log_path.read_text().count("Reloading module") == before


def test_a_dialplan_that_asterisk_cannot_read_leaves_the_earlier_one_in_force(
    running: Site, installer: DialplanInstaller, installed: Installed
) -> None:
    before, files = running.extensions(), installer.installed()
    own = running.etc / "extensions.conf"
    healthy = own.read_text()
    own.write_text(healthy + '#include "not-there.conf"\n')
    try:
        with pytest.raises(InstallError, match=r"pbx_config\.so|not version"):
            installer.install(running.generated(company(group="other")), NOON + timedelta(hours=1))
    finally:
        own.write_text(healthy)
    assert installer.installed() == files
    assert running.extensions() == before


def test_a_folder_that_asterisk_does_not_read_is_noticed(running: Site, installed: Installed) -> None:
    elsewhere = running.asterisk.folder / "elsewhere"
    elsewhere.mkdir()
    for name in NAMES:
        (elsewhere / name).write_text((running.etc / name).read_text())
    installer = DialplanInstaller(elsewhere, elsewhere / "backups", AmiLoader(running.ami))
    with pytest.raises(InstallError, match=r"Asterisk's dialplan is not version [0-9a-f]{16}"):
        installer.install(running.generated(company(group="other")), NOON)
    assert installer.installed() == {}


def test_a_line_that_asterisk_skips_is_noticed(
    running: Site, installer: DialplanInstaller, installed: Installed
) -> None:
    before = running.extensions()
    files = running.generated(company(group="other"))
    broken = files | {"extensions.conf": files["extensions.conf"].replace("exten => 112,1,Dial", "exten => 112,x,Dial")}
    with pytest.raises(InstallError, match=r"context pbxrec-emergency: Asterisk took .* The earlier files are back"):
        installer.install(broken, NOON + timedelta(hours=1))
    assert running.extensions() == before


def test_rolled_back_to_nothing_asterisk_has_only_the_administrators_own(
    running: Site, installer: DialplanInstaller, installed: Installed
) -> None:
    while installer.installed():
        installer.rollback()
    assert not [context for context in running.extensions() if context.startswith("pbxrec")]
    assert "1" in running.extensions()["administrators-own"]
    assert "pbxrec-toggle" not in running.asterisk.rx("features show")
    assert "No such queue" in running.asterisk.rx("queue show asked")
    assert "own" in running.asterisk.rx("features show")


@pytest.fixture
def leading_elsewhere(running: Site, installer: DialplanInstaller) -> Rulebook:
    """The ordinary company, whose consent number leads to a user for yes and into the administrator's plan for no."""
    rulebook = company()
    (number,) = rulebook.consent_numbers
    elsewhere = replace(number, yes_group_id="", yes_user_id="00000000", no_group_id="", no_place="probe,presented,4")
    rulebook = replace(rulebook, consent_numbers=(elsewhere,))
    installer.install(running.generated(rulebook), NOON + timedelta(hours=2))
    return rulebook


def test_yes_leads_to_a_user_and_no_to_a_place_of_the_administrators(
    running: Site, leading_elsewhere: Rulebook
) -> None:
    with consent_service(running, "no"):
        assert running.probe("call-7000") == "required/a000/"
    with consent_service(running, "yes"):
        assert running.probe("call-7000") == "required//"
    gone_to = re.findall(r'Executing \[7000@.*\] Goto\(".*", "(.*)"\)', running.asterisk.log_path.read_text())
    assert gone_to[-2:] == ["probe,presented,4", "pbxrec-inside,101,1"]


def test_the_doctor_asks_asterisk_whether_the_places_exist(running: Site, leading_elsewhere: Rulebook) -> None:
    settings = Settings(ami=running.ami)
    places = consent_places(leading_elsewhere)
    assert places == {"probe,presented,4": "no on consent number 7000"}
    (good,) = check_asterisk.consent_places(settings, places | {"pbxrec-users,112,1": "yes", "probe,call-99,2": "no"})
    assert (good.health, good.name) == (Health.OK, "consent targets")
    absent = {"probe,presented,99": "a", "probe,nothing,1": "b", "not-there,s,1": "c"}
    found = list(check_asterisk.consent_places(settings, absent))
    assert [(one.health, one.what.split(" leads")[0]) for one in found] == [(Health.FAIL, told) for told in "abc"]
    assert list(check_asterisk.consent_places(settings, {})) == []
