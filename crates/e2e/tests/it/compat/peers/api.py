"""The `sleap_rtc` api as programs use it: `api.py COMMAND …`, one JSON object a line."""

import json
import sys
import threading
import time

from sleap_rtc import api

from words import failed, say


def shown(room):
    return [{"id": w.id, "name": w.name, "status": w.status, "metadata": w.metadata} for w in api.list_workers(room)]


def workers(room):
    say("workers", workers=shown(room))


def watch(room):
    """Looks again and again, and says what has changed, until its input ends."""
    threading.Thread(target=lambda: (sys.stdin.read(), say("bye")), daemon=True).start()
    before = None
    say("watching")
    while True:
        now = [(w["id"], w["status"]) for w in shown(room)]
        if now != before:
            say("seen", at=time.time(), workers=[{"id": i, "status": s} for i, s in now])
            before = now
        time.sleep(0.1)


def rooms():
    say("rooms", rooms=[{"id": r.id, "name": r.name, "role": r.role} for r in api.list_rooms()])


def train(room, options):
    """With `{"worker_id", "config_path", "labels_path", "max_epochs", "wait_for_inference"}`; lines of input are sent on the channel."""
    options = json.loads(options)
    if options.pop("wait_for_inference", False):
        options["on_inference_message"] = lambda name, data: say("inference", name=name, data=data)

    def ready(send):
        say("channel")

        def forward():
            for line in sys.stdin:
                send(line.rstrip("\n"))
                say("sent", text=line.rstrip("\n"))

        threading.Thread(target=forward, daemon=True).start()

    def raw(text):
        message = json.loads(text)
        say("progress", name=message.get("event"), epoch=message.get("epoch"))

    result = api.run_training(
        room_id=room,
        on_channel_ready=ready,
        on_raw_progress=raw,
        on_log=lambda line: say("log", line=line.rstrip("\n")),
        timeout=120.0,
        **options,
    )
    say("result", success=result.success, job_id=result.job_id, epoch=result.final_epoch)


def inference(room, options):
    """With `{"worker_id", "data_path", "model_paths", "output_path"}`."""
    result = api.run_inference(room_id=room, timeout=120.0, **json.loads(options))
    say("result", success=result.success, job_id=result.job_id)


def check(room, worker, slp):
    """Whether a file and its videos are on the worker."""
    result = api.check_video_paths(slp, room, worker_id=worker)
    say("checked", total=result.total_videos, error=getattr(result, "error", None))


if __name__ == "__main__":
    commands = {f.__name__: f for f in (workers, watch, rooms, train, inference, check)}
    try:
        commands[sys.argv[1]](*sys.argv[2:])
    except BaseException as error:
        failed(error)
        raise
