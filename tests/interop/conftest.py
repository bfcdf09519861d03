# SPDX-License-Identifier: GPL-3.0-or-later
"""One switch and one capture for all tests with other people's software; each test has gateways or phones of its own."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.join(HERE, "../..")
sys.path.insert(0, os.path.join(TOP, "tools"))
from flowlib.daemon import Daemon, new_folder  # noqa: E402

NET = "127.%d.250" % (10 + os.getpid() % 200)
SIPP_CALLER, SIPP_CALLED, PROXY, GONE = (NET + ".%d" % n for n in (10, 11, 12, 13))
KILLED, STOPPED, STANDBY = NET + ".14", NET + ".15", NET + ".16"
PHONE_A, PHONE_B, PHONE_C, PHONE_D = (NET + ".%d" % n for n in range(20, 24))
CONFIG = """
version: 1
parameters: { drain_timeout: 5s, sip_t1: 200ms, reply_unauthorized: on }
mapping_gateways:
  - { name: sipp, addresses: [ "%s" ] }
  - { name: proxy, addresses: [ "%s" ] }
routing_gateways:
  - { name: called, address: "%s:5060", prefixes: [ "31" ], priority: 2 }
  - { name: gone, address: "%s:5060", prefixes: [ "3199" ], priority: 1 }
  - { name: killed, address: "%s:5060", prefixes: [ "31881" ], invite_timeout: 1s }
  - { name: stopped, address: "%s:5060", prefixes: [ "31882" ], invite_timeout: 1s }
  - { name: standby, address: "%s:5060", prefixes: [ "3188" ] }
phones:
  - { number: "1001", password: "first secret" }
  - { number: "1002", password: "other secret" }
  - { number: "1003", password: "third secret", max_contacts: 2 }
""" % (SIPP_CALLER, PROXY, SIPP_CALLED, GONE, KILLED, STOPPED, STANDBY)


def need(program):
    if not shutil.which(program):
        pytest.skip("%s is not installed (tools/setup test)" % program)
    return program


class Switch(Daemon):
    def records(self, count, patience=5, **wanted):
        """At least `count` records whose fields are as wanted."""
        end = time.time() + patience
        while True:
            found = [r for r in self.rows("cdr", "list", "--limit", "500")
                     if all(str(r.get(k)) == v for k, v in wanted.items())]
            if len(found) >= count or time.time() > end:
                return found
            time.sleep(0.1)


@pytest.fixture(scope="session")
def capture():
    """A running capture of everything on this run's addresses; tests may skip it, traffic goes on without."""
    folder = new_folder()
    path = folder + "/interop.pcapng"
    process = None
    if shutil.which("tshark"):
        process = subprocess.Popen(["tshark", "-q", "-i", "lo", "-w", path, "-f", "net %s.0/24" % NET],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(1.5)
    yield path, process
    if process and process.poll() is None:
        process.send_signal(signal.SIGINT)
        process.wait(10)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def switch(capture):
    program = os.environ.get("CAUSEWAY_DAEMON", os.path.join(TOP, "build/release/causewayd"))
    if not os.access(program, os.X_OK):
        pytest.fail("no daemon at %s" % program)
    folder = new_folder()
    daemon = Switch(program, NET + ".1", folder, os.environ.get("CAUSEWAY_CLI"))
    daemon.write_boot(None, False)
    daemon.start()
    daemon.import_config(CONFIG)
    yield daemon
    complaint = daemon.stop()
    shutil.rmtree(folder, ignore_errors=True)
    assert complaint is None, complaint


@pytest.fixture
def programs():
    """Started programs end with the test."""
    started = []

    def start(command, **options):
        options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "stdin": subprocess.DEVNULL, **options}
        started.append(subprocess.Popen(command, **options))
        return started[-1]
    yield start
    for process in started:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
