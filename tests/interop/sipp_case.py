# SPDX-License-Identifier: GPL-3.0-or-later
"""One case of the SIPp suite: a switch of its own, SIPp on both sides, and what each side and the record must say.

Actors are named by their first letter: a, b, c call in (mapping gateways), g1, g2... are called (routing gateways, in rising
priority), p1, p2 are phones (numbers 1001, 1002; password "secret"), s is a stranger."""

import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import time

from flowlib.daemon import Daemon, DaemonError, new_folder
from sipp_scenario import Called, Caller

NOTHING, CLOSED = "nothing", "closed"       # it must hear nothing at all; nobody listens there
TALK = "200; BYE"
HOSTS = {"switch": 1, "a": 10, "b": 11, "c": 12, "s": 13, "g": 20, "p": 30}
PATIENCE = 20
# What the wire may show more exactly than the record says.
FINER = {"NO_ACK_FOR_2XX": {"ACK_MISROUTED", "ANSWER_LOST"}, "CALLER_FORBIDDEN": {"CLI_REJECTED", "VENDOR_NO_CREDIT"},
         "PEER_CONGESTION": {"VENDOR_NO_CREDIT"}, "PEER_REJECTED": {"STIR_REJECTED"}, "CODEC_MISMATCH": {"SRTP_MISMATCH"},
         "NO_RESPONSE": {"REG_CONTACT_PRIVATE", "UDP_FRAGMENT_LOST"}, "DIALOG_LOST_AT_PEER": {"DIALOG_TAG_MISMATCH"}}


class Call:
    """One run of a caller's SIPp, and its record: `end` is "END_CODE STATUS", `tried` "g1 486 USER_BUSY, g2 200 NORMAL" in order
    (each final status as received, 0 = none), `fields` regular expressions for the record's fields. A REGISTER has none. `first`:
    what happens before it: a command, or "SIGTERM", "disk full", "disk free", "wait SECONDS". `records`: of a caller that calls again under
    the same Call-ID; what is said of the record is of the newest. `uri`: what its digest is for, when not the Request-URI."""

    def __init__(self, steps=TALK, end="NORMAL 200", tried=None, by="a", to="31612345678", caller="3110555", first=None, port=None, records=1, uri=None,
                 **fields):
        self.steps, self.by, self.to, self.caller, self.end, self.tried, self.first, self.port, self.records, self.uri, self.fields = (
            steps, by, to, caller, end, tried, first, port, records, uri, fields)
        self.held, self.registers = "held" in steps, steps.startswith("REGISTER")
        if self.registers:
            self.end = None
        if by[0] == "p":
            self.caller = "100" + by[1:]


class Case:
    """`hears`: actor = script, list of scripts (one a call), NOTHING or CLOSED. `keys`: actor = the object's further keys in YAML.
    `config`: more of the configuration. `last`: as `first` of a Call, when all are over. `after`: pairs of a command and
    what its answer must match. `saw`: a SIPp's name = so many datagrams or more that match REGEX it received, "3 INVITE ". `slow`: it starts before the others."""

    def __init__(self, name, rule, *calls, parameters="", keys=None, config="", boot="", after=(), last="", saw=None, slow=False, **hears):
        self.name, self.rule, self.calls, self.parameters, self.config, self.boot = name, rule, calls, parameters, config, boot
        self.keys, self.after, self.last, self.saw, self.slow, self.hears = keys or {}, after, last, saw or {}, slow, hears

    def __repr__(self):
        return self.name

    def run(self, *where):
        """Empty, or what went wrong. `where`: the network, the daemon, the command line."""
        return Run(self, *where).run()


