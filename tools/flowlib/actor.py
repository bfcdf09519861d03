# SPDX-License-Identifier: GPL-3.0-or-later
"""An actor: a caller, gateway, phone or stranger with its socket, its dialogs and its script, on a thread.

The script decides everything a person or a program above SIP decides. Only what a transaction layer repeats on
its own is done here: a retransmitted request gets the same response again, a retransmitted final response
the same ACK again (RFC 3261 17.1.1.2, 17.2), if the script had sent one.
"""

import re
import threading
import time

from . import check, expect, sip
from .dialog import Dialog
from .language import FlowError, Statement, seconds
from .transport import Fault, Wire

PATIENCE = 5.0          # an expect waits this long unless it says otherwise


class Failed(Exception):
    """The test failed at a statement."""


class Actor:
    def __init__(self, flow, kind, name, options, script):
        self.flow, self.kind, self.name, self.options, self.script = flow, kind, name, options, script
        self.proto = options.get("proto", "udp")
        self.host, self.port = options["host"], options["port"]
        self.number = options.get("from") or options.get("number") or options["default_number"]
        self.inbox, self.arrival = [], threading.Condition()
        self.seen, self.repeats = {}, {}
        self.calls, self.call = {}, "1"
        self.secrets, self.versions = {}, {}
        self.ignored, self.orders = set(), []
        self.options_answer = None
        self.problem, self.at = None, Statement([kind, name], None, None, 0)
        self.media_port = 20000 + 2 * options["index"]
        self.wire = None
        if not options.get("closed"):
            self.listen()
        self.moved = options["moved"]
        self.more = [Wire("udp", host, 5080, self.switch_address(), self.arrived)
                     for host in (self.host, self.moved) if options.get("sockets")]
        self.calls[self.call] = Dialog(self)

    def listen(self):
        tls = self.flow.tls.of(self.options) if self.proto == "tls" else None
        self.wire = Wire(self.proto, self.host, self.port, self.switch_address(), self.arrived, tls)
        self.port = self.wire.port

    # ---- who I am ------------------------------------------------------------------------

    def switch_address(self):
        if self.options.get("other"):
            return self.flow.network_host(3), 5070
        return self.flow.daemon.address(self.proto, ":" in self.host)

    def where(self):
        return "[%s]:%d" % (self.host, self.port) if ":" in self.host else "%s:%d" % (self.host, self.port)

    def switch_uri(self, number):
        host, port = self.switch_address()
        return "sip:%s@%s%s" % (number, "[%s]:%d" % (host, port) if ":" in host else "%s:%d" % (host, port),
                                "" if self.proto == "udp" else ";transport=" + ("tls" if self.proto == "tls" else "tcp"))

    def uri(self):
        if self.kind == "phone":
            return self.switch_uri(self.number)
        return "sip:%s@%s" % (self.number, self.where())

    def user(self):
        """Under what it registers."""
        return self.options.get("user") or (self.number if self.kind == "phone" else self.name)

    def contact(self):
        suffix = "" if self.proto == "udp" else ";transport=" + self.proto
        return "<sip:k%s%s@%s%s>" % (self.name, self.options["nonce"], self.where(), suffix)

    def via(self):
        return "SIP/2.0/%s %s;rport;branch=z9hG4bK%s%s" % (self.proto.upper(), self.where(), self.name, sip.token(12))

    def new_origin(self):
        self.media_port += 2
        return sip.Origin(self.name, self.host, self.media_port)

    @property
    def dialog(self):
        return self.calls[self.call]

    # ---- what arrives (on the wire's thread) ------------------------------------------------

    def arrived(self, message, source):
        # What is sent again is the same to the last byte; so is the ACK that each repeat of a 2xx gets (RFC 3261 13.2.2.4).
        again = self.seen.get(message.data)
        self.flow.ladder.add(self, "<", message, again is not None)
        if again is not None and (self.proto == "udp" or message.status):
            self.seen[message.data] += 1
            with self.arrival:
                self.repeats[message.kind] = self.repeats.get(message.kind, 0) + 1
                self.arrival.notify_all()
            self.answer_repeat(message)
            return
        self.seen[message.data] = 1
        self.inspect(message)
        if message.method == "OPTIONS" and self.options_answer:
            self.answer_options(message)
            return
        with self.arrival:
            message.call = self.call_of(message)
            self.inbox.append(message)
            self.arrival.notify_all()

    def answer_repeat(self, message):
        for dialog in list(self.calls.values()):        # the script may begin another meanwhile
            if dialog.call_id != message.call_id:
                continue
            if message.method and (message.branch, message.method) in dialog.answers:
                self.put(dialog.answers[(message.branch, message.method)])
            key = (message.branch, sip.tag(message.get("To")))
            if message.status and message.status >= 200 and key in dialog.acks:
                self.put(dialog.acks[key])

    def answer_options(self, message):
        status, headers = self.options_answer
        if status == "silence":
            return
        copied = [(name, value) for name in ("Via", "From", "Call-ID", "CSeq") for value in message.all(name)]
        self.put(sip.compose("SIP/2.0 %s %s" % (status, sip.PHRASES.get(int(status), "Answer")),
                             copied + [("To", message.get("To") + ";tag=" + sip.token())] + headers))

    def inspect(self, message):
        wrong = check.well_formed(message, self.proto.upper(), self.proto != "udp")
        versions = self.versions.setdefault(message.call_id, check.Versions())
        wrong += versions.complaints(message)
        wrong += check.leaks(message, self.flow.secrets_against(self))
        self.secrets.update(check.secrets_of(message, self.name))
        if wrong and not self.flow.unchecked:
            self.flow.complain("%s got a bad %s: %s" % (self.name, message.kind, "; ".join(wrong)), self)

    def call_of(self, message):
        return next((name for name, d in list(self.calls.items()) if d.call_id == message.call_id), None)

    # ---- what goes out -------------------------------------------------------------------

    def put(self, data):
        message = sip.Message(data)
        self.flow.ladder.add(self, ">", message, False)
        self.secrets.update(check.secrets_of(message, self.name))
        try:
            self.wire.send(data)
        except OSError as error:
            raise Failed("could not send: %s" % error)

    # ---- the script ----------------------------------------------------------------------

    def run(self):
        try:
            self.play(self.script)
        except (Failed, FlowError) as problem:
            self.problem = str(problem)
            self.flow.complain("%s stopped at line %d, %s: %s" % (self.name, self.at.line, self.at, problem), self)
        except Exception as error:
            self.problem = repr(error)
            self.flow.complain("%s stopped at line %d, %s: %r" % (self.name, self.at.line, self.at, error), self)

    def prepare(self):
        """Faults that a script begins with are in force before the first message of anybody."""
        while self.script and self.script[0].head in ("drop", "duplicate", "delay", "corrupt", "ignore", "options"):
            self.play([self.script.pop(0)])

    def play(self, script):
        for statement in script:
            self.flow.check_time()
            self.at = statement
            step = getattr(self, "do_" + statement.head.replace("-", "_"), None)
            if not step:
                raise FlowError('no such step: "%s"' % statement.head)
            step(statement, [self.flow.expand(w) for w in statement.words[1:]])

    def do_repeat(self, statement, words):
        for _ in range(int(words[0])):
            self.play(statement.block)

    def do_try(self, statement, words):
        """try { ... }: steps that may fail"""
        try:
            self.play(statement.block)
        except Failed as problem:
            self.flow.ladder.note(self.name, "tried in vain: %s" % problem)

    def do_wait(self, statement, words):
        time.sleep(seconds(words[0]))

    def do_signal(self, statement, words):
        self.flow.signal(words[0])

    def do_await(self, statement, words):
        if not self.flow.await_signal(words[0], seconds(words[2]) if "within" in words else 20):
            raise Failed("nobody signalled %s" % words[0])

    def do_call(self, statement, words):
        self.call = words[0]
        self.calls.setdefault(self.call, Dialog(self))

    def do_ignore(self, statement, words):
        self.ignored.update(words)

    def do_options(self, statement, words):
        """options STATUS|silence ["HEADER LINE"]: OPTIONS outside the script are answered so, or not at all"""
        self.options_answer = words[0], [tuple(line.split(": ", 1)) for line in words[1:]]

    def do_hang_up_connection(self, statement, words):
        self.wire.hang_up()

    def do_connections(self, statement, words):
        """connections N: so many TCP connections with the switch are open"""
        if len(self.wire.connections) != int(words[0]):
            raise Failed("open: " + ", ".join(str(c.getsockname()) + str(c.getpeername()) for c in self.wire.connections))

    def do_close(self, statement, words):
        self.wire.close()

    def do_open(self, statement, words):
        """open: listens (again)"""
        self.listen()

    def do_capture(self, statement, words):
        """capture NAME HEADER REGEX: the first group of the header of the message taken last"""
        name, header, pattern = words
        found = re.search(pattern, "\n".join(self.last.all(header)) if header != "body" else self.last.body)
        if not found:
            raise Failed("%s of the %s does not match %s" % (header, self.last.kind, pattern))
        self.flow.variables[name] = found.group(1)

    def do_drop(self, statement, words):
        self.order("drop", words)

    def do_duplicate(self, statement, words):
        self.order("duplicate", words)

    def do_corrupt(self, statement, words):
        self.order("corrupt", ["out"] + words)

    def do_delay(self, statement, words):
        self.order("delay", words)

    def order(self, action, words):
        """[in|out] [next|2nd|3rd..] KIND [xN] [by 300ms]; KIND is a method, a status or status/method"""
        words, direction, skip, count, pause = list(words), "in", 0, 1, 0.0
        if words[0] in ("in", "out"):
            direction = words.pop(0)
        if re.fullmatch(r"\d(st|nd|rd|th)", words[0]):
            skip = int(words.pop(0)[0]) - 1
        elif words[0] == "next":
            words.pop(0)
        kind = words.pop(0)
        while words:
            word = words.pop(0)
            if word == "by":
                pause = seconds(words.pop(0))
            elif re.fullmatch(r"x\d+", word):
                count = int(word[1:])
            else:
                raise FlowError('"%s" says nothing here' % word)
        self.wire.faults.append(Fault(action, direction, kind, skip, count, pause))

    # Sending and expecting are large enough for files of their own.

    def do_send(self, statement, words):
        from . import send
        send.request(self, statement, words)

    def do_reply(self, statement, words):
        from . import send
        send.reply(self, statement, words)

    def do_resend(self, statement, words):
        from . import send
        send.again(self, words)

    def do_raw(self, statement, words):
        from . import send
        send.raw(self, statement)

    def do_register(self, statement, words):
        from . import send
        send.register(self, statement, words)

    def do_expect(self, statement, words):
        expect.expect(self, statement, words, PATIENCE)

    def do_optional(self, statement, words):
        expect.optional(self, statement, words[1:])

    def do_unordered(self, statement, words):
        expect.unordered(self, statement.block)

    def do_silence(self, statement, words):
        expect.silence(self, seconds(words[0]))

    def do_datagrams(self, statement, words):
        expect.datagrams(self, words)

    def do_repeats(self, statement, words):
        expect.repeats(self, words)
