"""Sends a worker every error frame that another peer can make the server hand on, in all its shapes: `errors.py ROOM WORKER CODE …`."""

from channel import *


async def errors(room, worker, *codes):
    async with Client(room) as client:
        for code in codes:
            await client.send(type="error", target=worker, code=code, reason=code.lower(), message=f"{code} for a test")
            await client.send(type="error", target=worker, code=code)
            await client.send(type="error", target=worker, reason=f"{code} for a test")
        # An answer that nobody asked for, a message for a part of the worker that is not there, a candidate of an old browser.
        await client.send(type="answer", sender=client.peer_id, target=worker, sdp="none")
        await client.send(type="peer_message", from_peer_id=client.peer_id, to_peer_id=worker, payload={"app_message_type": "?"})
        await client.send(type="candidate", sender=client.peer_id, target=worker, candidate={"candidate": "nonsense"})
        say("sent", count=3 * len(codes) + 3, status=await client.status(worker))


main(errors)
