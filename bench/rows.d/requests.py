#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Keep-alive GETs over HTTP/1.1 through the egress, against nginx as TLS-terminating reverse proxy."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from l7 import row  # noqa: E402

sys.exit(row(["--h1", "-c20", "-n4000"], 1.25))
