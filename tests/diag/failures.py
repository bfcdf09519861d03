# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls and registrations that go wrong, each with the cause that was put into it. A function makes one case and returns what is true of it:
(start of Call-ID, code, accepted instead, must not be claimed). Whatever the cause leaves open is drawn at random."""
import hashlib
import struct

from parties import LADDER, LADDER_INVITE, Call, Party, Sdp, new_call, pair, port, private, public, word

CASES = []


def case(make):
    CASES.append(make)
    return make


def row(call, code, accepted="", forbidden=""):
    return [(call.call_id, code, accepted, forbidden)]


def later(call, seconds):
    """The capture goes on: somebody else's packet."""
    call.tap.udp(call.t + seconds, ("192.0.2.250", 123), ("192.0.2.251", 123), b"\x23" + bytes(47))


# ---- before the answer: what the other side says ---------------------------------------------------------------------
def q850(cause, text=""):
    return [("Reason", "Q.850;cause=%d%s" % (cause, ';text="%s"' % text if text else ""))]


ANSWERS = (
    # code, accepted, (status, phrase, headers, rings before)...
    ("USER_BUSY", "", (486, "Busy Here", []), (600, "Busy Everywhere", []), (486, "Busy", q850(17, "user busy")), (503, "Service Unavailable", q850(17))),
    ("USER_DECLINED", "USER_UNAVAILABLE", (603, "Decline", []), (603, "Declined", q850(21)), (480, "Temporarily Unavailable", q850(21, "call rejected"))),
    ("USER_UNAVAILABLE", "NO_ANSWER", (480, "Temporarily Unavailable", []), (480, "Temporarily not available", q850(20, "subscriber absent")), (480, "Absent", [])),
    ("NO_ANSWER", "USER_UNAVAILABLE", (480, "Temporarily Unavailable", q850(19, "no answer from user")), (480, "No answer", q850(18)), (500, "Server error", q850(19))),
    ("NUMBER_UNALLOCATED", "", (404, "Not Found", []), (410, "Gone", []), (604, "Does Not Exist Anywhere", []), (404, "Not Found", q850(1, "Unallocated (unassigned) number")),
     (503, "Service Unavailable", q850(1))),
    ("ADDRESS_INCOMPLETE", "", (484, "Address Incomplete", []), (484, "Address Incomplete", q850(28)), (500, "Server Internal Error", q850(28))),
    ("PEER_CONGESTION", "", (503, "Service Unavailable", []), (503, "Service Unavailable", q850(34, "no circuit available")), (503, "Congestion", q850(42)),
     (500, "Internal Server Error", q850(38)), (503, "Service Unavailable", [("Retry-After", "30")]), (480, "Temporarily Unavailable", q850(34)), (502, "Bad Gateway", q850(47))),
    ("PEER_SERVER_ERROR", "", (500, "Server Internal Error", []), (502, "Bad Gateway", []), (504, "Server Time-out", []), (580, "Precondition Failure", []), (500, "Failed", q850(127))),
    ("PEER_408", "", (408, "Request Timeout", []), (408, "Request Timeout", [("Warning", '399 sbc "downstream timer"')])),
    ("PEER_400", "", (400, "Bad Request", []), (400, "Invalid Contact", [("Warning", '399 x "Contact header"')])),
    ("PEER_REJECTED", "", (406, "Not Acceptable", []), (485, "Ambiguous", []), (493, "Undecipherable", []), (489, "Bad Event", [])),
    ("CODEC_MISMATCH", "", (488, "Not Acceptable Here", []), (488, "Not Acceptable Media", [("Warning", '304 gw "Media type not available"')]), (606, "Not Acceptable", [("Warning", '305 gw "Incompatible media format"')]),
     (500, "Error", q850(88)), (503, "Service Unavailable", q850(65))),
    ("CALLER_FORBIDDEN", "", (403, "Forbidden", []), (403, "Not allowed", [("Warning", '399 x "no ACL match"')])),
    ("CLI_REJECTED", "", (403, "Invalid CLI", []), (403, "Caller ID not allowed", []), (603, "Decline", [("Warning", '399 gw "A-number not accepted"')]), (403, "Anonymous calls rejected", [])),
    ("VENDOR_NO_CREDIT", "", (402, "Payment Required", []), (403, "Insufficient balance", []), (503, "No credit", []), (403, "Out of funds", [])),
    ("STIR_REJECTED", "", (428, "Use Identity Header", []), (436, "Bad Identity Info", []), (437, "Unsupported Credential", []), (438, "Invalid Identity Header", []), (608, "Rejected", []), (607, "Unwanted", [])),
    ("DNS_FAILED", "PEER_SERVER_ERROR,USER_UNAVAILABLE", (500, "Unresolvable destination", []), (480, "DNS lookup failed", []), (503, "No DNS results for host", []), (504, "Server Time-out", [("Warning", '399 p "getaddrinfo ENOTFOUND"')])),
    ("METHOD_NOT_ALLOWED", "", (405, "Method Not Allowed", [("Allow", "OPTIONS, REGISTER")]), (501, "Not Implemented", [])),
    ("MEDIA_TYPE_UNSUPPORTED", "", (415, "Unsupported Media Type", [("Accept", "application/sdp")]), (415, "Bad body", [])),
    ("MESSAGE_TOO_LARGE", "", (413, "Request Entity Too Large", []), (513, "Message Too Large", [])),
    ("EXTENSION_UNSUPPORTED", "", (420, "Bad Extension", [("Unsupported", "100rel")]), (421, "Extension Required", [("Require", "timer")]), (420, "Bad Extension", [("Unsupported", "precondition")])),
    ("SESSION_INTERVAL_REFUSED", "", (422, "Session Interval Too Small", [("Min-SE", "1800")]), (422, "Timer too small", [("Min-SE", "600")])),
    ("ROUTING_LOOP", "", (482, "Loop Detected", []), (482, "Request merged", []), (483, "Too Many Hops", [])),
)


def answered_with(code, accepted, variants):
    def make(rng, tap):
        call = new_call(rng, tap)
        status, phrase, headers = rng.choice(variants)
        if code == "SESSION_INTERVAL_REFUSED":
            call.session = {"ask": str(rng.choice((90, 120, 300)))}
        if code == "EXTENSION_UNSUPPORTED":
            call.extra_invite.append(("Require" if status == 420 else "Supported", "100rel"))
        call.fail(status, phrase, headers, ring=code in ("USER_BUSY", "USER_DECLINED", "NO_ANSWER", "USER_UNAVAILABLE") and rng.random() < 0.6)
        later(call, rng.uniform(35, 60))
        return row(call, code, accepted, "NO_RESPONSE,ROUTES_EXHAUSTED,SIP_SCAN")
    make.__name__ = code.lower()
    return make


for spec in ANSWERS:
    case(answered_with(spec[0], spec[1], spec[2:]))


@case
def max_forwards_low(rng, tap):
    call = new_call(rng, tap, proxy=False)
    call.invite()
    sent = call.invite_message
    tap.frames.clear()
    tap.streams.clear()
    call.opened.clear()
    sent["headers"] = [(n, str(rng.randrange(0, 4)) if n == "Max-Forwards" else v) for n, v in sent["headers"]]
    call.t = call.again(call.invited, sent)
    call.step()
    call.t = call.response(call.t, sent, 483, "Too Many Hops")
    call.ack_error()
    return row(call, "MAX_FORWARDS_LOW", "ROUTING_LOOP")


@case
def redirect_not_followed(rng, tap):
    call = new_call(rng, tap)
    call.fail(rng.choice((301, 302, 305)), "Moved", [("Contact", "<sip:%d@%s>" % (rng.randrange(10 ** 8), public(rng)))])
    later(call, rng.uniform(10, 50))
    return row(call, "REDIRECT_NOT_FOLLOWED")


def challenge(rng, realm=None, proxy=None, stale=False, algorithm=None):
    proxy = rng.random() < 0.5 if proxy is None else proxy
    realm = realm or rng.choice(("asterisk", "sip.example.net", "voip", "carrier.example.com"))
    nonce = word(rng, 32)
    text = 'Digest realm="%s", nonce="%s"%s%s' % (realm, nonce, ", stale=true" if stale else "", ', algorithm=%s' % algorithm if algorithm else rng.choice(("", ", algorithm=MD5", ', qop="auth"')))
    return (407, "Proxy Authentication Required", "Proxy-Authenticate", "Proxy-Authorization", realm, nonce, text) if proxy else \
        (401, "Unauthorized", "WWW-Authenticate", "Authorization", realm, nonce, text)


