"""The task."""

import requests


def post(url: str, receiver: str, message: str) -> None:
    """Send one message, as the first page of every tutorial does it."""
    requests.post(url, data={"target": receiver, "message": message}, timeout=10).raise_for_status()
