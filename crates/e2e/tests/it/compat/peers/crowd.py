"""Many workers in one room, each with metadata of some size, and one client that counts the bytes of what it is told."""

from channel import *


async def crowd(room, key, count, size):
    sockets = []

    async def join(number):
        ws = await websockets.connect(get_config().signaling_websocket)
        properties = {"status": "available", "gpu_memory_mb": 0, "filling": "x" * int(size)}
        metadata = {"tags": ["sleap-rtc"], "properties": properties}
        frame = {"type": "register", "peer_id": f"crowd-{number}", "role": "worker", "is_admin": True, "api_key": key}
        await ws.send(json.dumps({**frame, "room_id": room, "metadata": metadata}))
        while json.loads(await ws.recv())["type"] != "registered_auth":
            pass
        sockets.append(ws)

    for start in range(0, int(count), 50):
        await asyncio.gather(*(join(number) for number in range(start, min(start + 50, int(count)))))
    async with Client(room) as client:
        frames = {"registered_auth": len(json.dumps(client.admission))}
        filters = {"role": "worker", "room_id": room, "tags": ["sleap-rtc"]}
        await client.send(type="discover_peers", from_peer_id=client.peer_id, filters=filters)
        text = await client.ws.recv()
        frames["peer_list"] = len(text)
        say("crowd", frames=frames, count=len(json.loads(text)["peers"]))
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


main(crowd)
