# SPDX-License-Identifier: GPL-3.0-or-later
"""HEP3 to other people's collectors: sngrep, whose capture tshark reads, and Kamailio's sipcapture. And collectors that refuse,
die and return cost no call anything."""

import collections
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import conftest
import pytest

COLLECTOR = conftest.NET + ".30"
CALLER, CALLED = conftest.NET + ".31", conftest.NET + ".32"
CONFIG = """
version: 1
parameters: { %s }
mapping_gateways:
  - { name: caller, addresses: [ "%s" ] }
routing_gateways:
  - { name: dead, address: "%s:5999", prefixes: [ "3177" ], priority: 1 }
  - { name: called, address: "%s:5060", prefixes: [ "31" ], priority: 2 }
"""
LEG = collections.Counter({"INVITE": 1, "100": 1, "180": 1, "200": 2, "ACK": 1, "BYE": 1})


@pytest.fixture
def daemon():
    folder = conftest.new_folder()
    daemon = conftest.Switch(os.environ.get("CAUSEWAY_DAEMON", os.path.join(conftest.TOP, "build/release/causewayd")),
                             conftest.NET + ".4", folder, os.environ.get("CAUSEWAY_CLI"))
    daemon.write_boot(None, False)
    daemon.start()
    yield daemon
    complaint = daemon.stop()
    shutil.rmtree(folder)
    assert complaint is None, complaint


def configure(daemon, parameters):
    daemon.import_config(CONFIG % (parameters, CALLER, CALLED, CALLED))


