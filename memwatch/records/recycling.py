"""What an agent answers to an order to recycle its process."""

POOL_CHILD = "Celery child, after its task"
"""The one way to end that is taken back when the drain time-out is over. With every other one the order stands."""
