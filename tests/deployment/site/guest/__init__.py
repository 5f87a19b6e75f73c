"""A small Django project that is being watched: the guest of the deployment tests."""
