"""Post a text to the webhook of a chat channel, in Slack's form, which Mattermost, Rocket.Chat and others read too.

The address of a webhook is a secret: whoever has it can write into the channel. So no exception of the client library,
which would quote it, leaves this module, and the library's log lines do not either.
"""

import logging
import threading
import time
from dataclasses import dataclass

import requests
from pydantic import SecretStr

TRIES = 3
PAUSE_S = 1.0
"""Seconds before the second try; twice as long before the third."""

ANSWER_S = 5.0
"""Seconds for a connection, and for each part of the answer."""

WHOLE_S = 20.0
"""Seconds for all tries together; Dagster ends a tick after 60."""


class NotSent(Exception):
    """The receiver did not take a text; the message never holds the address."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where alerts are sent to.

    Attributes:
        address: Of the webhook, with its secret.
    """

    address: SecretStr

    def post(self, text: str) -> None:
        """Send a text.

        Raises:
            NotSent: All tries failed, or took too long.
        """
        outcome: list[str] = []
        thread = threading.Thread(target=lambda: outcome.append(self._tries(text)), name="webhook", daemon=True)
        thread.start()
        thread.join(WHOLE_S)  # a receiver that answers a byte at a time would outlast each timeout of requests
        said = outcome[0] if outcome else f"no answer within {WHOLE_S:g} s"
        if said:
            raise NotSent(said)

    def _tries(self, text: str) -> str:
        """Return why no try succeeded; empty if one did."""
        said = ""
        with _unheard():
            for number in range(TRIES):
                time.sleep(PAUSE_S * 2 ** (number - 1) if number else 0.0)
                said, again = self._once(text)
                if not again:
                    break
        return said

    def _once(self, text: str) -> tuple[str, bool]:
        """Return why a try failed, and whether another may succeed."""
        try:
            answer = requests.post(
                self.address.get_secret_value(), json={"text": text}, timeout=ANSWER_S, allow_redirects=False
            )
        except requests.RequestException as error:
            return type(error).__name__, True
        failed = not answer.ok or answer.is_redirect
        return f"HTTP {answer.status_code}" if failed else "", answer.status_code == 429 or answer.status_code >= 500


class _unheard(logging.Filter):  # noqa: N801  # used as a context
    """Keeps urllib3's log lines of this thread, which hold the path of the address, out of every log."""

    def __enter__(self) -> None:
        self._thread = threading.get_ident()
        logging.getLogger("urllib3.connectionpool").addFilter(self)

    def __exit__(self, *_: object) -> None:
        logging.getLogger("urllib3.connectionpool").removeFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a line was written by another thread."""
        return record.thread != self._thread
