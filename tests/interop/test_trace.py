# SPDX-License-Identifier: GPL-3.0-or-later
"""A thousand random calls, traced: what is exported is what tshark saw on the wire, tshark and sngrep read all of it, and both agree
with our own ladder on every message."""

import collections
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import time

import conftest
import pytest
from flowlib.daemon import Daemon, new_folder

NET = "127.%d.251" % (10 + os.getpid() % 200)
SWITCH, CALLER, GOOD, FULL, MUTE, STREAM = (NET + ".%d" % n for n in (1, 10, 11, 12, 13, 14))
CALLS = int(os.environ.get("CAUSEWAY_TRACE_CALLS", "1000"))
DEMO = os.path.join(conftest.TOP, "demo")
# 310: answers; 311: the first choice is full; 312: it is mute; 313: it is spoken to by TCP.
CONFIG = """
version: 1
parameters: { sip_t1: 100ms, gateway_failures: 0 }
accounts: [ { name: acme, kind: customer } ]
mapping_gateways:
  - { name: caller, account: acme, addresses: [ "%s" ] }
routing_gateways:
  - { name: good, address: "%s:5060", prefixes: [ "31" ], priority: 5 }
  - { name: full, address: "%s:5060", prefixes: [ "311" ], priority: 1 }
  - { name: mute, address: "%s:5060", prefixes: [ "312" ], priority: 1, invite_timeout: 1s }
  - { name: stream, address: "%s:5060", transport: tcp, prefixes: [ "313" ], priority: 1 }
""" % (CALLER, GOOD, FULL, MUTE, STREAM)
FULL_SCENARIO = """<?xml version="1.0" encoding="UTF-8" ?>
<!DOCTYPE scenario SYSTEM "sipp.dtd">
<scenario name="full">
<recv request="INVITE"/>
<send retrans="500"><![CDATA[
SIP/2.0 503 Service Unavailable
[last_Via:]
[last_From:]
[last_To:];tag=[pid]f[call_number]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
<recv request="ACK"/>
</scenario>
"""
Message = collections.namedtuple("Message", "us source destination what call_id cseq")
FIELDS = ["frame.time_epoch", "ip.src", "ip.dst", "udp.srcport", "tcp.srcport", "udp.dstport", "tcp.dstport", "sip.Method",
          "sip.Status-Code", "sip.Call-ID", "sip.CSeq"]


