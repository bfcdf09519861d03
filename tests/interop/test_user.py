# SPDX-License-Identifier: GPL-3.0-or-later
"""Started by root for another user: what the switch keeps on disk is that user's, from the first file on."""

import os
import pwd
import shutil
import signal
import time

import pytest

import conftest


def files(folder):
    return [os.path.join(path, name) for path, folders, names in os.walk(folder) for name in folders + names]


def becomes(pid, uid):
    """The API answers a moment before root is given up: ports come first."""
    wanted, end = "Uid:" + "\t%d" % uid * 4 + "\n", time.time() + 5
    while wanted not in open("/proc/%d/status" % pid).read():
        if time.time() > end:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_files_are_the_users():
    program = os.environ.get("CAUSEWAY_DAEMON", os.path.join(conftest.TOP, "build/release/causewayd"))
    user, folder = pwd.getpwnam("nobody"), conftest.new_folder()
    os.chmod(folder, 0o711)
    daemon = conftest.Switch(program, conftest.NET + ".2", folder, os.environ.get("CAUSEWAY_CLI"))
    try:
        daemon.write_boot(None, False, "[run]\nuser = nobody\n")
        os.rmdir(folder + "/data")              # made by the switch
        for _ in range(2):                      # the second start meets the files of the first
            daemon.start()
            assert daemon.process.poll() is None
            assert len(files(folder + "/data")) >= 4
            assert [f for f in files(folder + "/data") + [folder + "/data"] if os.stat(f).st_uid != user.pw_uid] == []
            assert becomes(daemon.process.pid, user.pw_uid)
            daemon.signal(signal.SIGTERM)
            assert daemon.wait_end() is None
            assert not os.path.exists(folder + "/data/journal/intake")      # it may be removed, too
    finally:
        daemon.stop()
        shutil.rmtree(folder)
