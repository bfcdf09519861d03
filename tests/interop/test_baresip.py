# SPDX-License-Identifier: GPL-3.0-or-later
"""Two baresips register as phones by digest, and one calls the other through the switch."""

import json
import socket
import time

import conftest
import pytest

CONFIG = """
poll_method epoll
sip_listen {host}:5060
audio_player aubridge,quiet
audio_source aubridge,quiet
audio_alert aubridge,alert
ctrl_tcp_listen {host}:4444
module_path /usr/lib/baresip/modules
module g711.so
module aubridge.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
"""


class Phone:
    """A baresip with its remote control: JSON in netstrings."""

    def __init__(self, programs, folder, host, number, password, switch, answer):
        folder.mkdir()
        (folder / "config").write_text(CONFIG.format(host=host))
        (folder / "contacts").write_text("")
        (folder / "accounts").write_text('<sip:%s@%s:5060>;auth_user=%s;auth_pass="%s";regint=60;answermode=%s;audio_codecs=pcma\n'
                                         % (number, switch.host, number, password, answer))
        self.log = open(folder / "log", "w")
        self.process = programs([conftest.need("baresip"), "-f", str(folder), "-v"], stdout=self.log, stderr=self.log)
        self.folder, self.data = folder, b""
        end = time.time() + 10
        while True:
            try:
                self.control = socket.create_connection((host, 4444), 2)
                break
            except OSError:
                if time.time() > end or self.process.poll() is not None:
                    pytest.fail("baresip did not start: " + self.said())
                time.sleep(0.1)

    def said(self):
        return (self.folder / "log").read_text()[-3000:]

    def command(self, command, parameters=""):
        text = json.dumps({"command": command, "params": parameters, "token": "t"}).encode()
        self.control.sendall(b"%d:%s," % (len(text), text))

    def await_event(self, kind, limit=10):
        end = time.time() + limit
        self.control.settimeout(0.2)
        while time.time() < end:
            head, colon, rest = self.data.partition(b":")
            if colon and len(rest) > int(head):
                said = json.loads(rest[:int(head)])
                self.data = rest[int(head) + 1:]
                if said.get("type") == kind:
                    return said
                continue
            try:
                self.data += self.control.recv(65536)
            except socket.timeout:
                pass
        pytest.fail("no %s within %d s: %s" % (kind, limit, self.said()))


@pytest.fixture
def phones(switch, programs, tmp_path):
    a = Phone(programs, tmp_path / "a", conftest.PHONE_A, "1001", "first secret", switch, "manual")
    b = Phone(programs, tmp_path / "b", conftest.PHONE_B, "1002", "other secret", switch, "auto")
    for number in ("1001", "1002"):
        end = time.time() + 10
        while number not in str(switch.ask_json("registration", "list")):
            assert time.time() < end, "%s is not registered: %s %s" % (number, a.said(), b.said())
            time.sleep(0.1)
    return a, b


def test_phone_calls_phone(switch, phones):
    a, b = phones
    a.command("dial", "sip:1002@%s:5060" % switch.host)
    a.await_event("CALL_ESTABLISHED")
    b.await_event("CALL_ESTABLISHED")
    time.sleep(1)
    a.command("hangup")
    b.await_event("CALL_CLOSED")
    found = switch.records(1, callee_in="1002")
    assert found and found[0]["end_code"] == "NORMAL" and found[0]["mapping_gateway"] == "1001"


def test_phone_holds_phone(switch, phones):
    a, b = phones
    a.command("dial", "sip:1002@%s:5060" % switch.host)
    a.await_event("CALL_ESTABLISHED")
    time.sleep(0.5)
    a.command("hold")
    time.sleep(1)
    a.command("resume")
    time.sleep(1)
    assert len(switch.rows("call", "list")) == 1
    a.command("hangup")
    b.await_event("CALL_CLOSED")


def test_second_device_of_a_number(switch, programs, tmp_path, phones):
    """Two devices register as one number; the newer one has gone without a word, so the call goes on to the other."""
    c = Phone(programs, tmp_path / "c", conftest.PHONE_C, "1003", "third secret", switch, "auto")
    await_contacts(switch, c, 1)
    d = Phone(programs, tmp_path / "d", conftest.PHONE_D, "1003", "third secret", switch, "auto")
    await_contacts(switch, d, 2)
    d.process.kill()
    d.process.wait()
    a, _ = phones
    a.command("dial", "sip:1003@%s:5060" % switch.host)
    a.await_event("CALL_ESTABLISHED")
    c.await_event("CALL_ESTABLISHED")
    a.command("hangup")
    c.await_event("CALL_CLOSED")
    found = switch.records(1, callee_in="1003")
    assert found and found[0]["end_code"] == "NORMAL" and str(found[0]["attempts"]) == "1"


def await_contacts(switch, phone, count):
    end = time.time() + 10
    while len([r for r in switch.ask_json("registration", "list")["registrations"] if r["name"] == "1003"]) != count:
        assert time.time() < end, phone.said()
        time.sleep(0.1)
