"""What the programs here say: one JSON object a line."""

import json
import sys
import traceback


def say(event, **facts):
    # One write: several threads speak.
    sys.stdout.write(json.dumps({"event": event, **facts}) + "\n")
    sys.stdout.flush()


class NeverOpens(Exception):
    """Both sides have each other's addresses, and their channel does not open."""


def failed(error):
    """Says how it failed. The api waits for its channel after it has taken the answer: that wait, and no other, is told of as
    the one of a link that never opens."""
    lines = [frame.line or "" for frame in traceback.extract_tb(error.__traceback__)]
    waits = isinstance(error, TimeoutError) and any("channel_open.wait()" in line for line in lines)
    say("failed", kind="NeverOpens" if waits else type(error).__name__, error=str(error))