def tshark(path, *options):
    done = subprocess.run(["tshark", "-r", path, *options], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def microseconds(text):
    seconds, _, fraction = text.partition(".")
    return int(seconds) * 1000000 + int((fraction + "000000")[:6])


def messages_of(path):
    """All that tshark finds. Several of one TCP segment stand in one line, with commas."""
    found = []
    for line in tshark(path, "-Y", "sip && !icmp", "-T", "fields", *(w for f in FIELDS for w in ("-e", f))):
        when, source, destination, *ports, method, status, call_id, cseq = line.split("\t")
        source += ":" + "".join(ports[:2])
        destination += ":" + "".join(ports[2:])
        methods, statuses = method.split(",") if method else [], status.split(",") if status else []
        ids, numbers = call_id.split(","), cseq.split(",")
        if len(ids) == 1:
            whats = methods or statuses
        else:                           # which is which is not told: by CSeq and place it is known all the same
            whats = ["?"] * len(ids)
        found += [Message(microseconds(when), source, destination, w, i, n) for w, i, n in zip(whats, ids, numbers)]
    return found


class Traced(Daemon):
    def entries(self, call_id):
        return self.ask_json("trace", "show", call_id)["entries"]

    def messages(self, call_id):
        return [Message(microseconds_of(e["time"]), e["source"], e["destination"], e["what"].split()[0], e["sip_call_id"], e["cseq"])
                for e in self.entries(call_id) if e["kind"] == "message"]


def microseconds_of(text):
    seconds = time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")
    return (int(time.mktime(seconds)) - time.timezone) * 1000000 + int(text[20:26])


def scenario(folder, name, numbers):
    """A demonstration's caller with numbers of its own, in this order."""
    with open(os.path.join(DEMO, name + ".xml")) as f:
        text = f.read().replace("[service]", "[field0]")
    text = text.replace('min="1000" max="6000"', 'min="50" max="900"').replace('<pause milliseconds="1500"/>', '<pause milliseconds="300"/>')
    path = "%s/%s-%d" % (folder, name, len(os.listdir(folder)))
    with open(path + ".xml", "w") as f:
        f.write(text)
    with open(path + ".csv", "w") as f:
        f.write("SEQUENTIAL\n" + "".join("%s;\n" % n for n in numbers))
    return ["-sf", path + ".xml", "-inf", path + ".csv", "-m", str(len(numbers)), "-trace_err", "-error_file", path + ".errors"]


def numbers(rng, count, kinds, end):
    return ["31%s%05d%s" % (rng.choice(kinds), rng.randrange(100000), end) for _ in range(count)]


@pytest.fixture(scope="module")
def traffic(tmp_path_factory):
    """The switch after the calls, what was captured of them meanwhile, and the ids of the calls."""
    for program in ("sipp", "tshark", "sngrep"):
        conftest.need(program)
    folder, scenarios = new_folder(), str(tmp_path_factory.mktemp("sipp"))
    capture = folder + "/wire.pcapng"
    daemon = Traced(os.environ.get("CAUSEWAY_DAEMON", os.path.join(conftest.TOP, "build/release/causewayd")), SWITCH, folder,
                    os.environ.get("CAUSEWAY_CLI"))
    started = []

    def start(*command):
        started.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL))
        return started[-1]

    mute = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    mute.bind((MUTE, 5060))
    try:
        daemon.write_boot(None, False)
        daemon.start()
        daemon.import_config(CONFIG)
        with open(scenarios + "/full.xml", "w") as f:
            f.write(FULL_SCENARIO)
        wire = start("tshark", "-q", "-i", "lo", "-w", capture, "-f", "net %s.0/24" % NET, "-B", "64")
        for host, words in ((GOOD, []), (STREAM, ["-t", "t1"]), (FULL, [])):
            start("sipp", "-sf", scenarios + "/full.xml" if host == FULL else DEMO + "/vendor-b.xml", "-i", host, "-p", "5060",
                  "-nostdin", *words)
        time.sleep(2)
        make_calls(start, scenarios)
        time.sleep(8)  # until the last INVITE to the mute one is not repeated any more: 64 * T1
        wire.send_signal(signal.SIGINT)
        wire.wait(20)
        ids = [row["call_id"] for row in daemon.pages("trace", "find", "--all")]
        yield daemon, capture, ids
    finally:
        mute.close()
        for process in started:
            if process.poll() is None:
                process.kill()
                process.wait()
        complaint = daemon.stop()
        shutil.rmtree(folder, ignore_errors=True)
    assert complaint is None, complaint


