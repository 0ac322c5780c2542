"""Connects to a worker, says so, and keeps the connection until its input ends; then says whether it was there all the time."""

from channel import *


async def hold(room, worker):
    async with Client(room) as client:
        await client.open(worker)
        say("open", peer_id=client.peer_id)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        client.channel.send("FS_GET_MOUNTS")
        await client.reply("FS_MOUNTS_RESPONSE::")
        say("held")


main(hold)
