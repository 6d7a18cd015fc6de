#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""New TLS connections, full handshakes, one request each; the upstream leg is kept."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from l7 import row  # noqa: E402

sys.exit(row(["--h1", "-c100", "-n100"], 1.25))
