# SPDX-License-Identifier: GPL-3.0-or-later
"""What bench/calls measures with: processes and their CPU time, memory, SIPp at both ends, captures."""

import csv
import glob
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SWITCH, CALLER, CALLED = "127.0.0.1:5060", "127.0.0.1:5070", "127.0.0.1:5090"


def median(values):
    values = sorted(values)
    half = len(values) // 2
    return values[half] if len(values) % 2 else (values[half - 1] + values[half]) / 2


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


def enter_namespace(program):
    """Start again in a network namespace of our own: the ports are free and the loopback is quiet; cgroups stay visible in it."""
    os.execvp("unshare", ["unshare", "-n", "sh", "-c", 'ip link set lo up && exec "$0" "$@"', os.path.abspath(program),
                          *sys.argv[1:], "--here"])


# ---- processes -----------------------------------------------------------------------------

def tree(root):
    """The process and all below it."""
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        for path in glob.glob("/proc/%d/task/*/children" % pid):
            try:
                todo += [int(word) for word in open(path).read().split()]
            except OSError:
                pass
    return sorted(set(found))


class CpuTime:
    """CPU seconds of processes: by a cpuacct cgroup of their own (nanoseconds, ended threads too), else by schedstat."""

    BASE = "/sys/fs/cgroup/cpuacct"

    def __init__(self, pids):
        self.pids, self.folder = pids, None
        if os.access(self.BASE + "/cpuacct.usage", os.R_OK) and os.access(self.BASE, os.W_OK):
            folder = tempfile.mkdtemp(prefix="causeway-bench-", dir=self.BASE)
            try:
                for pid in pids:
                    with open(folder + "/cgroup.procs", "w") as out:
                        out.write(str(pid))
                self.folder = folder
            except OSError:
                os.rmdir(folder)

    def read(self):
        if self.folder:
            return int(open(self.folder + "/cpuacct.usage").read()) / 1e9
        total = 0
        for pid in self.pids:
            for path in glob.glob("/proc/%d/task/*/schedstat" % pid):
                try:
                    total += int(open(path).read().split()[0])
                except OSError:
                    pass
        return total / 1e9

    def close(self):
        if not self.folder:
            return
        for pid in open(self.folder + "/cgroup.procs").read().split():
            try:
                open(self.BASE + "/cgroup.procs", "w").write(pid)
            except OSError:
                pass
        try:
            os.rmdir(self.folder)
        except OSError:
            pass


def memory(pids):
    """Proportional set size in bytes: what the processes cost together."""
    total = 0
    for pid in pids:
        try:
            found = re.search(r"^Pss:\s+(\d+)", open("/proc/%d/smaps_rollup" % pid).read(), re.M)
            total += int(found.group(1)) * 1024
        except (OSError, AttributeError):
            pass
    return total


# ---- the switches under test -----------------------------------------------------------------

class Switch:
    """A started switch: `pids` are its processes."""

    def __init__(self, name, command, folder, wrapper=()):
        self.name, self.folder = name, folder
        self.log = open(folder + "/" + name + ".log", "w")
        self.process = subprocess.Popen([*wrapper, *command], stdout=self.log, stderr=self.log, cwd=folder)

    @property
    def pids(self):
        return tree(self.process.pid)

    def stop(self, patience=60):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        return self.process.returncode


BOOT = """[sip]
listen = udp:{switch}
[store]
url = sqlite:causeway.db
[data]
folder = {folder}/data
[api]
listen = 127.0.0.1:8080
socket = {folder}/api.sock
[run]
workers = {workers}
[log]
level = warn
target = stderr
"""
CONFIG = """version: 1
parameters: {{ drain_timeout: 2s, {parameters} }}
mapping_gateways:
  - {{ name: caller, addresses: [ "127.0.0.1:{caller_port}" ] }}
routing_gateways:
  - {{ name: called, address: "{called}", prefixes: [ "9" ] }}
"""


def config(parameters="trace: on"):
    return CONFIG.format(caller_port=CALLER.split(":")[1], called=CALLED, parameters=parameters)


def configure(ask, parameters):
    """The configuration of a running causewayd, with further parameters."""
    done = subprocess.run([*ask, "config", "import", "-"], input=config(parameters), text=True, capture_output=True)
    return None if done.returncode == 0 else done.stderr + done.stdout