def make_calls(start, folder):
    rng = random.Random(os.environ.get("CAUSEWAY_SEED", str(time.time_ns())))
    share = {"caller": (CALLS * 45 // 100, "1", "u1"), "caller-refused": (CALLS * 25 // 100, "486", "u1"),
             "caller-gives-up": (CALLS * 10 // 100, "180", "u1")}
    runs = []
    share["caller "] = (CALLS - sum(n for n, _, _ in share.values()), "1", "t1")
    for port, (name, (count, end, transport)) in enumerate(share.items(), 5070):
        kinds = "01" if name == "caller-gives-up" else "0123"  # what comes after the mute one comes too late for the impatient
        words = scenario(folder, name.strip(), numbers(rng, count, kinds, end))
        runs.append(start("sipp", SWITCH + ":5060", "-i", CALLER, "-p", str(port), "-t", transport, "-r", str(max(1, count // 20)),
                          "-nostdin", "-timeout", "100", "-timeout_error", *words))
    codes = [run.wait(120) for run in runs]
    errors = "".join(open(os.path.join(folder, f)).read()[:1500] for f in os.listdir(folder) if f.endswith(".errors"))
    assert codes == [0] * len(runs), errors


def identity(message):
    """Of connections that the switch opened it names the port where it can be reached, as Via and Contact do."""
    source, destination = (SWITCH + ":5060" if a.startswith(SWITCH + ":") and STREAM + ":5060" in message[1:3] else a for a in message[1:3])
    return source, destination, message.call_id, message.cseq


def test_export_is_what_was_on_the_wire(traffic, tmp_path):
    daemon, capture, ids = traffic
    assert len(ids) == CALLS
    path = str(tmp_path / "all.pcapng")
    assert daemon.ask("trace", "export", "-o", path).returncode == 0
    seen, kept = messages_of(capture), messages_of(path)
    assert collections.Counter(map(identity, kept)) == collections.Counter(map(identity, seen))
    ours = {}
    for message in kept:
        ours.setdefault(identity(message), []).append(message.us)
    late = sorted(abs(message.us - ours[identity(message)].pop(0)) for message in seen)
    assert late[len(late) // 2] < 100000 and late[-1] < 10000000, late[-10:]  # the machine may be busy, not wrong by a zone
    assert not tshark(path, "-Y", "_ws.malformed || _ws.expert.severity >= error || tcp.analysis.flags")
    assert tshark(path, "-Y", "systemd_journal || frame.comment contains \"call=\"")


def test_tshark_and_ladder_agree_on_every_message(traffic, tmp_path):
    daemon, _, ids = traffic
    path = str(tmp_path / "all.pcapng")
    assert daemon.ask("trace", "export", "-o", path).returncode == 0
    theirs, ours = messages_of(path), []
    for call_id in ids:
        ours += daemon.messages(call_id)
    assert sorted(theirs) == sorted(ours)
    assert [m.us for m in theirs] == sorted(m.us for m in theirs)
    for call_id in random.sample(ids, min(50, len(ids))):   # and what is drawn is what is listed
        entries = [e for e in daemon.entries(call_id) if e["kind"] == "message" and not e.get("repeat_of")]
        drawn = daemon.ask("trace", "ladder", call_id).stdout
        arrows = re.findall(r"^[\d:.]{12} .*[<>◀▶].* (\d+)$", drawn, re.M)
        assert arrows == [str(e["n"]) for e in entries], drawn


def test_sngrep_reads_every_message(traffic, tmp_path):
    daemon, _, ids = traffic
    path, copy = str(tmp_path / "all.pcapng"), str(tmp_path / "copy.pcap")
    assert daemon.ask("trace", "export", "-o", path).returncode == 0
    done = subprocess.run(["sngrep", "-F", "-N", "-q", "-I", path, "-O", copy], capture_output=True, timeout=120,
                          env={**os.environ, "TERM": "xterm"})
    assert done.returncode == 0, done.stderr
    assert sorted(messages_of(copy)) == sorted(messages_of(path))


def test_decisions_stand_between_the_messages(traffic):
    daemon, _, ids = traffic
    found = None
    for row in daemon.pages("trace", "find", "--all", "--gateway", "good"):
        entries = daemon.entries(row["call_id"])
        if max(e.get("attempt", 0) for e in entries) == 2 and any(e.get("repeat_of") for e in entries):
            found = entries
            break
    assert found, "no call failed over from the mute gateway"
    kinds = [e["kind"] if e["kind"] != "message" else e["direction"][0] + " " + e["what"].split()[0] for e in found]
    text = " ".join(kinds)
    assert re.match(r"r INVITE call (admit )?route dial s INVITE .*s INVITE .*timer attempt dial s INVITE .*r \d+ ", text), text
    routed = next(e for e in found if e["kind"] == "route")["text"]
    assert "mute" in routed and "good" in routed
    end = next(e for e in found if e["kind"] == "end")
    assert end["fields"]["routing_gateway"] == "good" and end["fields"]["mapping_gateway"] == "caller"


def test_masked_export_keeps_every_message(traffic, tmp_path):
    daemon, _, ids = traffic
    plain, masked = str(tmp_path / "plain.pcapng"), str(tmp_path / "masked.pcapng")
    assert daemon.ask("trace", "export", ids[0], "-o", plain).returncode == 0
    assert daemon.ask("trace", "export", ids[0], "-o", masked, "--mask").returncode == 0
    assert messages_of(plain) == messages_of(masked) == daemon.messages(ids[0])


def test_find_by_number_and_time(traffic):
    daemon, _, ids = traffic
    row = json.loads(daemon.ask("trace", "find", "--limit", "1", "--json").stdout)["calls"][0]
    number = row.get("callee_in") or row["callee"]
    shown = daemon.ask("trace", "show", "--number", number, "--at", row["started"])
    assert shown.returncode == 0 and "INVITE sip:%s@" % number in shown.stdout