class Run:
    """A case being run. complaints() says what was not as it should be; evidence() shows what went over the wire."""

    def __init__(self, case, network, program, cli=None):
        self.case, self.network, self.folder = case, network, new_folder()
        self.daemon = Daemon(program, self.host("switch"), self.folder, cli)
        self.sipps, self.sockets, self.complaints, self.shown = [], [], [], []

    def host(self, actor):
        number = int(actor[1:] or 0) if actor[0] in "gp" else 0
        return "%s.%d" % (self.network, HOSTS[actor if actor == "switch" else actor[0]] + number)

    def fill(self, text):
        """${g1} stands for an actor's address, everywhere in a case."""
        return re.sub(r"\$\{(\w+)\}", lambda match: self.host(match.group(1)), text)

    # ---- configuration -------------------------------------------------------------------

    def configuration(self):
        case = self.case
        actors = dict.fromkeys([call.by for call in case.calls] + list(case.hears) + list(case.keys))
        kinds = {"mapping_gateways": [], "routing_gateways": [], "phones": []}
        for actor in sorted(actors):
            more = ", " + case.keys[actor] if actor in case.keys else ""
            if actor[0] == "g":
                kinds["routing_gateways"].append('{ name: %s, address: "%s:5060", priority: %s%s }' % (actor, self.host(actor), actor[1:], more))
            elif actor[0] == "p":
                kinds["phones"].append('{ number: "100%s", password: secret%s }' % (actor[1:], more))
            elif actor[0] != "s":
                kinds["mapping_gateways"].append('{ name: %s, addresses: [ "%s" ]%s }' % (actor, self.host(actor), more))
        parameters = [text for text in ("" if "sip_t1" in case.parameters else "sip_t1: 200ms", case.parameters) if text]
        text = "version: 1\nparameters: { %s }\n" % ", ".join(parameters)
        for kind, objects in kinds.items():
            if objects:
                text += kind + ":\n" + "".join("  - %s\n" % line for line in objects)
        return self.fill(text + case.config)

    # ---- SIPp ----------------------------------------------------------------------------

    def sipp(self, name, scenario, host, port, calls=1, more=()):
        base = os.path.join(self.folder, name)
        with open(base + ".xml", "w") as out:
            out.write(self.fill(scenario.text()))
        command = ["sipp", "-sf", base + ".xml", "-i", host, "-mi", host, "-ci", host, "-p", str(port), "-m", str(calls), "-nostdin",
                   "-timeout", str(PATIENCE), "-timeout_error", "-trace_msg", "-message_file", base + ".messages",
                   "-trace_err", "-error_file", base + ".errors", *scenario.options, *more]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=open(base + ".screen", "wb"), stderr=subprocess.STDOUT)
        process.name, process.base = name, base
        self.sipps.append(process)
        return process

    def listen(self):
        """All listen before the first call; who registers, from where he registered (port 5060), once the last of it is done."""
        for actor in self.case.hears:
            if not any(call.registers and call.by == actor for call in self.case.calls):
                self.listen_at(actor)

    def listen_at(self, actor):
        host, script = self.host(actor), self.case.hears[actor]
        if script == NOTHING:
            quiet = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            quiet.bind((host, 5060))
            quiet.setblocking(False)
            self.sockets.append((actor, quiet))
        elif script != CLOSED:
            scripts = [script] if isinstance(script, str) else script
            self.sipp(actor, Called(actor, scripts).out, host, 5060, len(scripts))
            self.until(lambda: bound(host, 5060), "SIPp of %s does not listen" % actor)

    def until(self, test, otherwise, patience=10):
        end = time.time() + patience
        while not test():
            if time.time() > end:
                raise DaemonError(otherwise)
            time.sleep(0.01)

    def begin(self, number, call):
        """A SIPp for one call; returns when it is over, or up where it is held."""
        call_id = "%s-%d" % (self.case.name, number)
        name = "%s-%d" % (call.by, number)
        port = call.port or (5060 if call.registers else 5070 + number)
        switch = self.host("switch") + ":5060"
        process = self.sipp(name, Caller(name, call.steps, call.to).out, self.host(call.by), port, more=[
            switch, "-s", call.to, "-cid_str", call_id, "-key", "caller", call.caller, "-auth_uri",
            self.fill(call.uri or "") or (switch if call.registers else "%s@%s" % (call.to, switch))])
        process.call_id, process.port = call_id, port
        if call.held:
            self.until(lambda: process.poll() is not None or "\nACK sip" in read(process.base + ".messages"),
                       "%s: its call does not come up" % name)
        else:
            self.wait(process)
        if call.registers and call.by in self.case.hears and not any(c.registers and c.by == call.by for c in self.case.calls[number:]):
            self.listen_at(call.by)
        return process

    def wait(self, process, patience=PATIENCE + 2):
        try:
            code = process.wait(patience)
        except subprocess.TimeoutExpired:
            code = None
        if code != 0:
            self.complain("%s: %s" % (process.name, "its SIPp did not end: not all came that must come" if code is None else
                                      "its SIPp ended with %d" % code))

    def release(self, process, host):
        """What a held call waits for: a message that has its Call-ID."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.sendto(("PUBLISH sip:held SIP/2.0\r\nVia: SIP/2.0/UDP %s:9;branch=z9hG4bKlet-go\r\nFrom: <sip:r>;tag=r\r\nTo: <sip:h>\r\n"
                        "Call-ID: %s\r\nCSeq: 1 PUBLISH\r\nContent-Length: 0\r\n\r\n" % (host, process.call_id)).encode(), (host, process.port))

    # ---- the run -------------------------------------------------------------------------

    def complain(self, text):
        self.complaints.append(text)

    def run(self):
        try:
            self.daemon.write_boot(None, False, self.fill(self.case.boot))
            self.daemon.start()
            self.daemon.import_config(self.configuration())
            self.listen()
            self.exchange()
            self.look()
        except DaemonError as error:
            self.complain(str(error))
        finally:
            complaint = self.end()
            if complaint:
                self.complain(complaint)
        evidence = self.evidence() if self.complaints else ""
        shutil.rmtree(self.folder, ignore_errors=True)
        return evidence

    def exchange(self):
        calls = []
        for number, call in enumerate(self.case.calls, 1):
            if call.first:
                self.prepare(self.fill(call.first))
            calls.append((call, self.begin(number, call)))
        for call, process in calls:
            if call.held:
                self.release(process, self.host(call.by))
                self.wait(process)
        for process in self.sipps:
            if process.name in self.case.hears:
                self.wait(process, 8)
        self.calls = calls
        if self.case.last:
            self.prepare(self.fill(self.case.last))
        if self.daemon.ending:
            complaint = self.daemon.wait_end()
            if complaint:
                self.complain(complaint)
            self.daemon.start()

    def prepare(self, what):
        word, _, rest = what.partition(" ")
        pid = self.daemon.process.pid
        if word == "SIGTERM":
            self.daemon.signal(signal.SIGTERM)
            self.until(lambda: "draining" in self.daemon.log(), "the switch does not drain")
        elif word == "disk":
            hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
            resource.prlimit(pid, resource.RLIMIT_FSIZE, ({"full": 0, "free": hard}[rest], hard))
        elif word == "wait":
            time.sleep(float(rest))
        elif self.daemon.ask(*what.split()).returncode != 0:
            self.complain("causeway %s: refused" % what)

    def look(self):
        wanted = 0
        for call, process in self.calls:
            if call.end:
                wanted += call.records
                self.look_at_record(call, process)
        found = len(self.daemon.rows("cdr", "list"))
        if found != wanted:
            self.complain("%d records, expected %d" % (found, wanted))
        for actor, quiet in self.sockets:
            heard = drained(quiet)
            if heard:
                self.complain("%s must hear nothing and heard:\n%s" % (actor, heard[0]))
        for name, wanted in self.case.saw.items():
            self.look_at_messages(name, *wanted.split(" ", 1))
        for command, pattern in self.case.after:
            answer = self.daemon.ask(*self.fill(command).split())
            if not re.search(self.fill(pattern), answer.stdout):
                self.complain("causeway %s: expected /%s/, came:\n%s%s" % (command, pattern, answer.stdout, answer.stderr))
        self.until_free()

    def look_at_messages(self, name, count, pattern):
        text = read(os.path.join(self.folder, name + ".messages"))
        came = len(re.findall(r"message received \[\d+\] bytes :\n\n" + pattern, text))
        if came < int(count):
            self.complain("%s: expected to receive /%s/ %s times, came %d" % (name, pattern, count, came))

    def until_free(self):
        end = time.time() + 2
        while self.daemon.lines_held() and time.time() < end:
            time.sleep(0.05)
        if self.daemon.lines_held():
            self.complain("lines still in use: %s" % ", ".join(sorted(self.daemon.lines_held())))

    def record_of(self, call, process):
        """The newest, once all are there."""
        end = time.time() + 8
        while time.time() < end:
            rows = [row for row in self.daemon.rows("cdr", "list") if row["caller_call_id"] == process.call_id]
            if len(rows) >= call.records:
                return self.daemon.ask_json("cdr", "show", rows[0]["call_id"])
            time.sleep(0.03)
        return None

    def look_at_record(self, call, process):
        record = self.record_of(call, process)
        if not record:
            self.complain("%s: no record, or not all; expected %s" % (process.name, call.end))
            return
        tried = ", ".join("%s %s %s" % (a.get("routing_gateway"), a.get("sip_status"), a.get("end_code")) for a in record["attempts"])
        self.shown.append((process.name, record))
        came = "%s %s" % (record.get("end_code"), record.get("sip_status"))
        for what, expected, value in [("end", call.end, came), ("tried", call.tried, tried)]:
            if expected is not None and expected != value:
                self.complain("%s: record, %s: expected %s, came %s" % (process.name, what, expected or "nobody", value or "nobody"))
        self.look_at_verdict(process, record)
        for field, pattern in call.fields.items():
            value = str(record.get(field))
            if not re.search(self.fill(pattern), value):
                self.complain("%s: record, %s: expected /%s/, came %s" % (process.name, field, self.fill(pattern), value))

    def look_at_verdict(self, process, record):
        """`explain` states the record's end, or what the messages show of the same more exactly, and what to do."""
        verdict = self.daemon.ask_json("explain", record["call_id"])["verdicts"][0]
        if verdict["code"] not in FINER.get(record.get("end_code"), set()) | {record.get("end_code")} or verdict["confidence"] != 1:
            self.complain("%s: explain says %s (%s), the record %s" % (process.name, verdict["code"], verdict["confidence"], record.get("end_code")))
        if not verdict["evidence"] or not verdict["sentence"] or (verdict["side"] != "nobody" and not verdict["fix"]):
            self.complain("%s: explain lacks evidence, sentence or fix: %s" % (process.name, verdict))

    def end(self):
        for process in self.sipps:
            if process.poll() is None:
                process.kill()
                process.wait()
        for _, quiet in self.sockets:
            quiet.close()
        return self.daemon.stop()

    def messages(self, process):
        return read(process.base + ".messages")

    def evidence(self):
        parts = ["%s: %s" % (self.case.name, self.case.rule), *("  - " + text for text in self.complaints)]
        for process in self.sipps:
            parts.append("==== SIPp of %s: its errors, its messages\n%s\n%s" % (
                process.name, read(process.base + ".errors")[:3000] or read(process.base + ".screen")[:500], self.messages(process)[:8000]))
        for name, record in self.shown:
            parts.append("==== record of %s\n%s" % (name, "\n".join("%s: %s" % pair for pair in record.items())))
        return "\n".join(parts + ["==== the switch's log", *self.daemon.log_tail()])


def bound(host, port):
    """Whether somebody listens there, by /proc: asking by a message would be one that the scenario does not expect."""
    address = "%08X:%04X" % (int.from_bytes(socket.inet_aton(host), "little"), port)
    return any(line.split()[1] == address for line in read("/proc/net/udp").splitlines()[1:])


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def drained(quiet):
    heard = []
    while True:
        try:
            heard.append(quiet.recv(65536).decode(errors="replace"))
        except BlockingIOError:
            return heard
