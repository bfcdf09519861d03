# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls reach the switch through Kamailio, which stays in the route of the dialog: everything in the call passes it."""

import os
import subprocess
import time

import conftest


def proxy(switch, programs, folder):
    text = open(os.path.join(conftest.HERE, "kamailio.cfg")).read()
    (folder / "kamailio.cfg").write_text(text.replace("PROXY", conftest.PROXY).replace("FOLDER", str(folder)))
    (folder / "dispatcher.list").write_text("1 sip:%s:5060\n" % switch.host)
    log = open(folder / "kamailio.log", "w")
    process = programs([conftest.need("kamailio"), "-f", str(folder / "kamailio.cfg"), "-DD", "-E", "-m", "64", "-M", "8",
                        "-Y", str(folder), "-P", str(folder / "pid")], stdout=log, stderr=log)
    time.sleep(2)
    assert process.poll() is None, (folder / "kamailio.log").read_text()[-2000:]


def call(folder, number, scenario, calls=10):
    errors = folder / "errors"
    done = subprocess.run([conftest.need("sipp"), conftest.PROXY + ":5060", *scenario, "-s", number, "-i", conftest.SIPP_CALLER,
                           "-p", "5080", "-r", "10", "-m", str(calls), "-nostdin", "-timeout", "40", "-timeout_error", "-trace_err",
                           "-error_file", str(errors)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
    assert done.returncode == 0, errors.read_text()[:2000] if errors.exists() else "sipp: %d" % done.returncode


def test_calls_through_a_record_routing_proxy(switch, programs, tmp_path):
    proxy(switch, programs, tmp_path)
    programs([conftest.need("sipp"), "-sf", conftest.TOP + "/bench/called.xml", "-i", conftest.SIPP_CALLED, "-p", "5060", "-nostdin"])
    scenario = tmp_path / "caller.xml"
    text = open(conftest.TOP + "/demo/caller.xml").read()
    scenario.write_text(text.replace('min="1000" max="6000"', 'min="200" max="400"'))
    call(tmp_path, "31701", ["-sf", str(scenario)])
    found = switch.records(10, callee_in="31701")
    assert len(found) == 10
    assert {(r["end_code"], r["mapping_gateway"]) for r in found} == {("NORMAL", "proxy")}


def test_cancel_through_the_proxy(switch, programs, tmp_path):
    proxy(switch, programs, tmp_path)
    programs([conftest.need("sipp"), "-sf", conftest.TOP + "/demo/vendor-b.xml", "-i", conftest.SIPP_CALLED, "-p", "5060", "-nostdin"])
    call(tmp_path, "31702180", ["-sf", conftest.TOP + "/demo/caller-gives-up.xml"], 3)
    found = switch.records(3, callee_in="31702180")
    assert len(found) == 3 and {r["end_code"] for r in found} == {"CALLER_CANCELLED"}
