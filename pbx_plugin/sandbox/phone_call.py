"""One call of a phone inside its process: PJSIP's callbacks, what it plays, what it records."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import pjsua2 as pj

from pbx_plugin.sandbox.phone_wire import STATES, Emit, PhoneConfig, Sends, header, parse_address, parse_headers

WAV_HEADER = 44
FILE_CLOSES_WITHIN_S = 1.0

_MEDIA = {
    pj.PJSUA_CALL_MEDIA_NONE: "none",
    pj.PJSUA_CALL_MEDIA_ACTIVE: "active",
    pj.PJSUA_CALL_MEDIA_LOCAL_HOLD: "local_hold",
    pj.PJSUA_CALL_MEDIA_REMOTE_HOLD: "remote_hold",
    pj.PJSUA_CALL_MEDIA_ERROR: "error",
}
_DTMF = {pj.PJSUA_DTMF_METHOD_RFC2833: "rfc4733", pj.PJSUA_DTMF_METHOD_SIP_INFO: "info"}


class Host(Protocol):
    """What a call needs of the phone it belongs to."""

    config: PhoneConfig
    emit: Emit
    hush: Any

    def later(self, action: Callable[[], None], after_ms: float = 0) -> None: ...
    def new_call(self, call_id: int | None = None) -> Call: ...
    def recording_path(self, leg: int) -> str | None: ...
    def forget(self, leg: int) -> None: ...


_UNKNOWN = 0xFFFFFFFF  # PJSIP's word for a length it was not told


@contextmanager
def say(emit: Emit, where: str) -> Iterator[None]:
    """Turns an exception into a `fault` event: inside a PJSIP callback it would end the process without a word."""
    try:
        yield
    except pj.Error as error:
        emit("fault", where=where, reason=error.reason or error.title)
    except Exception:
        emit("fault", where=where, reason=traceback.format_exc())


class Call(pj.Call):  # type: ignore[misc]  # pjsua2 has no types
    def __init__(self, engine: Host, account: Any, leg: int, call_id: int | None) -> None:
        super().__init__(account, pj.PJSUA_INVALID_ID if call_id is None else call_id)
        self.leg = leg
        self._engine = engine
        self.signal = engine.config.signal
        self._sends = engine.config.sends
        self._audio: Any = None
        self._player: Any = None
        self._recorder: Any = None
        self._mixed: list[Call] = []
        self._record = engine.recording_path(leg)
        self._over = False

    def _emit(self, event: str, at: tuple[float, float] | None = None, **details: Any) -> None:
        self._engine.emit(event, at, leg=self.leg, **details)

    # PJSIP's callbacks

    def onCallState(self, prm: Any) -> None:  # noqa: N802  # PJSIP's names
        with say(self._engine.emit, "onCallState"):
            info = self.getInfo()
            at = time.monotonic(), time.time()
            details: dict[str, Any] = {
                "name": STATES[info.state],
                "code": info.lastStatusCode,
                "reason": info.lastReason,
            }
            if info.state != pj.PJSIP_INV_STATE_DISCONNECTED:
                self._emit("state", at, **details)
                return
            details["reason_header"] = _reason_header(prm)
            self._over = True
            # The recording must be whole before the driver hears of the end, and PJSIP must be out of this callback.
            self._engine.later(lambda: self._finish(at, details))

    def onCallMediaState(self, prm: Any) -> None:  # noqa: N802, ARG002
        with say(self._engine.emit, "onCallMediaState"):
            self._media_changed()

    def onDtmfDigit(self, prm: Any) -> None:  # noqa: N802
        with say(self._engine.emit, "onDtmfDigit"):
            method = _DTMF.get(prm.method, str(prm.method))
            length = None if prm.duration == _UNKNOWN else prm.duration
            self._emit("dtmf", digit=prm.digit, method=method, duration_ms=length)

    def onCallTransferRequest(self, prm: Any) -> None:  # noqa: N802
        with say(self._engine.emit, "onCallTransferRequest"):
            call = self._engine.new_call()
            prm.newCall = call
            self._emit("transfer_asked", to=prm.dstUri, new_leg=call.leg, record=self._engine.recording_path(call.leg))

    def onCallTransferStatus(self, prm: Any) -> None:  # noqa: N802
        with say(self._engine.emit, "onCallTransferStatus"):
            self._emit("transfer", code=prm.statusCode, reason=prm.reason, final=prm.finalNotify)
            if prm.finalNotify and prm.statusCode // 100 == 2:
                self._engine.later(lambda: self.end(0))

    def onCallReplaceRequest(self, prm: Any) -> None:  # noqa: N802
        with say(self._engine.emit, "onCallReplaceRequest"):
            call = self._engine.new_call()
            prm.newCall = call
            call.announce(prm.rdata.wholeMsg, replaces=self.leg)

    # What the engine asks for

    def announce(self, message: str, replaces: int | None = None) -> None:
        headers = parse_headers(message)
        number, display = parse_address(header(headers, "From", "f"))
        to, _ = parse_address(header(headers, "To", "t"))
        request = message.split(None, 2)[1] if message else ""
        self._emit(
            "incoming",
            number=number,
            display=display,
            to=to,
            request_uri=request,
            headers=headers,
            replaces=replaces,
            record=self._record,
        )

    def reply(self, code: int) -> None:
        """Answers an incoming call with a SIP code; nothing when it is over already."""
        if self._over:
            return
        prm = pj.CallOpParam(True)
        prm.opt.videoCount, prm.opt.audioCount = 0, 1
        prm.statusCode = code
        if code >= 300:
            self.hangup(prm)
        else:
            self.answer(prm)

    def end(self, code: int) -> None:
        """Hangs up: BYE, CANCEL or a final answer, as the state asks (`code` 0: PJSIP's choice)."""
        if self._over:
            return
        prm = pj.CallOpParam(True)
        prm.statusCode = code
        self.hangup(prm)

    def key(self, digit: str, method: str, duration_ms: int, last: bool) -> None:
        if self._over:
            if last:
                self._emit("dtmf_sent", digit=digit, pressed=False)
            return
        prm = pj.CallSendDtmfParam()
        prm.digits, prm.duration = digit, duration_ms
        prm.method = pj.PJSUA_DTMF_METHOD_SIP_INFO if method == "info" else pj.PJSUA_DTMF_METHOD_RFC2833
        self.sendDtmf(prm)
        if last:
            # An INFO says it all at once; the other side may hang up on it before the key would be released.
            held_ms = 0 if method == "info" else duration_ms
            self._engine.later(lambda: self._emit("dtmf_sent", digit=digit, pressed=True), held_ms)

    def transmit(self, what: Sends) -> None:
        """Changes what this call sends: signal, silence, nothing (no RTP) or echo."""
        self._disconnect_source()
        self._sends = what
        self._connect_source()

    def mix(self, other: Call) -> None:
        """Lets both other sides hear each other, in this phone's own conference bridge."""
        self._mixed.append(other)
        other._mixed.append(self)
        self._connect_mixed()

    def _connect_mixed(self) -> None:
        for other in self._mixed:
            if self._audio is not None and other._audio is not None:
                self._audio.startTransmit(other._audio)
                other._audio.startTransmit(self._audio)

    def _suppress_silence(self, on: bool) -> None:
        """With silence suppression and nobody to send, PJSIP sends no RTP at all; without it, it sends silence."""
        index = self._audio_index()
        stream = self.getStreamInfo(index)
        stream.audCodecParam.setting.vad = on
        self.audStreamModifyCodecParam(index, stream.audCodecParam)

    def rtp(self) -> dict[str, Any]:
        """Packets sent and received so far, and the codec."""
        if self._audio is None:
            return {"sent": 0, "received": 0, "lost": 0, "codec": None}
        index = self._audio_index()
        stats, stream = self.getStreamStat(index), self.getStreamInfo(index)
        return {
            "sent": stats.rtcp.txStat.pkt,
            "received": stats.rtcp.rxStat.pkt,
            "lost": stats.rtcp.rxStat.loss,
            "codec": stream.codecName,
        }

    def release(self) -> None:
        """Closes the player and the recording, and leaves the calls that it is mixed with."""
        for other in self._mixed:
            other._mixed.remove(self)
        self._mixed.clear()
        self._audio = self._player = self._recorder = None

    # Media

    def _audio_index(self) -> int:
        info = self.getInfo()  # named, because its media are freed together with it
        for medium in info.media:
            if medium.type == pj.PJMEDIA_TYPE_AUDIO:
                return int(medium.index)
        raise ValueError("this call has no audio")

    def _media_changed(self) -> None:
        info = self.getInfo()  # named, because its media are freed together with it
        for medium in info.media:
            if medium.type != pj.PJMEDIA_TYPE_AUDIO:
                continue
            status = _MEDIA.get(medium.status, str(medium.status))
            self._audio = None
            details: dict[str, Any] = {}
            if status in ("active", "remote_hold"):
                self._audio = self.getAudioMedia(medium.index)
                self._connect_source()
                self._connect_recorder()
                self._connect_mixed()
                stream = self.getStreamInfo(medium.index)
                details = {"codec": stream.codecName, "remote": stream.remoteRtpAddress}
            self._emit("media", status=status, **details)

    def _connect_source(self) -> None:
        if self._audio is None:
            return
        self._suppress_silence(self._sends == "nothing")
        if self._sends != "nothing":
            self._source().startTransmit(self._audio)

    def _disconnect_source(self) -> None:
        if self._audio is not None and self._sends != "nothing":
            self._source().stopTransmit(self._audio)

    def _source(self) -> Any:
        if self._sends == "echo":
            return self._audio
        if self._sends == "silence" or self.signal is None:
            return self._engine.hush
        if self._player is None:
            self._player = pj.AudioMediaPlayer()
            self._player.createPlayer(self.signal, 0)
        return self._player

    def _connect_recorder(self) -> None:
        if self._record is None:
            return
        if self._recorder is None:
            self._recorder = pj.AudioMediaRecorder()
            self._recorder.createRecorder(self._record)
            # Fed with silence too, so that the recording keeps time while the call is on hold.
            self._engine.hush.startTransmit(self._recorder)
            self._emit("recording", record=self._record)
        self._audio.startTransmit(self._recorder)

    def _finish(self, at: tuple[float, float], details: dict[str, Any]) -> None:
        recorded = self._recorder is not None
        self.release()
        self._engine.forget(self.leg)
        deadline = time.monotonic() + FILE_CLOSES_WITHIN_S

        def tell() -> None:
            # PJSIP closes the file in its media clock's thread: wait for the length in the header.
            if recorded and not _whole(self._record) and time.monotonic() < deadline:
                self._engine.later(tell, 5)
            else:
                self._emit("state", at, **details)

        tell()


def _whole(path: str | None) -> bool:
    if path is None:
        return True
    with open(path, "rb") as wav:  # noqa: PTH123  # a plain descriptor, many times a second
        start = wav.read(WAV_HEADER)
        size = os.fstat(wav.fileno()).st_size
    return len(start) == WAV_HEADER and int.from_bytes(start[4:8], "little") + 8 == size


def _reason_header(prm: Any) -> str:
    """The Reason header of the BYE or CANCEL that ended the call, where the other side sent one."""
    event = prm.e
    if event.type != pj.PJSIP_EVENT_TSX_STATE or event.body.tsxState.type != pj.PJSIP_EVENT_RX_MSG:
        return ""
    return header(parse_headers(event.body.tsxState.src.rdata.wholeMsg), "Reason")
