# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold for every message the switch sends, whatever the test is about: it is well formed
(RFC 3261 20, 8.1.1, 8.2.6; RFC 8866; RFC 3264 8), and it tells nothing of the other side of the call."""

import re

from .sip import Description, long_name, parameter, tag

ONCE = ("from", "to", "call-id", "cseq", "max-forwards", "content-length", "content-type", "session-expires",
        "min-se", "rseq", "rack", "retry-after", "expires", "user-agent", "server", "event", "refer-to")
SDP_ORDER = "vosiuepcbtrzka"


def well_formed(message, transport, stream):
    """A list of complaints; empty when all is well."""
    wrong = []
    text = message.data.decode("latin-1")
    head = text.partition("\r\n\r\n")[0]
    if "\r\n\r\n" not in text:
        return ["no empty line after the headers"]
    if re.search(r"(?<!\r)\n|\r(?!\n)", head):
        wrong.append("a bare CR or LF in the headers")
    if re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", head):
        wrong.append("a control character in the headers")
    if not re.fullmatch(r"SIP/2\.0 [1-6]\d\d .*|[A-Z]+ sips?:[^\s<>\"]+ SIP/2\.0", message.start):
        wrong.append("start line: %r" % message.start)
    for name, value in message.headers:
        if not re.fullmatch(r"[A-Za-z0-9.!%*_+`'~-]+", name):
            wrong.append("header name %r" % name)
        if not value and long_name(name) not in ("supported", "accept", "allow", "subject", "accept-encoding"):
            wrong.append("empty header %s" % name)
    wrong += required(message, stream) + once(message) + length(message, stream)
    if transport not in message.get("Via").split(" ")[0] and not message.status:
        wrong.append("Via does not name the transport %s: %s" % (transport, message.get("Via")))
    if message.body and message.get("Content-Type").lower().startswith("application/sdp"):
        wrong += session_description(message.body)
    return wrong


def required(message, stream):
    wrong = ["no %s" % name for name in ("Via", "From", "To", "Call-ID", "CSeq") if not message.get(name)]
    if not re.fullmatch(r"\d{1,10} [A-Z]+", message.get("CSeq")) or message.cseq >= 2 ** 31:
        wrong.append("CSeq: %r" % message.get("CSeq"))
    if not message.branch.startswith("z9hG4bK") and not message.status:
        wrong.append("branch without the magic cookie: %r" % message.branch)
    if not tag(message.get("From")) and not message.status:
        wrong.append("From without tag")
    if message.status and message.status > 100 and not tag(message.get("To")):
        wrong.append("To of a %d without tag" % message.status)
    if message.method:
        if message.method != message.cseq_method:
            wrong.append("CSeq of a %s says %s" % (message.method, message.cseq_method))
        if not message.get("Max-Forwards").isdigit():
            wrong.append("Max-Forwards: %r" % message.get("Max-Forwards"))
    elif message.status < 200 and message.status > 100 or message.status < 300 and message.cseq_method == "INVITE":
        pass
    needs_contact = message.method in ("INVITE", "UPDATE") or (
        message.status and 200 <= message.status < 300 and message.cseq_method in ("INVITE", "UPDATE"))
    if needs_contact and not re.search(r"sips?:", message.get("Contact")):
        wrong.append("no Contact")
    return wrong


def once(message):
    names = [long_name(n) for n, _ in message.headers]
    return ["%s stands %d times" % (n, names.count(n)) for n in ONCE if names.count(n) > 1]


def length(message, stream):
    given, real = message.get("Content-Length"), len(message.body)
    if not given:
        return ["no Content-Length on a stream"] if stream else []
    wrong = [] if given == str(real) else ["Content-Length %s, body of %d" % (given, real)]
    if real and not message.get("Content-Type"):
        wrong.append("a body without Content-Type")
    return wrong


def session_description(text):
    if not text.endswith("\r\n"):
        return ["the description does not end with CRLF"]
    lines = text[:-2].split("\r\n")
    wrong = ["description line %r" % line for line in lines if not re.fullmatch(r"[a-z]=[^\r\n]+", line)]
    top = [line[0] for line in lines[:next((i for i, l in enumerate(lines) if l[:1] == "m"), len(lines))] if line]
    places = [SDP_ORDER.find(kind) for kind in top]
    if top[:3] != ["v", "o", "s"] or places != sorted(places) or "t" not in top:
        wrong.append("description lines out of order: %s" % "".join(top))
    if len(Description(text).origin) != 6:
        wrong.append("o= line of %d words" % len(Description(text).origin))
    return wrong


class Versions:
    """o= of one sender in one dialog: same session, and a version that rises exactly with the content."""

    def __init__(self):
        self.last = None

    def complaints(self, message):
        if not message.body or not message.get("Content-Type").lower().startswith("application/sdp"):
            return []
        said = Description(message.body)
        if len(said.origin) != 6:
            return []
        last, self.last = self.last, (said.origin, message.body)
        if last is None:
            return []
        (user, session, version, *place), body = last
        if [user, session] + place != [said.origin[0], said.origin[1]] + said.origin[3:]:
            return ["o= changed from %s to %s" % (" ".join(last[0]), " ".join(said.origin))]
        step = int(said.origin[2]) - int(version)
        if message.body == body or step == 1:
            return []
        return ["the description %s but its version went from %s to %s" % (
            "is the same" if step else "changed", version, said.origin[2])]


def leaks(message, secrets):
    """Which of `secrets` {text: what it is} stand in the message outside c= and m= lines."""
    text = message.data.decode("latin-1")
    head, _, body = text.partition("\r\n\r\n")
    kept = [line for line in body.split("\r\n") if not re.match(r"[cm]=", line)]
    seen = head + "\r\n\r\n" + "\r\n".join(kept)
    return ["tells %s (%s)" % (what, secret) for secret, what in secrets.items()
            if re.search(r"(?<![A-Za-z0-9.])" + re.escape(secret) + r"(?![A-Za-z0-9]|\.\d)", seen)]


def secrets_of(message, owner):
    """What a message that `owner` sent or got says about that side of the call."""
    out = {message.call_id: "%s's Call-ID" % owner}
    for name in ("From", "To"):
        if tag(message.get(name)):
            out[tag(message.get(name))] = "a tag of %s's dialog" % owner
    for via in message.all("Via"):
        if parameter(via, "branch"):
            out[parameter(via, "branch")] = "a branch of %s's side" % owner
    return {secret: what for secret, what in out.items() if len(secret) > 5}
