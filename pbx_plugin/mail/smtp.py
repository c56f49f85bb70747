"""Mails over SMTP: one connection for many, encrypted unless the settings say that it need not be."""

from __future__ import annotations

import smtplib
import ssl
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from types import TracebackType
from typing import Self

from pbx_plugin.domain.notices import CODE_MARK
from pbx_plugin.services.mailing import MailRefusedError, MailTroubleError
from pbx_plugin.services.people_records import Mail
from pbx_plugin.settings import MailServer

PATIENCE_S = 20.0


class SmtpSender:
    """Sends mails through one server; a context manager that hangs up at the end. Not for several threads."""

    def __init__(self, settings: MailServer) -> None:
        self._settings = settings
        self._server: smtplib.SMTP | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hang_up()

    def send(self, mail: Mail) -> None:
        """Send a mail.

        Raises MailRefusedError when the address is none or the server says *never*, MailTroubleError when it says
        *not now*, cannot be reached, or lacks the encryption or the login that the settings ask for.
        """
        message = written(mail, self._settings.sender)
        server = self._connected()
        try:
            server.send_message(message, from_addr=self._settings.sender, to_addrs=[mail.address])
        except smtplib.SMTPRecipientsRefused as error:
            self._forget_mail()
            code, words = error.recipients[mail.address]
            raise _by_code(code, words) from error
        except smtplib.SMTPServerDisconnected as error:
            self._hang_up()
            raise MailTroubleError("the mail server hung up") from error
        except smtplib.SMTPResponseException as error:
            self._forget_mail()
            raise _by_code(error.smtp_code, error.smtp_error) from error
        except smtplib.SMTPNotSupportedError as error:
            self._forget_mail()
            raise MailRefusedError(f"the mail server cannot write to such an address: {error}") from error
        except (OSError, smtplib.SMTPException) as error:
            self._hang_up()
            raise MailTroubleError(f"the mail server is away: {error}", everywhere=True) from error

    def _connected(self) -> smtplib.SMTP:
        if self._server is None:
            try:
                self._server = self._connect()
            except smtplib.SMTPAuthenticationError as error:
                raise MailTroubleError("the mail server refuses our user and password", everywhere=True) from error
            except (OSError, smtplib.SMTPException) as error:
                where = f"{self._settings.host}:{self._settings.port}"
                raise MailTroubleError(f"the mail server {where} cannot be used: {error}", everywhere=True) from error
        return self._server

    def _connect(self) -> smtplib.SMTP:
        at = self._settings
        context = ssl.create_default_context(cafile=at.ca_file)
        server: smtplib.SMTP
        if at.tls == "tls":
            server = smtplib.SMTP_SSL(at.host, at.port, timeout=PATIENCE_S, context=context)
        else:
            server = smtplib.SMTP(at.host, at.port, timeout=PATIENCE_S)
        try:
            if at.tls == "starttls":
                server.starttls(context=context)
            if at.user:
                server.login(at.user, at.password.get_secret_value())
        except BaseException:
            server.close()
            raise
        return server

    def _forget_mail(self) -> None:
        try:
            if self._server is not None:
                self._server.rset()
        except (OSError, smtplib.SMTPException):
            self._hang_up()

    def _hang_up(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            try:
                server.quit()
            except (OSError, smtplib.SMTPException):
                server.close()


def written(mail: Mail, sender: str) -> EmailMessage:
    """Return the mail as it is sent, with its secret in place. Raises MailRefusedError when it cannot be written."""
    message = EmailMessage(policy=SMTP)
    try:
        message["From"] = sender
        message["To"] = Address(addr_spec=mail.address)
        message["Subject"] = mail.subject
        message["Date"] = format_datetime(mail.at)
        message["Message-ID"] = f"<{mail.id}@{sender.rpartition('@')[2]}>"
        # RFC 3834: nobody's holiday answers this.
        message["Auto-Submitted"] = "auto-generated"
        before, _, after = mail.body.rpartition(CODE_MARK)
        message.set_content(f"{before}{mail.secret}{after}" if mail.secret else mail.body)
    except (ValueError, MessageError, IndexError) as error:
        raise MailRefusedError(f"a mail to {mail.address!r} cannot be written: {error}") from error
    return message


def _by_code(code: int, words: bytes | str) -> MailRefusedError | MailTroubleError:
    told = words.decode(errors="replace") if isinstance(words, bytes) else words
    answer = f"the mail server says {code} {told}"
    return MailRefusedError(answer) if code >= 500 else MailTroubleError(answer)
