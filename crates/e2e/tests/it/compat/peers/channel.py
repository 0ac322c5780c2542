"""A client as the `sleap_rtc` api makes one, of the same parts (`websockets`, `aiortc`, the api's own proof of who it is), for
what no program of the wheel does by itself: two at once, files by hand.

Every program prints one JSON object a line.
"""

import asyncio
import json
import os
import sys
import time
import uuid

import websockets
from aiortc import RTCPeerConnection, RTCSessionDescription
from sleap_rtc.api import _authenticate_channel
from sleap_rtc.auth.credentials import get_valid_jwt
from sleap_rtc.config import get_config

from words import NeverOpens, failed, say


class Refused(Exception):
    """The server has answered an offer with an error."""


class Client:
    """One registration, and at most one connection to a worker."""

    def __init__(self, room):
        self.room = room
        self.peer_id = f"api-test-{uuid.uuid4().hex[:8]}"
        self.pc = None
        self.inbox = asyncio.Queue()

    async def __aenter__(self):
        self.ws = await websockets.connect(get_config().signaling_websocket)
        await self.send(
            type="register",
            peer_id=self.peer_id,
            room_id=self.room,
            role="client",
            jwt=get_valid_jwt(),
            metadata={"tags": ["sleap-rtc", "api-training"], "properties": {"purpose": "test"}},
        )
        self.admission = await self.receive("registered_auth")
        return self

    async def __aexit__(self, *_):
        if self.pc:
            await self.pc.close()
        await self.ws.close()

    async def send(self, **frame):
        await self.ws.send(json.dumps(frame))

    async def receive(self, *wanted, timeout=60):
        """The next frame of these types; an error raises."""
        async with asyncio.timeout(timeout):
            while True:
                frame = json.loads(await self.ws.recv())
                if frame.get("type") in wanted:
                    return frame
                if frame.get("type") == "error":
                    raise Refused(f"{frame.get('code')}: {frame.get('message')}")

    async def workers(self):
        filters = {"role": "worker", "room_id": self.room, "tags": ["sleap-rtc"]}
        await self.send(type="discover_peers", from_peer_id=self.peer_id, filters=filters)
        return (await self.receive("peer_list"))["peers"]

    async def status(self, worker):
        found = [peer for peer in await self.workers() if peer["peer_id"] == worker]
        return found[0]["metadata"]["properties"].get("status") if found else None

    async def until_free(self, worker, timeout=150):
        """How long it took."""
        start = time.monotonic()
        async with asyncio.timeout(timeout):
            while await self.status(worker) != "available":
                await asyncio.sleep(0.1)
        return time.monotonic() - start

    async def offer(self, worker, label="training"):
        """Connects, as far as the answer."""
        self.pc = RTCPeerConnection()
        self.channel = self.pc.createDataChannel(label)
        self.opened = asyncio.Event()
        self.channel.on("open", self.opened.set)
        self.channel.on("message", self.inbox.put_nowait)
        await self.pc.setLocalDescription(await self.pc.createOffer())
        local = self.pc.localDescription
        await self.send(type=local.type, sender=self.peer_id, target=worker, sdp=local.sdp)
        answer = await self.receive("answer")
        await self.pc.setRemoteDescription(RTCSessionDescription(sdp=answer["sdp"], type="answer"))

    async def open(self, worker, label="training"):
        """Connects and shows who it is."""
        await self.offer(worker, label)
        try:
            await asyncio.wait_for(self.opened.wait(), timeout=30)
        except TimeoutError:
            raise NeverOpens(self.pc.iceConnectionState) from None
        texts = asyncio.Queue()
        reader = asyncio.create_task(self._texts(texts))
        try:
            await _authenticate_channel(self.channel, texts)
        finally:
            reader.cancel()

    async def _texts(self, texts):
        while True:
            message = await self.inbox.get()
            if isinstance(message, str):
                texts.put_nowait(message)

    async def reply(self, *names, timeout=60):
        """The next text that begins so."""
        async with asyncio.timeout(timeout):
            while True:
                message = await self.inbox.get()
                if isinstance(message, str) and message.startswith(names):
                    return message


def main(program):
    """Runs it, and says how it failed."""
    try:
        asyncio.run(program(*sys.argv[1:]))
    except BaseException as error:
        failed(error)
        raise
