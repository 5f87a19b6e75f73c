"""Messages with headers to a Kafka that cannot be reached: once the queue is full, each is refused.

Reported as confluentinc/confluent-kafka-python#2167 of 2.13.0.

Holder: headers that librdkafka allocated, and that nobody frees.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="headers of messages that Kafka's producer refused",
    leaks="native",
    leaking_release="confluent-kafka==2.13.0",
    fixed_release="confluent-kafka==2.14.0",
    source="https://github.com/confluentinc/confluent-kafka-python/issues/2167",
)
_traffic = Traffic(211)
_producer: Any = None


def setup() -> None:
    global _producer
    from confluent_kafka import Producer

    _producer = Producer({"bootstrap.servers": "127.0.0.1:1", "queue.buffering.max.messages": 200, "log_level": 0})


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 10 == 0:
        headers = {"trace": f"{i:032x}", "tenant": "north", "schema": "order-2"}
        try:
            _producer.produce("orders", value=b"an order", headers=headers)
        except BufferError:
            _producer.poll(0)
