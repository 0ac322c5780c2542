"""Stands between a worker and the server, changes nothing, and gives the worker every error frame of the server besides, in all the
shapes that servers of this kind have used, once its input ends. Its arguments are the codes."""

from channel import *


def frames(codes):
    for code in codes:
        yield {"type": "error", "code": code, "reason": f"{code} for a test", "message": f"{code} for a test"}
        yield {"type": "error", "code": code, "message": f"{code} for a test"}
        yield {"type": "error", "reason": f"{code} for a test"}
    yield {"type": "error", "code": "PEER_NOT_FOUND", "reason": "peer_not_found", "target_peer_id": "nobody"}
    yield {"error": "Invalid token"}
    yield {"type": "never heard of"}


async def pump(source, sink):
    async for message in source:
        await sink.send(message)


async def proxy(*codes):
    asked = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

    async def between(worker):
        async with websockets.connect(get_config().signaling_websocket) as server:
            pumps = [asyncio.create_task(pump(worker, server)), asyncio.create_task(pump(server, worker))]
            await asked
            all_frames = list(frames(codes))
            for frame in all_frames:
                await worker.send(json.dumps(frame))
            say("sent", errors=sum(frame.get("type") == "error" for frame in all_frames))
            await asyncio.gather(*pumps)

    async with websockets.serve(between, "127.0.0.1", 0) as serving:
        say("listening", port=serving.sockets[0].getsockname()[1])
        await asyncio.Future()


main(proxy)
