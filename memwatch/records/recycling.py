"""What an agent answers to an order to recycle its process."""

POOL_CHILD = "Celery child, after its task"
TASKS_WORKER = "worker of django.tasks, after its task"
WITHDRAWN = (POOL_CHILD, TASKS_WORKER)
"""The ways to end that are taken back when the drain time-out is over. With every other one the order stands."""