def calls(daemon, programs, folder, number, count=10, rate=10):
    """So many calls, none of which may fail or be refused; their records."""
    programs([conftest.need("sipp"), "-sf", conftest.TOP + "/bench/called.xml", "-i", CALLED, "-p", "5060", "-nostdin"])
    time.sleep(0.5)
    errors = folder / "errors"
    done = subprocess.run([conftest.need("sipp"), daemon.host + ":5060", "-sn", "uac", "-d", "200", "-s", number, "-i", CALLER,
                           "-p", "5070", "-r", str(rate), "-m", str(count), "-nostdin", "-timeout", "60", "-timeout_error",
                           "-trace_err", "-error_file", str(errors)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          timeout=90)
    assert done.returncode == 0, errors.read_text()[:2000] if errors.exists() else "sipp: %d" % done.returncode
    found = daemon.records(count, callee_in=number)
    assert len(found) == count and {r["end_code"] for r in found} == {"NORMAL"}
    return [daemon.ask_json("cdr", "show", r["call_id"]) for r in found]


def collectors(daemon):
    return daemon.ask_json("status")["hep"]["collectors"]


def until(condition, patience=15):
    end = time.time() + patience
    while not condition() and time.time() < end:
        time.sleep(0.05)
    assert condition()


def sides(record):
    """Of each leg's Call-ID: (leg, the peer's address)."""
    return {record["caller_call_id"]: ("a", CALLER + ":5070"), record["callee_call_id"]: ("b", CALLED + ":5060")}


def check_legs(daemon, records, messages):
    """`messages` are (Call-ID, method or status, from, to): both legs of each call are whole, each between its own addresses."""
    by_leg = collections.defaultdict(list)
    for call_id, what, source, dest in messages:
        by_leg[call_id].append((what, source, dest))
    for record in records:
        for call_id, (leg, peer) in sides(record).items():
            found = by_leg[call_id]
            assert collections.Counter(what for what, _, _ in found) == LEG, (leg, found)
            assert {frozenset((source, dest)) for _, source, dest in found} == {frozenset((peer, daemon.host + ":5060"))}
            assert found[0][0] == "INVITE" and (found[0][1] == peer) == (leg == "a")


# ---- other people's collectors ---------------------------------------------------------------------


def test_sngrep_and_tshark(daemon, programs, tmp_path):
    sngrep, path = conftest.need("sngrep"), str(tmp_path / "hep.pcap")
    conftest.need("tshark")
    reader = programs([sngrep, "-L", "udp:%s:9060" % COLLECTOR, "-N", "-q", "-F", "-O", path], env=dict(os.environ, TERM="xterm"))
    time.sleep(1)
    configure(daemon, 'hep_servers: "udp:%s", hep_notes: off' % COLLECTOR)
    records = calls(daemon, programs, tmp_path, "31901")
    until(lambda: collectors(daemon)[0]["sent"] >= 14 * len(records))
    time.sleep(1)
    assert [c["dropped"] for c in collectors(daemon)] == [0] and reader.poll() is None
    reader.send_signal(signal.SIGINT)
    reader.wait(15)
    fields = ("sip.Call-ID", "sip.Method", "sip.Status-Code", "ip.src", "udp.srcport", "ip.dst", "udp.dstport", "frame.time_epoch")
    command = ["tshark", "-r", path, "-Y", "sip", "-T", "fields", *(word for f in fields for word in ("-e", f))]
    rows = [line.split("\t") for line in subprocess.run(command, capture_output=True, text=True, timeout=60).stdout.splitlines()]
    check_legs(daemon, records, [(r[0], r[1] or r[2], r[3] + ":" + r[4], r[5] + ":" + r[6]) for r in rows])
    assert all(abs(float(r[7]) - time.time()) < 120 for r in rows)
    wrong = subprocess.run(["tshark", "-r", path, "-Y", "_ws.malformed || !sip"], capture_output=True, text=True, timeout=60).stdout
    assert not wrong, wrong


HEP = re.compile(r"HEP version=3 type=(\d+) agent=(\d+) key=(.*) cid=(\S*) from=(\S+) to=(\S+) at=(\d+)\.(\d+) proto=(\d+) payload=(\w*)$",
                 re.M)


def sip(text):
    first = text.split("\r\n")[0].split(" ")
    call_id = re.search(r"^(?:Call-ID|i): *(\S+)", text, re.M | re.I).group(1)
    return call_id, first[1] if first[0] == "SIP/2.0" else first[0]


def test_kamailio_sipcapture(daemon, programs, tmp_path):
    """The correlation id of both legs is our call id; our decisions stand beside the messages with the same one."""
    text = open(os.path.join(conftest.HERE, "hep_collector.cfg")).read()
    (tmp_path / "hep.cfg").write_text(text.replace("COLLECTOR\n", COLLECTOR + ":9060\n").replace("FOLDER", str(tmp_path)))
    log = open(tmp_path / "hep.log", "w")
    process = programs([conftest.need("kamailio"), "-f", str(tmp_path / "hep.cfg"), "-DD", "-E", "-m", "64", "-M", "8",
                        "-Y", str(tmp_path), "-P", str(tmp_path / "pid")], stdout=log, stderr=log)
    time.sleep(2)
    assert process.poll() is None, (tmp_path / "hep.log").read_text()[-2000:]
    configure(daemon, 'hep_servers: "udp:%s:9060", hep_id: 4711, hep_key: "the key"' % COLLECTOR)
    records = calls(daemon, programs, tmp_path, "31771", 6)         # first tried over a gateway that is not there
    ends = lambda: (tmp_path / "hep.log").read_text(errors="replace").count('"kind":"end"'.encode().hex())
    until(lambda: ends() >= len(records))
    rows = HEP.findall((tmp_path / "hep.log").read_text(errors="replace"))
    assert {(agent, key) for _, agent, key, *_ in rows} == {("4711", "the key")}
    by_call = collections.defaultdict(list)
    for kind, _, _, cid, source, dest, second, micro, proto, payload in rows:
        assert int(micro) < 1000000 and abs(int(second) - time.time()) < 120
        if kind == "1":
            assert proto == "17"
            by_call[cid].append((*sip(bytes.fromhex(payload).decode()), source, dest))
        else:
            assert kind == "100"
            note = json.loads(bytes.fromhex(payload))
            if note.get("call"):
                assert note["call"] == cid
                by_call["notes " + cid].append(note["kind"])
    for record in records:
        mine = by_call[record["call_id"]]
        check_legs(daemon, [record], mine)
        failed = [a["callee_call_id"] for a in record["attempts"][:-1]]
        assert [m[:2] for m in mine if m[0] not in sides(record)] == [(call_id, "INVITE") for call_id in failed]
        notes = by_call["notes " + record["call_id"]]
        assert {"call", "route", "dial", "answer", "end"} <= set(notes) and notes[-1] == "end", notes
        assert notes.count("dial") == len(record["attempts"])
    assert any(len(r["attempts"]) == 2 for r in records)


# ---- collectors in trouble --------------------------------------------------------------------------


def test_unreachable_collectors(daemon, programs, tmp_path):
    """By UDP its host says by ICMP that nobody listens, by TCP connections are refused, a name does not exist: calls know nothing
    of it, and the status says what is wrong."""
    servers = ["udp:%s:9061" % COLLECTOR, "tcp:%s:9062" % COLLECTOR, "udp:no-such-host.invalid:9060"]
    configure(daemon, 'hep_servers: "%s"' % ", ".join(servers))
    calls(daemon, programs, tmp_path, "31902", 50, 25)
    found = {c["server"]: c for c in collectors(daemon)}
    assert sorted(found) == sorted(servers)
    assert "refused" in found[servers[0]]["last_error"] and "refused" in found[servers[1]]["last_error"]
    until(lambda: {c["server"]: c for c in collectors(daemon)}[servers[2]].get("last_error", "").startswith("name: "))
    assert not found[servers[1]]["connected"] and found[servers[1]]["sent"] == 0
    check = {c["check"]: c for c in json.loads(daemon.ask("doctor", "--json").stdout)["checks"]}
    assert check["HEP collector " + servers[1]]["good"] is False
    log = daemon.log()
    assert log.count("HEP collector %s: " % servers[1]) == 1         # told once, not at each attempt


class Collector(threading.Thread):
    """Takes connections by TCP, one after the other, and keeps each one's bytes."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.listener = socket.create_server((COLLECTOR, port))
        self.streams, self.connection = [], None
        self.start()

    def run(self):
        try:
            while True:
                self.connection, _ = self.listener.accept()
                self.streams.append(b"")
                while True:
                    data = self.connection.recv(65536)
                    if not data:
                        break
                    self.streams[-1] += data
        except OSError:
            pass

    def die(self):
        for s in (self.listener, self.connection):
            if s:
                s.shutdown(socket.SHUT_RDWR)
                s.close()
        self.join()


def messages(stream):
    """Whole messages of a stream; every byte up to a last torn one belongs to one."""
    out = []
    while len(stream) >= 6:
        assert stream[:4] == b"HEP3", stream[:40]
        length = int.from_bytes(stream[4:6], "big")
        if len(stream) < length:
            break
        out.append(stream[:length])
        stream = stream[length:]
    return out


def test_tcp_collector_dies_and_returns(daemon, programs, tmp_path):
    first = Collector(9063)
    configure(daemon, 'hep_servers: "tcp:%s:9063"' % COLLECTOR)
    until(lambda: collectors(daemon)[0]["connected"])
    dying = threading.Timer(2, first.die)
    dying.start()
    records = calls(daemon, programs, tmp_path, "31903", 60, 15)
    dying.join()
    until(lambda: not collectors(daemon)[0]["connected"])
    assert collectors(daemon)[0]["waiting_bytes"] > 0
    second = Collector(9063)
    until(lambda: collectors(daemon)[0]["connected"] and collectors(daemon)[0]["waiting_bytes"] == 0, 30)
    last = records[-1]["caller_call_id"].encode()
    until(lambda: any(last in m and b" BYE\r" in m for m in messages(second.streams[0])))
    got = messages(first.streams[0]) + messages(second.streams[0])
    ended = {r["call_id"] for r in records for m in got if r["caller_call_id"].encode() in m and b" BYE\r" in m}
    assert len(ended) >= 0.9 * len(records)         # what stood in the broken connection is gone, the rest is here
    assert collectors(daemon)[0]["dropped"] == 0
    second.die()


def test_ip6_and_a_name(daemon, programs, tmp_path):
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as ip6, socket.create_server(("127.0.0.1", 0)) as named:
        ip6.bind(("::1", 0))
        servers = ["udp:[::1]:%d" % ip6.getsockname()[1], "tcp:localhost:%d" % named.getsockname()[1]]
        configure(daemon, 'hep_servers: "%s", hep_notes: off' % ", ".join(servers))
        connection, _ = named.accept()
        calls(daemon, programs, tmp_path, "31904", 1)
        ip6.settimeout(10)
        datagrams = [ip6.recv(65536) for _ in range(14)]
        assert [messages(d) for d in datagrams] == [[d] for d in datagrams]
        stream, whole = b"", b"".join(datagrams)
        while len(stream) < len(whole):
            stream += connection.recv(65536)
        assert stream == whole
        assert sorted(c["server"] for c in collectors(daemon)) == sorted(servers)


def test_changes_while_it_runs(daemon):
    first, second = Collector(9064), Collector(9065)
    configure(daemon, 'hep_servers: "tcp:%s:9064", hep_key: "not for everybody"' % COLLECTOR)
    until(lambda: first.streams)
    shown = {p["name"]: p["value"] for p in daemon.ask_json("parameter", "list", "hep_")["parameters"]}
    assert shown["hep_key"] == "***" and shown["hep_servers"] == "tcp:%s:9064" % COLLECTOR
    assert "not for everybody" not in daemon.ask("config", "export").stdout
    configure(daemon, 'hep_servers: "tcp:{0}:9064, tcp:{0}:9065", hep_notes: off'.format(COLLECTOR))
    until(lambda: second.streams)
    time.sleep(0.2)
    assert len(first.streams) == 1                  # the connection that stays is not opened anew
    configure(daemon, 'hep_servers: "tcp:%s:9065"' % COLLECTOR)
    first.join(5)
    assert [c["server"] for c in collectors(daemon)] == ["tcp:%s:9065" % COLLECTOR]
    configure(daemon, "max_cps: 0")
    assert collectors(daemon) == []
    for servers, why in (("sctp:192.0.2.1:9060", "each begins with udp: or tcp:"), ("udp:300.1.1.1", "neither an address nor a host name"),
                         ("udp:192.0.2.1:0", "the port must be 1 to 65535"), (", ".join(["udp:192.0.2.1"] * 9), "8 collectors at most")):
        answer = daemon.ask("config", "import", "-", text="version: 1\nparameters: { hep_servers: '%s' }\n" % servers)
        assert answer.returncode == 1 and why in answer.stderr + answer.stdout
    for collector in (first, second):
        collector.die()