def credentials(rng, given, user, uri, realm=None, nonce=None):
    return (given[3], 'Digest username="%s", realm="%s", nonce="%s", uri="%s", response="%s"' % (user, realm or given[4], nonce or given[5], uri, word(rng, 32)))


def challenged_invite(rng, call, given):
    call.invite()
    if rng.random() < 0.4:
        call.trying()
    call.t = call.response(call.t + 0.003, call.invite_message, given[0], given[1], [(given[2], given[6])])
    call.ack_error()


@case
def wrong_password_invite(rng, tap):
    call = new_call(rng, tap, proxy=False)
    given = challenge(rng)
    challenged_invite(rng, call, given)
    call.invite(extra=[credentials(rng, given, call.a.user, "sip:x@example.net")])
    how = rng.choice(("again", "403"))
    again = challenge(rng, given[4], given[0] == 407)
    call.step()
    call.t = call.response(call.t, call.invite_message, *((again[0], again[1], [(again[2], again[6])]) if how == "again" else (403, rng.choice(("Forbidden", "Bad auth")))))
    call.ack_error()
    later(call, 40)
    return row(call, "WRONG_PASSWORD", "", "NO_CREDENTIALS,CALLER_FORBIDDEN")


@case
def no_credentials_invite(rng, tap):
    call = new_call(rng, tap)
    challenged_invite(rng, call, challenge(rng))
    later(call, rng.uniform(8, 60))
    return row(call, "NO_CREDENTIALS", "", "WRONG_PASSWORD")


# ---- before the answer: without a final response ---------------------------------------------------------------------
@case
def caller_cancelled(rng, tap):
    call = new_call(rng, tap)
    call.invite()
    call.trying()
    rang = rng.random() < 0.8
    if rang:
        call.ring(rng.choice((180, 183)), "Ringing", call.answer_sdp.text() if rng.random() < 0.3 else "")
        call.step(0.5, 25)
    else:
        call.step(0.5, 3)
    cancel(call)
    later(call, rng.uniform(1, 40))
    return row(call, "CALLER_CANCELLED", "", "PROGRESS_TIMEOUT,NO_RESPONSE,NO_ANSWER")


def cancel(call):
    sent = call.invite_message
    t, cancelling = call.request(call.t, True, "CANCEL", cseq=sent["cseq"], branch=sent["branch"], to_tag=False, extra=[])
    t = t + 0.002
    call.response(t, cancelling, 200)
    call.t = call.response(t + 0.003, sent, 487, "Request Terminated")
    call.ack_error()


@case
def progress_timeout(rng, tap):
    call = new_call(rng, tap)
    call.invite()
    call.trying()
    call.t += rng.choice((6, 10, 20, 30, 60)) + rng.random()
    cancel(call)
    return row(call, "PROGRESS_TIMEOUT", "", "NO_RESPONSE,NO_ANSWER")


@case
def no_response(rng, tap):
    call = new_call(rng, tap, proxy=False, transport="UDP")
    if call.where > 0.5:
        call.where = 0.02
    sent = call.invite(drop=0)
    stop = rng.choice((3.6, 7.6, 16, 40))
    call.t = call.repeat(call.t, sent, LADDER_INVITE, until=stop)
    later(call, rng.uniform(5, 40))
    return row(call, "NO_RESPONSE", "", "PEER_408,PROGRESS_TIMEOUT,PEER_ICMP_UNREACHABLE")


@case
def no_response_behind_proxy(rng, tap):
    """The proxy says 100, asks on, and answers 408 itself half a minute later."""
    call = new_call(rng, tap, proxy=True, transport="UDP", links=[0, 1])
    sent = call.invite(drop=1)
    call.invited = call.t
    hop = call.chain[1]
    saved, call.links = call.links, {0}
    call.trying()
    call.links = {1}
    call.repeat(call.t, sent, LADDER_INVITE, until=rng.choice((16, 40)))
    call.links = saved
    call.t += rng.choice((30, 32))
    call.links = {0}
    call.t = call.response(call.t, sent, 408, "Request Timeout", links=1)
    call.ack_error()
    later(call, 5)
    return row(call, "NO_RESPONSE", "", "PROGRESS_TIMEOUT")


ICMP_CODES = ((3, 3), (3, 1), (3, 0), (3, 13), (3, 10), (3, 9))


@case
def peer_icmp_unreachable(rng, tap):
    call = new_call(rng, tap, proxy=False, transport="UDP")
    call.where = 0.02
    six = ":" in call.a.wire[0]
    kind, code = (1, rng.choice((0, 1, 4))) if six else rng.choice(ICMP_CODES)
    sent = call.invite(drop=0)
    ignores = rng.random() < 0.5
    reporter = call.b.wire[0] if code in (3, 4) else public(rng, six)
    steps = LADDER_INVITE if ignores else (0,)
    for step in steps:
        if step:
            call.again(call.t + step, sent)
        tap.icmp(call.t + step + call.delay * 2, reporter, call.a.asks_from, call.b.wire, kind, code)
    call.t += steps[-1] + 1
    later(call, rng.uniform(2, 40))
    return row(call, "PEER_ICMP_UNREACHABLE", "", "NO_RESPONSE,PEER_408")


@case
def prack_missing(rng, tap):
    call = new_call(rng, tap, transport="UDP", proxy=False)
    call.extra_invite.append(("Supported", "100rel"))
    call.invite()
    call.trying()
    reliable = [("Require", "100rel"), ("RSeq", str(rng.randrange(1, 10 ** 6)))]
    body = call.answer_sdp.text() if rng.random() < 0.5 else ""
    at = call.t + 0.5
    for step in (0, .5, 1.5, 3.5, 7.5, 15.5, 31.5):
        call.response(at + step, call.invite_message, 183 if body else 180, "Session Progress" if body else "Ringing", reliable, body)
    call.t = at + 32
    call.t = call.response(call.t, call.invite_message, rng.choice((500, 504)), "PRACK timeout")
    call.ack_error()
    return row(call, "PRACK_MISSING", "", "NO_ACK_FOR_2XX,PEER_SERVER_ERROR")


@case
def response_misrouted(rng, tap):
    """The caller's NAT is not known to its proxy: responses go to the port in Via."""
    a, b = pair(rng, nat=True)
    a.manners.add("norport")
    call = Call(rng, tap, 0, a, b, transport="UDP")
    call.where = 0.98
    sent = call.invite()
    lost = (a.wire[0], a.local[1]) if rng.random() < 0.7 else a.local
    for n, step in enumerate((0, 0.5, 1.5, 3.5, 7.5, 15.5)[:rng.randrange(4, 7)]):
        if step:
            call.again(call.invited + step, sent)
        call.response(call.invited + step + call.delay + 0.004, sent, 100, "Trying", dst=lost)
    call.t += 20
    return row(call, "RESPONSE_MISROUTED", "", "NO_RESPONSE,PROGRESS_TIMEOUT")


@case
def udp_fragment_lost(rng, tap):
    call = new_call(rng, tap, proxy=False, nat=False, six=False, transport="UDP")
    call.where = 0.02
    call.offer.more += ["a=candidate:%d 1 UDP %d 10.0.0.%d %d typ host" % (n, rng.randrange(2 ** 31), n, rng.randrange(1024, 65000)) for n in range(1, 35)]
    ping = Call(rng, tap, -3, call.a, call.b, transport="UDP", delay=call.delay)
    t, sent = ping.request(-3, True, "OPTIONS", to_tag=False)
    ping.response(t, sent, 200)
    behind = rng.random() < 0.5     # the tap stands behind the place that drops the second piece
    sent = call.invite(drop=0)
    if behind:
        tap.frames = [f for f in tap.frames if f[0] < -1]
    for step in LADDER_INVITE:
        if behind:
            tap.udp_pieces(call.t + step, call.a.asks_from, call.b.wire,
                           call.render(call.a, sent["start"], [call.via_of(call.a, sent["branch"])], sent["headers"], sent["body"]), seen=(0,))
        elif step:
            call.again(call.t + step, sent)
    call.t += 32
    later(call, 5)
    return row(call, "UDP_FRAGMENT_LOST", "", "PEER_408,CALLER_CANCELLED")


