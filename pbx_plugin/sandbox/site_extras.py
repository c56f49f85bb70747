"""What the sandbox's administrator has beside the generated dialplan: parking, pick-up, conference, and the like.

None of it is the product's: it stands in Asterisk's own files, as it would on any site. Whoever wants the star code in
what stands there asks for it with ``Gosub(pbxrec-caller,s,1)``.
"""

from __future__ import annotations

import io
import wave

import numpy as np

from pbx_plugin.sandbox.signals import RATE, VOICES, tone

PARK, PARKED = "800", "801"
"""Where calls are parked, and the first place there."""

CONFERENCE, VOICEMAIL, FOLLOW_ME, FOLLOW_ME_WHOLE = "810", "820", "830", "831"
LOCAL_QUEUE, VAIN_QUEUE = "840", "841"
PICKUP, BLIND, ATTENDED, PARK_CODE = "*8", "##", "#2", "#72"
ABANDON, COMPLETE, THREE_WAY = "*1", "*2", "*3"
"""What is dialled, or pressed in a call or a consultation."""

FOLLOWED, LOCAL_MEMBER, VAIN_MEMBER = ("201", "202"), "203", "238"
"""Whom follow-me rings, and the members of the two queues; nobody answers the second within its time."""

MUSIC = VOICES[-1]
"""The voice of music on hold: no phone may have it."""

BEFORE = "[pbxrec-users]\ninclude => sandbox-services\n"
"""Stands before the generated dialplan: what it includes is looked into first, and a pattern there takes any digits."""

EXTENSIONS = f"""
[sandbox-services]
exten => {PARK},1,Park()
exten => _80[1-9],1,Gosub(pbxrec-caller,s,1)
 same => n,ParkedCall(default,${{EXTEN}})
exten => _{PICKUP}XXX,1,Gosub(pbxrec-caller,s,1)
 same => n,Pickup(${{EXTEN:2}}@pbxrec-users)
exten => {CONFERENCE},1,Gosub(pbxrec-caller,s,1)
 same => n,Answer()
 same => n,ConfBridge({CONFERENCE})
exten => {VOICEMAIL},1,Answer()
 same => n,VoiceMail(201@default,s)
; One optimises its Local channels away when it is answered, the other keeps them.
exten => {FOLLOW_ME},1,Gosub(pbxrec-caller,s,1)
 same => n,Dial({"&".join(f"Local/{one}@pbxrec-inside" for one in FOLLOWED)},20)
exten => {FOLLOW_ME_WHOLE},1,Gosub(pbxrec-caller,s,1)
 same => n,Dial({"&".join(f"Local/{one}@pbxrec-inside/n" for one in FOLLOWED)},20)
exten => {LOCAL_QUEUE},1,Answer()
 same => n,Queue(sandbox-local,,,,30)
exten => {VAIN_QUEUE},1,Answer()
 same => n,Queue(sandbox-vain,,,,4)
 same => n,Hangup(19)
"""

FEATURES = f"""[general]
pickupexten = {PICKUP}
transferdigittimeout = 2
atxfernoanswertimeout = 5
atxferabort = {ABANDON}
atxfercomplete = {COMPLETE}
atxferthreeway = {THREE_WAY}
; By default *4, which is our users' star code.
atxferswap = *5
[featuremap]
blindxfer = {BLIND}
atxfer = {ATTENDED}
parkcall = {PARK_CODE}
"""

QUEUES = f"""
[sandbox-local]
strategy = linear
timeout = 15
member => Local/{LOCAL_MEMBER}@pbxrec-inside,0,{LOCAL_MEMBER},PJSIP/{LOCAL_MEMBER}
[sandbox-vain]
strategy = ringall
timeout = 15
member => PJSIP/{VAIN_MEMBER}
"""

PARKING = "[general]\n[default]\ncontext = sandbox-parked\nparkext = 800\nparkpos = 801-809\nparkingtime = 60\n"

VOICEMAIL_BOXES = "[general]\nformat = wav\nmaxsilence = 0\n[default]\n201 => 1234,Anna Always\n"

VANISHED_S = 20
"""A phone that has sent nothing for so many seconds is gone, as far as Asterisk is concerned; unless it is on hold."""

PHONE_OPTIONS = {
    "call_group": "1",
    "pickup_group": "1",
    "allow": "alaw,ulaw,g722,gsm,opus",
    "rtp_timeout": str(VANISHED_S),
}
"""All phones may pick each other's calls up, and choose their codec."""


def music() -> bytes:
    """Return the WAV of music on hold: a voice that is nobody's, so that it can be told from everybody."""
    samples = np.round(tone(MUSIC.hertz, 10) * 32767)
    content = io.BytesIO()
    with wave.open(content, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes(samples.astype("<i2").tobytes())
    return content.getvalue()