def start_causeway(program, workers, wrapper=(), patience=30, parameters="trace: on"):
    folder = tempfile.mkdtemp(prefix="bench.")
    os.makedirs(folder + "/data")
    with open(folder + "/causeway.conf", "w") as out:
        out.write(BOOT.format(switch=SWITCH, folder=folder, workers=workers))
    switch = Switch("causeway", [program, "-c", folder + "/causeway.conf"], folder, wrapper)
    ask = [os.path.join(os.path.dirname(program), "causeway"), "--socket", folder + "/api.sock"]
    end = time.time() + patience
    while subprocess.run([*ask, "status"], capture_output=True).returncode != 0:
        if time.time() > end or switch.process.poll() is not None:
            said = open(folder + "/causeway.log").read()[-2000:]
            switch.stop(1)
            raise SystemExit("bench: causewayd did not start:\n" + said)
        time.sleep(0.1)
    refused = configure(ask, parameters)
    if refused:
        switch.stop(1)
        raise SystemExit("bench: the configuration was refused: " + refused)
    return switch


def start_kamailio(workers, siptrace=None):
    """`siptrace`: where its copies of all messages go as HEP3, "host:port"."""
    if not shutil.which("kamailio"):
        raise SystemExit("bench: no kamailio (tools/setup bench)")
    folder = tempfile.mkdtemp(prefix="bench.")
    text = open(os.path.join(HERE, "kamailio.cfg")).read()
    if siptrace:
        text = text.replace("#!KAMAILIO\n", "#!KAMAILIO\n#!define SIPTRACE\n").replace("COLLECTOR", siptrace)
    for word, value in (("SWITCH", SWITCH), ("UAS", CALLED), ("CHILDREN", str(max(1, workers)))):
        text = re.sub(r"\b%s\b(?!,| and| are)" % word, value, text)
    with open(folder + "/kamailio.cfg", "w") as out:
        out.write(text)
    switch = Switch("kamailio", ["kamailio", "-f", folder + "/kamailio.cfg", "-DD", "-E", "-m", "512", "-M", "16",
                                 "-Y", folder, "-P", folder + "/pid"], folder)
    time.sleep(2)
    if switch.process.poll() is not None:
        raise SystemExit("bench: kamailio did not start:\n" + open(folder + "/kamailio.log").read()[-2000:])
    return switch


# ---- SIPp at both ends -----------------------------------------------------------------------

class Ends:
    """One run: a called gateway and a caller that makes `calls` at `rate` a second, each talking hold[0]..hold[1] ms."""

    COMMON = ("-nostdin", "-skip_rlimit", "-buff_size", "4194304", "-trace_stat", "-fd", "1", "-default_behaviors",
              "all,-bye", "-max_recv_loops", "5000", "-max_sched_loops", "5000")

    def __init__(self, rate, calls, hold, target=SWITCH):
        self.rate, self.calls, self.hold, self.target = rate, calls, hold, target
        self.folder = tempfile.mkdtemp(prefix="bench.")
        self.over, self.created_in, self.caller = False, None, None
        self.called = self.sipp("called", CALLED, [])
        time.sleep(0.5)

    def scenario(self, name):
        text = open(os.path.join(HERE, name + ".xml")).read().replace("HMIN and HMAX", "")
        text = text.replace("HMIN", str(self.hold[0])).replace("HMAX", str(max(self.hold[1], self.hold[0] + 1)))
        path = os.path.join(self.folder, name + ".xml")
        with open(path, "w") as out:
            out.write(text)
        return path

    def sipp(self, name, address, more):
        host, port = address.split(":")
        return subprocess.Popen(["sipp", *more, "-sf", self.scenario(name), "-i", host, "-p", port, "-l", "200000", "-stf",
                                 "%s/%s.csv" % (self.folder, name), *self.COMMON],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.folder)

    def start(self):
        self.began = time.time()
        self.caller = self.sipp("caller", CALLER, [self.target, "-r", str(self.rate), "-m", str(self.calls)])

    def counts(self, name):
        try:
            rows = list(csv.reader(open("%s/%s.csv" % (self.folder, name)), delimiter=";"))
        except OSError:
            return {}
        whole = [row for row in rows[1:] if len(row) >= len(rows[0]) - 1]
        return dict(zip(rows[0], whole[-1])) if whole else {}

    def count(self, name, field):
        try:
            return int(float(self.counts(name).get(field) or 0))
        except ValueError:
            return 0

    def wait(self, limit):
        end = time.time() + limit
        while time.time() < end and self.caller.poll() is None:
            time.sleep(0.1)
            if self.created_in is None and self.count("caller", "TotalCallCreated") >= self.calls:
                self.created_in = time.time() - self.began
        self.over = self.caller.poll() is None
        if self.over:
            self.caller.kill()
        self.caller.wait()
        self.created_in = self.created_in or time.time() - self.began

    def stop(self):
        for process in (self.caller, self.called):
            if process and process.poll() is None:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def result(self):
        good, bad = self.count("caller", "SuccessfulCall(C)"), self.count("caller", "FailedCall(C)")
        made = self.count("caller", "TotalCallCreated")
        again = self.count("caller", "Retransmissions(C)") + self.count("called", "Retransmissions(C)")
        return {"rate": self.rate, "made": made, "ok": good, "failed": max(bad, made - good) if self.over else bad,
                "retransmissions": again, "got_rate": round(made / max(self.created_in, 0.1))}


