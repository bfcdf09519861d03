# SPDX-License-Identifier: GPL-3.0-or-later
"""SIPp scenarios from a line of words: what a caller or phone sends and must hear, what a called gateway does.

Steps are parted by "; ". What is made of them is an ordinary scenario file; transactions, retransmissions and the state of calls
are SIPp's own."""

HEADER = '<?xml version="1.0" encoding="UTF-8" ?>\n<!DOCTYPE scenario SYSTEM "sipp.dtd">\n<scenario name="%s">\n'
PHRASES = {100: "Trying", 180: "Ringing", 183: "Session Progress", 200: "OK", 302: "Moved Temporarily", 486: "Busy Here",
           487: "Request Terminated", 503: "Service Unavailable"}
SDP = """
v=0
o=sipp 5365576 2353687 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [media_port] RTP/AVP %s
a=rtpmap:101 telephone-event/8000
a=sendrecv"""


class Scenario:
    """The XML of one scenario as it grows; variables that SIPp must be told it may leave unread are noted on the way."""

    def __init__(self, name):
        self.name, self.lines, self.variables, self.globals, self.options = name, [], [], [], []

    def add(self, text):
        self.lines.append(text)

    def send(self, lines, sdp=None, retrans=True):
        body = SDP % sdp if sdp else ""
        kind = ["Content-Type: application/sdp"] if sdp else []
        text = "\n".join(line for line in [*lines, *kind, "Content-Length: [len]"] if line)
        self.add("<send%s>\n<![CDATA[\n%s\n%s\n]]>\n</send>" % (' retrans="500"' if retrans else "", text, body))

    def recv(self, what, check="", optional=False, **attributes):
        """`check`: "Header: REGEX", "without Header", "sdp" or "no sdp"; REGEX is of POSIX and looks for a place."""
        attributes = {("request" if what.isalpha() else "response"): what, **({"optional": "true"} if optional else {}), **attributes}
        words = " ".join('%s="%s"' % pair for pair in attributes.items())
        action = self.check(check) if check else ""
        self.add("<recv %s>%s</recv>" % (words, action) if action else "<recv %s/>" % words)

    def check(self, check):
        inverse = check.startswith(("without ", "no "))
        if check.endswith("sdp"):
            where, regexp = 'search_in="msg"', "m=audio"
        elif inverse:
            where, regexp = 'search_in="msg"', check.split()[1] + ":"
        else:
            header, regexp = (part.strip() for part in check.split(":", 1))
            where = 'search_in="hdr" header="%s:"' % header
        regexp = regexp.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
        return '<action><ereg regexp="%s" %s check_it%s="true" assign_to="%s"/></action>' % (
            regexp, where, "_inverse" if inverse else "", self.variable())

    def variable(self):
        self.variables.append("v%d" % len(self.variables))
        return self.variables[-1]

    def deaf(self, milliseconds):
        """All that comes meanwhile is lost; SIPp does that for every pause of a scenario or for none."""
        self.options = ["-pause_msg_ign"]
        self.pause(milliseconds)

    def pause(self, milliseconds):
        self.add('<pause milliseconds="%s"/>' % milliseconds)

    def text(self):
        ends = ['<Reference variables="%s"/>' % ",".join(self.variables)] if self.variables else []
        starts = ['<Global variables="%s"/>' % ",".join(self.globals)] if self.globals else []
        return HEADER % self.name + "\n".join(starts + self.lines + ends) + "\n</scenario>\n"


def split(steps):
    return [step for step in steps.split("; ") if step]


