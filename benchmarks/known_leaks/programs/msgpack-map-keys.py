"""Maps with a key that is refused."""

import msgpack

packed = msgpack.packb({1: "v" * 3000})


def call():
    try:
        msgpack.unpackb(packed)
    except ValueError:
        pass
