# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of an actor that send something."""

import re
import textwrap

from . import sip
from .expect import expect
from .language import FlowError, Statement

AUTH_HEADER = {401: "Authorization", 407: "Proxy-Authorization"}


class Draft:
    """A message being put together, and what the statement's block changes in it."""

    def __init__(self, actor, start, headers, method, status=None):
        self.actor, self.start, self.headers = actor, start, headers
        self.method, self.status, self.body, self.tag = method, status, "", None

    def add(self, line):
        name, colon, value = line.partition(":")
        if not colon:
            raise FlowError('"%s" is no header line' % line)
        self.headers.append((name.strip(), value.strip()))

    def put(self, line):
        """Replace the header, or add it."""
        name, _, value = line.partition(":")
        places = [i for i, (n, _) in enumerate(self.headers) if sip.long_name(n) == sip.long_name(name)]
        if not places:
            return self.add(line)
        self.headers[places[0]] = (name.strip(), value.strip())

    def drop(self, name):
        self.headers = [(n, v) for n, v in self.headers if sip.long_name(n) != sip.long_name(name)]

    def describe(self, words=()):
        """SDP of the named codecs and direction; by default what the offer at hand suggests."""
        dialog = self.actor.dialog
        answering = self.status is not None or self.method in ("ACK", "PRACK")
        directions = [w for w in words if w in ("sendrecv", "sendonly", "recvonly", "inactive")]
        extra = [w for w in words if w.startswith("a=")]
        codecs = [w for w in words if w in sip.CODECS]
        unknown = [w for w in words if w not in directions + extra + codecs]
        if unknown:
            raise FlowError("no codec or direction: %s" % " ".join(unknown))
        if not codecs:
            codecs = dialog.default_codecs() if answering else ["PCMA", "PCMU", "telephone-event"]
        direction = directions[0] if directions else dialog.default_direction() if answering else "sendrecv"
        self.body = dialog.own_origin().describe(codecs, direction, extra)
        self.put("Content-Type: application/sdp")

    def apply(self, block):
        for line in block or []:
            words = [self.actor.flow.expand(w) for w in line.words[1:]]
            step = getattr(self, "on_" + line.head, None)
            if not step:
                raise FlowError('"%s" says nothing about a message to send (line %d)' % (line.head, line.line))
            step(line, words)

    def on_header(self, line, words):
        self.add(" ".join(words))

    def on_set(self, line, words):
        self.put(" ".join(words))

    def on_without(self, line, words):
        for name in words:
            self.drop(name)

    def on_sdp(self, line, words):
        if words == ["none"]:
            self.body = ""
            self.drop("Content-Type")
        else:
            self.describe(words)

    def on_body(self, line, words):
        self.put("Content-Type: " + words[0])
        self.body = "\r\n".join(textwrap.dedent(self.actor.flow.expand(line.raw)).strip().split("\n")) + "\r\n"

    def on_tag(self, line, words):
        """Answer as another fork."""
        self.headers = [(n, re.sub(r";tag=.*", "", v) + ";tag=" + words[0]) if n == "To" else (n, v)
                        for n, v in self.headers]

    def on_start(self, line, words):
        self.start = " ".join(words)

    def on_reliable(self, line, words):
        self.actor.dialog.rseq += 1
        self.add("Require: 100rel")
        self.add("RSeq: %d" % self.actor.dialog.rseq)

    def on_pad(self, line, words):
        """Make the message that much larger."""
        self.add("X-Padding: " + "p" * int(words[0]))

    def on_challenge(self, line, words):
        realm, algorithm = words[0], words[1] if len(words) > 1 else "MD5"
        value = 'Digest realm="%s", nonce="%s", algorithm=%s, qop="auth"' % (realm, sip.token(24), algorithm)
        self.actor.dialog.given_challenge = value
        self.add("%s: %s" % ("WWW-Authenticate" if self.status == 401 else "Proxy-Authenticate", value))

    def on_auth(self, line, words):
        """auth USER PASSWORD [nonce N] [nc N] [algorithm A]: answer the last challenge, of this call or of any"""
        challenged = self.actor.dialog.challenge or next(
            (d.challenge for d in self.actor.calls.values() if d.challenge), None)
        if not challenged:
            raise FlowError("there was no challenge to answer")
        options = dict(zip(words[2::2], words[3::2]))
        offers = challenged.all("WWW-Authenticate") + challenged.all("Proxy-Authenticate")
        wanted = options.get("algorithm", "").upper()
        offer = next((o for o in offers if sip.digest_fields(o).get("algorithm", "MD5").upper() == wanted), offers[0])
        uri = self.start.split(" ")[1]
        value = sip.digest_answer(offer, words[0], words[1], self.method, uri, int(options.get("nc", "1")),
                                  options.get("nonce"))
        self.put("%s: %s" % (AUTH_HEADER[challenged.status], value))

    def data(self):
        return sip.compose(self.start, self.headers, self.body)


