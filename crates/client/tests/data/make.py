"""Writes the small label files of these tests. Needs sleap-io 0.9.5 (and h5py): run it in this folder.

The real ones are in `examples/`.
"""

import json
from pathlib import Path

import h5py
import numpy as np
import sleap_io as sio


def labels(videos):
    skeleton = sio.Skeleton(nodes=["head", "thorax"], edges=[("head", "thorax")], name="fly")
    points = np.array([[1.0, 2.0], [3.0, 4.0]])
    frames = [
        sio.LabeledFrame(
            video=video,
            frame_idx=0,
            instances=[sio.Instance.from_numpy(points, skeleton=skeleton)],
        )
        for video in videos
    ]
    return sio.Labels(frames, videos=videos, skeletons=[skeleton])


def closed(filename):
    """A video that is only a name."""
    return sio.Video(filename=filename, open_backend=False)


labels(
    [
        closed("D:\\Lab\\Fly videos\\Aufnahme ü 1.mp4"),
        closed("\\\\nas\\share\\clip.avi"),
        closed("/mnt/lab/week 2/clip.mp4"),
        closed("https://example.org/films/far.mp4"),
    ]
).save("paths.slp", embed=False, verbose=False)

labels([closed([f"frames/img.{i:03}.png" for i in range(3)]), closed("clip.mp4")]).save(
    "images.slp", embed=False, verbose=False
)

# Images inside, in the variable-length layout of today's writers.
Path("dot.png").write_bytes(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010800000000"
        "3a7e9b550000000a49444154789c6360000000020001e221bc330000000049454e44ae426082"
    )
)
labels([sio.Video.from_filename(["dot.png"])]).save("tiny.pkg.slp", embed="user", verbose=False)
Path("dot.png").unlink()

# A file of the newest HDF5 layout (superblock 3, compact links), 300 videos, chunked and compressed table.
rows = [
    json.dumps({"backend": {"filename": f"/data/{i:03}.mp4"}}).encode() for i in range(300)
]
with h5py.File("many.slp", "w", libver="latest") as f:
    f.create_dataset("videos_json", data=np.array(rows), compression="gzip", maxshape=(None,))
    f.create_dataset("frames", data=np.zeros(7, dtype=[("frame_id", "u8"), ("video", "u4")]))
    f.create_group("metadata").attrs["json"] = np.bytes_(
        json.dumps({"skeletons": [{"graph": {"name": "bee"}}], "nodes": [{"name": "h"}]})
    )

# Rows as SLEAP before 1.4 wrote them on Windows: fixed width, backslashes, raw UTF-8, lists under `filenames`.
old = [
    {"backend": {"filename": "D:\\Lab\\Fly videos\\Aufnahme ü 1.mp4", "grayscale": True}},
    {"backend": {"filename": "\\\\nas\\share\\clip.avi"}},
    {"backend": {"filename": "", "filenames": ["D:\\Lab\\a\\1.png", "D:\\Lab\\a\\2.png"]}},
    {"filename": "top.mp4", "backend": {"type": "MediaVideo"}},
]
with h5py.File("old.slp", "w") as f:
    f["videos_json"] = np.array([json.dumps(row, ensure_ascii=False).encode() for row in old])
    f["frames"] = np.zeros(2, dtype=[("frame_id", "u8"), ("video", "u4")])

# HDF5, but not SLEAP's; and a table that is not JSON.
with h5py.File("other.h5", "w") as f:
    f["x"] = 1
with h5py.File("bad_json.slp", "w") as f:
    f["videos_json"] = np.array([b"{not json"])
