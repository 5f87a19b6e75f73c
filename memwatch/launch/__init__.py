"""The agent in any Python program, without a change to it: ``memwatch run``.

``path/`` goes first on ``PYTHONPATH``: every Python then imports the ``sitecustomize`` in it at its start. That makes a
:mod:`memwatch.launch.starter`, which starts the agent a second later, and has :mod:`memwatch.launch.imports` note which
servers, frameworks and task queues the program imports. What runs before that second is over imports next to nothing.
"""
