"""A room for each test on a real server, made and removed by plain HTTP calls.

SLEAP_RTC_SERVER names the server, http://127.0.0.1:8001 if unset. Nothing beside the standard library is needed.
The calls carry no credential but the one that makes the room: the server takes them from the address that made it.
"""

import json
import os
import urllib.request

import pytest

SERVER = os.environ.get("SLEAP_RTC_SERVER", "http://127.0.0.1:8001").rstrip("/")


def post(path, body=None, id_token=None):
    """POSTs JSON and reads the JSON answer; any status but 2xx is an error."""
    request = urllib.request.Request(SERVER + path, data=json.dumps(body or {}).encode(), method="POST")
    request.add_header("Content-Type", "application/json")
    if id_token is not None:
        request.add_header("Authorization", f"Bearer {id_token}")
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


@pytest.fixture
def test_room():
    """An ephemeral room and an anonymous user; both are gone after the test, whether it passes or not."""
    user = post("/anonymous-signin")
    peer_id = user["username"]
    room = post("/create-room", id_token=user["id_token"])
    try:
        yield {
            "room_id": room["room_id"],
            "token": room["token"],
            "id_token": user["id_token"],
            "peer_id": peer_id,
            # Each port of the server serves the WebSocket too.
            "websocket": os.environ.get("SLEAP_RTC_SIGNALING_WS", SERVER.replace("http", "ws", 1)),
        }
    finally:
        post("/delete-peers-and-room", {"peer_id": peer_id})
