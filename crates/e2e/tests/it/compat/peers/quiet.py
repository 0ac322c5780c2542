"""A client that asks for nothing, and says what it has heard all the same once its input ends."""

from channel import *


async def quiet(room):
    async with Client(room) as client:
        heard = []

        async def listen():
            async for message in client.ws:
                heard.append(message)

        listening = asyncio.create_task(listen())
        say("listening")
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        say("heard", frames=heard, open=not listening.done())


main(quiet)
