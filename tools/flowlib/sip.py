# SPDX-License-Identifier: GPL-3.0-or-later
"""SIP messages as text: as little as a test endpoint needs, written without a look at the switch's own parser."""

import hashlib
import random
import re
import string

COMPACT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length",
           "c": "content-type", "k": "supported", "s": "subject", "e": "content-encoding", "x": "session-expires"}
PHRASES = {100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 182: "Queued", 183: "Session Progress",
           200: "OK", 202: "Accepted", 300: "Multiple Choices", 301: "Moved Permanently", 302: "Moved Temporarily",
           400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
           407: "Proxy Authentication Required", 408: "Request Timeout", 410: "Gone", 415: "Unsupported Media Type",
           420: "Bad Extension", 422: "Session Interval Too Small", 423: "Interval Too Brief",
           480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist", 482: "Loop Detected",
           483: "Too Many Hops", 484: "Address Incomplete", 486: "Busy Here", 487: "Request Terminated",
           488: "Not Acceptable Here", 491: "Request Pending", 500: "Server Internal Error",
           501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Server Time-out",
           600: "Busy Everywhere", 603: "Decline", 604: "Does Not Exist Anywhere", 606: "Not Acceptable"}
CODECS = {"PCMU": (0, 8000), "GSM": (3, 8000), "G723": (4, 8000), "PCMA": (8, 8000), "G722": (9, 8000),
          "G729": (18, 8000), "iLBC": (97, 8000), "opus": (111, 48000), "telephone-event": (101, 8000)}


def token(length=10):
    return "".join(random.choices(string.ascii_lowercase + string.digits, k=length))


def long_name(name):
    name = name.strip().lower()
    return COMPACT.get(name, name)


class Message:
    """One message, headers in order; `get` finds by long or compact name."""

    def __init__(self, data):
        self.data = data
        text = data.decode("latin-1")
        head, _, self.body = text.partition("\r\n\r\n")
        lines = re.sub(r"\r\n[ \t]+", " ", head).split("\r\n")
        self.start, self.headers = lines[0], []
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            self.headers.append((name.strip() if colon else line, value.strip()))
        words = self.start.split(" ")
        self.status = int(words[1]) if self.start.startswith("SIP/2.0 ") and words[1].isdigit() else None
        self.phrase = " ".join(words[2:]) if self.status else None
        self.method = None if self.status else words[0]
        self.uri = None if self.status or len(words) < 2 else words[1]

    def all(self, name):
        """Values of that header; header lines that carry a list are split for Via, Route and the like."""
        found = [v for n, v in self.headers if long_name(n) == long_name(name)]
        if long_name(name) in ("via", "route", "record-route", "contact", "supported", "require", "allow"):
            found = [part for value in found for part in split_list(value)]
        return found

    def get(self, name, default=""):
        found = self.all(name)
        return found[0] if found else default

    @property
    def call_id(self):
        return self.get("Call-ID")

    @property
    def cseq(self):
        number = self.get("CSeq").split()
        return int(number[0]) if number and number[0].isdigit() else 0

    @property
    def cseq_method(self):
        words = self.get("CSeq").split()
        return words[1] if len(words) > 1 else ""

    @property
    def branch(self):
        return parameter(self.get("Via"), "branch")

    @property
    def kind(self):
        """"INVITE", or "200 (INVITE)": as ladders show it."""
        return self.method or "%d (%s)" % (self.status or 0, self.cseq_method)

    def same_transaction(self, other):
        return self.branch == other.branch and (self.cseq_method == other.cseq_method)


def split_list(value):
    """Comma separated, but not inside quotes or angle brackets."""
    out, part, quoted, angle = [], "", False, False
    for c in value:
        quoted ^= c == '"'
        angle = (angle or c == "<") and c != ">" if not quoted else angle
        if c == "," and not quoted and not angle:
            out.append(part.strip())
            part = ""
        else:
            part += c
    return out + [part.strip()] if part.strip() else out


def parameter(value, name):
    """A header parameter (after the > of a name-addr), or ""."""
    found = re.search(r";\s*%s\s*=\s*\"?([^;,\s\"]*)" % re.escape(name), value.rpartition(">")[2], re.I)
    return found.group(1) if found else ""


def tag(value):
    return parameter(value, "tag")


def uri_of(value):
    found = re.search(r"<([^>]*)>", value)
    return found.group(1) if found else value.split(";")[0].strip()


