"""PJSIP behind a phone process: one account, its calls, and the commands that move them.

Everything runs in the thread that calls `poll`: PJSIP posts its callbacks there (`mainThreadOnly`). What PJSIP does
not allow inside a callback is put off to the next turn.
"""

from __future__ import annotations

import heapq
import itertools
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pjsua2 as pj

from pbx_plugin.sandbox.phone_call import Call, say
from pbx_plugin.sandbox.phone_wire import (
    DIGITS,
    MAX_CALLS,
    AutoAnswer,
    Emit,
    PhoneConfig,
    header_allowed,
    quoted_display,
    sends,
    sip_uri,
)

CLOCK_RATE = 8000
PTIME_MS = 20
JITTER_MS = 40
REGISTRATION_S = 300


class RefusedError(Exception):
    """A command that cannot be obeyed; the text goes to the driver."""


class Account(pj.Account):  # type: ignore[misc]  # pjsua2 has no types
    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._engine = engine

    def onRegState(self, prm: Any) -> None:  # noqa: N802  # PJSIP's name
        with say(self._engine.emit, "onRegState"):
            self._engine.emit(
                "registered", ok=prm.code // 100 == 2 and prm.expiration > 0, code=prm.code, reason=prm.reason
            )

    def onIncomingCall(self, prm: Any) -> None:  # noqa: N802
        with say(self._engine.emit, "onIncomingCall"):
            self._engine.incoming(prm.callId, prm.rdata.wholeMsg)


