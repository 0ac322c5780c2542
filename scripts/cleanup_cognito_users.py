#!/usr/bin/env python3
"""`sleap-rtc identity cleanup` by its old name: cleanup_cognito_users.py --older-than 1h [--dry-run]. SLEAP_RTC_BIN names the program."""

import os
import subprocess
import sys

program = os.environ.get("SLEAP_RTC_BIN", "sleap-rtc")
try:
    sys.exit(subprocess.call([program, "identity", "cleanup", *sys.argv[1:]]))
except OSError as error:
    print(f"error: cannot run {program}: {error.strerror}\nhint: put sleap-rtc on the PATH, or set SLEAP_RTC_BIN", file=sys.stderr)
    sys.exit(127)
