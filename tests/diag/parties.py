# SPDX-License-Identifier: GPL-3.0-or-later
"""Who makes calls, in the manner of real products, and the calls that they make: each message as it would be on each link, each packet
of audio. A call is told by its steps (invite, ring, answer, ack, talk, bye); what goes wrong is left out, sent elsewhere or changed by
the case that makes it (failures.py, healthy.py)."""
import random
import struct

T1 = 0.5
LADDER_INVITE = (0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5)
LADDER = (0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5)
POOL = random.Random(1).randbytes(65536)

# name: (payload type, clock of timestamps, bytes in 10 ms); None = any length
CODECS = {
    "PCMU": (0, 8000, 80), "PCMA": (8, 8000, 80), "G729": (18, 8000, 10), "GSM": (3, 8000, 16.5), "G722": (9, 8000, 80),
    "opus": (None, 48000, None), "iLBC": (None, 8000, 19), "AMR": (None, 8000, 16), "speex": (None, 16000, None),
}
HEX, ALNUM = "0123456789abcdef", "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ0123456789"


def word(rng, n, letters=HEX):
    return "".join(rng.choice(letters) for _ in range(n))


def uuid(rng):
    return "-".join(word(rng, n) for n in (8, 4, 4, 4, 12))


# product, tag, branch, Call-ID, first CSeq, extra manners
STYLES = (
    ("Cisco-SIPGateway/IOS-15.4.3.M3", lambda r: word(r, 8).upper() + "-" + word(r, 4).upper(), lambda r: word(r, 7).upper(),
     lambda r, h: "-".join(word(r, 8).upper() for _ in range(4)) + "@" + h, lambda r: 101, "ephemeral norport date"),
    ("Asterisk PBX 18.10.0", uuid, lambda r: "Pj" + uuid(r), lambda r, h: uuid(r), lambda r: r.randrange(1, 32000), ""),
    ("Asterisk PBX 11.7.0", lambda r: "as" + word(r, 8), lambda r: word(r, 8), lambda r, h: word(r, 32) + "@" + h, lambda r: 102, "port"),
    ("FreeSWITCH-mod_sofia/1.10.7", lambda r: word(r, 13, ALNUM), lambda r: word(r, 12, ALNUM), lambda r, h: uuid(r), lambda r: r.randrange(10 ** 7, 10 ** 8), "port"),
    ("Linphone/3.12.0 (belle-sip/1.6.3)", lambda r: word(r, 7, ALNUM), lambda r: "." + word(r, 9, ALNUM), lambda r, h: word(r, 10, ALNUM), lambda r: 20, "late_version"),
    ("Yealink SIP-T46S 66.85.0.5", lambda r: str(r.randrange(10 ** 9)), lambda r: str(r.randrange(10 ** 9)),
     lambda r, h: "0_" + str(r.randrange(10 ** 10)) + "@" + h, lambda r: 1, ""),
    ("snomD785/10.1.64.14", lambda r: word(r, 10, ALNUM), lambda r: "-" + word(r, 12, ALNUM), lambda r, h: "3133" + word(r, 16), lambda r: 1, ""),
    ("Grandstream GXP2135 1.0.11.3", lambda r: str(r.randrange(10 ** 10)), lambda r: str(r.randrange(10 ** 10)),
     lambda r, h: str(r.randrange(10 ** 9)) + "-5060-" + str(r.randrange(100)) + "@" + h.replace(".", "-"), lambda r: 10, ""),
    ("PolycomVVX-VVX_411-UA/5.9.0", lambda r: word(r, 8).upper() + "-" + word(r, 8).upper(), lambda r: word(r, 18), lambda r, h: word(r, 8) + "-" + word(r, 8) + "@" + h,
     lambda r: 1, "norport"),
    ("", lambda r: word(r, 6), lambda r: word(r, 10), lambda r, h: word(r, 20) + "@" + h, lambda r: 1, "compact norport"),
    ("Sonus SBC", lambda r: "gK" + word(r, 8), lambda r: word(r, 24).upper(), lambda r, h: str(r.randrange(10 ** 9)) + "_" + str(r.randrange(10 ** 8)) + "@" + h,
     lambda r: r.randrange(1, 10 ** 6), "norport"),
    ("Z 3.3.25608 rev", lambda r: word(r, 8), lambda r: "-524287-1---" + word(r, 16), lambda r, h: word(r, 22, ALNUM) + "..", lambda r: 1, "port"),
    ("AVAYA-SM-7.0", lambda r: word(r, 20), lambda r: word(r, 30) + "-AP", lambda r, h: word(r, 24), lambda r: 1, "norport"),
)
COMPACT = {"Via": "v", "From": "f", "To": "t", "Call-ID": "i", "Contact": "m", "Content-Length": "l", "Content-Type": "c", "Supported": "k", "Subject": "s",
           "Session-Expires": "x", "Refer-To": "r", "Event": "o"}


