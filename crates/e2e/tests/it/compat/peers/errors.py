"""Sends a worker every error frame that another peer can make the server hand on, in all its shapes."""

from channel import *

CODES = """NOT_IN_ROOM ROOM_NOT_FOUND PEER_NOT_IN_ROOM PEER_NOT_FOUND INVALID_MESSAGE DELIVERY_FAILED UNKNOWN_MESSAGE_TYPE INVALID_JSON
AUTH_FAILED ROOM_EXPIRED FORBIDDEN RATE_LIMITED TOO_LARGE WORKER_BUSY STORE_UNAVAILABLE""".split()


async def errors(room, worker):
    async with Client(room) as client:
        for code in CODES:
            await client.send(type="error", target=worker, code=code, reason=code.lower(), message=f"{code} for a test")
            await client.send(type="error", target=worker, code=code)
            await client.send(type="error", target=worker, reason=f"{code} for a test")
        # An answer that nobody asked for, a message for a part of the worker that is not there, a candidate of an old browser.
        await client.send(type="answer", sender=client.peer_id, target=worker, sdp="none")
        await client.send(type="peer_message", from_peer_id=client.peer_id, to_peer_id=worker, payload={"app_message_type": "?"})
        await client.send(type="candidate", sender=client.peer_id, target=worker, candidate={"candidate": "nonsense"})
        say("sent", count=3 * len(CODES) + 3, status=await client.status(worker))


main(errors)
