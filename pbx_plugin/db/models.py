"""All tables in one place, for those who read and write them."""

from __future__ import annotations

from pbx_plugin.db.base import Base
from pbx_plugin.db.models_alarms import AlarmRow
from pbx_plugin.db.models_api import ApiTokenRow, CallTagRow, DeliveryRow, RecordingNoteRow, WebhookRow
from pbx_plugin.db.models_audit import AuditHeadRow, AuditRow, JournalMarkRow
from pbx_plugin.db.models_calls import (
    CallAliasRow,
    CallMarkRow,
    CallRow,
    ConsentRow,
    DecisionRow,
    LegRow,
    PartyEventRow,
)
from pbx_plugin.db.models_enrolment import ImportRunRow, MailRow, NoticeRow
from pbx_plugin.db.models_handing import (
    DeletionRow,
    ExportRow,
    HandingRulesRow,
    LegalHoldRow,
    LinkOpeningRow,
    ListeningLeaseRow,
    ShareLinkRow,
)
from pbx_plugin.db.models_people import (
    ConsentNumberRow,
    DepartmentRow,
    DeviceRow,
    DirectNumberRow,
    GroupMemberRow,
    HuntGroupRow,
    PersonRow,
    TenantRow,
)
from pbx_plugin.db.models_policy import ExclusionRow, PolicyDraftRow, PolicyVersionRow, RevisionRow
from pbx_plugin.db.models_portal import (
    AccountLinkRow,
    AccountReachRow,
    AccountRow,
    PasswordRow,
    PortalRulesRow,
    RecoveryCodeRow,
    SessionRow,
    TermsAcceptedRow,
    TermsRow,
    ThrottleRow,
)
from pbx_plugin.db.models_recordings import GapRow, MediaConsentRow, MediaRow, MediaState, RecordingRow
from pbx_plugin.db.models_search import AccountChoiceRow, RecordingTextRow, SavedSearchRow
from pbx_plugin.db.models_units import PersonUnitRow, RecordingGroupMemberRow, RecordingGroupRow, UnitRow
from pbx_plugin.db.models_working import (
    ChoiceRow,
    EvaluationFormRow,
    EvaluationRow,
    ListeningRow,
    RecordingMarkRow,
)

RULEBOOK_TABLES = frozenset(
    row.__tablename__
    for row in (
        TenantRow,
        DepartmentRow,
        PersonRow,
        DeviceRow,
        HuntGroupRow,
        GroupMemberRow,
        ConsentNumberRow,
        DirectNumberRow,
        PolicyVersionRow,
        ExclusionRow,
    )
)
"""Tables whose change raises the revision."""

__all__ = [
    "RULEBOOK_TABLES",
    "AccountChoiceRow",
    "AccountLinkRow",
    "AccountReachRow",
    "AccountRow",
    "AlarmRow",
    "ApiTokenRow",
    "AuditHeadRow",
    "AuditRow",
    "Base",
    "CallAliasRow",
    "CallMarkRow",
    "CallRow",
    "CallTagRow",
    "ChoiceRow",
    "ConsentNumberRow",
    "ConsentRow",
    "DecisionRow",
    "DeletionRow",
    "DeliveryRow",
    "DepartmentRow",
    "DeviceRow",
    "DirectNumberRow",
    "EvaluationFormRow",
    "EvaluationRow",
    "ExclusionRow",
    "ExportRow",
    "GapRow",
    "GroupMemberRow",
    "HandingRulesRow",
    "HuntGroupRow",
    "ImportRunRow",
    "JournalMarkRow",
    "LegRow",
    "LegalHoldRow",
    "LinkOpeningRow",
    "ListeningLeaseRow",
    "ListeningRow",
    "MailRow",
    "MediaConsentRow",
    "MediaRow",
    "MediaState",
    "NoticeRow",
    "PartyEventRow",
    "PasswordRow",
    "PersonRow",
    "PersonUnitRow",
    "PolicyDraftRow",
    "PolicyVersionRow",
    "PortalRulesRow",
    "RecordingGroupMemberRow",
    "RecordingGroupRow",
    "RecordingMarkRow",
    "RecordingNoteRow",
    "RecordingRow",
    "RecordingTextRow",
    "RecoveryCodeRow",
    "RevisionRow",
    "SavedSearchRow",
    "SessionRow",
    "ShareLinkRow",
    "TenantRow",
    "TermsAcceptedRow",
    "TermsRow",
    "ThrottleRow",
    "UnitRow",
    "WebhookRow",
]