def request(actor, statement, words):
    """send METHOD [number or URI]"""
    method, uri = words[0], None
    dialog = actor.dialog
    if len(words) > 1:
        uri = words[1] if re.match(r"[a-z]+:", words[1]) else actor.switch_uri(words[1])
    fresh = dialog.call_id is None or (dialog.over and method in ("INVITE", "OPTIONS", "REGISTER", "MESSAGE"))
    if fresh:
        dialog.first_request(method, uri or actor.switch_uri(""))
    draft = Draft(actor, *dialog.request(method, uri), method)
    if method == "INVITE":
        draft.describe()
    draft.apply(statement.block)
    data = draft.data()
    dialog.call_id = sip.Message(data).call_id
    if method not in ("ACK", "CANCEL"):
        dialog.sent[method] = sip.Message(data)
    if method == "ACK":
        final = dialog.finals.get("INVITE")
        if final:
            dialog.acks[(final.branch, sip.tag(final.get("To")))] = data
    if method == "INVITE":
        dialog.finals.pop("INVITE", None)
    dialog.last_sent = data
    actor.put(data)


def reply(actor, statement, words):
    """reply STATUS [METHOD] ["phrase"]"""
    status, rest = int(words[0]), words[1:]
    method = rest.pop(0) if rest and re.fullmatch(r"[A-Z]+", rest[0]) else None
    dialog = actor.dialog
    asked = dialog.unanswered(method)
    if not asked and status < 300 and method is None:
        asked = dialog.got[-1] if dialog.got else None        # a second 2xx: another fork
    if not asked:
        raise FlowError("no request awaits a response")
    draft = Draft(actor, *dialog.response(asked, status, rest[0] if rest else None), asked.method, status)
    if asked.method == "INVITE" and 200 <= status < 300:
        draft.describe()
    draft.apply(statement.block)
    data = draft.data()
    dialog.note_response(asked, status, data)
    dialog.last_sent = data
    actor.put(data)


def again(actor, words):
    """resend [METHOD [merged]]: the last message, or the last request of that method, byte for byte; merged: as if
    it had come on another way too, with a branch of its own"""
    dialog = actor.dialog
    data = dialog.sent[words[0]].data if words else dialog.last_sent
    if words[1:] == ["merged"]:
        data = data.replace(dialog.sent[words[0]].branch.encode(), b"z9hG4bKm" + sip.token(12).encode())
        dialog.sent[words[0]] = sip.Message(data)
    actor.put(data)


def raw(actor, statement):
    """raw { text }: as it stands, with CRLF; an empty line ends the headers"""
    text = textwrap.dedent(actor.flow.expand(statement.raw).strip("\n").rstrip())
    data = text.replace("\n", "\r\n")
    if "\r\n\r\n" not in data:
        data += "\r\n\r\n"
    data = data.encode("latin-1")
    call_id = sip.Message(data).call_id
    actor.dialog.call_id = call_id or actor.dialog.call_id
    if sip.Message(data).method == "INVITE":
        actor.dialog.sent["INVITE"] = sip.Message(data)
    actor.put(data)


def register(actor, statement, words):
    """register [SECONDS]: REGISTER, answer the challenge, take the 200, as a phone does"""
    expires = words[0] if words else "120"
    name = actor.call
    actor.do_call(None, ["register"])
    dialog = actor.dialog
    if dialog.call_id is None:
        dialog.first_request("REGISTER", actor.switch_uri("").replace("sip:@", "sip:"))
    header = Statement(["header", "Expires: " + expires], None, None, statement.line)
    auth = Statement(["auth", actor.user(), actor.options["password"]], None, None, statement.line)
    send = lambda block: request(actor, Statement(["send", "REGISTER"], block, None, statement.line), ["REGISTER"])
    send([header])
    expect(actor, Statement(["expect", "401"], None, None, statement.line), ["401"], 5.0)
    send([header, auth])
    expect(actor, Statement(["expect", "200"], statement.block, None, statement.line), ["200"], 5.0)
    actor.do_call(None, [name])
