# SPDX-License-Identifier: GPL-3.0-or-later
"""SIPp with its own built-in scenarios, and with the demonstration's, on both sides of the switch."""

import os
import signal
import subprocess
import time

import conftest
import pytest

DEMO = os.path.join(conftest.TOP, "demo")


def caller(switch, folder, number, scenario, calls=10, port=5070):
    sipp = conftest.need("sipp")
    return subprocess.run([sipp, switch.host + ":5060", *scenario, "-s", number, "-i", conftest.SIPP_CALLER, "-p", str(port),
                           "-r", "10", "-m", str(calls), "-nostdin", "-timeout", "40", "-timeout_error", "-trace_err",
                           "-error_file", str(folder / "errors")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          timeout=60).returncode


def called(programs, scenario, host=conftest.SIPP_CALLED):
    return programs([conftest.need("sipp"), *scenario, "-i", host, "-p", "5060", "-nostdin"])


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
    found = sorted(switch.records(5, callee_in="319914"), key=lambda r: r["started"])
    assert [str(r["attempts"]) for r in found] == ["2", "2", "2", "1", "1"]  # after three it counts as down


@pytest.mark.parametrize("how, name, host, number, port", [(signal.SIGKILL, "killed", conftest.KILLED, "318810", 5071),
                                                           (signal.SIGSTOP, "stopped", conftest.STOPPED, "318820", 5072)])
def test_vendor_that_dies_in_mid_run_loses_no_call(switch, programs, tmp_path, how, name, host, number, port):
    """Killed, its host says so by ICMP; stopped, it is merely silent. Every call of the run completes over the other vendor,
    and soon none tries the dead one any more."""
    dying = called(programs, ["-sn", "uas"], host)
    called(programs, ["-sn", "uas"], conftest.STANDBY)
    time.sleep(0.5)
    run = programs([conftest.need("sipp"), switch.host + ":5060", "-sn", "uac", "-d", "200", "-s", number,
                    "-i", conftest.SIPP_CALLER, "-p", str(port), "-r", "20", "-m", "120", "-nostdin", "-timeout", "40",
                    "-timeout_error", "-trace_err", "-error_file", str(tmp_path / "errors")])
    time.sleep(2)
    dying.send_signal(how)
    code = run.wait(60)
    dying.kill()
    assert code == 0, errors(tmp_path)
    found = sorted(switch.records(120, callee_in=number), key=lambda r: r["started"])
    assert len(found) == 120 and {r["end_code"] for r in found} == {"NORMAL"}
    assert {r["routing_gateway"] for r in found} == {name, "standby"}
    assert {(r["routing_gateway"], str(r["attempts"])) for r in found[-20:]} == {("standby", "1")}
    assert '"down since' in switch.ask("gateway", "show", name, "--json").stdout
