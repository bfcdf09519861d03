# SPDX-License-Identifier: GPL-3.0-or-later
"""The log's file and its parameters, in force without a restart, by their names here and in VOS3000."""

import os
import shutil
import signal
import time

import conftest
import pytest


@pytest.fixture
def daemon():
    folder = conftest.new_folder()
    daemon = conftest.Switch(os.environ.get("CAUSEWAY_DAEMON", os.path.join(conftest.TOP, "build/release/causewayd")),
                             conftest.NET + ".3", folder, os.environ.get("CAUSEWAY_CLI"))
    daemon.write_boot(None, False, "[log]\nlevel = info\n")
    daemon.start()
    yield daemon
    complaint = daemon.stop()
    shutil.rmtree(folder)
    assert complaint is None, complaint


def kept(daemon, name="causeway.log"):
    try:
        with open(daemon.folder + "/data/log/" + name, encoding="utf-8") as f:
            return f.read()
    except FileNotFoundError:
        return ""


def reload(daemon, times=1):
    """Each is one line of the log at level info."""
    for _ in range(times):
        before = daemon.log().count("configuration read again")
        daemon.signal(signal.SIGHUP)
        end = time.time() + 5
        while daemon.log().count("configuration read again") == before and time.time() < end:
            time.sleep(0.005)


def parameters(daemon, text):
    daemon.import_config("version: 1\nparameters: { %s }\n" % text)


def test_file_is_kept_in_turn(daemon):
    assert "API on" in kept(daemon)                             # both places from the start
    assert kept(daemon) in daemon.log()
    parameters(daemon, "SS_TRACE_FILE_LENGTH: 1")
    reload(daemon, 50)                                          # 60 bytes each
    sizes = [os.path.getsize(daemon.folder + "/data/log/" + name) for name in ("causeway.log", "causeway.log.1")]
    assert max(sizes) <= 1024 and sizes[1] > 900, sizes
    assert sorted(os.listdir(daemon.folder + "/data/log")) == ["causeway.log", "causeway.log.1"]
    assert daemon.log().endswith(kept(daemon, "causeway.log.1") + kept(daemon))     # the newest, whole, in order
    daemon.signal(signal.SIGTERM)
    assert daemon.wait_end() is None
    assert kept(daemon).endswith("stopped\n")
    before = kept(daemon)
    daemon.start()                                              # goes on in the same file
    assert (kept(daemon, "causeway.log.1") + kept(daemon)).find(before) >= 0


def test_off_and_on(daemon):
    parameters(daemon, "SS_TRACETOFILE: off")
    before = kept(daemon)
    reload(daemon)
    assert kept(daemon) == before and "configuration read again" in daemon.log()
    parameters(daemon, "log_to_file: on")
    reload(daemon)
    assert kept(daemon).endswith("configuration read again\n")


def test_mask(daemon):
    parameters(daemon, "SS_TRACE_MASK: ERROR")
    before, version = daemon.log(), daemon.ask_json("status")["config_version"]
    daemon.signal(signal.SIGHUP)
    end = time.time() + 5
    while daemon.ask_json("status")["config_version"] == version and time.time() < end:
        time.sleep(0.02)
    time.sleep(0.1)                                             # what it logs would be there
    parameters(daemon, "log_mask: ''")                          # the boot file's again: info
    reload(daemon)
    new = daemon.log()[len(before):]
    assert new.count("configuration read again") == 1, new
    answer = daemon.ask("config", "import", "-", text="version: 1\nparameters: { log_mask: loud }\n")
    assert answer.returncode == 1
    assert "log_mask: `loud` is none of error, warn, info, debug, nor empty" in answer.stderr + answer.stdout


def test_folder_that_refuses(daemon):
    """A file stands where the folder should: the switch runs, the target says so, and the file is written once it can be."""
    parameters(daemon, "log_to_file: off")
    shutil.rmtree(daemon.folder + "/data/log")
    with open(daemon.folder + "/data/log", "w"):
        pass
    parameters(daemon, "log_to_file: on")
    reload(daemon)
    assert "log file %s/data/log/causeway.log: Not a directory; its lines are lost" % daemon.folder in daemon.log()
    os.remove(daemon.folder + "/data/log")
    reload(daemon)
    assert kept(daemon).endswith("configuration read again\n")
