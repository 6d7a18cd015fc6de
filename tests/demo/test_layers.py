#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The demo passes, and each of its lines depends on the layer that it names: with that layer left out (a
test build, made here) the line is no longer as expected, and the demo fails."""
import importlib.machinery
import importlib.util
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import ROOT, Tap, run, test_build  # noqa: E402

DEMO = os.path.join(ROOT, "tests/demo/run")


def lines():
    loader = importlib.machinery.SourceFileLoader("demo", DEMO)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("demo", loader))
    loader.exec_module(module)
    return module.LINES


def main():
    t = Tap()
    rc, out, err = run([DEMO], 300)
    t.ok(rc == 0, "the demo passes", out, err)
    test_build(t)
    test = dict(os.environ, OSH_BUILD="build/test")
    rc, out, err = run([DEMO], 300, env=test)
    t.ok(rc == 0, "the demo passes with the test build, nothing left out", out, err)
    for name, line in lines().items():
        if line[5]:
            rc, out, err = run([DEMO, name], 120, env=dict(test, OSH_TEST_OFF=line[5]))
            t.ok(rc == 1 and " FAIL " in out, f"without {line[5]} the line '{name}' fails", out, err)
    t.done()


if __name__ == "__main__":
    main()
