# SPDX-License-Identifier: GPL-3.0-or-later
"""SIPp with its own built-in scenarios, and with the demonstration's, on both sides of the switch."""

import os
import subprocess

import conftest

DEMO = os.path.join(conftest.TOP, "demo")


def caller(switch, folder, number, scenario, calls=10, port=5070):
    sipp = conftest.need("sipp")
    return subprocess.run([sipp, switch.host + ":5060", *scenario, "-s", number, "-i", conftest.SIPP_CALLER, "-p", str(port),
                           "-r", "10", "-m", str(calls), "-nostdin", "-timeout", "40", "-timeout_error", "-trace_err",
                           "-error_file", str(folder / "errors")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          timeout=60).returncode


def called(programs, scenario):
    programs([conftest.need("sipp"), *scenario, "-i", conftest.SIPP_CALLED, "-p", "5060", "-nostdin"])


def errors(folder):
    path = folder / "errors"
    return path.read_text()[:2000] if path.exists() else ""


def test_built_in_scenarios(switch, programs, tmp_path):
    called(programs, ["-sn", "uas"])
    assert caller(switch, tmp_path, "31611", ["-sn", "uac", "-d", "200"]) == 0, errors(tmp_path)
    found = switch.records(10, callee_in="31611")
    assert len(found) == 10 and {r["end_code"] for r in found} == {"NORMAL"}


def test_busy(switch, programs, tmp_path):
    called(programs, ["-sf", DEMO + "/vendor-b.xml"])
    assert caller(switch, tmp_path, "31612486", ["-sf", DEMO + "/caller-refused.xml"]) == 0, errors(tmp_path)
    found = switch.records(10, callee_in="31612486")
    assert len(found) == 10 and {r["end_code"] for r in found} == {"USER_BUSY"}


def test_caller_gives_up(switch, programs, tmp_path):
    called(programs, ["-sf", DEMO + "/vendor-b.xml"])
    assert caller(switch, tmp_path, "31613180", ["-sf", DEMO + "/caller-gives-up.xml"], 5) == 0, errors(tmp_path)
    found = switch.records(5, callee_in="31613180")
    assert len(found) == 5 and {r["end_code"] for r in found} == {"CALLER_CANCELLED"}


def test_failover_from_a_gateway_that_is_gone(switch, programs, tmp_path):
    called(programs, ["-sn", "uas"])
    assert caller(switch, tmp_path, "319914", ["-sn", "uac", "-d", "100"], 5) == 0, errors(tmp_path)
    found = switch.records(5, callee_in="319914")
    assert len(found) == 5 and {str(r["attempts"]) for r in found} == {"2"}
