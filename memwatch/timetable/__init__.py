"""memwatch's recurring work: what each step does, and a process that runs the steps without Celery."""
