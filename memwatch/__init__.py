"""Memory monitoring for every Python process of a Django and Celery deployment."""

__version__ = "0.1.0"