@case
def routes_exhausted(rng, tap):
    """A B2BUA tries several gateways, each with a Call-ID of its own, and passes the last answer on."""
    call = new_call(rng, tap, proxy=False, nat=False, six=False)
    b2bua = call.b
    call.invite()
    call.trying()
    rows = []
    answers = [(503, "Service Unavailable", "PEER_CONGESTION"), (500, "Internal Server Error", "PEER_SERVER_ERROR"), (502, "Bad Gateway", "PEER_SERVER_ERROR")]
    status, phrase = 503, "Service Unavailable"
    for n in range(rng.randrange(2, 4)):
        side = Party(rng, b2bua.local[0], style=None, port=b2bua.local[1])
        side.user = call.a.user
        far = Party(rng, public(rng))
        leg = Call(rng, tap, call.t, side, far, transport="UDP")
        leg.request_user = call.b.user
        status, phrase, code = rng.choice(answers)
        leg.fail(status, phrase)
        rows += row(leg, code, "ROUTES_EXHAUSTED")
        call.t = leg.t
    call.t = call.response(call.t, call.invite_message, status, phrase)
    call.ack_error()
    return rows + row(call, "ROUTES_EXHAUSTED", "PEER_CONGESTION,PEER_SERVER_ERROR")


@case
def srtp_mismatch(rng, tap):
    call = new_call(rng, tap)
    call.offer.profile = rng.choice(("RTP/SAVP", "RTP/SAVPF"))
    call.offer.crypto = word(rng, 40)
    call.fail(488, "Not Acceptable Here", [("Warning", '302 x "incompatible transport protocol"')] if rng.random() < 0.3 else [])
    return row(call, "SRTP_MISMATCH", "CODEC_MISMATCH")


@case
def routing_loop_seen(rng, tap):
    """Two proxies that point at each other: the request passes by again and again."""
    a, b = pair(rng, nat=False)
    call = Call(rng, tap, 0, a, b, transport="UDP")
    sent = call.invite()
    vias = [call.via_of(a, sent["branch"])]
    other = Party(rng, public(rng, ":" in a.local[0]), manners="")
    hops = rng.choice((10, 20, 70))
    t = call.t
    for n in range(hops - 1, 0, -1):
        src, dst = ((b, other), (other, b))[(hops - n) % 2 == 0]
        vias = [call.via_of(src, word(rng, 10))] + vias
        headers = [(k, str(n) if k == "Max-Forwards" else v) for k, v in sent["headers"]]
        if len(vias) < 12 or rng.random() < 0.5:
            tap.udp(t, src.wire, dst.wire, call.render(a, sent["start"], vias[:12], headers, sent["body"]))
        t += 0.004
    call.t = t
    call.t = call.response(t, sent, 483, "Too Many Hops")
    call.ack_error()
    return row(call, "ROUTING_LOOP", "", "MAX_FORWARDS_LOW")


# ---- registrations ------------------------------------------------------------------------------------------------------
class Registration:
    def __init__(self, rng, tap, nat=None):
        a, b = pair(rng, nat=nat)
        self.rng, self.call = rng, Call(rng, tap, 0, a, b, transport="TCP" if rng.random() < 0.15 else "UDP")
        self.call.request_user = a.user
        self.call.call_id = a.make_call_id(rng, a.local[0])
        self.expires = rng.choice((60, 300, 3600))

    @property
    def call_id(self):
        return self.call.call_id

    def send(self, extra=(), drop=None):
        call = self.call
        extra = [("Contact", call.a.contact()), ("Expires", str(self.expires))] + list(extra)
        t, self.sent = call.request(call.t, True, "REGISTER", extra=extra, to_tag=False, uri="sip:" + call.domain, drop=drop)
        call.t = t or call.t

    def answer(self, status, phrase="OK", extra=(), **more):
        call = self.call
        call.step(0.002, 0.03)
        if status == 200:
            extra = list(extra) + [("Contact", call.a.contact() + ";expires=%d" % self.expires)]
        call.t = call.response(call.t, self.sent, status, phrase, extra, **more)

    def challenged(self, **more):
        given = challenge(self.rng, **more)
        self.answer(given[0], given[1], [(given[2], given[6])])
        return given

    def with_credentials(self, given, **more):
        self.call.step()
        self.send([credentials(self.rng, given, self.call.a.user, "sip:" + self.call.domain, **more)])


@case
def reg_wrong_password(rng, tap):
    r = Registration(rng, tap)
    realm = "pbx.example.org"
    rounds = rng.choice((1, 1, 3, 10))
    proxy = rng.random() < 0.3
    r.send()
    given = r.challenged(realm=realm, proxy=proxy)
    for n in range(rounds):
        r.with_credentials(given)
        if n + 1 == rounds and rng.random() < 0.5:
            r.answer(403, rng.choice(("Forbidden", "Wrong password", "Forbidden (Bad auth)")))
        else:
            given = r.challenged(realm=realm, proxy=proxy)
    later(r.call, rng.uniform(5, 60))
    return row(r, "WRONG_PASSWORD", "REG_USER_UNKNOWN", "NO_CREDENTIALS,REG_FORBIDDEN,SIP_SCAN,AUTH_NONCE_STALE")


@case
def reg_no_credentials(rng, tap):
    r = Registration(rng, tap)
    for _ in range(rng.randrange(1, 5)):
        r.send()
        r.challenged(realm="x", proxy=False)
        r.call.t += rng.uniform(1, 20)
    later(r.call, rng.uniform(6, 60))
    return row(r, "NO_CREDENTIALS", "", "WRONG_PASSWORD,REG_FORBIDDEN")


@case
def auth_realm_mismatch(rng, tap):
    r = Registration(rng, tap)
    r.send()
    given = r.challenged(realm="pbx.example.org", proxy=False)
    r.with_credentials(given, realm="other.example.com")
    if rng.random() < 0.5:
        r.answer(403, "Forbidden")
    else:
        r.challenged(realm="pbx.example.org", proxy=False)
    later(r.call, 40)
    return row(r, "AUTH_REALM_MISMATCH", "", "NO_CREDENTIALS")


@case
def auth_nonce_stale(rng, tap):
    r = Registration(rng, tap)
    r.send()
    given = r.challenged(realm="pbx", proxy=False)
    for _ in range(rng.randrange(3, 6)):
        r.with_credentials(given)
        given = r.challenged(realm="pbx", proxy=False, stale=True)
    later(r.call, rng.uniform(10, 40))
    return row(r, "AUTH_NONCE_STALE", "", "WRONG_PASSWORD,NO_CREDENTIALS")


@case
def auth_algorithm_unsupported(rng, tap):
    r = Registration(rng, tap)
    algorithm = rng.choice(("SHA-256", "SHA-512-256"))
    r.send()
    given = r.challenged(realm="pbx", proxy=False, algorithm=algorithm)
    r.with_credentials(given)
    r.challenged(realm="pbx", proxy=False, algorithm=algorithm)
    later(r.call, 40)
    return row(r, "AUTH_ALGORITHM_UNSUPPORTED", "", "NO_CREDENTIALS")


@case
def reg_no_response(rng, tap):
    r = Registration(rng, tap)
    r.call.transport = "UDP"
    r.call.where = 0.02
    r.send(drop=0)
    r.call.t = r.call.repeat(r.call.t, r.sent, LADDER, until=rng.choice((4, 8, 40)))
    later(r.call, rng.uniform(1, 40))
    return row(r, "REG_NO_RESPONSE", "", "PEER_ICMP_UNREACHABLE")


@case
def reg_icmp(rng, tap):
    r = Registration(rng, tap)
    r.call.transport, r.call.where = "UDP", 0.02
    r.send(drop=0)
    six = ":" in r.call.a.wire[0]
    tap.icmp(r.call.t + 0.05, r.call.b.wire[0], r.call.a.asks_from, r.call.b.wire, *((1, 4) if six else (3, 3)))
    later(r.call, 5)
    return row(r, "PEER_ICMP_UNREACHABLE", "", "REG_NO_RESPONSE")


REG_ANSWERS = (
    ("REG_FORBIDDEN", "", (403, "Forbidden"), (403, "Domain not served here")), ("REG_USER_UNKNOWN", "", (404, "Not Found"), (404, "User unknown")),
    ("REG_REFUSED_5XX", "", (503, "Service Unavailable"), (500, "Server Internal Error"), (504, "Timeout")), ("REG_INTERVAL_TOO_BRIEF", "", (423, "Interval Too Brief"), (423, "Too short")),
    ("PEER_REJECTED", "REG_FORBIDDEN", (405, "Method Not Allowed"), (480, "Unavailable"), (603, "Decline")),
)


