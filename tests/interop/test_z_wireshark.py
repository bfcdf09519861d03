# SPDX-License-Identifier: GPL-3.0-or-later
"""Wireshark reads the capture of all that the tests before this one did (they run in the order of file names) and finds nothing
wrong with what the switch sent."""

import signal
import subprocess
import time

import pytest


def lines(path, display_filter, *fields):
    command = ["tshark", "-r", path, "-Y", display_filter]
    if fields:
        command += ["-T", "fields"] + [word for field in fields for word in ("-e", field)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120).stdout.splitlines()


def test_nothing_malformed(switch, capture):
    path, process = capture
    if not process:
        pytest.skip("tshark is not installed (tools/setup test)")
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    process.wait(15)
    sent = "sip && ip.src == %s" % switch.host
    total = lines(path, sent)
    if not total:
        pytest.skip("the capture has no packet of the switch (no test before this one, or no right to capture)")
    wrong = lines(path, sent + " && !icmp && (_ws.malformed || _ws.expert.severity >= error)", "frame.number", "_ws.expert.message",
                  "sip.Request-Line", "sip.Status-Line")
    assert not wrong, "%d of %d: %s" % (len(wrong), len(total), "\n".join(wrong[:20]))
