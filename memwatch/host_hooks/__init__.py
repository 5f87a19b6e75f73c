"""What Celery, billiard and gunicorn say to the agent: how long a task may take, and how a process ends."""
