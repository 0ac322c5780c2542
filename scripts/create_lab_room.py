#!/usr/bin/env python3
"""`sleap-rtc room create` by its old name: create_lab_room.py --name my-lab-gpu-pool [--ttl 90d]. SLEAP_RTC_BIN names the program."""

import os
import subprocess
import sys

program = os.environ.get("SLEAP_RTC_BIN", "sleap-rtc")
try:
    sys.exit(subprocess.call([program, "room", "create", *sys.argv[1:]]))
except OSError as error:
    print(f"error: cannot run {program}: {error.strerror}\nhint: put sleap-rtc on the PATH, or set SLEAP_RTC_BIN", file=sys.stderr)
    sys.exit(127)
