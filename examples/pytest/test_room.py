"""What a worker does first: join the room, say what it is, say that it is busy."""

import asyncio
import json

import pytest
import websockets


async def call(socket, frame):
    """Sends a frame and reads the next one that is no ping."""
    await socket.send(json.dumps(frame))
    while True:
        answer = json.loads(await asyncio.wait_for(socket.recv(), 30))
        if answer["type"] != "ping":
            return answer


async def register(socket, room, **fields):
    metadata = {"tags": ["sleap-rtc", "training-worker"], "properties": {"status": "available", "gpu_memory_mb": 24564}}
    frame = {"type": "register", "role": "worker", "metadata": metadata}
    frame |= {name: room[name] for name in ("peer_id", "room_id", "token", "id_token")}
    return await call(socket, frame | fields)


def test_a_worker_joins_and_says_that_it_is_busy(test_room):
    async def worker():
        async with websockets.connect(test_room["websocket"]) as socket:
            joined = await register(socket, test_room)
            assert joined["type"] == "registered_auth", joined
            assert joined["room_id"] == test_room["room_id"]
            assert joined["peer_id"] == test_room["peer_id"]

            peer_id = test_room["peer_id"]
            busy = {"properties": {"status": "busy", "current_job_id": "job-1"}}
            updated = await call(socket, {"type": "update_metadata", "peer_id": peer_id, "metadata": busy})
            assert updated["type"] == "metadata_updated", updated
            assert updated["metadata"]["properties"]["status"] == "busy"
            assert updated["metadata"]["properties"]["gpu_memory_mb"] == 24564, "what is not named stays"
            assert "training-worker" in updated["metadata"]["tags"]

    asyncio.run(worker())


@pytest.mark.parametrize("wrong", [{"token": "wrong"}, {"id_token": "wrong"}])
def test_nobody_joins_with_a_wrong_credential(test_room, wrong):
    async def stranger():
        async with websockets.connect(test_room["websocket"]) as socket:
            return await register(socket, test_room, **wrong)

    answer = asyncio.run(stranger())
    assert answer["type"] == "error" and answer["code"] == "AUTH_FAILED", answer
