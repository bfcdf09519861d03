# SPDX-License-Identifier: GPL-3.0-or-later
"""One causewayd of a test's own: its boot file, its data folder, its life, its records."""

import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time

SANITIZER = re.compile(r"ERROR: (Address|Leak)Sanitizer|runtime error:|WARNING: ThreadSanitizer|Assertion .* failed")


class DaemonError(Exception):
    """The switch did not do as a program should: start, answer its command line, end."""


class Daemon:
    def __init__(self, program, host, folder, cli=None):
        self.program, self.host, self.folder = os.path.abspath(program), host, folder
        self.cli = os.path.abspath(cli) if cli else os.path.join(os.path.dirname(self.program), "causeway")
        self.socket = os.path.join(folder, "api.sock")
        self.log_path = os.path.join(folder, "log")
        self.ip6_port = self.free_port6()
        self.process = None
        self.ending = False             # the test told it to end

    @staticmethod
    def free_port6():
        try:
            with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as s:
                s.bind(("::1", 0))
                return s.getsockname()[1]
        except OSError:
            return 0

    def address(self, proto, ip6):
        port = self.ip6_port if ip6 else 5060
        return ("::1" if ip6 else self.host), port + (proto == "tls")

    # ---- boot file -----------------------------------------------------------------------

    def write_boot(self, tls, ip6, extra=""):
        listen = ["udp:%s:5060" % self.host, "tcp:%s:5060" % self.host]
        if tls:
            listen.append("tls:%s:5061" % self.host)
        if ip6:
            listen += ["udp:[::1]:%d" % self.ip6_port, "tcp:[::1]:%d" % self.ip6_port]
        sections = {
            "sip": ["listen = " + ", ".join(listen)],
            "tls": ["%s = %s" % (k, v) for k, v in (tls or {}).items()],
            "store": ["url = sqlite:causeway.db"],
            "data": ["folder = %s/data" % self.folder],
            "api": ["listen = %s:8080" % self.host, "socket = " + self.socket],
            "run": ["workers = 2"],
            "log": ["level = debug", "target = stderr"],
        }
        section = None
        for line in extra.splitlines():
            line = line.strip()
            if line.startswith("["):
                section = line.strip("[]")
                sections.setdefault(section, [])
            elif line:
                key = line.split("=")[0].strip()
                kept = [old for old in sections[section] if old.split("=")[0].strip() != key]
                sections[section] = kept + [line]
        os.makedirs(self.folder + "/data", exist_ok=True)
        self.boot = self.folder + "/causeway.conf"
        with open(self.boot, "w") as out:
            for name, lines in sections.items():
                if lines:
                    out.write("[%s]\n%s\n\n" % (name, "\n".join(lines)))

    # ---- life ----------------------------------------------------------------------------

    def start(self, patience=20):
        environment = dict(os.environ, ASAN_OPTIONS="detect_leaks=1:abort_on_error=0",
                           UBSAN_OPTIONS="print_stacktrace=1", TSAN_OPTIONS="halt_on_error=0:exitcode=66")
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([self.program, "-c", self.boot], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, cwd=self.folder, env=environment)
        self.ending = False
        end = time.time() + patience
        while time.time() < end:
            if self.process.poll() is not None:
                raise DaemonError("causewayd ended at its start with %s" % self.process.returncode)
            if self.ask("status").returncode == 0:
                return
            time.sleep(0.03)
        raise DaemonError("causewayd was not ready within %d s" % patience)

    def signal(self, number):
        self.ending |= number == signal.SIGTERM
        self.process.send_signal(number)

    def died(self):
        """What ended it unbidden, or None. An operator's thread may be killing and starting it meanwhile: a code is
        looked at before `ending`, which is set before the kill, and belongs to a process that is still the one."""
        process = self.process
        code = process.poll() if process else None
        if code is None or self.ending or self.process is not process:
            return None
        return "causewayd died (%s)" % (signal.Signals(-code).name if code < 0 else code)

    def kill(self):
        self.ending = True
        self.process.kill()
        self.process.wait()
        self.process = None

    def wait_end(self, patience=10):
        """Waits for the process to end; a complaint, or None after a clean exit 0."""
        try:
            code = self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return "causewayd did not end within %d s of SIGTERM" % patience
        finally:
            self.process = None
        found = SANITIZER.search(self.log())
        if found:
            return "the sanitizer complains: " + found.group(0)
        return None if code == 0 else "causewayd ended with %d" % code

    def stop(self, patience=10):
        if not self.process:
            return None
        if self.died():
            return self.died()
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        return self.wait_end(patience)

    def log(self):
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as f:
                return f.read()
        except OSError:
            return ""

    def log_tail(self):
        """Its end; after a sanitizer's complaint, that from its beginning."""
        lines = self.log().splitlines()
        first = next((i for i, line in enumerate(lines) if SANITIZER.search(line)), max(0, len(lines) - 40))
        return lines[first:first + 60]

    # ---- command line --------------------------------------------------------------------

    def ask(self, *arguments, text=None):
        try:
            return subprocess.run([self.cli, "--socket", self.socket, *arguments], input=text, text=True,
                                  capture_output=True, timeout=10)
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(arguments, 124, "", "no answer within 10 s")

    def ask_json(self, *arguments):
        answer = self.ask(*arguments, "--json")
        if answer.returncode != 0:
            raise DaemonError("causeway %s: exit %d, %s" % (" ".join(arguments), answer.returncode,
                                                            answer.stderr.strip() or answer.stdout.strip()))
        try:
            return json.loads(answer.stdout)
        except ValueError:
            raise DaemonError("causeway %s: no JSON: %s" % (" ".join(arguments), answer.stdout[:200]))

    def import_config(self, text):
        answer = self.ask("config", "import", "-", text=text)
        if answer.returncode != 0:
            raise DaemonError("the configuration was refused: %s\n%s" % (answer.stderr.strip() or answer.stdout, text))

    def rows(self, *arguments):
        """A list answer: bare, or the one list in an object."""
        answer = self.ask_json(*arguments)
        if isinstance(answer, dict):
            answer = next((v for v in answer.values() if isinstance(v, list)), [])
        return answer

    def pages(self, *arguments):
        """The rows of a list answer in pages, one a line."""
        answer = self.ask(*arguments, "--json")
        if answer.returncode != 0:
            raise DaemonError("causeway %s: exit %d, %s" % (" ".join(arguments), answer.returncode, answer.stderr.strip()))
        for line in answer.stdout.splitlines():
            yield from next(v for v in json.loads(line).values() if isinstance(v, list))

    def record(self, call_ids):
        """The whole record (with attempts) of the call with one of these SIP Call-IDs, or None."""
        for row in self.rows("cdr", "list"):
            if row.get("caller_call_id") in call_ids:
                return self.ask_json("cdr", "show", row["call_id"])
        return None

    def lines_held(self):
        """What has lines in use, as "gateway g1: 1": gateways, and all that a call of theirs takes."""
        held = set()
        for gateways in self.ask_json("gateway", "list").values():
            for limit in (limit for gateway in gateways for limit in gateway["limits"]):
                if limit["lines"]:
                    held.add("%(of)s %(object)s: %(lines)d" % limit)
        return held

    def live_call(self, call_ids):
        """Our id of the live call that has one of these Call-IDs in its description, or None."""
        for row in self.rows("call", "list"):
            if call_ids & {str(v) for v in row.values()}:
                return row.get("call_id") or row.get("id")
        return None


def make_certificates(folder, hosts):
    """A throw-away certificate for all of these addresses, its own authority; paths by name as the boot file wants them."""
    key, cert = folder + "/key.pem", folder + "/certificate.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=causeway.test", "-addext",
                    "subjectAltName=DNS:causeway.test," + ",".join("IP:" + host for host in hosts)], check=True, capture_output=True)
    return {"certificate": cert, "key": key, "ca": cert}


def new_folder():
    return tempfile.mkdtemp(prefix="cwflow.")
