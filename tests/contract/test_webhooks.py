"""Webhooks: told of what happened, signed, at least once; and nothing inside the network is reached by them."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.server
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from api_site import ApiStage
from call_entries import NOON, consent_taken
from sqlalchemy import update

from pbx_plugin.api.posting import post
from pbx_plugin.api.sender import Sender
from pbx_plugin.clock import now
from pbx_plugin.db.engine import writing
from pbx_plugin.db.models import DeliveryRow
from pbx_plugin.db.webhooks import Delivery
from pbx_plugin.domain.entries import Audited, Decided, Gap, RecordingFailed
from pbx_plugin.domain.withdrawal import WITHDRAWN
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.services.webhooks import (
    LONGEST_PAUSE,
    MOST_TRIES,
    SIGNATURE_HEADER,
    DeliveryState,
    Event,
    checked_url,
    may_reach,
    pause_before,
    signature,
)

LOOPBACK = (ip_network("127.0.0.0/8"),)
LATER = NOON + timedelta(hours=1)
"""When nobody has been told of anything for a while."""


class Receiver:
    """A program that takes deliveries; ``status`` is what it answers."""

    def __init__(self) -> None:
        self.status = 204
        self.headers: dict[str, str] = {}
        self.delay = 0.0
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append((self.path, dict(self.headers), body))
                time.sleep(receiver.delay)
                with contextlib.suppress(OSError):
                    self.send_response(receiver.status)
                    for name, value in receiver.headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", "0")
                    self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook?a=1"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as program:
        yield program


@pytest.fixture
def stage(tmp_path: Path, sqlite_file: Path) -> Iterator[ApiStage]:
    made = ApiStage(tmp_path, sqlite_file)
    for company in (made.own, made.other):  # their webhooks lead out of this machine
        with made.desk(company.tenant) as desk:
            pass
        made.site.webhooks.remove(desk, company.things["webhook"])
    yield made
    made.engine.dispose()


def hook(stage: ApiStage, url: str, *events: Event) -> str:
    with stage.desk(stage.own.tenant) as desk:
        pass
    return stage.site.webhooks.add(desk, url, events or tuple(Event), "the secret").id


def deliveries(stage: ApiStage, webhook: str) -> list[Delivery]:
    found = stage.site.webhooks.deliveries(stage.own.tenant.id, limit=0)
    return [one for one in reversed(found) if one.webhook_id == webhook]


@contextlib.contextmanager
def sending(stage: ApiStage) -> Iterator[None]:
    sender = Sender(stage.site.webhooks, stage.settings.webhooks, now)
    sender.start()
    try:
        yield
    finally:
        sender.stop()


def round_of_sending(stage: ApiStage, at: datetime) -> None:
    """Let a sender that has just been started look once into the outbox, by this clock."""
    sender = Sender(stage.site.webhooks, stage.settings.webhooks, lambda: at)
    sender._look()
    sender._pool.shutdown(wait=True)


def iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def until(what: Any, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


class TestTelling:
    def test_each_kind_of_event_is_told_with_what_it_is_about(self, stage: ApiStage) -> None:
        webhook = hook(stage, "https://hooks.example.com/")
        call = stage.call(stage.own, "1700000050.1", LATER)
        told = {one.event: json.loads(one.body) for one in deliveries(stage, webhook)}
        assert set(told) == {"decided", "stored", "alarm"}
        assert told["decided"]["data"]["verdict"] == "record"
        assert told["stored"]["data"]["recording_id"] == stage.recording(stage.own, "1700000050.1")
        assert told["stored"]["data"]["length_ms"] == 55_000
        assert told["alarm"]["data"]["reason"] == "no room"
        assert {one["data"]["linkedid"] for one in told.values() if "linkedid" in one["data"]} == {"1700000050.1"}
        assert {one["data"]["call_id"] for one in told.values()} == {call}

    def test_only_what_was_asked_for_and_only_of_the_own_company(self, stage: ApiStage) -> None:
        webhook = hook(stage, "https://hooks.example.com/", Event.STORED)
        stage.call(stage.other, "1700000050.2", NOON)
        assert deliveries(stage, webhook) == []
        stage.call(stage.own, "1700000050.3", NOON)
        assert [one.event for one in deliveries(stage, webhook)] == ["stored"]

    def test_what_a_journal_tells_twice_is_delivered_once(self, stage: ApiStage) -> None:
        webhook = hook(stage, "https://hooks.example.com/")
        call = stage.call(stage.own, "1700000050.4", NOON)
        gap = Gap("gap-x", call, stage.own.tenant.id, "", LATER, None, "no room")
        again = Decided(f"d-{call}"[:36], call, "", NOON, "record", 11, "x", 1, {}, [])
        before = len(deliveries(stage, webhook))
        stage.apply(gap, again, gap)
        stage.apply(gap, again)
        assert len(deliveries(stage, webhook)) == before + 1

    def test_a_pause_is_no_alarm_but_a_recording_that_failed_is(self, stage: ApiStage) -> None:
        webhook = hook(stage, "https://hooks.example.com/", Event.ALARM)
        call = stage.call(stage.own, "1700000050.5", NOON, ended=False)
        before = len(deliveries(stage, webhook))
        media = stage.site.queries.exact_call(call, stage.own.tenant.id).recordings[0].media_id
        stage.apply(Gap("gap-p", call, stage.own.tenant.id, "", NOON, None, "paused by Anna"))
        stage.apply(RecordingFailed(media, NOON, "the disk is full"))
        (alarm,) = deliveries(stage, webhook)[before:]
        assert json.loads(alarm.body)["data"]["reason"] == "the disk is full"

    def test_what_happened_and_its_delivery_are_written_together_or_not_at_all(
        self, stage: ApiStage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        webhook = hook(stage, "https://hooks.example.com/")

        def fail(*_: object) -> None:
            raise RuntimeError("the outbox cannot be written")

        monkeypatch.setattr("pbx_plugin.db.outbox._add", fail)
        with pytest.raises(RuntimeError):
            stage.call(stage.own, "1700000050.6", NOON)
        assert stage.site.queries.exact_call_id("1700000050.6", stage.own.tenant.id) is None
        assert deliveries(stage, webhook) == []


class TestConsent:
    @pytest.mark.parametrize(
        ("outcome", "digits"), [("given", "1"), ("refused", "2"), ("silent", ""), ("wrong key", "77"), ("hung up", "")]
    )
    def test_whatever_a_caller_answered_is_told_once(self, stage: ApiStage, outcome: str, digits: str) -> None:
        webhook = hook(stage, "https://hooks.example.com/", Event.CONSENT)
        taken = replace(consent_taken("asked", linkedid="1700000060.1"), outcome=outcome, digits=digits)
        stage.apply(taken, taken)
        stage.apply(taken)
        (one,) = deliveries(stage, webhook)
        body = json.loads(one.body)
        assert (one.event, body["event"], body["at"]) == ("consent", "consent", iso(taken.at))
        assert body["data"] == {
            "evidence_id": "asked",
            "linkedid": "1700000060.1",
            "consent_number": "8000",
            "caller_raw": "31200118",
            "caller_e164": "+4531200118",
            "outcome": outcome,
            "digits": digits,
            "language": "da",
            "text_version": "1",
            "policy_version": 3,
        }

    def test_a_withdrawal_is_told_with_the_consent_that_it_takes_back(self, stage: ApiStage) -> None:
        webhook = hook(stage, "https://hooks.example.com/", Event.CONSENT)
        alarms = hook(stage, "https://alarms.example.com/", Event.ALARM)
        call = stage.call(stage.own, "1700000060.2", NOON)
        before = len(deliveries(stage, alarms))
        tenant = stage.own.tenant.id
        given = consent_taken("given", linkedid="1700000060.2")
        refused = replace(consent_taken("refused", linkedid="1700000060.2"), outcome="refused")
        gone = Audited("w1", tenant, LATER, "Anna (101)", WITHDRAWN, call, {"erased": True, "recorded": ["m"]})
        stage.apply(refused, given, gone, gone)
        (told,) = [b for b in (json.loads(one.body) for one in deliveries(stage, webhook)) if "by" in b["data"]]
        assert (told["event"], told["at"]) == ("consent", iso(LATER))
        assert told["data"] == {
            "outcome": "withdrawn",
            "call_id": call,
            "linkedid": "1700000060.2",
            "by": "Anna (101)",
            "evidence_ids": ["given"],
            "erased": True,
        }
        assert len(deliveries(stage, alarms)) == before

    def test_another_company_s_call_is_no_withdrawal_of_ours(self, stage: ApiStage) -> None:
        webhook = hook(stage, "https://hooks.example.com/", Event.CONSENT)
        call = stage.call(stage.other, "1700000060.3", NOON)
        stage.apply(Audited("w2", stage.own.tenant.id, LATER, "Eve", WITHDRAWN, call))
        stage.apply(Audited("w3", stage.other.tenant.id, LATER, "Bo", WITHDRAWN, call))
        stage.apply(Audited("w4", stage.own.tenant.id, LATER, "Eve", "something else", call))
        assert deliveries(stage, webhook) == []


class TestSending:
    def test_a_delivery_is_signed_over_its_time_and_body(self, stage: ApiStage, receiver: Receiver) -> None:
        webhook = hook(stage, receiver.url, Event.STORED)
        stage.call(stage.own, "1700000051.1", NOON)
        with sending(stage):
            until(lambda: deliveries(stage, webhook)[0].state is DeliveryState.DELIVERED)
        ((path, headers, body),) = receiver.got
        assert path == "/hook?a=1"
        seconds, digest = (part.partition("=")[2] for part in headers[SIGNATURE_HEADER].split(","))
        assert digest == hmac.new(b"the secret", f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
        assert abs(int(seconds) - now().timestamp()) < 60
        assert headers["Pbx-Plugin-Event"] == json.loads(body)["event"] == "stored"

    def test_one_that_is_not_taken_is_sent_again_also_by_the_next_process(
        self, stage: ApiStage, receiver: Receiver
    ) -> None:
        webhook = hook(stage, receiver.url, Event.STORED)
        receiver.status = 500
        stage.call(stage.own, "1700000051.2", NOON)
        with sending(stage):
            until(lambda: deliveries(stage, webhook)[0].tries == 1)
        (one,) = deliveries(stage, webhook)
        assert (one.state, one.status, one.error) == (DeliveryState.WAITING, 500, "the receiver answered 500")
        assert one.next_try_at > now()
        with stage.desk(stage.own.tenant) as desk:
            pass
        assert stage.site.webhooks.retry(desk, one.id) == 1
        receiver.status = 200
        with sending(stage):
            until(lambda: deliveries(stage, webhook)[0].state is DeliveryState.DELIVERED)
        assert len({headers["Pbx-Plugin-Delivery"] for _, headers, _ in receiver.got}) == 1
        assert len(receiver.got) == 2

    def test_after_the_last_try_it_is_dead_until_somebody_asks_for_it(
        self, stage: ApiStage, receiver: Receiver
    ) -> None:
        webhook = hook(stage, receiver.url, Event.STORED)
        receiver.status = 503
        stage.call(stage.own, "1700000051.3", NOON)
        with writing(stage.engine) as session:
            session.execute(update(DeliveryRow).where(DeliveryRow.webhook_id == webhook).values(tries=MOST_TRIES - 1))
        with sending(stage):
            until(lambda: deliveries(stage, webhook)[0].state is DeliveryState.DEAD)
        with stage.desk(stage.own.tenant) as desk:
            pass
        assert stage.site.webhooks.retry(desk, None) == 1
        assert deliveries(stage, webhook)[0].state is DeliveryState.WAITING

    def test_a_receiver_that_fails_for_a_day_has_everything_at_last(self, stage: ApiStage, receiver: Receiver) -> None:
        webhook = hook(stage, receiver.url, Event.STORED)
        numbers = [f"1700000054.{n}" for n in range(3)]
        for number in numbers:
            stage.call(stage.own, number, NOON)
        start = at = now()
        receiver.status = 500
        tried_at: list[timedelta] = []
        while at - start < timedelta(days=1):
            (first, *others) = deliveries(stage, webhook)
            due = min((one.next_try_at for one in (first, *others)), default=at)
            at = max(at, due) + timedelta(seconds=1)
            got = len(receiver.got)
            round_of_sending(stage, at)
            assert len(receiver.got) == got + 1, "one that is not taken holds back the rest of the same round"
            tried_at.append(at - start)
        waiting = deliveries(stage, webhook)
        assert [one.state for one in waiting] == [DeliveryState.WAITING] * 3
        assert all(1 < one.tries < MOST_TRIES and one.error == "the receiver answered 500" for one in waiting)
        pauses = [one.next_try_at - at for one in waiting]
        assert max(pauses) <= LONGEST_PAUSE
        receiver.status, receiver.got[:] = 204, []
        at += LONGEST_PAUSE
        round_of_sending(stage, at)
        assert [one.state for one in deliveries(stage, webhook)] == [DeliveryState.DELIVERED] * 3
        assert all(one.delivered_at == at for one in deliveries(stage, webhook))
        # Whoever has waited longest comes first.
        order = [one.id for one in sorted(waiting, key=lambda one: one.next_try_at)]
        assert [headers["Pbx-Plugin-Delivery"] for _, headers, _ in receiver.got] == order
        told = {json.loads(body)["data"]["linkedid"] for _, _, body in receiver.got}
        assert told == set(numbers)
        for _, headers, body in receiver.got:
            seconds = int(headers[SIGNATURE_HEADER].partition(",")[0].removeprefix("t="))
            assert seconds == int(at.timestamp()), "signed when it is sent, so that a receiver takes it for fresh"
            assert headers[SIGNATURE_HEADER] == signature("the secret", seconds, body)
        round_of_sending(stage, at + LONGEST_PAUSE)
        assert len(receiver.got) == 3

    def test_one_that_hangs_delays_no_other(self, stage: ApiStage, receiver: Receiver) -> None:
        with Receiver() as slow:
            slow.delay = 3.0
            hanging = hook(stage, slow.url, Event.STORED)
            quick = hook(stage, receiver.url, Event.STORED)
            for number in range(3):
                stage.call(stage.own, f"1700000052.{number}", NOON)
            with sending(stage):
                until(lambda: len(receiver.got) == 3)
                assert all(one.state is not DeliveryState.DELIVERED for one in deliveries(stage, hanging))
                until(lambda: deliveries(stage, hanging)[0].tries == 1)
            assert [one.state for one in deliveries(stage, quick)] == [DeliveryState.DELIVERED] * 3

    def test_nothing_is_sent_to_one_that_was_removed(self, stage: ApiStage, receiver: Receiver) -> None:
        webhook = hook(stage, receiver.url)
        stage.call(stage.own, "1700000053.1", NOON)
        with stage.desk(stage.own.tenant) as desk:
            pass
        stage.site.webhooks.remove(desk, webhook)
        assert stage.site.webhooks.waiting(now() + timedelta(days=1)) == []
        assert {one.state for one in deliveries(stage, webhook)} == {DeliveryState.DEAD}
        assert stage.site.webhooks.retry(desk, None) == 0


class TestWhereTo:
    def test_a_redirect_is_not_followed(self, receiver: Receiver) -> None:
        with Receiver() as inner:
            receiver.status, receiver.headers = 302, {"Location": inner.url}
            answer = post(receiver.url, {}, b"{}", LOOPBACK, 2)
            assert (answer.status, answer.error) == (302, "redirects are not followed")
            assert inner.got == []

    def test_a_receiver_that_drips_is_cut_off(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            stop = threading.Event()

            def drip() -> None:
                taken, _ = listening.accept()
                with taken, contextlib.suppress(OSError):
                    while not stop.wait(0.2):
                        taken.sendall(b"H")

            thread = threading.Thread(target=drip)
            thread.start()
            begun = time.monotonic()
            answer = post(f"http://127.0.0.1:{listening.getsockname()[1]}/", {}, b"{}", LOOPBACK, 1.0)
            stop.set()
            thread.join()
        assert answer.error
        assert time.monotonic() - begun < 10

    def test_a_receiver_that_drips_its_certificate_is_cut_off_too(self) -> None:
        # The beginning of a handshake's record that never ends: each byte comes in time, the whole never does.
        with socket.create_server(("127.0.0.1", 0)) as listening:
            stop = threading.Event()

            def drip() -> None:
                taken, _ = listening.accept()
                with taken, contextlib.suppress(OSError):
                    taken.sendall(b"\x16\x03\x03\x3f\xff\x02\x00\x3f\xfb")
                    while not stop.wait(0.2):
                        taken.sendall(b"\0")

            thread = threading.Thread(target=drip)
            thread.start()
            begun = time.monotonic()
            watch = threading.Timer(6, stop.set)
            watch.start()
            answer = post(f"https://127.0.0.1:{listening.getsockname()[1]}/", {}, b"{}", LOOPBACK, 1.0)
            took = time.monotonic() - begun
            stop.set()
            watch.cancel()
            thread.join()
        assert answer.error
        assert took < 4

    def test_where_one_address_of_a_name_is_away_the_next_is_tried(
        self, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        port = receiver.server.server_address[1]
        answers = [(0, 0, 0, "", (address, port)) for address in ("::1", "127.0.0.2", "127.0.0.1")]
        monkeypatch.setattr(
            socket,
            "getaddrinfo",
            lambda host, port, *_, **__: (
                [(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))]
                if host != "crm.example.com"
                else answers
            ),
        )
        own = (*LOOPBACK, ip_network("::1/128"))
        monkeypatch.setattr("pbx_plugin.api.posting.checked_url", lambda url, _own: urlsplit(url))
        answer = post(f"http://crm.example.com:{port}/", {}, b"{}", own, 5.0)
        assert (answer.status, answer.error) == (204, "")

    @pytest.mark.parametrize(
        "address", ["127.0.0.1", "10.0.0.8", "169.254.169.254", "::1", "fd00::1", "::ffff:10.0.0.8"]
    )
    def test_a_name_that_leads_into_the_network_is_not_followed(
        self, address: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        answers = [(0, 0, 0, "", ("93.184.216.34", 443)), (0, 0, 0, "", (address, 443))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers)
        answer = post("https://innocent.example.com/", {}, b"{}", (), 1.0)
        assert (answer.status, "inside the network" in answer.error) == (0, True)

    @pytest.mark.parametrize(
        "url",
        [
            "http://hooks.example.com/",
            "ftp://hooks.example.com/",
            "https:///nothing",
            "https://user:secret@hooks.example.com/",
            "https://hooks.example.com/#part",
            "https://10.0.0.8/",
            "https://127.0.0.1:8088/ari",
            "https://[::1]/",
            "https://[::ffff:7f00:1]/",
            "https://169.254.169.254/latest",
            "https://hooks.example.com:99999/",
            "https://hooks.example.com/a b",
            "https://hooks.example.com/\r\nHost: x",
            "https://hooks.example.com/ø",
            "https://h/" + "x" * 500,
            "",
        ],
    )
    def test_an_address_that_cannot_be_allowed_is_refused(self, url: str) -> None:
        with pytest.raises(RefusedError):
            checked_url(url, ())

    def test_own_networks_can_be_allowed(self) -> None:
        assert checked_url("http://127.0.0.1:8080/x", LOOPBACK).port == 8080
        assert may_reach(ip_address("127.1.2.3"), LOOPBACK)
        assert not may_reach(ip_address("10.0.0.8"), LOOPBACK)
        assert may_reach(ip_address("93.184.216.34"), ())


def test_the_signature_is_that_of_the_document() -> None:
    assert signature("secret", 1700000000, b'{"id":"1"}') == (
        "t=1700000000,v1=" + hmac.new(b"secret", b'1700000000.{"id":"1"}', hashlib.sha256).hexdigest()
    )


def test_tries_grow_apart_and_end_after_two_days() -> None:
    pauses = [pause_before(tries) for tries in range(1, MOST_TRIES + 1)]
    assert pauses[-1] is None
    known = [pause for pause in pauses if pause is not None]
    assert known == sorted(known)
    assert timedelta(hours=40) < sum(known, timedelta()) < timedelta(hours=56)
