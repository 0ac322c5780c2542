"""The one thing that the tests change in the Python programs: which STUN server `aiortc` asks when it is told of none.

The library's own is a public host. The `sleap_rtc` api always uses it, whatever the room's server hands out, so a test without
the internet waits for it in every connection. Nothing of `sleap_rtc` is touched.
"""

import os
import sys

STUN = os.environ.get("SLEAP_RTC_TEST_STUN")


class _After:
    """Changes `aiortc.rtcicetransport` once it is imported, and makes no program import it that would not."""

    NAME = "aiortc.rtcicetransport"

    def find_spec(self, name, path=None, target=None):
        if name != self.NAME:
            return None
        sys.meta_path.remove(self)
        from importlib.util import find_spec

        spec = find_spec(name)
        run = spec.loader.exec_module

        def exec_module(module):
            run(module)
            servers = [] if STUN == "none" else [module.RTCIceServer(urls=STUN)]
            module.RTCIceGatherer.getDefaultIceServers = classmethod(lambda cls: servers)

        spec.loader.exec_module = exec_module
        return spec


if STUN:
    sys.meta_path.insert(0, _After())
