"""Sends what the outbox holds: each at least once, whatever dies meanwhile. A receiver that is away delays no other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from importlib.metadata import version

import structlog

from pbx_plugin.api.posting import Answer, post
from pbx_plugin.db.webhooks import DatabaseWebhooks, Parcel
from pbx_plugin.services.ports import StoreUnavailableError
from pbx_plugin.services.webhooks import SIGNATURE_HEADER, DeliveryState, signature
from pbx_plugin.settings import Webhooks

log = structlog.get_logger(__name__)

LOOK_EVERY = 0.5
"""Seconds between two looks into the outbox."""
AT_A_TIME = 20
"""Deliveries for one webhook in a row."""
WORKERS = 8
LONGEST_REST = timedelta(minutes=1)
FORGET_EVERY = timedelta(hours=1)


class Sender:
    """A thread that sends. Two of them (two API processes) send some deliveries twice, and lose none."""

    def __init__(self, webhooks: DatabaseWebhooks, settings: Webhooks, now: Callable[[], datetime]) -> None:
        self._webhooks = webhooks
        self._settings = settings
        self._now = now
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._busy: set[str] = set()
        self._rests: dict[str, tuple[int, datetime]] = {}
        self._forgot: datetime | None = None
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="webhook")
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """Stop; what is being sent is finished first, and the rest waits for the next start."""
        self._stopping.set()
        self._thread.join()
        self._pool.shutdown(wait=True)

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_EVERY):
            try:
                self._look()
            except StoreUnavailableError as error:
                log.warning("webhooks wait for the database", error=str(error))
            except Exception:
                log.exception("webhooks cannot be looked after: tried again")

    def _look(self) -> None:
        at = self._now()
        for webhook_id in self._webhooks.waiting(at):
            with self._lock:
                _, until = self._rests.get(webhook_id, (0, at))
                if webhook_id in self._busy or until > at:
                    continue
                self._busy.add(webhook_id)
            self._pool.submit(self._serve, webhook_id)
        if self._forgot is None or at - self._forgot > FORGET_EVERY:
            self._webhooks.forget(at)
            self._forgot = at

    def _serve(self, webhook_id: str) -> None:
        """Send what is due for one webhook, in order, until it does not take one."""
        try:
            for parcel in self._webhooks.due(webhook_id, self._now(), AT_A_TIME):
                if self._stopping.is_set() or not self._send(parcel):
                    return
        except StoreUnavailableError as error:
            log.warning("what was sent could not be noted: it is sent again", webhook=webhook_id, error=str(error))
        except Exception:
            log.exception("a webhook could not be served", webhook=webhook_id)
        finally:
            with self._lock:
                self._busy.discard(webhook_id)

    def _send(self, parcel: Parcel) -> bool:
        answer = self._post(parcel)
        at = self._now()
        state = self._webhooks.tried(parcel.delivery, at, status=answer.status, error=answer.error)
        webhook_id = parcel.delivery.webhook_id
        with self._lock:
            if not answer.error:
                self._rests.pop(webhook_id, None)
                return True
            failed = self._rests.get(webhook_id, (0, at))[0] + 1
            self._rests[webhook_id] = failed, at + min(timedelta(seconds=1 << min(failed, 10)), LONGEST_REST)
        say = log.error if state is DeliveryState.DEAD else log.warning
        say("a webhook did not take a delivery", webhook=webhook_id, delivery=parcel.delivery.id, error=answer.error)
        return False

    def _post(self, parcel: Parcel) -> Answer:
        body = parcel.delivery.body.encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"pbx-plugin/{version('pbx-plugin')}",
            "Pbx-Plugin-Event": parcel.delivery.event,
            "Pbx-Plugin-Delivery": parcel.delivery.id,
            SIGNATURE_HEADER: signature(parcel.secret, int(self._now().timestamp()), body),
        }
        return post(parcel.url, headers, body, self._settings.own_networks, self._settings.patience)