# ---- delay by capture ------------------------------------------------------------------------

NUMBER = re.compile(rb"\r\n(?:To|t)\s*:[^\r\n]*sip:9(\d+)@", re.I)
INVITE = re.compile(rb"\r\nCSeq\s*:\s*\d+\s+INVITE", re.I)


def delays(path, switch_port, called_port):
    """Seconds from the first INVITE into the switch to the first INVITE out of it, and the same for the 200, by called number."""
    seen = [{}, {}, {}, {}]
    for at, source, dest, message in datagrams(path):
        number = NUMBER.search(message)
        if not number:
            continue
        if message.startswith(b"INVITE"):
            place = {switch_port: 0, called_port: 1}.get(dest)
        elif message.startswith(b"SIP/2.0 200") and INVITE.search(message[:1200]):
            place = {called_port: 2, switch_port: 3}.get(source)
        else:
            continue
        if place is not None:
            seen[place].setdefault(number.group(1), at)
    there = [seen[1][n] - at for n, at in seen[0].items() if n in seen[1]]
    back = [seen[3][n] - at for n, at in seen[2].items() if n in seen[3]]
    return there, back


BRANCH = re.compile(rb"\r\n(?:Via|v)\s*:[^\r\n]*;branch=([^;,\s]+)[^\r\n]*\r\n", re.I)
CSEQ = re.compile(rb"\r\nCSeq\s*:\s*\d+\s+(\w+)", re.I)


def response_delays(path, switch_port):
    """(time, seconds to the first response) of each request into the switch."""
    asked, found = {}, []
    for at, source, dest, message in datagrams(path):
        branch, method = BRANCH.search(message), CSEQ.search(message)
        if not branch or not method:
            continue
        key = branch.group(1), method.group(1)
        if dest == switch_port and not message.startswith(b"SIP/2.0"):
            asked.setdefault(key, at)
        elif source == switch_port and message.startswith(b"SIP/2.0") and key in asked:
            began = asked.pop(key)
            found.append((began, at - began))
    return found


def datagrams(path):
    """(time, source port, destination port, payload) of the IPv4 UDP packets of a pcap file."""
    with open(path, "rb") as f:
        head = f.read(24)
        magic, = struct.unpack("<I", head[:4])
        link, = struct.unpack("<I", head[20:24])
        division, skip = (1e9 if magic == 0xa1b23c4d else 1e6), {1: 14, 113: 16, 276: 20}[link]
        while True:
            record = f.read(16)
            if len(record) < 16:
                return
            seconds, fraction, length, _ = struct.unpack("<IIII", record)
            packet = f.read(length)[skip:]
            if len(packet) < 28 or packet[0] >> 4 != 4 or packet[9] != 17:
                continue
            size = (packet[0] & 15) * 4
            source, dest = struct.unpack(">HH", packet[size:size + 4])
            yield seconds + fraction / division, source, dest, packet[size + 8:]
