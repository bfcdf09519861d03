# SPDX-License-Identifier: GPL-3.0-or-later
"""One flow test from its file to its verdict."""

import os
import re
import shutil
import ssl
import threading
import time

from . import language, nameserver, records, sip
from .actor import Actor
from .daemon import Daemon, DaemonError, make_certificates, new_folder
from .language import FlowError
from .operator import Operator

ACTORS = ("caller", "gateway", "phone", "stranger")
OWN_OPTIONS = ("from", "closed", "proto", "unconfigured", "other", "sockets", "certificate", "demands-certificate")
LIMIT = 60.0            # seconds, unless the test says more
ELSEWHERE = "the test has failed elsewhere"


class Ladder:
    """Every message in the order in which the endpoints saw it."""

    def __init__(self):
        self.rows, self.start, self.lock = [], time.time(), threading.Lock()

    def add(self, actor, direction, message, repeated):
        with self.lock:
            self.rows.append((time.time() - self.start, actor.name, direction, message, repeated))

    def note(self, who, text):
        with self.lock:
            self.rows.append((time.time() - self.start, who, "*", text, False))

    def text(self):
        out = []
        for at, who, direction, message, repeated in self.rows:
            what = message if direction == "*" else "%s  CSeq %s  %s%s%s" % (
                message.start, message.get("CSeq"), message.call_id[:20],
                "  +sdp" if message.body.startswith("v=") else "", "  (again)" if repeated else "")
            arrow = {">": "-->", "<": "<--", "*": " * "}[direction]
            out.append("  %7.3f  %-8s %s %s" % (at, who, arrow, what))
        return "\n".join(out)

    def messages(self, names):
        return "\n\n".join("%s %s\n%s" % (who, direction, message.data.decode("latin-1").replace("\r\n", "\n"))
                           for _, who, direction, message, _ in self.rows if direction != "*" and who in names)


class TlsContexts:
    def __init__(self, files):
        self.files = files
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.load_cert_chain(files["certificate"], files["key"])
        self.client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.client.load_verify_locations(files["ca"])
        self.client.check_hostname = False
        self.known = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)        # a client that shows a certificate
        self.known.load_verify_locations(files["ca"])
        self.known.check_hostname = False
        self.known.load_cert_chain(files["certificate"], files["key"])
        self.strict = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)       # a server that demands one
        self.strict.load_cert_chain(files["certificate"], files["key"])
        self.strict.load_verify_locations(files["ca"])
        self.strict.verify_mode = ssl.CERT_REQUIRED

    def of(self, options):
        return TlsPair(self.strict if options.get("demands-certificate") else self.server,
                       self.known if options.get("certificate") else self.client)


class TlsPair:
    def __init__(self, server, client):
        self.server, self.client = server, client