def registration_with(code, accepted, variants):
    def make(rng, tap):
        r = Registration(rng, tap)
        for _ in range(rng.randrange(1, 4)):
            r.send()
            r.answer(*rng.choice(variants), extra=[("Min-Expires", "7200")] if code == "REG_INTERVAL_TOO_BRIEF" else [])
            r.call.t += rng.uniform(5, 30)
        later(r.call, 20)
        return row(r, code, accepted, "WRONG_PASSWORD,NO_CREDENTIALS")
    make.__name__ = "reg_" + code.lower()
    return make


for spec in REG_ANSWERS:
    case(registration_with(spec[0], spec[1], spec[2:]))


@case
def reg_contact_private(rng, tap):
    """The registrar calls the address in Contact, which is behind the phone's NAT."""
    r = Registration(rng, tap, nat=True)
    r.call.transport = "UDP"
    r.call.where = 0.98
    r.send()
    r.answer(200)
    server = Party(rng, r.call.b.local[0], port=r.call.b.local[1])
    phone = Party(rng, r.call.a.local[0], port=r.call.a.local[1])
    call = Call(rng, tap, r.call.t + rng.uniform(2, 20), server, phone, transport="UDP")
    call.where = 0.02
    sent = call.invite(drop=0)
    call.t = call.repeat(call.t, sent, LADDER_INVITE, until=rng.choice((8, 16, 40)))
    later(call, 35)
    return row(call, "REG_CONTACT_PRIVATE", "NO_RESPONSE", "PEER_408")


# ---- after the answer: the ACK ---------------------------------------------------------------------------------------
def repeat_answer(call, until=32.0, **more):
    for step in LADDER[1:]:
        if step < until:
            call.response(call.answered + step, *call.answer_args, **more)


def short_media(call, seconds):
    """Audio both ways all the time, in few packets."""
    call.ptime = 40 if call.codec not in ("GSM", "iLBC", "opus") else 20
    for by_a in (True, False):
        call.audio(by_a, call.answered + 0.1, call.answered + seconds)


@case
def no_ack_for_2xx(rng, tap):
    call = new_call(rng, tap, proxy=False)
    if call.transport == "TCP" or rng.random() < 0.6:
        call.where = 0.98
    call.invite()
    call.trying()
    call.ring()
    call.answer()
    repeat_answer(call)
    if rng.random() < 0.7:
        short_media(call, 32)
    call.t = call.answered + rng.uniform(31.9, 32.3)
    if rng.random() < 0.85:
        call.bye(False, [("Reason", rng.choice(("SIP;cause=408", 'SIP;cause=200;text="User hung up"')))] if rng.random() < 0.3 else [], answered=rng.random() < 0.5)
    later(call, rng.uniform(2, 60))
    return row(call, "NO_ACK_FOR_2XX", "", "SESSION_TIMER_EXPIRED,ACK_MISROUTED,BYE_UNDELIVERED,EARLY_BYE,MEDIA_LOST_MIDCALL")


@case
def ack_misrouted(rng, tap):
    """The called side's Contact cannot be reached from the caller's."""
    call = new_call(rng, tap, proxy=False, nat=False, six=False, transport="UDP")
    call.where = rng.choice((0.02, 0.5))
    wrong = (private(rng), call.b.local[1])
    call.b.local = wrong
    call.invite()
    call.trying()
    call.ring()
    call.answer()
    acked = call.t + 0.005
    for step in (0,) + LADDER[1:]:
        if step:
            call.response(call.answered + step, *call.answer_args)
        call.request(acked + step, True, "ACK", cseq=call.invite_message["cseq"], dst=wrong, branch="ack1")
    if rng.random() < 0.5:
        short_media(call, 32)
    call.t = call.answered + 32.05
    call.bye(False)
    return row(call, "ACK_MISROUTED", "CONTACT_UNREACHABLE", "NO_ACK_FOR_2XX,SESSION_TIMER_EXPIRED")


@case
def answer_lost(rng, tap):
    """The caller goes on asking, or hangs up as if it rang: the answer does not reach it."""
    call = new_call(rng, tap, proxy=False, transport="UDP")
    call.where = 0.98
    sent = call.invite()
    asks_on = rng.random() < 0.5
    if not asks_on:
        call.trying()
        call.ring()
    call.answer()
    repeat_answer(call)
    if asks_on:
        for step in LADDER_INVITE[1:]:
            if call.invited + step > call.answered:
                call.again(call.invited + step, sent)
    else:
        t, c = call.request(call.answered + rng.uniform(5, 20), True, "CANCEL", cseq=sent["cseq"], branch=sent["branch"], to_tag=False)
        call.response(t, c, 200)
    call.t = call.answered + 32
    call.bye(False, answered=False)
    return row(call, "ANSWER_LOST", "", "NO_ACK_FOR_2XX,SESSION_TIMER_EXPIRED,CANCEL_ANSWER_RACE")


@case
def fork_second_200_unacked(rng, tap):
    call = new_call(rng, tap, proxy=False, transport="UDP")
    call.set_up()
    first, other = call.tag_b, call.b.make_tag(rng)
    second = rng.uniform(0.05, 1)
    call.b.session += 1
    body = call.answer_sdp.text()
    for step in LADDER:
        call.response(call.answered + second + step, call.invite_message, 200, "OK", [], body, to_tag=other)
    call.t = call.acked
    call.talk(rng.uniform(33, 36), ptime=40 if call.codec not in ("GSM", "iLBC", "opus") else 20)
    call.bye()
    return row(call, "FORK_SECOND_200_UNACKED", "", "NO_ACK_FOR_2XX,SESSION_TIMER_EXPIRED")


@case
def cancel_answer_race(rng, tap):
    call = new_call(rng, tap, proxy=False)
    call.invite()
    call.trying()
    call.ring()
    call.answer()
    sent = call.invite_message
    at = call.answered - rng.uniform(0, call.delay) * 0.9
    t, cancelling = call.request(at, True, "CANCEL", cseq=sent["cseq"], branch=sent["branch"], to_tag=False)
    call.response(max(t, call.answered + 0.001), cancelling, rng.choice((200, 481)), "OK")
    call.ack()
    call.step(0.001, 0.05)
    call.bye(True)
    return row(call, "CANCEL_ANSWER_RACE", "", "EARLY_BYE,ANSWER_LOST,CALLER_CANCELLED")


# ---- after the answer: within the dialogue ------------------------------------------------------------------------------
@case
def contact_unreachable(rng, tap):
    """BYE of the called side goes to the caller's private Contact."""
    call = new_call(rng, tap, proxy=False, nat=True, transport="UDP")
    call.where = 0.98
    call.set_up()
    call.talk(rng.uniform(3, 8))
    sent = call.bye(False, answered=False, dst=call.a.local, drop=0)
    call.repeat(call.t, sent)
    call.t += 32
    later(call, 5)
    return row(call, "CONTACT_UNREACHABLE", "BYE_UNDELIVERED", "SESSION_TIMER_EXPIRED")


@case
def contact_ignored(rng, tap):
    call = new_call(rng, tap, proxy=False, nat=False, transport="UDP")
    call.a.local = call.a.wire = (call.a.local[0], rng.randrange(6000, 60000))
    call.where = 0.98
    call.set_up()
    call.talk(rng.uniform(3, 8))
    sent = call.bye(False, answered=False, dst=(call.a.local[0], 5060), drop=0)
    call.repeat(call.t, sent)
    call.t += 32
    later(call, 5)
    return row(call, "CONTACT_IGNORED", "BYE_UNDELIVERED", "CONTACT_UNREACHABLE")


@case
def bye_undelivered(rng, tap):
    call = new_call(rng, tap, proxy=False, nat=False, transport="UDP")
    by_a = rng.random() < 0.5
    call.where = 0.02 if by_a else 0.98
    call.set_up()
    call.talk(rng.uniform(3, 8))
    end = call.t
    if rng.random() < 0.6:
        call.audio(not by_a, end, end + 20)
    sent = call.bye(by_a, answered=False, drop=0)
    call.repeat(end, sent)
    call.t = end + 32
    later(call, 5)
    return row(call, "BYE_UNDELIVERED", "", "CONTACT_UNREACHABLE,SESSION_TIMER_EXPIRED")