def user_of(uri):
    found = re.match(r"sips?:([^@;]*)@", uri)
    return found.group(1) if found else ""


def compose(start, headers, body=""):
    lines = [start] + ["%s: %s" % (n, v) for n, v in headers]
    if not any(long_name(n) == "content-length" for n, _ in headers):
        lines.append("Content-Length: %d" % len(body.encode("latin-1")))
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode("latin-1")


# ---- session descriptions ---------------------------------------------------------------

class Origin:
    """Who a description is from; the version rises with each new content (RFC 3264 8)."""

    def __init__(self, owner, host, port):
        self.user, self.host, self.port = "o" + owner + token(6), host, port
        self.session = random.randrange(10 ** 8, 10 ** 9)
        self.version, self.last = 0, None

    def describe(self, codecs, direction="sendrecv", extra=()):
        family = "IP6" if ":" in self.host else "IP4"
        lines = ["c=IN %s %s" % (family, self.host), "t=0 0",
                 "m=audio %d RTP/AVP %s" % (self.port, " ".join(str(CODECS[c][0]) for c in codecs))]
        for codec in codecs:
            lines.append("a=rtpmap:%d %s/%d" % (CODECS[codec][0], codec, CODECS[codec][1]))
            if codec == "telephone-event":
                lines.append("a=fmtp:101 0-15")
        lines += ["a=ptime:20", "a=" + direction, *extra]
        if lines != self.last:
            self.version, self.last = self.version + 1, lines
        top = ["v=0", "o=%s %d %d IN %s %s" % (self.user, self.session, self.version, family, self.host), "s=-"]
        return "\r\n".join(top + lines) + "\r\n"


class Description:
    """What a test asks of a received description."""

    def __init__(self, text):
        self.text = text
        self.lines = [line.rstrip("\r") for line in text.split("\n") if line.strip()]
        self.origin = self.first("o=").split()
        where = self.first("c=").split()
        self.host = where[2] if len(where) > 2 else ""
        media = self.first("m=").split()
        self.port = int(media[1].split("/")[0]) if len(media) > 1 else 0
        self.formats = media[3:]
        directions = [d for d in ("sendonly", "recvonly", "inactive") if "a=" + d in self.lines]
        self.direction = directions[0] if directions else "sendrecv"

    def first(self, prefix):
        return next((line[2:] for line in self.lines if line.startswith(prefix)), "")

    def codecs(self):
        """Names in order, telephone-event left out."""
        names = {str(number): name for name, (number, _) in CODECS.items()}
        for line in self.lines:
            found = re.match(r"a=rtpmap:(\d+) ([^/]+)/", line)
            if found:
                names[found.group(1)] = found.group(2)
        return [n for n in (names.get(f, f) for f in self.formats) if n not in ("telephone-event", "CN")]


# ---- digest (RFC 7616) ------------------------------------------------------------------

def digest_fields(value):
    fields = re.findall(r"(\w+)\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s,]+))", value)
    return {name.lower(): quoted or plain for name, quoted, plain in fields}


def digest_response(fields, user, password, method, uri):
    algorithm = fields.get("algorithm", "MD5")
    new = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256, "SHA-512-256": lambda b: hashlib.new("sha512_256", b)}
    h = lambda text: new[algorithm.upper()](text.encode()).hexdigest()
    ha1, ha2 = h("%s:%s:%s" % (user, fields.get("realm", ""), password)), h("%s:%s" % (method, uri))
    if "qop" not in fields:
        return h("%s:%s:%s" % (ha1, fields["nonce"], ha2))
    return h(":".join((ha1, fields["nonce"], fields["nc"], fields["cnonce"], fields["qop"], ha2)))


def digest_answer(challenge, user, password, method, uri, nc=1, nonce=None):
    """The value of an (Proxy-)Authorization header."""
    asked = digest_fields(challenge)
    fields = {"realm": asked.get("realm", ""), "nonce": nonce or asked.get("nonce", "")}
    if "algorithm" in asked:
        fields["algorithm"] = asked["algorithm"]
    if "qop" in asked:
        fields.update(qop="auth", nc="%08x" % nc, cnonce=token(12))
    fields["response"] = digest_response(fields, user, password, method, uri)
    fields.update(username=user, uri=uri)
    if "opaque" in asked:
        fields["opaque"] = asked["opaque"]
    plain = ("algorithm", "qop", "nc")
    return "Digest " + ", ".join("%s=%s" % (k, v if k in plain else '"%s"' % v) for k, v in fields.items())