def bracket(host):
    return "[" + host + "]" if ":" in host else host


class Party:
    """One end, or a proxy between. `local` is what it knows of itself, `wire` what others see; behind a NAT they differ."""

    def __init__(self, rng, host, nat=None, style=None, port=5060, manners=None):
        self.rng = rng
        self.product, self.make_tag, self.make_branch, self.make_call_id, self.first_cseq, text = style or rng.choice(STYLES)
        self.manners = set((text if manners is None else manners).split())
        self.local = (host, port)
        self.wire = (nat, rng.randrange(1024, 65000)) if nat else self.local
        self.asks_from = self.wire
        if "ephemeral" in self.manners and not nat:
            self.asks_from = (host, rng.randrange(49152, 65000))
        if nat:
            self.manners.discard("norport")
        self.user = str(rng.randrange(10 ** 5, 10 ** 11))
        self.number = rng.randrange(1, 2 ** 31)
        self.order = list(range(40))
        rng.shuffle(self.order)
        media = rng.randrange(5000, 30000) * 2
        self.rtp_local = (host, media)
        self.rtp_wire = (nat, rng.randrange(1024, 65000)) if nat else self.rtp_local
        self.ssrc = rng.randrange(1, 2 ** 32)
        self.sequence, self.timestamp = rng.randrange(65536), rng.randrange(2 ** 32)
        self.session = rng.randrange(1, 2 ** 31)
        self.version = self.session
        self.cseq = None
        self.dscp = rng.choice((0, 46, 46))
        self.sent_until = None
        if rng.random() < 0.2:
            self.manners.add("still")
        self.user_part = rng.random() < 0.8

    def next_cseq(self):
        self.cseq = self.first_cseq(self.rng) if self.cseq is None else self.cseq + 1
        return self.cseq

    def contact(self):
        port = self.local[1]
        text = "sip:" + (self.user + "@" if self.user_part else "") + bracket(self.local[0]) + (":%d" % port if port != 5060 or "port" in self.manners else "")
        return "<" + text + ">"

    def contact_uri(self):
        return self.contact()[1:-1]