@case
def dialog_lost_at_peer(rng, tap):
    call = new_call(rng, tap)
    call.set_up()
    call.talk(rng.uniform(3, 9))
    by_a = rng.random() < 0.5
    sent = call.bye(by_a, answered=False)
    call.t = call.response(call.t + call.delay * 3 + 0.01, sent, 481, "Call/Transaction Does Not Exist")
    later(call, 3)
    return row(call, "DIALOG_LOST_AT_PEER", "", "DIALOG_TAG_MISMATCH")


@case
def dialog_tag_mismatch(rng, tap):
    call = new_call(rng, tap)
    call.set_up()
    call.talk(rng.uniform(3, 9))
    by_a = rng.random() < 0.5
    own, other = (call.tag_a, call.tag_b) if by_a else (call.tag_b, call.tag_a)
    tags = (own, other[:-2] + "zz") if rng.random() < 0.5 else (own, word(rng, 8))
    sent = call.bye(by_a, answered=False, tags=tags)
    call.t = call.response(call.t + call.delay * 3 + 0.01, sent, 481, "Dialog unknown")
    later(call, 3)
    return row(call, "DIALOG_TAG_MISMATCH", "", "DIALOG_LOST_AT_PEER")


@case
def indialog_misrouted(rng, tap):
    call = new_call(rng, tap, proxy=True)
    call.set_up()
    call.talk(rng.uniform(3, 9))
    t, sent = call.request(call.t, True, rng.choice(("BYE", "INVITE")), body=call.offer.text())
    sent["other"] = call.tag_b
    call.t = call.response(t, sent, 404, "Not here")
    if sent["method"] == "INVITE":
        call.ack_error(sent, call.tag_b)
        call.step(0.5, 1)
        call.bye(True)
    later(call, 3)
    return row(call, "INDIALOG_MISROUTED", "", "NUMBER_UNALLOCATED,CALLER_FORBIDDEN")


def reoffer(call, by_a):
    party, sdp = (call.a, call.offer) if by_a else (call.b, call.answer_sdp)
    party.version += 1
    return sdp.text()


@case
def glare_not_retried(rng, tap):
    call = new_call(rng, tap)
    call.set_up()
    call.talk(rng.uniform(3, 9))
    t = call.t
    ta, sa = call.request(t, True, "INVITE", body=reoffer(call, True))
    tb, sb = call.request(t + call.delay * 0.3, False, "INVITE", body=reoffer(call, False))
    for when, sent in ((ta, sa), (tb, sb)):
        call.t = call.response(when + 0.002, sent, 491, "Request Pending")
        call.ack_error(sent, sent["other"])
    if rng.random() < 0.6:
        call.step(0.1, 1.5)
    else:
        call.talk(14)
    call.bye()
    later(call, 3)
    return row(call, "GLARE_NOT_RETRIED", "", "REINVITE_REJECTED")


def timer(call, rng, seconds=None, refresher=None):
    seconds = seconds or rng.choice((90, 120, 180))
    refresher = refresher or rng.choice(("uac", "uas"))
    call.session = {"ask": str(seconds), "agree": "%d;refresher=%s" % (seconds, refresher), "seconds": seconds, "by_a": refresher == "uac",
                    "refresh": "%d;refresher=uac" % seconds}      # who asks is the client of that exchange (RFC 4028 7.4)
    return call.session


@case
def session_refresh_rejected(rng, tap):
    call = new_call(rng, tap, proxy=False)
    s = timer(call, rng)
    call.set_up()
    call.t = call.acked + s["seconds"] / 2
    method = rng.choice(("INVITE", "UPDATE"))
    party, sdp = (call.a, call.offer) if s["by_a"] else (call.b, call.answer_sdp)
    body = sdp.text() if method == "INVITE" or rng.random() < 0.3 else ""
    call.exchange(s["by_a"], method, *rng.choice(((488, "Not Acceptable Here"), (500, "Server Error"), (405, "Method Not Allowed"), (403, "Forbidden"))),
                  extra=[("Session-Expires", s["refresh"])], body=body)
    call.step(0.05, 2)
    call.bye(s["by_a"])
    return row(call, "SESSION_REFRESH_REJECTED", "REINVITE_REJECTED,INDIALOG_MISROUTED", "SESSION_TIMER_EXPIRED,NO_ACK_FOR_2XX")


@case
def session_refresh_unanswered(rng, tap):
    call = new_call(rng, tap, proxy=False, nat=False, transport="UDP")
    s = timer(call, rng)
    call.where = 0.02 if s["by_a"] else 0.98
    call.set_up()
    call.t = call.acked + s["seconds"] / 2
    method = rng.choice(("INVITE", "UPDATE"))
    sdp = call.offer if s["by_a"] else call.answer_sdp
    t, sent = call.request(call.t, s["by_a"], method, extra=[("Session-Expires", s["refresh"])], body=sdp.text() if method == "INVITE" else "", drop=0)
    call.repeat(call.t, sent, LADDER_INVITE if method == "INVITE" else LADDER)
    call.t += 32
    bye = call.bye(s["by_a"], answered=False, drop=0)
    call.repeat(call.t, bye)
    call.t += 32
    later(call, 3)
    return row(call, "SESSION_REFRESH_UNANSWERED", "BYE_UNDELIVERED", "SESSION_TIMER_EXPIRED,NO_ACK_FOR_2XX")


@case
def session_timer_expired(rng, tap):
    call = new_call(rng, tap)
    s = timer(call, rng)
    call.set_up()
    seconds = s["seconds"]
    base = call.acked
    if rng.random() < 0.4:
        call.t = base + seconds / 2
        call.exchange(s["by_a"], "UPDATE", extra=[("Session-Expires", s["refresh"])], answer_extra=[("Session-Expires", s["refresh"]), ("Require", "timer")])
        base = call.t
    call.t = base + seconds - min(32, seconds / 3) + rng.uniform(-0.3, 0.5)
    call.bye(not s["by_a"], [("Reason", 'SIP;cause=408;text="Session timer expired"')] if rng.random() < 0.3 else [])
    return row(call, "SESSION_TIMER_EXPIRED", "", "NO_ACK_FOR_2XX,MEDIA_LOST_MIDCALL")


@case
def reinvite_rejected(rng, tap):
    call = new_call(rng, tap)
    call.set_up()
    call.talk(rng.uniform(2, 8))
    by_a = rng.random() < 0.5
    body = reoffer(call, by_a)
    call.exchange(by_a, "INVITE", *rng.choice(((488, "Not Acceptable Here"), (500, "Error"), (415, "Unsupported"))), body=body)
    call.step(0.02, 2)
    call.bye()
    return row(call, "REINVITE_REJECTED", "", "SESSION_REFRESH_REJECTED,CODEC_MISMATCH")


@case
def peer_hangup_with_cause(rng, tap):
    call = new_call(rng, tap)
    call.set_up()
    call.talk(rng.uniform(4, 9))
    call.bye(extra=q850(rng.choice((38, 41, 47, 102, 127)), rng.choice(("", "fault"))))
    return row(call, "PEER_HANGUP_WITH_CAUSE", "MEDIA_LOST_MIDCALL", "EARLY_BYE")


@case
def early_bye(rng, tap):
    call = new_call(rng, tap)
    call.set_up()
    call.step(0.05, 0.6)
    call.bye()
    return row(call, "EARLY_BYE", "", "CANCEL_ANSWER_RACE,NO_INBOUND_MEDIA")


@case
def hung_up_at_once_with_cause(rng, tap):
    call = new_call(rng, tap)
    call.set_up()
    call.step(0.05, 0.6)
    call.bye(extra=q850(rng.choice((47, 65, 79, 127))))
    return row(call, "EARLY_BYE", "PEER_HANGUP_WITH_CAUSE", "CANCEL_ANSWER_RACE")


def bridge(rng, tap):
    """Both legs of a B2BUA, set up as far as its second INVITE."""
    left = new_call(rng, tap, proxy=False, six=False, transport="UDP")
    left.invite()
    left.trying()
    middle = Party(rng, left.b.local[0], port=left.b.local[1])
    middle.user = left.a.user
    right = Call(rng, tap, left.t + 0.01, middle, Party(rng, public(rng)), transport="UDP")
    right.request_user = rng.choice((left.request_user, "00" + left.request_user, left.request_user[1:]))
    return left, right