class Caller:
    """Who starts the exchange. Steps:
    INVITE, REGISTER SECONDS [Header: line]    first; INVITE where none is written. A header that is there is replaced
    REGISTER 0 *, REGISTER    takes all contacts back; asks what there is
    401, 180 CHECK        must come next; a 100 may come before. A final one to INVITE is acknowledged. CHECK: see recv
    auth USER PASSWORD [Header: line]    the request again, with credentials for the challenge heard last
    again                 the same request, a new transaction
    CANCEL, BYE, hears BYE
    silence MS            nothing may come for so long
    deaf MS               what comes is lost for so long
    held                  stays up until the runner lets go of it, when the calls after it are over"""

    def __init__(self, name, steps, to="somebody"):
        self.uri = "sip:%s[remote_ip]:[remote_port]" % ("[service]@" if to else "")
        self.out, self.cseq, self.method, self.extra = Scenario(name), 0, "INVITE", []
        steps = split(steps)
        if steps and steps[0].split()[0] in ("INVITE", "REGISTER"):
            self.method, _, rest = steps.pop(0).partition(" ")
            if self.method == "REGISTER" and rest:
                seconds, _, rest = rest.partition(" ")
                self.extra = ["Contact: " + ("*" if rest == "*" else "<sip:[caller]@[local_ip]:[local_port]>"), "Expires: " + seconds]
            self.extra += [rest] if ":" in rest else []
        if self.method == "INVITE":
            self.extra.insert(0, "Contact: <sip:[caller]@[local_ip]:[local_port]>")
        self.request()
        for step in steps:
            self.step(step)

    def headers(self, start, via="Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]", peer="[peer_tag_param]"):
        to = "sip:[caller]@[remote_ip]:[remote_port]" if self.method == "REGISTER" else self.uri
        method = start.split()[0]
        return [start + " SIP/2.0", via, "Max-Forwards: 70", "From: <sip:[caller]@[remote_ip]>;tag=[pid]c[call_number]",
                "To: <%s>%s" % (to, peer), "Call-ID: [call_id]", "CSeq: %d %s" % (self.cseq, method)]

    def request(self, *more):
        self.cseq += 1
        uri = "sip:[remote_ip]:[remote_port]" if self.method == "REGISTER" else self.uri
        lines = {line.split(":")[0]: line for line in [*self.headers("%s %s" % (self.method, uri), peer=""), *self.extra, *more]}
        self.out.send([*lines.values(), "User-Agent: SIPp"], "8 0 101" if self.method == "INVITE" else None)

    def step(self, step):
        word, _, rest = step.partition(" ")
        if word.isdigit():
            self.status(word, rest)
        else:
            getattr(self, "do_" + word.lower())(rest)

    def status(self, status, check):
        if status != "100":
            self.out.recv("100", optional=True)
        more = {"auth": "true"} if status in ("401", "407") else {"rrs": "true"} if status[0] == "2" else {}
        self.out.recv(status, check, **more)
        if self.method == "INVITE" and status[0] == "2":
            self.out.send([*self.headers("ACK [next_url]"), "[routes]"], retrans=False)
        elif self.method == "INVITE" and status[0] > "2":
            self.out.send([line if line[:3] != "To:" else "[last_To:]" for line in self.headers("ACK " + self.uri, "[last_Via:]")],
                          retrans=False)

    def do_auth(self, rest):
        user, password, *line = rest.split(" ", 2)
        self.request("[authentication username=%s password=%s]" % (user, password), *line)

    def do_again(self, rest):
        self.request()

    def do_bye(self, rest):
        self.cseq += 1
        self.out.send([*self.headers("BYE [next_url]"), "[routes]"])
        self.out.recv("200")

    def do_cancel(self, rest):
        self.out.send(self.headers("CANCEL " + self.uri, "[last_Via:]", ""))
        self.out.recv("200")
        self.status("487", rest)

    def do_hears(self, rest):
        self.out.recv(rest)
        self.out.send(["SIP/2.0 200 OK", "[last_Via:]", "[last_From:]", "[last_To:]", "[last_Call-ID:]", "[last_CSeq:]"], retrans=False)

    def do_held(self, rest):
        self.out.recv("PUBLISH")

    def do_silence(self, rest):
        self.out.pause(rest)

    def do_deaf(self, rest):
        self.out.deaf(rest)