class Engine:
    """One phone. `start`, then `poll` often; `obey` takes a command, `close` ends all calls and PJSIP."""

    def __init__(self, config: PhoneConfig, emit: Emit) -> None:
        self.config = config
        self.emit = emit
        self.finished = False
        self.auto_answer = config.auto_answer
        self.legs: dict[int, Call] = {}
        self._numbers = itertools.count(1)
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._turn = itertools.count()
        self._endpoint: Any = None
        self._account: Account | None = None
        self._quitting = False
        self.hush: Any = None

    def start(self) -> None:
        """Opens the socket, starts the clock, registers where asked; emits `started` with the SIP address."""
        endpoint = self._endpoint = pj.Endpoint()
        endpoint.libCreate()
        endpoint.libInit(self._endpoint_config())
        transport = pj.TransportConfig()
        transport.boundAddress, transport.port = self.config.address, self.config.port
        transport_id = endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport)
        endpoint.audDevManager().setNullDev()
        endpoint.libStart()
        self._choose_codecs(self.config.codecs)
        self.hush = pj.ToneGenerator()
        self.hush.createToneGenerator(CLOCK_RATE, 1)
        self._account = Account(self)
        self._account.create(self._account_config(transport_id))
        here = endpoint.transportGetInfo(transport_id).localName
        self.emit("started", address=here, codecs=list(self.config.codecs))

    def _endpoint_config(self) -> Any:
        config = pj.EpConfig()
        ua, media, log = config.uaConfig, config.medConfig, config.logConfig
        ua.maxCalls = MAX_CALLS
        ua.threadCnt, ua.mainThreadOnly = 0, True
        ua.userAgent = f"sandbox phone {self.config.name}"
        ua.mwiUnsolicitedEnabled = False
        media.clockRate = media.sndClockRate = CLOCK_RATE
        media.channelCount, media.audioFramePtime, media.ptime = 1, PTIME_MS, PTIME_MS
        media.quality = 2
        media.noVad = True
        media.ecTailLen = 0
        media.threadCnt = 1
        media.jbInit = media.jbMinPre = media.jbMaxPre = JITTER_MS
        media.jbMax = 10 * JITTER_MS
        media.sndAutoCloseTime = -1
        log.consoleLevel = 0
        log.level = self.config.log_level if self.config.log_file else 0
        log.filename = self.config.log_file or ""
        return config

    def _choose_codecs(self, codecs: Sequence[str]) -> None:
        have = [codec.codecId for codec in self._endpoint.codecEnum2()]
        wanted: list[str] = []
        for name in codecs:
            found = [codec for codec in have if codec.lower().startswith(name.lower() + "/")]
            if not found:
                raise ValueError(f"no codec {name!r}; there are {', '.join(have)}")
            wanted.extend(found)
        for codec in have:
            rank = wanted.index(codec) if codec in wanted else None
            self._endpoint.codecSetPriority(codec, 0 if rank is None else 250 - rank)

    def _account_config(self, transport_id: int) -> Any:
        own, config = self.config, pj.AccountConfig()
        config.idUri = sip_uri(own.user, own.server or own.address)
        if own.password:
            config.sipConfig.authCreds.append(pj.AuthCredInfo("digest", "*", own.user, 0, own.password))
        if own.register:
            config.regConfig.registrarUri = f"sip:{own.server}"
            config.regConfig.timeoutSec = REGISTRATION_S
            config.regConfig.unregWaitMsec = 500
        config.regConfig.registerOnAdd = own.register
        config.sipConfig.transportId = transport_id
        config.callConfig.timerUse = 0
        config.natConfig.contactRewriteUse = config.natConfig.viaRewriteUse = 0
        config.natConfig.sipOutboundUse = config.natConfig.udpKaIntervalSec = 0
        config.mediaConfig.lockCodecEnabled = False
        config.mediaConfig.srtpUse = 0
        config.mediaConfig.transportConfig.boundAddress = own.address
        config.mediaConfig.transportConfig.port = 0
        return config

    def poll(self, wait_ms: int) -> None:
        """Lets PJSIP work for up to `wait_ms`, then does what has fallen due."""
        if self._later:
            wait_ms = max(0, min(wait_ms, round((self._later[0][0] - time.monotonic()) * 1000)))
        self._endpoint.libHandleEvents(wait_ms)
        while self._later and self._later[0][0] <= time.monotonic():
            _due, _turn, action = heapq.heappop(self._later)
            with say(self.emit, "later"):
                action()

    def later(self, action: Callable[[], None], after_ms: float = 0) -> None:
        heapq.heappush(self._later, (time.monotonic() + after_ms / 1000, next(self._turn), action))

    def new_call(self, call_id: int | None = None) -> Call:
        if self._account is None:
            raise RuntimeError("the phone has not been started")
        leg = next(self._numbers)
        call = Call(self, self._account, leg, call_id)
        self.legs[leg] = call
        return call

    def recording_path(self, leg: int) -> str | None:
        if self.config.record_dir is None:
            return None
        return str(Path(self.config.record_dir) / f"{self.config.name}-{leg:03d}.wav")

    def incoming(self, call_id: int, message: str) -> None:
        call = self.new_call(call_id)
        call.announce(message)
        call.reply(180)
        rule = self.auto_answer
        if rule.code:
            self.later(lambda: call.reply(rule.code), rule.after_ms)

    def forget(self, leg: int) -> None:
        self.legs.pop(leg, None)

    # Commands

    def obey(self, command: dict[str, Any]) -> None:
        """Carries out one command and answers `done` or `refused` with its id."""
        number = command.get("id")
        try:
            method = getattr(self, f"do_{command.get('cmd')}", None)
            if method is None:
                raise RefusedError(f"no command {command.get('cmd')!r}")
            arguments = {key: value for key, value in command.items() if key not in ("cmd", "id")}
            answer = method(**arguments)
        except (RefusedError, ValueError, TypeError) as error:
            self.emit("refused", id=number, cmd=command.get("cmd"), reason=str(error))
        except pj.Error as error:
            self.emit("refused", id=number, cmd=command.get("cmd"), reason=error.reason or error.title)
        except Exception:
            self.emit("refused", id=number, cmd=command.get("cmd"), reason=traceback.format_exc())
        else:
            self.emit("done", id=number, cmd=command.get("cmd"), **(answer or {}))

    def _leg(self, leg: int) -> Call:
        try:
            return self.legs[leg]
        except KeyError:
            raise RefusedError(f"no call {leg}; there are {sorted(self.legs)}") from None

    def do_dial(
        self,
        uri: str,
        headers: list[tuple[str, str]] | None = None,
        caller: str | None = None,
        display: str | None = None,
        signal: str | None = None,
    ) -> dict[str, Any]:
        prm = pj.CallOpParam(True)
        prm.opt.videoCount, prm.opt.audioCount = 0, 1
        for name, value in headers or []:
            if not header_allowed(name, value):
                raise RefusedError(f"not a SIP header: {name!r}: {value!r}")
            extra = pj.SipHeader()
            extra.hName, extra.hValue = name, value
            prm.txOption.headers.append(extra)
        prm.txOption.localUri = self._from(caller, display)
        if len(self.legs) >= MAX_CALLS:
            raise RefusedError(f"a phone has room for {MAX_CALLS} calls")
        call = self.new_call()
        call.signal = signal or call.signal
        try:
            call.makeCall(uri, prm)
        except pj.Error:
            self.forget(call.leg)
            raise
        return {"leg": call.leg, "record": self.recording_path(call.leg)}

    def _from(self, caller: str | None, display: str | None) -> str:
        own = self.config
        who = caller if caller is not None else own.caller or own.user
        host = own.server or own.address
        named = quoted_display(own.display if display is None else display)
        return f"{named}<{sip_uri(who, host)}>" if who else f"{named}<sip:{host}>"

    def do_answer(self, leg: int, code: int = 200) -> None:
        self._leg(leg).reply(code)

    def do_auto_answer(self, code: int = 0, after_ms: int = 0) -> None:
        self.auto_answer = AutoAnswer(code, after_ms)

    def do_hangup(self, leg: int, code: int = 0) -> None:
        self._leg(leg).end(code)

    def do_dtmf(
        self, leg: int, digits: str, method: str = "rfc4733", duration_ms: int = 160, gap_ms: int = 120
    ) -> None:
        call = self._leg(leg)
        if not digits or not set(digits) <= DIGITS:
            raise RefusedError(f"digits are {''.join(sorted(DIGITS))}, not {digits!r}")
        if method not in ("rfc4733", "info"):
            raise RefusedError(f"no DTMF method {method!r}")
        for place, digit in enumerate(digits):
            last = place == len(digits) - 1
            self.later(
                lambda digit=digit, last=last: call.key(digit, method, duration_ms, last),  # type: ignore[misc]
                place * (duration_ms + gap_ms),
            )

    def do_hold(self, leg: int) -> None:
        self._leg(leg).setHold(pj.CallOpParam(True))

    def do_unhold(self, leg: int) -> None:
        prm = pj.CallOpParam(True)
        prm.opt.videoCount, prm.opt.audioCount = 0, 1
        prm.opt.flag |= pj.PJSUA_CALL_UNHOLD
        self._leg(leg).reinvite(prm)

    def do_codecs(self, codecs: list[str]) -> None:
        self._choose_codecs(codecs)

    def do_send(self, leg: int, what: str) -> None:
        self._leg(leg).transmit(sends(what))

    def do_transfer(self, leg: int, uri: str) -> None:
        self._leg(leg).xfer(uri, pj.CallOpParam(True))

    def do_transfer_to(self, leg: int, other: int) -> None:
        self._leg(leg).xferReplaces(self._leg(other), pj.CallOpParam(True))

    def do_mix(self, leg: int, other: int) -> None:
        self._leg(leg).mix(self._leg(other))

    def do_rtp(self, leg: int) -> dict[str, Any]:
        return self._leg(leg).rtp()

    def do_quit(self) -> None:
        self.quit()

    def quit(self) -> None:
        """Ends all calls, gives the BYEs and the unregistration half a second, then finishes."""
        if self._quitting:
            return
        self._quitting = True
        for call in list(self.legs.values()):
            with say(self.emit, "quit"):
                call.end(0)
        if self._account is not None and self.config.register:
            with say(self.emit, "quit"):
                self._account.setRegistration(False)
        deadline = time.monotonic() + 0.5

        def finish() -> None:
            if self.legs and time.monotonic() < deadline:
                self.later(finish, 10)
            else:
                self.finished = True

        self.later(finish, 60 if self.config.register else 0)

    def close(self) -> None:
        """Frees PJSIP. Safe after a start that failed halfway."""
        if self._endpoint is None:
            return
        for call in list(self.legs.values()):
            call.release()
        self.hush = None
        if self._account is not None:
            self._account.shutdown()
            self._account = None
        self._endpoint.libDestroy(pj.PJSUA_DESTROY_NO_RX_MSG)  # else it waits a second for stragglers
        self._endpoint = None
