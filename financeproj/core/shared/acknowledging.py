"""Free the place of a finished task in its worker, also where the broker cannot be reached."""

from celery.worker.request import Request
from kombu.transport.virtual import QoS


class PlaceFreeingRequest(Request):
    """A task's message, which takes a place of the worker no longer than its task runs.

    Celery tells the broker once that a task is done. If Redis hangs at that moment, the message
    would count as under way for good, and after as many of them as the worker has places it would
    take no other until it is restarted. Redis delivers such a message again after an hour, and
    every task can run twice.
    """

    def acknowledge(self) -> None:
        super().acknowledge()  # logs an error of the connection
        if not self.message.acknowledged:
            QoS.ack(self.message.channel.qos, self.message.delivery_tag)
