"""Two small sites that are not like the deployment in ``project/``, each with habits that memwatch has met elsewhere.

``depot`` has static files with a manifest, a schema and docs of its API below ``/api/``, a ``Notification`` of its own,
and a choice of schedulers. ``harbour`` has no admin, chooses its routes by host and mounts memwatch below ``/ops/``.
"""
