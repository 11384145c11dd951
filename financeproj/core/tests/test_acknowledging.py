"""Test that a worker takes the next task although the broker does not know that the last one has ended."""

import pytest
from kombu import Connection, Message

from financeproj.core.shared.acknowledging import PlaceFreeingRequest


@pytest.fixture
def channel():
    with Connection("memory://") as connection:
        channel = connection.channel()
        channel.basic_qos(0, 1, False)  # one place
        yield channel


@pytest.mark.parametrize("fails", [False, True])
def test_a_finished_task_frees_its_place_though_the_broker_does_not_answer(
    channel, monkeypatch, fails
):
    message = Message(channel=channel, delivery_tag="1", body="{}")
    channel.qos.append(message, "1")  # as a consumer does
    assert not channel.qos.can_consume()
    request = PlaceFreeingRequest.__new__(PlaceFreeingRequest)
    request._message, request._on_ack = message, message.ack_log_error
    request._connection_errors, request.acknowledged = (ConnectionError,), False
    if fails:

        def hang(*args, **kwargs):
            raise ConnectionError("Timeout reading from socket")

        monkeypatch.setattr(channel, "basic_ack", hang)
    request.acknowledge()
    assert message.acknowledged is not fails
    assert channel.qos.can_consume()
