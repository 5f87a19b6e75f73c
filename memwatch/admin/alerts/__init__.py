"""Alerts, and the notifications of them."""
