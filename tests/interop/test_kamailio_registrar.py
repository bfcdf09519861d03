# SPDX-License-Identifier: GPL-3.0-or-later
"""The switch registers at Kamailio, as at a vendor: by digest, refreshed in time, reachable at its Contact, calls with the same identity,
and taken back at the end."""

import os
import shutil
import subprocess
import time

import conftest
import pytest

HOST, VENDOR, CALLER = (conftest.NET + ".%d" % n for n in (2, 30, 31))
CONFIG = """
version: 1
parameters: { drain_timeout: 5s, sip_t1: 200ms, outbound_retry_delay: 1s }
mapping_gateways:
  - { name: in, addresses: [ "%s" ] }
routing_gateways:
  - { name: vendor, address: "%s:5060", register: outbound, user: acme, password: "%s" }
"""


@pytest.fixture
def vendor(programs, tmp_path):
    text = open(os.path.join(conftest.HERE, "registrar.cfg")).read()
    (tmp_path / "registrar.cfg").write_text(text.replace("VENDOR", VENDOR))
    log = open(tmp_path / "log", "w")
    process = programs([conftest.need("kamailio"), "-f", str(tmp_path / "registrar.cfg"), "-DD", "-E", "-m", "64", "-M", "8",
                        "-Y", str(tmp_path), "-P", str(tmp_path / "pid")], stdout=log, stderr=log)
    time.sleep(2)
    assert process.poll() is None, (tmp_path / "log").read_text()[-2000:]


@pytest.fixture
def own():
    """A switch of this test's own: it is to be stopped."""
    folder = conftest.new_folder()
    program = os.environ.get("CAUSEWAY_DAEMON", os.path.join(conftest.TOP, "build/release/causewayd"))
    daemon = conftest.Switch(program, HOST, folder, os.environ.get("CAUSEWAY_CLI"))
    daemon.write_boot(None, False)
    daemon.start()
    yield daemon
    complaint = daemon.stop()
    shutil.rmtree(folder, ignore_errors=True)
    assert complaint is None, complaint


def state(daemon):
    found = daemon.ask_json("registration", "list")["outbound"]
    return found[0] if found else {}


def await_state(daemon, wanted, limit=10, **more):
    end = time.time() + limit
    while True:
        now = state(daemon)
        if now.get("state") == wanted and all(str(v) in str(now.get(k)) for k, v in more.items()):
            return now
        assert time.time() < end, now
        time.sleep(0.1)


def options():
    """What becomes of an OPTIONS for the registered user, sent to the vendor."""
    return subprocess.run([conftest.need("sipsak"), "-v", "-s", "sip:acme@%s:5060" % VENDOR], capture_output=True, text=True, timeout=30)


def test_registered_refreshed_called_and_taken_back(vendor, own, tmp_path):
    own.import_config(CONFIG % (CALLER, VENDOR, "sesame"))
    first = await_state(own, "registered")
    assert 0 < first["expires_s"] <= 20
    answer = options()
    assert answer.returncode == 0, answer.stdout + answer.stderr
    errors = tmp_path / "errors"
    done = subprocess.run([conftest.need("sipp"), own.host + ":5060", "-sf", conftest.TOP + "/demo/caller-refused.xml", "-s", "31486",
                           "-i", CALLER, "-p", "5070", "-m", "1", "-nostdin", "-timeout", "20", "-timeout_error", "-trace_err",
                           "-error_file", str(errors)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=40)
    assert done.returncode == 0, errors.read_text()[:2000] if errors.exists() else done.returncode
    assert own.records(1, callee_in="31486")[0]["end_code"] == "USER_BUSY"
    time.sleep(first["expires_s"] + 2)
    assert state(own)["state"] == "registered" and options().returncode == 0
    assert own.stop() is None
    assert options().returncode != 0


def test_wrong_password(vendor, own):
    own.import_config(CONFIG % (CALLER, VENDOR, "wrong"))
    await_state(own, "failed", failed_reason="user or password is refused (realm vendor)")
    own.import_config(CONFIG % (CALLER, VENDOR, "sesame"))
    await_state(own, "registered")