class Called:
    """Who is called; each of its calls begins with an INVITE. Several scripts: its first call goes by the first, and so on. Steps:
    INVITE CHECK              first, where the INVITE itself matters
    180, 183 sdp, 503 Retry-After: 5     sent; after a final one other than 2xx the ACK must come
    200, 200 unacked MS       sent, with SDP; the ACK must come, and without further steps the BYE. What comes in so long is lost
    hears BYE, wait MS, deaf MS
    cancelled                 a CANCEL must come; it and the INVITE are answered
    cancelled late            the same, but the INVITE's 200 was on its way: the ACK and a BYE must come
    silent                    says nothing (more)"""

    def __init__(self, name, scripts):
        self.out = out = Scenario(name)
        distinct = list(dict.fromkeys(scripts))
        line, self.cseq = out.variable(), "cseq"
        out.variables.append(self.cseq)
        action = '<ereg regexp="CSeq: ([0-9]+)" search_in="msg" assign_to="%s,%s"/>' % (line, self.cseq)
        if len(distinct) > 1:
            out.globals.append("calls")
            action += '<add assign_to="calls" value="1"/>'
            tests = [(out.variable(), n, distinct.index(script)) for n, script in enumerate(scripts, 1)]
            action += "".join('<test assign_to="%s" variable="calls" compare="equal" value="%d"/>' % test[:2] for test in tests)
        out.add('<recv request="INVITE" rrs="true"><action>%s</action></recv>' % action)
        if len(distinct) > 1:
            for variable, _, script in tests:
                out.add('<nop next="script%d" test="%s"/>' % (script, variable))
        for n, script in enumerate(distinct):
            if len(distinct) > 1:
                out.add('<label id="script%d"/>' % n)
            self.script(split(script))
            if n < len(distinct) - 1:
                out.add('<nop next="over"/>')
        if len(distinct) > 1:
            out.add('<label id="over"/>\n<nop/>')

    def script(self, steps):
        for n, step in enumerate(steps):
            word, _, rest = step.partition(" ")
            if word.isdigit():
                self.reply(int(word), rest)
            else:
                getattr(self, "do_" + word.lower())(rest)
            if word == "200" and n == len(steps) - 1:
                self.do_hears("BYE")

    def response(self, status, extra="", sdp=False, cseq="[last_CSeq:]", tag=";tag=[pid]v[call_number]", retrans=False):
        contact = "Contact: <sip:called@[local_ip]:[local_port]>" if 100 < status < 300 else ""
        self.out.send(["SIP/2.0 %d %s" % (status, PHRASES.get(status, "No")), "[last_Via:]", "[last_Record-Route:]", "[last_From:]",
                       "[last_To:]" + tag, "[last_Call-ID:]", cseq, contact, extra], "8 101" if sdp else None, retrans)

    def reply(self, status, rest, cseq="[last_CSeq:]"):
        unacked = rest.startswith("unacked ")
        sdp = rest == "sdp" or status == 200
        self.response(status, rest if ":" in rest else "", sdp, cseq, "" if status == 100 else ";tag=[pid]v[call_number]", status >= 200)
        if unacked:
            self.out.deaf(rest.split()[1])
        if status >= 200:
            self.out.recv("ACK")

    def do_invite(self, check):
        """The check goes into the INVITE's own recv, which stands first."""
        at = next(n for n, line in enumerate(self.out.lines) if 'request="INVITE"' in line)
        action = self.out.check(check)[len("<action>"):]
        self.out.lines[at] = self.out.lines[at].replace("</action>", action, 1)

    def do_hears(self, rest):
        self.out.recv(rest)
        self.response(200, tag="")

    def do_cancelled(self, rest):
        self.out.recv("CANCEL")
        self.response(200)
        self.reply(200 if rest == "late" else 487, "", "CSeq: [$%s] INVITE" % self.cseq)
        if rest == "late":
            self.do_hears("BYE")

    def do_wait(self, rest):
        self.out.pause(rest)

    def do_deaf(self, rest):
        self.out.deaf(rest)

    def do_silent(self, rest):
        self.out.pause(rest or 100)
