#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""GETs over HTTP/2, ten streams a connection."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from l7 import row  # noqa: E402

sys.exit(row(["-c20", "-m10", "-n4000"], 1.25))
