"""Posting to a webhook: tries, time, and the secret in its address."""

import logging
import time
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from maxsight_assets.defs.alerts import webhook
from maxsight_assets.defs.alerts.webhook import NotSent, Webhook
from maxsight_assets_tests.servers.processes import free_ports
from maxsight_assets_tests.servers.receiver import SECRET, Receiver, receiving


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setattr(webhook, "PAUSE_S", 0.01)
    with receiving() as server:
        yield server


def test_a_receiver_that_is_busy_is_asked_again(receiver: Receiver) -> None:
    receiver.statuses = [503, 429]

    Webhook(SecretStr(receiver.address)).post("a & b")

    assert receiver.texts == ["a & b"] * 3


@pytest.mark.parametrize(("status", "tries"), [(404, 1), (302, 1), (500, 3)])
def test_what_is_refused_is_said_without_the_address(receiver: Receiver, status: int, tries: int) -> None:
    receiver.statuses = [status] * 3

    with pytest.raises(NotSent, match=rf"^HTTP {status}$"):
        Webhook(SecretStr(receiver.address)).post("text")

    assert len(receiver.texts) == tries


def test_a_receiver_that_is_away_is_no_more_than_its_error(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    (port,) = free_ports(1)

    with pytest.raises(NotSent) as caught:
        Webhook(SecretStr(f"http://127.0.0.1:{port}/services/{SECRET}")).post("text")
    Webhook(SecretStr(receiver.address)).post("text")

    assert str(caught.value) == "ConnectionError"
    assert caught.value.__cause__ is None
    assert not [record for record in caplog.records if "CANARY" in record.getMessage()]


def test_a_receiver_that_never_ends_its_answer_is_given_up(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "WHOLE_S", 0.5)
    receiver.drips = True
    started = time.monotonic()

    with pytest.raises(NotSent, match=r"no answer within 0.5 s"):
        Webhook(SecretStr(receiver.address)).post("text")

    assert time.monotonic() - started < 5