class Flow:
    def __init__(self, path, program, network, cli=None):
        """`network`: "127.x.y", this test's own."""
        self.path, self.name = path, os.path.splitext(os.path.basename(path))[0]
        self.program, self.network, self.cli = program, network, cli
        self.complaints, self.variables, self.actors = [], {}, {}
        self.ladder, self.signals, self.changed = Ladder(), set(), threading.Condition()
        self.parameters, self.boot, self.config, self.tls = {}, "", None, None
        self.dns, self.nameserver = None, None
        self.checks, self.operators, self.unchecked = [], [], False
        self.folder, self.guilty = None, set()

    # ---- what parts of the test ask of it ---------------------------------------------------

    def complain(self, text, actor=None):
        if text.endswith(ELSEWHERE):
            return
        with self.changed:
            self.complaints.append(text)
            self.changed.notify_all()
        self.guilty.add(actor.name if actor else "")
        self.ladder.note(actor.name if actor else "test", "FAILED: " + text)

    def check_time(self):
        died = self.daemon.died()
        if died and died not in self.complaints:
            self.complain(died)
        if self.complaints and not self.unchecked:
            from .actor import Failed
            raise Failed(ELSEWHERE)
        if time.time() > self.end:
            raise FlowError("the test takes too long")

    def signal(self, name):
        with self.changed:
            self.signals.add(name)
            self.changed.notify_all()

    def await_signal(self, name, limit):
        with self.changed:
            self.changed.wait_for(lambda: name in self.signals or self.complaints, limit)
            return name in self.signals

    def expand(self, text):
        def value(found):
            name, _, part = found.group(1).partition(".")
            if name == "switch":
                return {"": "%s:5060" % self.network_host(1), "host": self.network_host(1),
                        "other": self.network_host(3)}[part]
            if name in self.actors:
                actor = self.actors[name]
                return {"": actor.where(), "host": actor.host, "port": str(actor.port), "number": actor.number,
                        "moved": actor.moved, "call_id": actor.dialog.call_id or "", "tag": actor.dialog.local_tag}[part]
            if name in self.variables:
                return self.variables[name]
            if name in ("random", "wide"):
                return sip.token(12 if name == "random" else 180)
            raise FlowError("${%s} is not known" % found.group(1))
        return re.sub(r"\$\{([^}]+)\}", value, text)

    def network_host(self, last):
        return "%s.%d" % (self.network, last)

    def secrets_against(self, actor):
        """Text -> what it is, of all others: their addresses, names and dialogs."""
        out = {}
        for other in self.actors.values():
            same_side = (other.kind == "gateway") == (actor.kind == "gateway")
            if other is actor or same_side and "phone" not in (other.kind, actor.kind):
                continue
            out.update(dict(other.secrets))
            address = other.where() if ":" in other.host else other.host
            out[address] = "%s's address" % other.name
            out["k%s%s" % (other.name, other.options["nonce"])] = "%s's Contact" % other.name
            for dialog in list(other.calls.values()):
                if dialog.origin:
                    out[dialog.origin.user] = out[str(dialog.origin.session)] = "%s's o= line" % other.name
        for own in actor.secrets:
            out.pop(own, None)
        return out

    # ---- set-up --------------------------------------------------------------------------

    def read(self):
        with open(self.path, encoding="utf-8") as f:
            statements = language.read(f.read(), self.path)
        for statement in statements:
            head = statement.head
            if head in ACTORS:
                self.declare(statement)
            elif head == "parameters":
                self.parameters.update({s.words[0]: " ".join(s.words[1:]) for s in statement.block})
            elif head in ("config", "boot"):
                setattr(self, head, statement.raw)
            elif head == "dns":
                self.dns = statement
            elif head in ("cdr", "log"):
                self.checks.append(statement)
            elif head == "operator":
                self.operators.append(statement)
            elif head == "limit":
                self.end += language.seconds(statement.words[1]) - LIMIT
            elif head == "unchecked":
                self.unchecked = True
            else:
                raise FlowError('%s:%d: "%s" is no part of a test' % (self.path, statement.line, head))

    declared = ()

    def declare(self, statement):
        kind, name, *words = statement.words
        options = dict((w.split("=", 1) if "=" in w else (w, "on")) for w in words)
        for proto in ("udp", "tcp", "tls"):
            if options.pop(proto, None):
                options["proto"] = proto
        index = len(self.declared)
        ip6 = options.pop("ip6", None)
        options.update(host="::1" if ip6 else self.network_host(10 + index), port=0 if ip6 else 5060, index=index,
                       moved=self.network_host(100 + index), nonce=sip.token(8), default_number="31200000%02d" % (10 + index))
        self.declared = (*self.declared, (kind, name, options, statement.block or []))

    def skip_reason(self):
        ip6 = any(":" in options["host"] for _, _, options, _ in self.declared)
        if ip6 and not Daemon.free_port6():
            return "no IPv6 on this machine"
        return None

    def set_up(self):
        self.folder = new_folder()
        self.daemon = Daemon(self.program, self.network_host(1), self.folder, self.cli)
        protos = {options.get("proto") for _, _, options, _ in self.declared}
        if "tls" in protos:
            hosts = [self.network_host(1)] + [options["host"] for _, _, options, _ in self.declared]
            self.tls = TlsContexts(make_certificates(self.folder, hosts))
        for kind, name, options, script in self.declared:
            self.actors[name] = Actor(self, kind, name, options, script)
        ip6 = any(":" in options["host"] for _, _, options, _ in self.declared)
        self.daemon.write_boot(self.tls and self.tls.files, ip6, self.start_dns() + self.expand(self.boot))
        self.daemon.start()
        for actor in self.actors.values():
            actor.prepare()
        self.daemon.import_config(self.configuration())

    def start_dns(self):
        """The part of the boot file that sends the switch to the test's own name server."""
        if not self.dns:
            return ""
        host = self.network_host(2)
        self.nameserver = nameserver.NameServer(host, self.dns.block, self.expand)
        return "[dns]\nservers = %s:%d\n" % (host, nameserver.PORT)

    # ---- configuration ---------------------------------------------------------------------

    def configuration(self):
        """As the test wrote it, else one made of its actors."""
        if self.config:
            return self.expand(self.config)
        parameters = {"drain_timeout": "5s", **self.parameters}
        out = ["version: 1", "parameters:"] + ["  %s: %s" % pair for pair in parameters.items()]
        lists = {"mapping_gateways": [], "routing_gateways": [], "phones": []}
        for actor in self.actors.values():
            if actor.kind != "stranger" and "unconfigured" not in actor.options:
                self.configure(actor, lists)
        for key, rows in lists.items():
            out += [key + ":"] + ["  - { %s }" % ", ".join("%s: %s" % p for p in row.items()) for row in rows] if rows else []
        return self.expand("\n".join(out)) + "\n"

    def configure(self, actor, lists):
        quoted = lambda text: '"%s"' % text
        plain = ("host", "port", "index", "nonce", "moved", "default_number")
        given = {k: v for k, v in actor.options.items() if k not in plain + OWN_OPTIONS}
        if actor.kind == "phone":
            given["number"] = quoted(given["number"])
            if "password" in given:
                given["password"] = quoted(given["password"])
            if given.get("register") == "static":
                given.setdefault("address", quoted(actor.where()))
            lists["phones"].append(given)
        elif actor.kind == "caller":
            lists["mapping_gateways"].append({"name": actor.name, "addresses": "[ %s ]" % quoted(actor.host), **given})
        else:
            row = {"name": actor.name, "address": quoted(actor.where()), "prefixes": '[ "" ]',
                   "priority": len(lists["routing_gateways"]) + 1}
            if given.get("register") == "dynamic":
                del row["address"]
            elif actor.proto != "udp" and "address" not in given:
                row["transport"] = actor.proto
            lists["routing_gateways"].append({**row, **given})

    # ---- the run --------------------------------------------------------------------------

    def run(self):
        """"passed", "failed" or "skipped: why"; the report is in `report`."""
        self.end = time.time() + LIMIT
        self.report = ""
        try:
            self.read()
            reason = self.skip_reason()
            if reason:
                return "skipped: " + reason
            self.set_up()
            self.play()
        except (FlowError, DaemonError, OSError) as problem:
            self.complain(str(problem))
        self.tear_down()
        if self.complaints:
            self.report = self.tell()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
        return "failed" if self.complaints else "passed"

    def play(self):
        scripts = list(self.actors.values()) + [Operator(self, statement) for statement in self.operators]
        threads = [threading.Thread(target=script.run, daemon=True) for script in scripts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.1, self.end - time.time()))
        if any(thread.is_alive() for thread in threads):
            self.complain("the test takes too long")
        if not self.complaints:
            time.sleep(0.1)
            self.check_leftovers()
        if not self.complaints:
            for statement in self.checks:
                records.check(self, statement)
        if not self.complaints and self.daemon.process and not self.daemon.ending:
            self.check_lines()

    def check_lines(self):
        """Calls that are over have given back their lines."""
        until = time.time() + 3
        held = self.daemon.lines_held()
        while held and not self.daemon.rows("call", "list") and time.time() < until:
            time.sleep(0.05)
            held = self.daemon.lines_held()
        if held and not self.daemon.rows("call", "list"):
            self.complain("no call is up, but lines are in use: " + ", ".join(sorted(held)))

    def check_leftovers(self):
        from .expect import ignorable
        for actor in self.actors.values():
            for message in actor.inbox:
                if not ignorable(actor, message):
                    self.complain("%s got a %s that the test does not expect" % (actor.name, message.kind), actor)

    def tear_down(self):
        if self.folder and getattr(self, "daemon", None):
            complaint = self.daemon.stop(3 if self.complaints else 15)
            if complaint:
                self.complain(complaint)
        for actor in self.actors.values():
            for wire in [actor.wire] * (actor.wire is not None) + actor.more:
                wire.close()
        if self.nameserver:
            self.nameserver.close()

    def tell(self):
        lines = ["FAILED %s" % self.path, "  " + self.complaints[0], "", self.ladder.text(), ""]
        for actor in self.actors.values():
            if actor.problem:
                lines.append("  %s: line %d: %s: %s" % (actor.name, actor.at.line, actor.at, actor.problem))
        log = self.daemon.log_tail() if getattr(self, "daemon", None) else []
        lines += ["  last lines of the switch's log:"] + ["    " + line for line in log]
        return "\n".join(lines)
