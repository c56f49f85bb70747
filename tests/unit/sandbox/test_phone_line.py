"""A bad line: what it changes in the SIP that passes, and what becomes of packets in each weather."""

from __future__ import annotations

from pbx_plugin.sandbox.phone_line import FAIR, Way, Weather
from pbx_plugin.sandbox.phone_line_sip import Address, call_id, changed

PHONE, NEAR = Address("127.0.0.1", 5062), Address("127.0.0.1", 7000)
FAR, SERVER = Address("127.0.0.1", 7001), Address("127.0.0.1", 506)
OUTWARD = {PHONE: FAR, NEAR: SERVER}
INVITE = """\
INVITE sip:æ@127.0.0.1:7000 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:5062;rport;branch=z9hG4bK1
Call-ID: abc@127.0.0.1
Authorization: Digest username="201", uri="sip:202@127.0.0.1:7000"
Contact: <sip:201@127.0.0.1:5062;ob>
Content-Length: 117

v=0
o=- 1 1 IN IP4 127.0.0.1
c=IN IP4 127.0.0.1
m=audio 4000 RTP/AVP 8 101
a=rtcp:4001 IN IP4 127.0.0.1
a=rtpmap:8 PCMA/8000
""".replace("\n", "\r\n")


def test_addresses_are_the_lines_own_but_for_what_was_signed() -> None:
    told = changed(INVITE, OUTWARD)
    assert told.startswith("INVITE sip:æ@127.0.0.1:506 SIP/2.0\r\n")
    assert "Via: SIP/2.0/UDP 127.0.0.1:7001;rport" in told
    assert 'uri="sip:202@127.0.0.1:7000"' in told
    assert "<sip:201@127.0.0.1:7001;ob>" in told


def test_a_longer_port_is_another_address() -> None:
    assert changed("Contact: <sip:a@127.0.0.1:5062>", {SERVER: NEAR}) == "Contact: <sip:a@127.0.0.1:5062>"


def test_media_goes_where_the_line_says_and_the_length_is_right() -> None:
    offered = []

    def media(address: Address) -> Address:
        offered.append(address)
        return Address("127.0.0.2", 40000)

    told = changed(INVITE, OUTWARD, media)
    head, _, body = told.partition("\r\n\r\n")
    assert offered == [Address("127.0.0.1", 4000)]
    assert "m=audio 40000 RTP/AVP 8 101\r\n" in body
    assert "c=IN IP4 127.0.0.2\r\n" in body
    assert "a=rtcp:" not in body
    assert f"Content-Length: {len(body)}" in head


def test_audio_that_is_off_stays_off() -> None:
    refused = INVITE.replace("m=audio 4000", "m=audio 0")
    assert "m=audio 0 RTP/AVP" in changed(refused, OUTWARD, lambda _: SERVER)


def test_a_call_is_known_by_its_id() -> None:
    assert call_id(INVITE) == "abc@127.0.0.1"
    assert call_id("OPTIONS sip:x SIP/2.0\r\n\r\n") == ""


def dues(weather: Weather, packets: int = 2000) -> list[float | None]:
    way = Way(seed=1)
    way.weather = weather
    return [way.due(n * 0.02) for n in range(packets)]


def test_in_fair_weather_packets_go_on_as_they_come() -> None:
    assert dues(FAIR, 3) == [0.0, 0.02, 0.04]


def test_late_packets_keep_their_order_unless_told_otherwise() -> None:
    kept = [due for due in dues(Weather(delay_ms=(0, 80))) if due is not None]
    assert kept == sorted(kept)
    assert max(due - n * 0.02 for n, due in enumerate(kept)) <= 0.08 + 1e-9
    mixed = [due for due in dues(Weather(delay_ms=(0, 80), in_order=False)) if due is not None]
    assert mixed != sorted(mixed)
    assert max(due - n * 0.02 for n, due in enumerate(mixed)) <= 0.08 + 1e-9


def test_packets_are_lost_one_by_one_or_in_bursts() -> None:
    alone = dues(Weather(lost=0.05))
    assert 60 < alone.count(None) < 140
    bursts = dues(Weather(bursts=0.01, burst_packets=8))
    runs = "".join("x" if due is None else " " for due in bursts).split()
    assert runs
    assert all(len(run) >= 8 for run in runs)


def test_what_was_lost_and_overtaken_is_counted() -> None:
    way = Way(seed=1)
    way.weather = Weather(delay_ms=(0, 80), in_order=False, lost=0.1)
    answers = [way.due(n * 0.02) for n in range(1000)]
    assert way.counted.came == 1000
    assert way.counted.lost == answers.count(None)
    assert way.counted.overtaken > 100