class Sdp:
    """A description, as lists that a case may change before it is written."""

    def __init__(self, rng, party, codecs, events=101, ptime=20, way=None, profile="RTP/AVP", own=None):
        self.rng, self.party, self.codecs, self.events, self.ptime, self.way, self.profile = rng, party, list(codecs), events, ptime, way, profile
        self.numbers = own or {}
        number = 96 + rng.randrange(10)
        for c in self.codecs:
            if CODECS[c][0] is not None:
                self.numbers[c] = CODECS[c][0]
            elif c not in self.numbers:
                while number == events or number in self.numbers.values():
                    number += 1
                self.numbers[c] = number
        self.host, self.port = party.rtp_local
        self.at_media = rng.random() < 0.3
        self.maps_static = rng.random() < 0.7
        self.more = []
        self.video = None
        self.crypto = None

    def text(self):
        p, six = self.party, ":" in self.host
        kind = "IP6" if six else "IP4"
        user = {"Cisco": "CiscoSystemsSIP-GW-UserAgent", "FreeS": "FreeSWITCH", "Sonus": "Sonus_UAC"}.get(p.product[:5], "-")
        lines = ["v=0", "o=%s %d %d IN %s %s" % (user, p.session, p.version, kind, p.rtp_local[0]), "s=%s" % ("SIP Call" if user[0] == "C" else "-")]
        if not self.at_media:
            lines.append("c=IN %s %s" % (kind, self.host))
        lines.append("t=0 0")
        formats = [self.numbers[c] for c in self.codecs] + ([self.events] if self.events else [])
        lines.append("m=audio %d %s %s" % (self.port, self.profile, " ".join(map(str, formats))))
        if self.at_media:
            lines.append("c=IN %s %s" % (kind, self.host))
        for c in self.codecs:
            if CODECS[c][0] is None or self.maps_static:
                lines.append("a=rtpmap:%d %s/%d%s" % (self.numbers[c], c, CODECS[c][1], "/2" if c == "opus" else ""))
        if self.events:
            lines += ["a=rtpmap:%d telephone-event/8000" % self.events, "a=fmtp:%d 0-16" % self.events]
        if self.crypto:
            lines.append("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + self.crypto)
        if self.ptime != 20 or self.maps_static:
            lines.append("a=ptime:%d" % self.ptime)
        if self.way:
            lines.append("a=" + self.way)
        lines += self.more
        if self.video is not None:
            lines += ["m=video %d RTP/AVP 99" % self.video, "a=rtpmap:99 H264/90000"]
        return "\r\n".join(lines) + "\r\n"


class Call:
    """A call between `a` and `b`, over proxies that stand between. The tap is on `links` (all by default), at a share of each link's way."""

    def __init__(self, rng, tap, t, a, b, between=(), links=None, transport="UDP", delay=None):
        self.rng, self.tap, self.t, self.a, self.b = rng, tap, t, a, b
        self.chain = [a, *between, b]
        self.links = set(range(len(self.chain) - 1)) if links is None else set(links)
        self.transport = transport
        self.delay = delay if delay is not None else rng.uniform(0.002, 0.06)
        self.where = rng.choice((0.02, 0.02, 0.5, 0.98, 0.98))
        if len(self.chain) > 2:
            self.where = 0.5
        self.call_id = a.make_call_id(rng, bracket(a.local[0]))
        self.tag_a, self.tag_b = a.make_tag(rng), b.make_tag(rng)
        self.record_route = len(self.chain) > 2
        self.domain = bracket(b.wire[0]) if rng.random() < 0.7 else "example.net"
        self.request_user = b.user
        self.codec = rng.choice(("PCMU", "PCMA", "PCMA", "G729", "GSM", "G722", "opus", "iLBC"))
        others = [c for c in ("PCMA", "PCMU", "G729", "GSM") if c != self.codec]
        rng.shuffle(others)
        events = rng.choice((101, 101, 96, 110, None))
        self.ptime = rng.choice((20, 20, 20, 30, 40, 10)) if CODECS[self.codec][2] else 20
        if self.codec in ("GSM", "iLBC"):
            self.ptime = 20
        self.offer = Sdp(rng, a, [self.codec] + others[:rng.randrange(3)], events, self.ptime)
        numbers = dict(self.offer.numbers) if rng.random() < 0.7 else None
        self.answer_sdp = Sdp(rng, b, [self.codec], events and rng.choice((events, 101)), self.ptime, own=numbers)
        self.events = events
        self.late_offer = False
        self.session = None
        self.opened = set()
        self.extra_invite = []
        self.invite_message = None

    def anew(self):
        """Media of its own for a further call of the same parties."""
        for party, sdp in ((self.a, self.offer), (self.b, self.answer_sdp)):
            media = self.rng.randrange(5000, 30000) * 2
            party.rtp_local = party.rtp_wire = (party.rtp_local[0], media)
            sdp.port = media
            party.ssrc, party.sent_until = self.rng.randrange(1, 2 ** 32), None

    # ---- messages ---------------------------------------------------------------------------------------
    def render(self, party, start, vias, headers, body, routes=()):
        items = list(headers)
        if body and not any(n == "Content-Type" for n, _ in items):
            items.append(("Content-Type", "application/sdp"))
        items = [x for _, x in sorted(zip(party.order, items))]
        items += [("Content-Length", str(len(body)))]
        items = [("Via", v) for v in vias] + list(routes) + items
        compact = "compact" in party.manners
        lines = [start] + ["%s: %s" % (COMPACT.get(n, n) if compact else n, v) for n, v in items]
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()

    def via_of(self, party, branch):
        port = ":%d" % party.local[1] if party.local[1] != 5060 or "port" in party.manners else ""
        return "SIP/2.0/%s %s%s;branch=z9hG4bK%s%s" % (self.transport, bracket(party.local[0]), port, branch, "" if "norport" in party.manners else ";rport")

    def seen_at(self, t, forward):
        return t + self.delay * (self.where if forward else 1 - self.where)

    def wire(self, t, link, forward, text, src=None, dst=None, request=True):
        """One link's packet; `forward` toward the called side."""
        near, far = (self.chain[link], self.chain[link + 1]) if forward else (self.chain[link + 1], self.chain[link])
        src = src or (near.asks_from if request else near.wire)
        dst = dst or far.wire
        if link not in self.links:
            return
        at = self.seen_at(t, forward)
        if self.transport == "UDP":
            if len(text) > 1472 and ":" not in src[0]:
                self.tap.udp_pieces(at, src, dst, text)
            else:
                self.tap.udp(at, src, dst, text)
            return
        first, second = self.tcp_ends(link)
        if (first, second) not in self.opened:
            self.opened.add((first, second))
            self.tap.tcp_open(at - 0.05, first, second)
        self.tap.tcp_data(at, *((first, second) if forward else (second, first)), text)

    def tcp_ends(self, link):
        near, far = self.chain[link], self.chain[link + 1]
        if not hasattr(near, "tcp_port"):
            near.tcp_port = self.rng.randrange(32768, 60000)
        return (near.wire[0], near.tcp_port), far.wire

    def request(self, t, by_a, method, cseq=None, extra=(), body="", branch=None, to_tag=True, tags=None, uri=None, start=None, drop=None, dst=None, call_id=None, sent_from=None):
        """Sends it over the chain; `drop`: the number of links that it gets over (its packet on the next one is seen, and lost after).
        Returns (arrival, what is needed to answer or to repeat it)."""
        me, peer = (self.a, self.b) if by_a else (self.b, self.a)
        cseq = me.next_cseq() if cseq is None else cseq
        branch = branch or me.make_branch(self.rng)
        own, other = tags or ((self.tag_a, self.tag_b) if by_a else (self.tag_b, self.tag_a))
        identity = [("From", self.identity(by_a, own)), ("To", self.identity(not by_a, other if to_tag else None))]
        if uri is None:
            if to_tag and method != "CANCEL":
                uri = peer.contact_uri()
            else:
                uri = "sip:%s@%s" % (self.request_user, self.domain)
        headers = identity + [("Call-ID", call_id or self.call_id), ("CSeq", "%d %s" % (cseq, method)), ("Max-Forwards", "70")]
        if method in ("INVITE", "UPDATE", "REFER", "SUBSCRIBE", "NOTIFY"):
            headers.append(("Contact", me.contact()))
        if me.product and method != "ACK":
            headers.append(("User-Agent", me.product))
        if method == "INVITE":
            headers += [("Allow", "INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, INFO, UPDATE, PRACK")]
        headers += list(extra)
        sent = {"by_a": by_a, "method": method, "cseq": cseq, "branch": branch, "start": start or "%s %s SIP/2.0" % (method, uri), "headers": headers, "body": body,
                "to_tag": to_tag, "own": own, "other": other, "drop": drop, "dst": dst, "party": me, "sent_from": sent_from, "call_id": call_id or self.call_id}
        return self.again(t, sent), sent

    def identity(self, of_a, tag):
        party = self.a if of_a else self.b
        user = party.user if of_a else self.request_user
        host = bracket(party.local[0]) if of_a and self.domain != "example.net" else self.domain
        name = '"%s" ' % user if of_a and "port" in party.manners else ""
        return "%s<sip:%s@%s>%s" % (name, user, host, ";tag=" + tag if tag else "")

    def again(self, t, sent, drop=Ellipsis):
        """The very same request once more."""
        drop = sent["drop"] if drop is Ellipsis else drop
        me, n = sent["party"], len(self.chain) - 1
        vias, routes = [self.via_of(me, sent["branch"])], []
        direct = sent["to_tag"] and not self.record_route and n > 1 and sent["method"] not in ("CANCEL",)
        if sent["to_tag"] and self.record_route and n > 1 and sent["method"] != "CANCEL" and sent.get("route", True):
            routes = [("Route", "<sip:%s;lr>" % bracket(p.wire[0])) for p in (self.chain[1:-1] if sent["by_a"] else self.chain[-2:0:-1])]
        if direct:
            text = self.render(me, sent["start"], vias, sent["headers"], sent["body"])
            far = self.b if sent["by_a"] else self.a
            if 0 in self.links:
                self.tap.udp(self.seen_at(t, sent["by_a"]), me.asks_from, sent["dst"] or far.wire, text)
            return t + self.delay
        links = range(n) if sent["by_a"] else range(n - 1, -1, -1)
        for count, link in enumerate(links):
            sender = self.chain[link] if sent["by_a"] else self.chain[link + 1]
            if count:
                vias = [self.via_of(sender, "%s.%d" % (word(random.Random(sent["branch"] + str(link)), 8), link))] + vias
                routes = routes[1:] if sent["to_tag"] else routes
                if not sent["to_tag"] and sent["method"] == "INVITE" and self.record_route:
                    routes = [("Record-Route", "<sip:%s;lr>" % bracket(sender.wire[0]))] + routes
            text = self.render(me, sent["start"], vias, sent["headers"], sent["body"], routes)
            last = count == n - 1
            self.wire(t, link, sent["by_a"], text, src=sent["sent_from"] if not count else None, dst=sent["dst"] if last else None)
            if drop is not None and count >= drop:
                return None
            t += self.delay + self.rng.uniform(0.0003, 0.003)
        return t

    def repeat(self, t, sent, ladder=LADDER, until=1e9):
        """The rest of the ladder; returns the time of the last one."""
        last = t
        if self.transport != "UDP":
            return last
        for step in ladder[1:]:
            if step > until:
                break
            last = t + step * self.rng.uniform(0.998, 1.01)
            self.again(last, sent)
        return last

    def response(self, t, sent, status, phrase="OK", extra=(), body="", to_tag=None, drop=None, dst=None, contact=True, links=None, src=None):
        """From the one that was asked; `links`: how many of the last links it goes over (a proxy's own answer)."""
        by_a = sent["by_a"]
        party = self.b if by_a else self.a
        tag = to_tag if to_tag is not None else (sent["other"] if sent["to_tag"] else self.tag_b)
        ident = dict(sent["headers"][:2])
        to = ident["To"] if "tag=" in ident["To"] or status == 100 or tag == "" else ident["To"] + ";tag=" + tag
        headers = [("From", ident["From"]), ("To", to), ("Call-ID", sent["call_id"]), ("CSeq", "%d %s" % (sent["cseq"], sent["method"]))]
        if sent["method"] in ("INVITE", "UPDATE") and contact and status > 100 and status < 300:
            headers.append(("Contact", party.contact()))
        if party.product:
            headers.append(("Server" if len(party.product) % 2 else "User-Agent", party.product))
        headers += list(extra)
        n = len(self.chain) - 1
        over = list(range(n - 1, -1, -1)) if by_a else list(range(n))
        if sent["to_tag"] and not self.record_route and n > 1 and sent["method"] != "CANCEL":
            text = self.render(party, "SIP/2.0 %d %s" % (status, phrase), [self.received(self.via_of(sent["party"], sent["branch"]), sent["party"])], headers, body)
            if 0 in self.links:
                self.tap.udp(self.seen_at(t, not by_a), party.wire, sent["party"].wire, text)
            return t + self.delay
        if links is not None:
            over = over[-links:]
        for count, link in enumerate(over):
            vias = [self.received(self.via_of(sent["party"], sent["branch"]), sent["party"])]
            deeper = n - 1 - count - (n - len(over)) if links is None else len(over) - 1 - count
            for k in range(1, deeper + 1):
                index = k if by_a else n - 1 - k
                sender = self.chain[index] if by_a else self.chain[index + 1]
                vias = [self.via_of(sender, "%s.%d" % (word(random.Random(sent["branch"] + str(index)), 8), index))] + vias
            routes = []
            if sent["method"] == "INVITE" and not sent["to_tag"] and self.record_route and 100 < status < 300:
                routes = [("Record-Route", "<sip:%s;lr>" % bracket(p.wire[0])) for p in self.chain[-2:0:-1]]
            text = self.render(party, "SIP/2.0 %d %s" % (status, phrase), vias, headers, body, routes)
            last = count == len(over) - 1
            goes_to = dst if last else None
            if last and goes_to is None:
                goes_to = self.back_to(sent)
            self.wire(t, link, not by_a, text, src=src if not count else None, dst=goes_to, request=False)
            if drop is not None and count >= drop:
                return None
            t += self.delay + self.rng.uniform(0.0003, 0.003)
        return t

    def back_to(self, sent):
        """RFC 3261 18.2.2, 3581: to the source's port with rport, else to the port in Via."""
        party = sent["party"]
        if "norport" in party.manners:
            return party.wire
        return sent["sent_from"] or party.asks_from

    def received(self, via, party):
        if "norport" in party.manners:
            return via
        return via.replace(";rport", ";rport=%d;received=%s" % (party.asks_from[1], party.wire[0])) if party.wire != party.local or len(party.product) % 3 == 0 else via

    # ---- a call's steps ------------------------------------------------------------------------------------
    def step(self, low=0.005, high=0.05):
        self.t += self.rng.uniform(low, high)
        return self.t

    def invite(self, extra=(), repeat=0, body=None, drop=None, **more):
        body = ("" if self.late_offer else self.offer.text()) if body is None else body
        extra = list(self.extra_invite) + list(extra)
        if self.session:
            extra += [("Supported", "timer, replaces"), ("Session-Expires", self.session["ask"])]
        sent_at = self.t
        arrived, sent = self.request(self.t, True, "INVITE", extra=extra, body=body, to_tag=False, drop=drop, **more)
        self.invite_message, self.invited = sent, sent_at
        if drop is None:
            self.t = arrived
        return sent

    def trying(self):
        hops = len(self.chain) - 1
        for n in range(hops):       # each hop says it to the one before
            link = n
            if link in self.links:
                vias = [self.received(self.via_of(self.chain[0], self.invite_message["branch"]), self.chain[0])]
                for k in range(1, n + 1):
                    vias = [self.via_of(self.chain[k], "%s.%d" % (word(random.Random(self.invite_message["branch"] + str(k)), 8), k))] + vias
                party = self.chain[n + 1]
                ident = dict(self.invite_message["headers"][:2])
                text = self.render(party, "SIP/2.0 100 Trying", vias, [("From", ident["From"]), ("To", ident["To"]), ("Call-ID", self.call_id),
                                                                    ("CSeq", "%d INVITE" % self.invite_message["cseq"])], "")
                self.wire(self.invited + (n + 1) * (self.delay + 0.002), link, False, text, dst=self.back_to(self.invite_message) if n == 0 else None, request=False)
        self.step()

    def ring(self, status=180, phrase="Ringing", body="", extra=(), **more):
        self.step(0.1, 1.5)
        self.t = self.response(self.t, self.invite_message, status, phrase, extra, body, **more) or self.t
        return self.t

    def answer(self, extra=(), body=None, **more):
        self.step(0.3, 4)
        body = (self.offer_by_b() if self.late_offer else self.answer_sdp.text()) if body is None else body
        if self.session and self.session.get("agree"):
            extra = list(extra) + [("Require", "timer"), ("Session-Expires", self.session["agree"])]
        self.answered = self.t
        self.answer_args = (self.invite_message, 200, "OK", extra, body)
        self.t = self.response(self.t, *self.answer_args, **more) or self.t
        return self.t

    def offer_by_b(self):
        return self.answer_sdp.text()

    def ack(self, **more):
        self.step(0.001, 0.02)
        body = ""
        if self.late_offer:
            self.offer.codecs = [self.codec]
            self.offer.numbers[self.codec] = self.answer_sdp.numbers[self.codec]
            body = self.offer.text()
        t, sent = self.request(self.t, True, "ACK", cseq=self.invite_message["cseq"], body=body, **more)
        self.acked = self.t
        self.t = t or self.t
        return sent

    def ack_error(self, sent=None, tag=None):
        """For 3xx to 6xx: hop by hop, with the INVITE's branch."""
        sent = sent or self.invite_message
        own, other = sent["own"], tag or self.tag_b
        hops = range(len(self.chain) - 1) if sent["by_a"] else range(len(self.chain) - 2, -1, -1)
        for count, link in enumerate(hops):
            sender = self.chain[link] if sent["by_a"] else self.chain[link + 1]
            via = self.via_of(sender, sent["branch"] if not count else "%s.%d" % (word(random.Random(sent["branch"] + str(link)), 8), link))
            ident = dict(sent["headers"][:2])
            to = ident["To"] if "tag=" in ident["To"] else ident["To"] + ";tag=" + other
            text = self.render(sent["party"], sent["start"].replace("INVITE", "ACK", 1), [via],
                               [("From", ident["From"]), ("To", to), ("Call-ID", self.call_id), ("CSeq", "%d ACK" % sent["cseq"]), ("Max-Forwards", "70")], "")
            self.wire(self.t + 0.001, link, sent["by_a"], text, src=sent["sent_from"] if not count else None)
        self.step()

    def fail(self, status, phrase, extra=(), ring=False, wait=(0.05, 3)):
        """A call that is refused."""
        self.invite()
        self.trying()
        if ring:
            self.ring()
        self.step(*wait)
        self.t = self.response(self.t, self.invite_message, status, phrase, extra)
        self.ack_error()

    def set_up(self, ring=True, early=False):
        self.invite()
        self.trying()
        if ring:
            self.ring(*((183, "Session Progress", self.answer_sdp.text()) if early else ()))
            if early:
                self.audio(False, self.t, self.t + 1.5)
                self.t += 1.2
        self.answer()
        self.ack()

    def bye(self, by_a=None, extra=(), answered=True, **more):
        by_a = self.rng.random() < 0.5 if by_a is None else by_a
        t, sent = self.request(self.t, by_a, "BYE", extra=extra, **more)
        self.byed = self.t
        if answered and t:
            self.t = self.response(t + 0.002, sent, 200)
        return sent

    def exchange(self, by_a, method, status=200, phrase="OK", extra=(), body="", answer_extra=(), answer_body="", **more):
        """A request within the call and its answer (an INVITE's ACK as well)."""
        t, sent = self.request(self.t, by_a, method, extra=extra, body=body, **more)
        self.t = t + self.rng.uniform(0.002, 0.06)
        self.t = self.response(self.t, sent, status, phrase, answer_extra, answer_body) + 0.002
        if method == "INVITE":
            if status < 300:
                self.t = self.request(self.t, by_a, "ACK", cseq=sent["cseq"])[0]
            else:
                self.ack_error(sent, sent["other"])
        return sent

    # ---- audio ------------------------------------------------------------------------------------------------
    def audio(self, by_a, start, stop, codec=None, pt=None, ptime=None, src=None, dst=None, lose=None, jitter=0.002, skew=0.0, payload=None, dtx=False, ssrc=None, tag=0,
              held_up=None, new_ids=True, seen=True, sparse=False):
        """RTP of one side from `start` to `stop` as the tap sees it. lose(n, share) -> bool, before the tap; jitter: seconds, uniform, or a function."""
        me, peer = (self.a, self.b) if by_a else (self.b, self.a)
        rng = self.rng
        codec = codec or self.codec
        number, clock, size = CODECS[codec]
        receiver = self.answer_sdp if by_a else self.offer
        number = pt if pt is not None else receiver.numbers.get(codec, number)
        ptime = ptime or self.ptime
        step = ptime / 1000
        src = src or me.rtp_wire
        dst = dst or (peer.rtp_wire if peer.rtp_wire != peer.rtp_local else peer.rtp_local)
        ssrc = ssrc or me.ssrc
        t, n = start, 0
        lag = self.delay * (self.where if by_a else 1 - self.where)
        total = max(1, int((stop - start) / step))
        ticks = int(clock * step)
        length = int(size * ptime / 10) if size else None
        self.rest_until(me, start, clock)
        marker, count = True, 0
        talking = rng.uniform(1, 3)
        pause = False
        cn = dtx and codec in ("PCMU", "PCMA", "GSM") and rng.random() < 0.5
        while t < stop:
            if dtx and t - start > talking:
                if not pause and cn:
                    body = bytes([rng.randrange(30, 70)])
                    self.rtp_packet(t, lag, src, dst, 13, me, ssrc, False, body, jitter, lose, n, total)
                pause = True
                rest = rng.uniform(0.3, 2.5)
                quiet = int(rest / step)
                me.timestamp = (me.timestamp + quiet * ticks) & 0xffffffff
                t += quiet * step
                talking = t - start + rng.uniform(1, 3)
                marker, pause = True, False
                continue
            at = (count * 37 + (0 if by_a else 911)) % 60000
            n_bytes = length or 20 + (count * 7919) % 60
            body = payload(count, n_bytes) if payload else POOL[at:at + n_bytes]
            self.rtp_packet(t * (1 + 0) if not skew else start + (t - start) / (1 + skew), lag, src, dst, number, me, ssrc, marker, body + POOL[:tag], jitter, lose, n, total)
            marker = False
            me.timestamp = (me.timestamp + ticks) & 0xffffffff
            t += step
            n += 1
            count += 1
        me.sent_until = t

    def rest_until(self, me, t, clock=8000):
        """Timestamps go on while nothing is sent (RFC 3550 5.1); some products stop them."""
        if me.sent_until is None or ("still" in me.manners and t > me.sent_until + 0.3):
            me.sent_until = t
        me.timestamp = (me.timestamp + int((t - me.sent_until) * clock)) & 0xffffffff
        me.sent_until = t

    def rtp_packet(self, t, lag, src, dst, pt, me, ssrc, marker, body, jitter, lose, n, total):
        me.sequence = (me.sequence + 1) & 0xffff
        if lose and lose(n, n / total):
            return
        late = jitter(n) if callable(jitter) else self.rng.random() * jitter
        self.tap.udp(t + lag + late, src, dst, struct.pack("!BBHII", 0x80, (0x80 if marker else 0) | pt, me.sequence, me.timestamp, ssrc) + body, dscp=me.dscp)

    def digits(self, by_a, t, digits, pt=None, dst=None):
        """RFC 4733: each digit some packets of one timestamp, three ends."""
        me, peer = (self.a, self.b) if by_a else (self.b, self.a)
        pt = pt or (self.answer_sdp if by_a else self.offer).events or 101
        lag = self.delay * (self.where if by_a else 1 - self.where)
        for digit in digits:
            self.rest_until(me, t)
            stamp = me.timestamp
            for k in range(8):
                me.sequence = (me.sequence + 1) & 0xffff
                body = struct.pack("!BBH", digit, 0x8a if k > 4 else 0x0a, min(k, 5) * 160 + 160)
                self.tap.udp(t + lag + k * 0.02, me.rtp_wire, dst or peer.rtp_wire, struct.pack("!BBHII", 0x80, (0x80 if k == 0 else 0) | pt, me.sequence, stamp, me.ssrc) + body)
            t += 0.3
        return t

    def rtcp(self, by_a, t, sent, lost=0, fraction=0, about=None, src=None, dst=None):
        me, peer = (self.a, self.b) if by_a else (self.b, self.a)
        src = src or (me.rtp_wire[0], me.rtp_wire[1] + 1)
        dst = dst or (peer.rtp_wire[0], peer.rtp_wire[1] + 1)
        lag = self.delay * (self.where if by_a else 1 - self.where)
        block = struct.pack("!IIIIII", about or peer.ssrc, fraction << 24 | lost, 1000, 20, 0, 0)
        body = struct.pack("!BBHIQIII", 0x81, 200, 12, me.ssrc, int(t * 2 ** 32) & 0xffffffffffffffff, int(t * 8000) & 0xffffffff, sent, sent * 160) + block
        self.tap.udp(t + lag, src, dst, body)

    def talk(self, seconds, both=True, **more):
        """Audio both ways from the answer, RTCP now and then."""
        start = self.t
        for by_a in (True, False):
            self.audio(by_a, start if by_a else min(start, self.answered + 0.05), start + seconds, **more)
        if self.rng.random() < 0.3:
            for k in range(int(seconds / 5)):
                for by_a in (True, False):
                    self.rtcp(by_a, start + 5 * k + self.rng.random(), int(5 * k * 1000 / self.ptime) + 10)
        self.t = start + seconds


# ---- places ------------------------------------------------------------------------------------------------------
PUBLIC = ("198.51.100.%d", "203.0.113.%d", "192.0.2.%d", "81.23.%d.17", "195.189.%d.200", "45.77.9.%d")
PRIVATE = ("10.%d.0.15", "192.168.%d.33", "172.20.%d.4", "10.0.%d.2", "192.168.1.%d")


def public(rng, six=False):
    if six:
        return "2001:db8:%x::%x" % (rng.randrange(1, 65535), rng.randrange(1, 65535))
    return rng.choice(PUBLIC) % rng.randrange(2, 254)


def private(rng):
    return rng.choice(PRIVATE) % rng.randrange(2, 254)


def port(rng):
    return rng.choice((5060, 5060, 5060, 5060, 5080, 5062, 15060, rng.randrange(2000, 60000)))


def pair(rng, nat=None, six=None, inside=None):
    """Caller and callee: both public, both in one private net, or the caller behind a NAT."""
    six = rng.random() < 0.12 if six is None else six
    nat = rng.random() < 0.25 if nat is None else nat
    inside = not nat and not six and rng.random() < 0.25 if inside is None else inside
    if inside:
        net = rng.choice(("10.1.%d.%d", "192.168.%d.%d", "172.16.%d.%d"))
        third = rng.randrange(200)
        hosts = [net % (third, n) for n in rng.sample(range(2, 250), 2)]
        return Party(rng, hosts[0], port=port(rng)), Party(rng, hosts[1], port=port(rng))
    if nat:
        return Party(rng, private(rng), nat=public(rng), port=port(rng)), Party(rng, public(rng), port=port(rng))
    a = Party(rng, public(rng, six), port=port(rng))
    b = Party(rng, public(rng, six), port=port(rng))
    while b.local[0] == a.local[0]:
        b = Party(rng, public(rng, six), port=port(rng))
    return a, b


def new_call(rng, tap, t=0.0, proxy=None, nat=None, six=None, transport=None, links=None):
    a, b = pair(rng, nat, six)
    proxy = rng.random() < 0.2 if proxy is None else proxy
    between = [Party(rng, public(rng, ":" in a.local[0]), manners="")] if proxy else []
    if between:
        between[0].asks_from = between[0].wire
        between[0].manners = {"norport"} if rng.random() < 0.5 else set()
    if transport is None:
        transport = "TCP" if rng.random() < 0.2 else "UDP"
    if links is None and between and rng.random() < 0.4:
        links = [rng.randrange(2)]
    return Call(rng, tap, t, a, b, between, links, transport)
