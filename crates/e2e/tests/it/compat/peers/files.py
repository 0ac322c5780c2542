"""Looks into a worker's folder and puts a file there."""

import hashlib
from pathlib import Path

from channel import *


async def files(room, worker, folder, source):
    async with Client(room) as client:
        await client.open(worker, "browse")
        send = client.channel.send
        send("FS_GET_MOUNTS")
        mounts = json.loads((await client.reply("FS_MOUNTS_RESPONSE::")).split("::", 1)[1])
        data = Path(source).read_bytes()
        name = Path(source).name
        send(f"FILE_UPLOAD_CHECK::{hashlib.sha256(data).hexdigest()}::{name}")
        said = [await client.reply("FILE_UPLOAD_READY", "FILE_UPLOAD_CACHE_HIT", "FILE_UPLOAD_ERROR")]
        send(f"FILE_UPLOAD_START::{name}::{len(data)}::{folder}::0")
        said.append(await client.reply("FILE_UPLOAD_READY", "FILE_UPLOAD_ERROR"))
        for start in range(0, len(data), 65536):
            while client.channel.bufferedAmount > 1 << 20:
                await asyncio.sleep(0.01)
            send(data[start : start + 65536])
        send("FILE_UPLOAD_END")
        said.append(await client.reply("FILE_UPLOAD_COMPLETE", "FILE_UPLOAD_ERROR"))
        send(f"FS_LIST_DIR::{folder}::0")
        listed = json.loads((await client.reply("FS_LIST_RESPONSE::")).split("::", 1)[1])
        say("files", mounts=mounts, said=said, entries=listed["entries"])


main(files)