@case
def refused_behind_b2bua(rng, tap):
    left, right = bridge(rng, tap)
    status, phrase, code = rng.choice(((486, "Busy Here", "USER_BUSY"), (404, "Not Found", "NUMBER_UNALLOCATED"), (503, "Service Unavailable", "PEER_CONGESTION"),
                                       (488, "Not Acceptable Here", "CODEC_MISMATCH"), (603, "Decline", "USER_DECLINED"), (484, "Address Incomplete", "ADDRESS_INCOMPLETE")))
    right.fail(status, phrase)
    left.t = right.t + 0.002
    left.t = left.response(left.t, left.invite_message, status, phrase)
    left.ack_error()
    later(left, rng.choice((1, 40)))
    return row(left, code, "", "ROUTES_EXHAUSTED") + row(right, code, "", "ROUTES_EXHAUSTED")


@case
def silence_behind_b2bua(rng, tap):
    left, right = bridge(rng, tap)
    right.where = 0.02
    sent = right.invite(drop=0)
    stop = rng.choice((8, 16, 40))
    right.t = right.repeat(right.t, sent, LADDER_INVITE, until=stop) + 0.5
    left.t = right.t
    left.t = left.response(left.t, left.invite_message, rng.choice((408, 503, 480)), "Timeout")
    left.ack_error()
    later(left, rng.choice((1, 40)))
    return row(right, "NO_RESPONSE", "", "PEER_ICMP_UNREACHABLE") + \
        row(left, "PEER_408", "PEER_CONGESTION,USER_UNAVAILABLE,NO_RESPONSE", "ROUTES_EXHAUSTED,CALLER_CANCELLED")


@case
def no_ack_behind_b2bua(rng, tap):
    """The called side's answer is acknowledged, the B2BUA's is not."""
    left, right = bridge(rng, tap)
    left.where = 0.98
    right.invite()
    right.trying()
    right.ring()
    right.answer()
    right.ack()
    left.t = right.t
    left.answer()
    repeat_answer(left)
    left.t = left.answered + 32
    left.bye(False, answered=rng.random() < 0.5)
    right.t = left.t
    right.bye(True)
    return row(left, "NO_ACK_FOR_2XX", "", "SESSION_TIMER_EXPIRED") + row(right, "NORMAL", "", "NO_ACK_FOR_2XX")


@case
def no_ack_and_the_file_ends(rng, tap):
    call = new_call(rng, tap, proxy=False, transport="UDP")
    call.where = 0.98
    call.invite()
    call.trying()
    call.ring()
    call.answer()
    repeat_answer(call, until=rng.choice((12, 16, 24)))
    return row(call, "NO_ACK_FOR_2XX", "CAPTURE_INCOMPLETE,ANSWER_LOST", "ACK_MISROUTED")


@case
def alg_mangled(rng, tap):
    """A router wrote its address into c= and some headers, and left o= and Content-Length."""
    call = new_call(rng, tap, proxy=False, nat=True, six=False, transport="UDP")
    call.where = 0.98
    body = call.offer.text()
    sent = call.invite()
    tap.frames.clear()
    new = body.replace("c=IN IP4 " + call.a.local[0], "c=IN IP4 " + call.a.wire[0])
    if len(new) == len(body):
        new += "a=alg\r\n"
    text = call.render(call.a, sent["start"], [call.via_of(call.a, sent["branch"])], sent["headers"], body).decode()
    call.tap.udp(call.invited + call.delay, call.a.wire, call.b.wire, text.replace(body, new).encode())
    call.t = call.response(call.invited + call.delay + 0.01, sent, 400, "Bad Request")
    call.ack_error()
    return row(call, "ALG_MANGLED", "BODY_LENGTH_MISMATCH,PEER_400", "NO_RESPONSE")


# ---- media ---------------------------------------------------------------------------------------------------------------
def media_call(rng, tap, **more):
    more.setdefault("proxy", False)
    call = new_call(rng, tap, **more)
    return call


@case
def private_media_address(rng, tap):
    """The called side sends to the address in the caller's SDP, behind a NAT; or the other way round."""
    call = media_call(rng, tap, nat=True)
    call.where = 0.98
    call.set_up()
    start = call.t
    seconds = rng.uniform(5, 12)
    call.audio(True, start, start + seconds)
    call.audio(False, start, start + seconds, dst=call.a.rtp_local)
    call.t = start + seconds
    call.bye()
    return row(call, "PRIVATE_MEDIA_ADDRESS", "", "MEDIA_INBOUND_BLOCKED,NO_INBOUND_MEDIA,MEDIA_WRONG_DESTINATION")


@case
def private_media_address_of_callee(rng, tap):
    call = media_call(rng, tap, nat=False, six=False)
    inside = private(rng)
    call.b.rtp_local = (inside, call.b.rtp_local[1])
    call.answer_sdp.host = inside
    call.where = 0.02
    call.set_up()
    start, seconds = call.t, rng.uniform(5, 12)
    call.audio(False, start, start + seconds)
    call.audio(True, start, start + seconds, dst=call.b.rtp_local)
    call.t = start + seconds
    call.bye()
    if call.a.local[0].startswith(("10.", "192.168.", "172.")):
        return row(call, "NORMAL", "PRIVATE_MEDIA_ADDRESS,UNKNOWN")
    return row(call, "PRIVATE_MEDIA_ADDRESS", "", "MEDIA_INBOUND_BLOCKED")


@case
def alg_partial_rewrite(rng, tap):
    """A router rewrote Contact and Via, and not the SDP."""
    call = media_call(rng, tap, nat=True)
    call.a.local = call.a.wire
    call.where = 0.98
    call.set_up()
    start, seconds = call.t, rng.uniform(5, 12)
    call.audio(True, start, start + seconds)
    call.audio(False, start, start + seconds, dst=call.a.rtp_local)
    call.t = start + seconds
    call.bye()
    return row(call, "ALG_PARTIAL_REWRITE", "PRIVATE_MEDIA_ADDRESS", "MEDIA_INBOUND_BLOCKED,NO_INBOUND_MEDIA")


@case
def media_direction_stuck(rng, tap):
    call = media_call(rng, tap)
    call.set_up()
    call.talk(3)
    call.a.version += 1
    call.offer.way, call.answer_sdp.way = "sendonly", "recvonly"
    call.b.version += 1
    call.exchange(True, "INVITE", body=call.offer.text(), answer_body=call.answer_sdp.text())
    call.t += rng.uniform(3, 8)
    call.a.version += 1
    call.offer.way = "sendrecv"
    call.answer_sdp.way = rng.choice(("recvonly", "inactive"))
    call.exchange(True, "INVITE", body=call.offer.text(), answer_body=call.answer_sdp.text())
    start = call.t
    if call.answer_sdp.way == "recvonly":
        call.audio(True, start, start + 8)
    call.t = start + 8
    call.bye()
    return row(call, "MEDIA_DIRECTION_STUCK", "", "MEDIA_LOST_MIDCALL,NO_INBOUND_MEDIA")


@case
def media_lost_midcall(rng, tap):
    call = media_call(rng, tap)
    call.set_up()
    start = call.t
    gone = rng.uniform(4, 8)
    silence = rng.choice((20, 30))
    which = rng.choice(("both", "a", "b"))
    for by_a in (True, False):
        stays = which != "both" and (which == "a") != by_a
        call.audio(by_a, start, start + (gone + silence if stays else gone + rng.random() * 0.1))
    call.t = start + gone + silence
    call.bye(None if which == "both" else which != "a", [("Reason", rng.choice(('SIP;cause=408;text="RTP timeout"', 'Q.850;cause=38;text="Media timeout"', 'SIP;text="No RTP received"')))])
    return row(call, "MEDIA_LOST_MIDCALL", "MEDIA_TIMEOUT_BY_PEER", "NO_ACK_FOR_2XX,SESSION_TIMER_EXPIRED")


@case
def media_inbound_blocked(rng, tap):
    """RTCP of the side that is not heard counts what it sent."""
    call = media_call(rng, tap, nat=False)
    by_a = rng.random() < 0.5        # who is heard
    call.where = 0.02 if by_a else 0.98
    call.set_up()
    start, seconds = call.t, rng.uniform(9, 15)
    call.audio(by_a, start, start + seconds)
    for k in range(1, int(seconds / 4)):
        call.rtcp(not by_a, start + 4 * k, 200 * k)
        call.rtcp(by_a, start + 4 * k + 0.3, 200 * k)
    call.t = start + seconds
    call.bye()
    return row(call, "MEDIA_INBOUND_BLOCKED", "NO_INBOUND_MEDIA", "PRIVATE_MEDIA_ADDRESS,MEDIA_NOT_SENT")


