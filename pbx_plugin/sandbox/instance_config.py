"""The configuration every private Asterisk of ours starts from: quiet, on the loopback, nothing unneeded."""

from __future__ import annotations

from pathlib import Path

UNWANTED_MODULES = (
    # These would open ports, or want a server we do not have.
    "chan_iax2", "chan_unistim", "chan_motif", "chan_console", "chan_mgcp", "chan_skinny", "pbx_dundi", "res_snmp",
    "res_xmpp", "res_prometheus", "res_statsd", "res_hep", "res_hep_pjsip", "res_hep_rtcp",
    "res_config_ldap", "res_config_odbc", "res_config_pgsql", "res_config_curl", "res_config_sqlite3", "res_odbc",
    "res_odbc_transaction", "func_odbc", "cdr_odbc", "cdr_adaptive_odbc", "cdr_pgsql", "cdr_radius", "cdr_tds",
    "cdr_sqlite3_custom", "cel_odbc", "cel_pgsql", "cel_radius", "cel_tds", "cel_sqlite3_custom", "app_voicemail_odbc",
    "app_voicemail_imap", "app_jack", "app_festival", "app_sms", "app_alarmreceiver", "app_adsiprog", "app_getcpeid",
    "app_minivm", "app_speech_utils", "res_speech_aeap", "res_adsi", "res_smdi",
    # These would ask the network's name servers, or the network, at start or in a call.
    "res_resolver_unbound", "res_stun_monitor", "res_stir_shaken", "res_pjsip_stir_shaken", "res_geolocation",
    "res_pjsip_geolocation", "func_enum", "func_srv", "res_http_media_cache",
    "res_calendar", "res_calendar_caldav", "res_calendar_ews", "res_calendar_exchange", "res_calendar_icalendar",
    # These are not used, and slow the start or the stop.
    "pbx_ael", "res_ael_share", "pbx_lua", "pbx_realtime", "res_realtime", "func_realtime", "res_phoneprov",
    "res_pjsip_phoneprov_provider", "res_pjsip_config_wizard",
    "res_sorcery_realtime", "res_fax", "res_fax_spandsp", "res_pjsip_t38",
    "res_timing_pthread", "res_pjsip_notify", "app_agent_pool", "app_amd", "cdr_csv",
    "cdr_manager", "app_followme", "app_sla", "app_meetme", "codec_codec2", "codec_amr", "res_clialiases",
)  # fmt: skip

CDR_COLUMNS = (
    "${CSV_QUOTE(${CDR(linkedid)})}", "${CSV_QUOTE(${CDR(uniqueid)})}", "${CDR(sequence)}",
    "${CSV_QUOTE(${CDR(clid)})}",
    "${CSV_QUOTE(${CDR(src)})}", "${CSV_QUOTE(${CDR(dst)})}", "${CSV_QUOTE(${CDR(dcontext)})}",
    "${CSV_QUOTE(${CDR(channel)})}", "${CSV_QUOTE(${CDR(dstchannel)})}", "${CSV_QUOTE(${CDR(lastapp)})}",
    "${CSV_QUOTE(${CDR(disposition)})}", "${CDR(start,u)}", "${CDR(answer,u)}", "${CDR(end,u)}",
    "${CSV_QUOTE(${CDR(accountcode)})}", "${CSV_QUOTE(${CDR(userfield)})}",
)  # fmt: skip
"""What a row of the CDR file holds, in this order: linkedid, uniqueid, sequence, clid, src, dst, dcontext, channel,
dstchannel, lastapp, disposition, start, answer, end (seconds since 1970), accountcode, userfield."""

CEL_COLUMNS = (
    "${CSV_QUOTE(${eventtype})}", "${CSV_QUOTE(${eventtime})}", "${CSV_QUOTE(${CHANNEL(linkedid)})}",
    "${CSV_QUOTE(${CHANNEL(uniqueid)})}", "${CSV_QUOTE(${CHANNEL(channame)})}", "${CSV_QUOTE(${CHANNEL(exten)})}",
    "${CSV_QUOTE(${CHANNEL(context)})}", "${CSV_QUOTE(${eventextra})}",
)  # fmt: skip
"""What a row of the CEL file holds: eventtype, eventtime, linkedid, uniqueid, channame, exten, context, extra."""


