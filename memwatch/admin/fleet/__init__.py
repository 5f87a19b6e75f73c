"""Services, processes and slots."""
