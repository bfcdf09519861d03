# SPDX-License-Identifier: GPL-3.0-or-later
"""The dialog an actor is in: what RFC 3261 12 makes both sides remember, so that a test need not say it."""

import random

from . import sip


class Dialog:
    def __init__(self, endpoint):
        self.endpoint = endpoint        # has uri(), contact(), via(), switch_uri()
        self.call_id = None
        self.local_tag = "t%s%s" % (endpoint.name, sip.token())
        self.local = self.remote = self.target = ""
        self.remote_tag = ""
        self.routes = []
        self.cseq = random.randrange(100, 5000)
        self.over = self.confirmed = False
        self.origin = None
        self.offer = None               # the last description received, while it may await an answer
        self.sent = {}                  # method -> last request sent, as Message
        self.got = []                   # requests received, newest last
        self.answered = set()           # (branch, method) answered finally
        self.answers = {}               # (branch, method) -> last response sent, bytes
        self.finals = {}                # method -> last final response received
        self.acks = {}                  # (branch, To tag) of a final -> the ACK sent, bytes
        self.challenge = None           # last 401/407
        self.reliable = None            # last reliable provisional received
        self.rseq = random.randrange(1, 10000)
        self.given_challenge = None     # the one we sent

    # ---- what arrives ------------------------------------------------------------------

    def take_request(self, message):
        if message.method not in ("ACK", "CANCEL", "PRACK") and (self.call_id is None or self.over):
            self.begin(message)
        if message.method in ("INVITE", "UPDATE") and message.get("Contact"):
            self.target = sip.uri_of(message.get("Contact"))
        if message.method == "BYE":
            self.over = True
        if message.method != "ACK":
            self.got.append(message)
        self.note_body(message)

    def begin(self, message):
        self.over = self.confirmed = False
        self.call_id = message.call_id
        self.local, self.remote = message.get("To"), message.get("From")
        self.remote_tag = sip.tag(self.remote)
        self.routes = message.all("Record-Route")
        self.got, self.answered = [], set()

    def take_response(self, message):
        if message.cseq_method == "INVITE" and 100 < message.status < 300:
            self.remote, self.remote_tag = message.get("To"), sip.tag(message.get("To"))
            self.routes = list(reversed(message.all("Record-Route")))
            if message.get("Contact"):
                self.target = sip.uri_of(message.get("Contact"))
            if message.get("RSeq"):
                self.reliable = message
            self.confirmed |= message.status >= 200
        if message.status in (401, 407):
            self.challenge = message
        if message.status >= 200:
            self.finals[message.cseq_method] = message
            # A refused first INVITE or a BYE that was answered ends it; a challenge only pauses it.
            refused = message.cseq_method == "INVITE" and message.status >= 300 and not self.confirmed
            if message.cseq_method == "BYE" or (refused and message.status not in (401, 407, 422)):
                self.over = True
        self.note_body(message)

    def note_body(self, message):
        if message.body and "application/sdp" in message.get("Content-Type").lower():
            self.offer = sip.Description(message.body)

    def unanswered(self, method=None):
        """The newest request that has no final response yet."""
        for message in reversed(self.got):
            if method in (None, message.method) and (message.branch, message.method) not in self.answered:
                return message
        return None

    # ---- what is sent ------------------------------------------------------------------

    def own_origin(self):
        self.origin = self.origin or self.endpoint.new_origin()
        return self.origin

    def first_request(self, method, uri):
        self.call_id = "c%s%s" % (self.endpoint.name, sip.token(14))
        self.over = self.confirmed = False
        self.remote_tag, self.routes = "", []
        self.local_tag = "t%s%s" % (self.endpoint.name, sip.token())
        own = self.endpoint.switch_uri(self.endpoint.user()) if method == "REGISTER" else self.endpoint.uri()
        self.local = "<%s>" % own
        self.remote = "<%s>" % (own if method == "REGISTER" else uri)
        self.target = ""
        self.first_uri = uri

    def request(self, method, uri=None):
        """Start line and headers of the next request, as (start, list)."""
        if method == "CANCEL":
            return self.cancel()
        if method == "ACK" and self.finals.get("INVITE") and self.finals["INVITE"].status >= 300:
            return self.ack_failure(self.finals["INVITE"])
        if method != "ACK":
            self.cseq += 1
        target = uri or self.target or self.first_uri
        number = self.sent["INVITE"].cseq if method == "ACK" and "INVITE" in self.sent else self.cseq
        headers = [("Via", self.endpoint.via())]
        headers += [("Route", route) for route in self.routes]
        headers += [("Max-Forwards", "70"), ("From", self.with_tag(self.local, self.local_tag)),
                    ("To", self.with_tag(self.remote, self.remote_tag)), ("Call-ID", self.call_id),
                    ("CSeq", "%d %s" % (number, method))]
        if method != "BYE":
            headers.append(("Contact", self.endpoint.contact()))
        if method == "INVITE":
            headers += [("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK")]
        if method == "PRACK" and self.reliable:
            headers.append(("RAck", "%s %s" % (self.reliable.get("RSeq"), self.reliable.get("CSeq"))))
        return "%s %s SIP/2.0" % (method, target), headers

    @staticmethod
    def with_tag(value, tag):
        return value if sip.tag(value) or not tag else "%s;tag=%s" % (value, tag)

    def cancel(self):
        invite = self.sent["INVITE"]
        headers = [("Via", invite.get("Via")), ("Max-Forwards", "70"), ("From", invite.get("From")),
                   ("To", invite.get("To")), ("Call-ID", self.call_id), ("CSeq", "%d CANCEL" % invite.cseq)]
        return "CANCEL %s SIP/2.0" % invite.uri, headers

    def ack_failure(self, final):
        """RFC 3261 17.1.1.3: the ACK to a non-2xx belongs to the INVITE's transaction."""
        invite = self.sent["INVITE"]
        headers = [("Via", invite.get("Via")), ("Max-Forwards", "70"), ("From", invite.get("From")),
                   ("To", final.get("To")), ("Call-ID", self.call_id), ("CSeq", "%d ACK" % invite.cseq)]
        return "ACK %s SIP/2.0" % invite.uri, headers

    def response(self, request, status, phrase, tag=None):
        """Start line and headers of a response."""
        headers = [("Via", via) for via in request.all("Via")]
        if request.method == "INVITE":
            headers += [("Record-Route", route) for route in request.all("Record-Route")]
        to = request.get("To")
        if status > 100:
            to = self.with_tag(to, tag or self.local_tag)
        headers += [("From", request.get("From")), ("To", to), ("Call-ID", request.call_id),
                    ("CSeq", request.get("CSeq"))]
        if request.method in ("INVITE", "UPDATE") and 100 < status < 400:
            headers.append(("Contact", self.endpoint.contact()))
            headers.append(("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK"))
        return "SIP/2.0 %d %s" % (status, phrase or sip.PHRASES.get(status, "Whatever")), headers

    def note_response(self, request, status, data):
        key = (request.branch, request.method)
        self.answers[key] = data
        if status >= 200:
            self.answered.add(key)
            if request.method == "INVITE":
                self.confirmed |= status < 300
                self.over |= not self.confirmed

    def default_codecs(self):
        """What an answer takes of the offer that waits: its first known codec and telephone-event."""
        if not self.offer:
            return ["PCMA", "PCMU", "telephone-event"]
        known = [c for c in self.offer.codecs() if c in sip.CODECS][:1] or ["PCMA"]
        return known + (["telephone-event"] if "101" in self.offer.formats else [])

    def default_direction(self):
        mirror = {"sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}
        return mirror.get(self.offer.direction, "sendrecv") if self.offer else "sendrecv"