def asterisk_conf(folder: Path, run_dir: Path, modules_dir: Path) -> str:
    """`asterisk.conf` of an instance in `folder`, whose control socket lies in `run_dir`."""
    return f"""\
[directories]
astetcdir => {folder}/etc
astmoddir => {modules_dir}
astvarlibdir => {folder}/lib
astdbdir => {folder}/lib
astkeydir => {folder}/lib
astcachedir => {folder}/cache
astdatadir => {folder}/data
astagidir => {folder}/agi-bin
astspooldir => {folder}/spool
astrundir => {run_dir}
astlogdir => {folder}/log

[options]
verbose = 3
nocolor = yes
hideconnect = yes
live_dangerously = no
execincludes = no
defaultlanguage = en
documentation_language = en_US

[files]
astctlpermissions = 0600
astctl = asterisk.ctl
"""


def base_files(host: str, http_port: int, rtp_first: int, rtp_last: int, moh_dir: Path) -> dict[str, str]:
    """The other files by name; each may be replaced by the caller's own."""
    noload = "\n".join(f"noload = {name}.so" for name in UNWANTED_MODULES)
    return {
        "modules.conf": f"[modules]\nautoload = yes\n{noload}\n",
        "logger.conf": "[general]\ndateformat = %F %T.%3q\nuse_callids = yes\nqueue_log = yes\n"
        "[logfiles]\nfull => notice,warning,error,verbose(3),dtmf\n",
        "http.conf": f"[general]\nenabled = yes\nbindaddr = {host}\nbindport = {http_port}\nenablestatic = no\n"
        "sessionlimit = 1000\n",
        "rtp.conf": f"[general]\nrtpstart = {rtp_first}\nrtpend = {rtp_last}\nstrictrtp = yes\nicesupport = no\n",
        "musiconhold.conf": f"[general]\n[default]\nmode = files\ndirectory = {moh_dir}\n",
        "pjproject.conf": "[startup]\nlog_level = 2\n",
        "features.conf": "[general]\n[featuremap]\n[applicationmap]\n",
        "res_parking.conf": "[general]\n[default]\nparkext = 700\nparkpos = 701-720\ncontext = parkedcalls\n",
        "queues.conf": "[general]\n",
        "confbridge.conf": "[general]\n[default_user]\ntype = user\n[default_bridge]\ntype = bridge\n",
        "voicemail.conf": "[general]\nformat = wav\n",
        "indications.conf": _INDICATIONS,
        "cdr.conf": "[general]\nenable = yes\n",
        "cdr_custom.conf": f"[mappings]\nMaster.csv => {','.join(CDR_COLUMNS)}\n",
        "cel.conf": "[general]\nenable = yes\napps = all\nevents = ALL\n",
        "cel_custom.conf": f"[mappings]\nMaster.csv => {','.join(CEL_COLUMNS)}\n"
        '#tryinclude "pbx-plugin.d/cel_custom.conf"\n',
        "ccss.conf": "[general]\n", "udptl.conf": "[general]\n", "acl.conf": "", "sorcery.conf": "",
        "ari.conf": "[general]\nenabled = no\n", "manager.conf": "[general]\nenabled = no\n",
        "extensions.conf": "[general]\n", "pjsip.conf": "", "cli.conf": "", "aeap.conf": "",
        "queuerules.conf": "", "websocket_client.conf": "", "chan_websocket.conf": "", "cli_permissions.conf": "",
    }  # fmt: skip


_INDICATIONS = """\
[general]
country = dk
[dk]
description = Denmark
ringcadence = 1000,4000
dial = 425
busy = 425/500,0/500
ring = 425/1000,0/4000
congestion = 425/200,0/200
callwaiting = !425/200,!0/600,!425/200,!0/3000,!425/200,!0/200,!425/200,0
dialrecall = !425/100,!0/100,!425/100,!0/100,!425/100,!0/100,425
record = 1400/80,0/15000
info = !950/330,!0/15,!1400/330,!0/15,!1800/330,!0/1000
stutter = 425/450,0/50
"""
