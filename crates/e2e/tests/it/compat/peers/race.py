"""Two clients ask for one worker at the same time, again and again."""

from channel import *


async def attempt(client, worker):
    """`connected`, `busy`, or what else came of it."""
    try:
        await client.open(worker)
        return "connected"
    except Refused as refusal:
        return "busy" if "WORKER_BUSY" in str(refusal) else str(refusal)
    except NeverOpens:
        return "hangs in ICE"


async def race(room, worker, rounds):
    for number in range(int(rounds)):
        async with Client(room) as one, Client(room) as other:
            waited = await one.until_free(worker)
            outcomes = await asyncio.gather(attempt(one, worker), attempt(other, worker))
            opened = [c.pc is not None and c.channel.readyState == "open" for c in (one, other)]
            say("round", number=number, outcomes=outcomes, open=sum(opened), waited=round(waited, 2))


main(race)
