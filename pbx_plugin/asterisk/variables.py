"""The one owner of every name that the dialplan, AGI scripts, ARI events and the recorder share.

The marks travel as inherited channel variables (``__NAME`` when set, ``NAME`` when read), so that they reach every
leg, queue member and Local channel. ari.conf lists :data:`CHANNEL_VARIABLES` in ``channelvars`` so that events
carry them.
"""

from __future__ import annotations

CONSENT = "PBXREC_CONSENT"
"""``required`` (set before the AGI runs), then ``given`` or ``refused``; empty where nothing was asked."""

EVIDENCE = "PBXREC_EVIDENCE"
"""Id of the consent evidence that the AGI wrote."""

PRESENTED = "PBXREC_PRESENTED"
"""Ids of hunt groups the call was presented to, separated by ``+``, in order."""

DDI = "PBXREC_DDI"
"""The number an incoming outside caller dialled first."""

ROUTE = "PBXREC_ROUTE"
"""Set by the consent AGI for the dialplan: ``yes`` or ``no``, the branch to take."""

RIGHTS = "PBXREC_RIGHTS"
"""Options of Dial() and Queue() that a calling user may have and an outside caller never; not inherited."""

HUNTED = "PBXREC_HUNTED"
"""Set to ``yes`` by the bridge application when it gives a caller back for whom it has rung in vain."""

LISTEN = "PBXREC_LISTEN"
"""The prompt, without its extension, that a phone rung by ``prompts listen`` is to hear."""

LINKEDID = "CHANNEL(linkedid)"
"""Asterisk's own name of the call; ARI channels do not carry it unless ``channelvars`` asks for it."""

CHANNEL_VARIABLES = (CONSENT, EVIDENCE, PRESENTED, DDI, LINKEDID)
"""What ari.conf's ``channelvars`` must name."""

PRESENTED_SEPARATOR = "+"

AGI_CONSENT = "consent"
"""AGI request path of the consent IVR: ``agi://host:port/consent,<consent number id>``."""

AGI_TOGGLE = "toggle"
"""AGI request path of the star code."""

AGI_PAUSE = "pause"
"""AGI request path of the sensitive-data pause."""

AGI_WITHDRAW = "withdraw"
"""AGI request path of the withdrawal."""

EVENT_TOGGLE = "PBXRecToggle"
"""UserEvent by which the toggle reaches the recorder; the event's channel is the one whose user pressed."""

EVENT_PAUSE = "PBXRecPause"
"""UserEvent by which the sensitive-data pause reaches the recorder."""

EVENT_WITHDRAW = "PBXRecWithdraw"
"""UserEvent by which the withdrawal reaches the recorder."""

CEL_MARKS = "PBXRecMarks"
"""CEL event by which the dialplan tells the channel's marks to Asterisk's event log, which knows no variables. The
codes go there under the names of their user events."""

CEL_SEPARATOR = "|"
"""Between consent, evidence, groups and direct number in it."""

EVENT_ASK = "PBXRecAsk"
"""UserEvent without a channel by which the REST interface asks the recorder for a deed in a user's name."""

EVENT_HEARTBEAT = "PBXRecHeartbeat"
"""UserEvent that the recorder sends itself to find out whether it still hears anything."""

SNOOP_PREFIX = "pbxrec-"
"""Every channel that the recorder creates has an id that begins so: none of them is a leg of a call."""

FEATURE = "pbxrec-toggle"
"""Name of the star code in features.conf's applicationmap."""

FEATURE_PAUSE = "pbxrec-pause"
"""Name of the sensitive-data pause there."""

FEATURE_WITHDRAW = "pbxrec-withdraw"
"""Name of the withdrawal there."""

FEATURES = "#".join((FEATURE, FEATURE_PAUSE, FEATURE_WITHDRAW))
"""What is added to DYNAMIC_FEATURES of a user's phone."""

STASIS_APP = "pbxrec"
"""Default name of the recorder's Stasis application."""

LISTENER_PREFIX = "PBXREC_LISTENER_"
"""Global variable, one an application, in which the program that listens there keeps its name."""

LISTENER_SEPARATOR = "#"
"""Between that name and the number of its heartbeats."""
