"""Measurements published while the broker cannot be reached: paho keeps each until it is confirmed.

Reported as eclipse-paho/paho.mqtt.python#225 and #601.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="unsent messages of an MQTT client",
    leaks="objects",
    culprit=("paho.*", "*MQTTMessage*", "collections.OrderedDict", "*Condition"),
    requires=("paho-mqtt==2.1.0",),
    source="https://github.com/eclipse-paho/paho.mqtt.python/issues/225",
)
_traffic = Traffic(96)
_client: Any = None


def setup() -> None:
    global _client
    from paho.mqtt import client

    _client = client.Client(client.CallbackAPIVersion.VERSION2, client_id="shop")


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 40 == 0:
        _client.publish("shop/temperature", f"{i % 40} C", qos=1)