@case
def no_inbound_media(rng, tap):
    call = media_call(rng, tap, nat=False)
    by_a = rng.random() < 0.5
    call.where = 0.02 if by_a else 0.98
    call.set_up()
    start, seconds = call.t, rng.uniform(20, 31)
    call.audio(by_a, start, start + seconds)
    call.t = start + seconds
    call.bye(by_a, [("Reason", rng.choice(('SIP;cause=408;text="RTP timeout"', 'SIP;text="No media received"')))])
    return row(call, "NO_INBOUND_MEDIA", "MEDIA_TIMEOUT_BY_PEER,MEDIA_LOST_MIDCALL", "MEDIA_INBOUND_BLOCKED,NO_ACK_FOR_2XX")


@case
def media_late(rng, tap):
    call = media_call(rng, tap)
    call.set_up()
    start = call.t
    call.audio(True, start, start + 12)
    call.audio(False, start + rng.uniform(1.5, 5), start + 12)
    call.t = start + 12
    call.bye()
    return row(call, "MEDIA_LATE", "", "NO_INBOUND_MEDIA,MEDIA_LOST_MIDCALL")


@case
def srtp_not_applied(rng, tap):
    call = media_call(rng, tap)
    call.codec = rng.choice(("PCMU", "PCMA"))
    call.offer = Sdp(rng, call.a, [call.codec], 101, 20, profile="RTP/SAVP")
    call.answer_sdp = Sdp(rng, call.b, [call.codec], 101, 20, profile="RTP/SAVP")
    call.offer.crypto = call.answer_sdp.crypto = word(rng, 40)
    call.ptime = 20
    call.set_up()
    start = call.t
    plain = rng.random() < 0.5
    for by_a in (True, False):
        call.audio(by_a, start, start + 6, tag=0 if by_a == plain else rng.choice((4, 10)))
    call.t = start + 6
    call.bye()
    return row(call, "SRTP_NOT_APPLIED")


@case
def media_pt_not_negotiated(rng, tap):
    call = media_call(rng, tap)
    call.codec = rng.choice(("PCMU", "PCMA", "GSM"))
    call.ptime = 20
    call.offer = Sdp(rng, call.a, [call.codec], 101)
    call.answer_sdp = Sdp(rng, call.b, [call.codec], 101)
    wrong = rng.choice([c for c in ("PCMU", "PCMA", "GSM", "G729") if c != call.codec])
    call.set_up()
    start, bad = call.t, rng.random() < 0.5
    for by_a in (True, False):
        if by_a == bad:
            call.audio(by_a, start, start + 6, codec=wrong)
        else:
            call.audio(by_a, start, start + 6)
    call.t = start + 6
    call.bye()
    return row(call, "MEDIA_PT_NOT_NEGOTIATED")


@case
def media_silent_payload(rng, tap):
    call = media_call(rng, tap)
    call.codec = rng.choice(("PCMU", "PCMA"))
    call.ptime = rng.choice((10, 20, 30))
    call.offer = Sdp(rng, call.a, [call.codec], 101, call.ptime)
    call.answer_sdp = Sdp(rng, call.b, [call.codec], 101, call.ptime)
    value = rng.choice((b"\xff", b"\x7f")) if call.codec == "PCMU" else rng.choice((b"\xd5", b"\x55"))
    call.set_up()
    start, mute = call.t, rng.random() < 0.5
    for by_a in (True, False):
        call.audio(by_a, start, start + 8, payload=(lambda n, size: value * size) if by_a == mute else None)
    call.t = start + 8
    call.bye()
    return row(call, "MEDIA_SILENT_PAYLOAD", "", "NO_INBOUND_MEDIA")


@case
def media_loss(rng, tap):
    call = media_call(rng, tap)
    call.set_up()
    start, share, which = call.t, rng.uniform(0.025, 0.15), rng.random() < 0.5
    for by_a in (True, False):
        call.audio(by_a, start, start + rng.uniform(12, 16), lose=(lambda n, at: rng.random() < share) if by_a == which else None)
    call.t = start + 16
    call.bye()
    return row(call, "MEDIA_LOSS", "MEDIA_LOSS_BURST" if share > 0.1 else "", "MEDIA_JITTER,CAPTURE_INCOMPLETE")


@case
def media_loss_burst(rng, tap):
    call = media_call(rng, tap)
    call.set_up()
    start, which = call.t, rng.random() < 0.5
    holes = [(a, a + rng.uniform(0.008, 0.03)) for a in (rng.uniform(0.1, 0.85) for _ in range(4))]
    for by_a in (True, False):
        call.audio(by_a, start, start + 16, lose=(lambda n, at: any(a < at < b for a, b in holes)) if by_a == which else None)
    call.t = start + 16
    call.bye()
    return row(call, "MEDIA_LOSS_BURST", "MEDIA_LOSS", "MEDIA_JITTER,CAPTURE_INCOMPLETE")


@case
def media_jitter(rng, tap):
    call = media_call(rng, tap)
    call.set_up()
    start, which = call.t, rng.random() < 0.5
    wide = rng.uniform(0.12, 0.3)
    for by_a in (True, False):
        call.audio(by_a, start, start + 15, jitter=wide if by_a == which else 0.002)
    call.t = start + 15
    call.bye()
    return row(call, "MEDIA_JITTER", "MEDIA_REORDER_DUPLICATE", "MEDIA_LOSS,MEDIA_LOSS_BURST,MEDIA_CLOCK_SKEW")


@case
def media_clock_skew(rng, tap):
    call = media_call(rng, tap)
    call.set_up()
    start, which = call.t, rng.random() < 0.5
    skew = rng.choice((-1, 1)) * rng.uniform(0.01, 0.05)
    for by_a in (True, False):
        call.audio(by_a, start, start + 20, skew=skew if by_a == which else 0.0)
    call.t = start + 20
    call.bye()
    return row(call, "MEDIA_CLOCK_SKEW", "", "MEDIA_JITTER,MEDIA_LOSS")


@case
def answer_not_in_offer(rng, tap):
    call = media_call(rng, tap)
    offered, wrong = rng.sample(("PCMU", "PCMA", "G729", "GSM"), 2)
    call.codec = wrong
    call.ptime = 20
    call.offer = Sdp(rng, call.a, [offered], 101)
    call.answer_sdp = Sdp(rng, call.b, [wrong], 101)
    call.set_up()
    if rng.random() < 0.5:
        call.step(0.05, 0.5)
    else:
        call.talk(5)
    call.bye(True)
    return row(call, "ANSWER_NOT_IN_OFFER", "EARLY_BYE")


# ---- digits and fax ----------------------------------------------------------------------------------------------------------
@case
def dtmf_te_not_negotiated(rng, tap):
    call = media_call(rng, tap)
    call.events = call.answer_sdp.events = None
    call.offer.events = rng.choice((101, 96))
    if call.answer_sdp.numbers.get(call.codec) == call.offer.events:
        call.answer_sdp.numbers[call.codec] = 120
    call.set_up()
    call.talk(4)
    t = call.digits(True, call.t, [rng.randrange(10) for _ in range(4)], pt=call.offer.events)
    call.t = t + 1
    call.bye()
    return row(call, "DTMF_TE_NOT_NEGOTIATED", "", "MEDIA_PT_NOT_NEGOTIATED")


@case
def dtmf_doubled(rng, tap):
    call = media_call(rng, tap)
    call.answer_sdp.events = None
    call.offer.events = 101
    call.set_up()
    call.talk(3)
    for digit in (rng.randrange(10), rng.randrange(10)):
        t = call.t
        call.digits(True, t, [digit], pt=101)
        call.exchange(True, "NOTIFY", extra=[("Event", rng.choice(("telephone-event", "telephone-event;rate=1000"))), ("Content-Type", "audio/telephone-event"), ("Subscription-State", "active")], body="")
        call.t = t + 0.6
    call.bye()
    return row(call, "DTMF_DOUBLED", "", "MEDIA_PT_NOT_NEGOTIATED")


@case
def dtmf_info_rejected(rng, tap):
    call = media_call(rng, tap)
    call.set_up()
    call.talk(3)
    relay = rng.random() < 0.7
    for _ in range(3):
        call.exchange(True, "INFO", *rng.choice(((415, "Unsupported Media Type"), (501, "Not Implemented"), (405, "Method Not Allowed"))),
                      extra=[("Content-Type", "application/dtmf-relay" if relay else "application/dtmf")], body="Signal=%d\r\nDuration=160\r\n" % rng.randrange(10) if relay else "5")
        call.step(0.3, 0.6)
    call.bye()
    return row(call, "DTMF_INFO_REJECTED", "", "REINVITE_REJECTED")


def fax_offer(sdp, port):
    sdp.party.version += 1
    text = sdp.text().split("m=audio")[0]
    return text + ("" if not sdp.at_media else "c=IN IP%d %s\r\n" % (6 if ":" in sdp.host else 4, sdp.host)) + \
        "m=image %d udptl t38\r\na=T38FaxVersion:0\r\na=T38FaxRateManagement:transferredTCF\r\n" % port


@case
def fax_t38_rejected(rng, tap):
    call = media_call(rng, tap)
    call.set_up()
    call.talk(4)
    by_a = rng.random() < 0.3
    sdp = call.offer if by_a else call.answer_sdp
    call.exchange(by_a, "INVITE", *rng.choice(((488, "Not Acceptable Here"), (415, "Unsupported Media Type"), (606, "Not Acceptable"))), body=fax_offer(sdp, sdp.port))
    call.step(0.1, 2)
    call.bye()
    return row(call, "FAX_T38_REJECTED", "", "REINVITE_REJECTED,CODEC_MISMATCH")


@case
def fax_t38_not_applied(rng, tap):
    call = media_call(rng, tap, nat=False)
    call.set_up()
    call.talk(4)
    call.exchange(False, "INVITE", body=fax_offer(call.answer_sdp, call.answer_sdp.port), answer_body=fax_offer(call.offer, call.offer.port))
    start = call.t
    call.audio(True, start, start + 10)
    for k in range(200):
        tap.udp(start + k * 0.04, call.b.rtp_wire, call.a.rtp_wire, struct.pack("!HBB", k, 1, 0) + b"\0" * 3)
    call.t = start + 10
    call.bye()
    return row(call, "FAX_T38_NOT_APPLIED")


# ---- messages, connections, strangers ---------------------------------------------------------------------------------------
def raw_send(call, text, t=None):
    call.tap.udp(call.t if t is None else t, call.a.asks_from, call.b.wire, text)


@case
def malformed_message(rng, tap):
    call = new_call(rng, tap, proxy=False, transport="UDP")
    sent = call.invite()
    tap.frames.clear()
    how = rng.choice(("cseq", "via", "from", "uri"))
    headers = list(sent["headers"])
    start, vias = sent["start"], [call.via_of(call.a, sent["branch"])]
    if how == "cseq":
        headers = [(n, "abc INVITE" if n == "CSeq" else v) for n, v in headers]
    elif how == "from":
        headers = [h for h in headers if h[0] != "From"]
    elif how == "via":
        vias = ["SIP/2.0/UDP"]
    else:
        start = "INVITE  SIP/2.0"
    text = call.render(call.a, start, vias, headers, sent["body"])
    if how == "uri":
        text = text.replace(b"CSeq: ", b"CSeq: x")
    raw_send(call, text)
    call.t += 0.02
    if how not in ("via", "from") and rng.random() < 0.5:
        call.response(call.t, sent, 400, "Bad Request")
    return row(call, "MALFORMED_MESSAGE", "PEER_400,CAPTURE_INCOMPLETE")


@case
def body_length_mismatch(rng, tap):
    call = new_call(rng, tap, proxy=False, transport="UDP")
    sent = call.invite()
    tap.frames.clear()
    text = call.render(call.a, sent["start"], [call.via_of(call.a, sent["branch"])], sent["headers"], sent["body"])
    name = b"l: " if "compact" in call.a.manners else b"Content-Length: "
    more = len(sent["body"]) + rng.randrange(10, 900)
    text = text.replace(name + str(len(sent["body"])).encode(), name + str(more).encode())
    raw_send(call, text, call.invited)
    call.step()
    call.t = call.response(call.t, sent, 400, "Bad Content-Length")
    call.ack_error()
    return row(call, "BODY_LENGTH_MISMATCH", "PEER_400")


@case
def malicious_message(rng, tap):
    call = new_call(rng, tap, proxy=False, transport="UDP")
    call.a.user = rng.choice(("%n%n%n%n", "../../../etc/passwd", "' or '1'='1", "<script>alert(1)</script>", "1 union select 2"))
    call.a.user_part = False
    call.invite()
    call.step()
    if rng.random() < 0.5:
        call.t = call.response(call.t, call.invite_message, 400, "Bad Request")
        call.ack_error()
    later(call, 40)
    return row(call, "MALICIOUS_MESSAGE", "MALFORMED_MESSAGE,SIP_SCAN")


@case
def sip_scan(rng, tap):
    """One source, one server after another, or one user after another."""
    source = Party(rng, public(rng), manners="")
    source.product = rng.choice(("friendly-scanner", "sipcli/v1.8", "pplsip", "Cisco"))
    servers = rng.random() < 0.5
    rows, t = [], 0
    target = Party(rng, public(rng))
    for n in range(rng.randrange(12, 20)):
        if servers:
            target = Party(rng, public(rng))
        call = Call(rng, tap, t, source, target, transport="UDP")
        method = "OPTIONS" if servers else "REGISTER"
        call.request_user = str(100 + n)
        source.user = str(100 + n)
        arrived, sent = call.request(t, True, method, to_tag=False, extra=[("Contact", source.contact())], drop=0 if servers and rng.random() < 0.8 else None)
        if arrived:
            call.response(arrived, sent, *((401, "Unauthorized", [("WWW-Authenticate", 'Digest realm="x", nonce="%s"' % word(rng, 8))]) if method == "REGISTER" else (404, "Not Found")))
        rows += row(call, "SIP_SCAN", "", "WRONG_PASSWORD")
        t += rng.uniform(0.02, 1.5)
    return rows


@case
def toll_fraud(rng, tap):
    source = Party(rng, public(rng), manners="")
    target = Party(rng, public(rng))
    rows, t = [], 0
    base = rng.choice(("+88213", "00972", "90044", "011882"))
    for n in range(rng.randrange(12, 25)):
        call = Call(rng, tap, t, source, target, transport="UDP")
        call.request_user = base + str(rng.randrange(10 ** 7, 10 ** 9))
        call.fail(403, "Forbidden", wait=(0.01, 0.05))
        rows += row(call, "TOLL_FRAUD", "SIP_SCAN")
        t = call.t + rng.uniform(0.05, 1.5)
    return rows


@case
def tcp_refused(rng, tap):
    a, b = pair(rng, nat=False, six=False)
    src, dst = (a.wire[0], rng.randrange(30000, 60000)), (b.wire[0], rng.choice((5060, 5061)))
    tap.segment(0, src, dst, 2)
    tap.segment(0.02, dst, src, 20)
    return [("tcp:%s:%d" % src, "TCP_REFUSED", "", "TCP_CONNECT_TIMEOUT")]


@case
def tcp_connect_timeout(rng, tap):
    a, b = pair(rng, nat=False, six=False)
    src, dst = (a.wire[0], rng.randrange(30000, 60000)), (b.wire[0], rng.choice((5060, 5061)))
    for t in (0, 1, 3, 7, 15)[:rng.randrange(3, 6)]:
        tap.segment(t, src, dst, 2)
    return [("tcp:%s:%d" % src, "TCP_CONNECT_TIMEOUT", "", "TCP_REFUSED")]


@case
def tls_handshake_failed(rng, tap):
    a, b = pair(rng, nat=False, six=False)
    src, dst = (a.wire[0], rng.randrange(30000, 60000)), (b.wire[0], 5061)
    tap.tcp_open(0, src, dst)
    hello = b"\x01\0\0\x50" + b"\x03\x03" + bytes(78)
    tap.tcp_data(0.02, src, dst, b"\x16\x03\x01" + struct.pack("!H", len(hello)) + hello)
    alert = b"\x15\x03\x03\0\x02\x02" + bytes([rng.choice((40, 42, 45, 48, 70, 116))])
    tap.tcp_data(0.04, *((dst, src) if rng.random() < 0.6 else (src, dst)), alert)
    return [("tcp:%s:%d" % src, "TLS_HANDSHAKE_FAILED", "", "TCP_REFUSED")]
