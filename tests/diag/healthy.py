# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls and registrations that go well, and look in part like some that do not: each of them must be left alone."""
import struct

from failures import cancel, challenge, challenged_invite, credentials, fax_offer, later, Registration, reoffer, row, timer
from parties import Call, Party, Sdp, bracket, new_call, pair, private, public, word

CASES = []
NOTHING = "NO_ACK_FOR_2XX,ACK_MISROUTED,NO_INBOUND_MEDIA,MEDIA_LOSS,MEDIA_JITTER,PRIVATE_MEDIA_ADDRESS,SIP_SCAN"


def case(make):
    CASES.append(make)
    return make


def well(call, accepted=""):
    return row(call, "NORMAL", accepted)


@case
def plain(rng, tap):
    call = new_call(rng, tap)
    call.late_offer = rng.random() < 0.2
    call.set_up(ring=rng.random() < 0.85, early=not call.late_offer and rng.random() < 0.2)
    call.talk(rng.uniform(2, 12), dtx=rng.random() < 0.2)
    call.bye(extra=rng.choice(([], [], [("Reason", "Q.850;cause=16")], [("Reason", 'Q.850;cause=16;text="Normal call clearing"')])))
    if rng.random() < 0.3:
        later(call, rng.uniform(10, 100))
    return well(call)


@case
def signalling_alone(rng, tap):
    """The tap has no media at all."""
    call = new_call(rng, tap)
    call.late_offer = rng.random() < 0.3
    call.set_up(ring=rng.random() < 0.8)
    call.t += rng.choice((2, 10, 30, 32, 60, 300)) + rng.random()
    call.bye()
    return well(call)


@case
def lossy_signalling(rng, tap):
    """Requests and answers lost and repeated, and got through."""
    call = new_call(rng, tap, proxy=False, transport="UDP")
    call.where = 0.02
    sent = call.invite(drop=0)
    call.invited += 0.5
    call.t = call.again(call.t + 0.5, sent, drop=None)
    call.trying()
    call.ring()
    call.answer()
    at = call.answered
    n = rng.randrange(1, 4)
    for step in (0.5, 1.5, 3.5)[:n]:
        if rng.random() < 0.6:
            call.response(at + step, *call.answer_args)
    call.ack()
    call.t = max(call.t, at + 4)
    call.talk(rng.uniform(4, 8))
    bye = call.bye(True, answered=False, drop=0)
    call.t += 0.5
    t = call.again(call.t, bye, drop=None)
    call.t = call.response(t, bye, 200)
    return well(call)


@case
def late_ack(rng, tap):
    """The ACK comes after some repeats of the answer, and stops them."""
    call = new_call(rng, tap, proxy=False, transport="UDP")
    call.where = 0.98
    call.invite()
    call.trying()
    call.ring()
    call.answer()
    steps = (0.5, 1.5, 3.5, 7.5, 11.5)[:rng.randrange(1, 6)]
    for step in steps:
        call.response(call.answered + step, *call.answer_args)
    call.t = call.answered + steps[-1] + 0.1
    call.ack()
    call.talk(8)
    call.bye()
    return well(call)


@case
def challenged(rng, tap):
    call = new_call(rng, tap, proxy=False)
    given = challenge(rng)
    challenged_invite(rng, call, given)
    if rng.random() < 0.3:      # stale nonce: once more
        call.invite(extra=[credentials(rng, given, call.a.user, "sip:x@y")])
        given = challenge(rng, given[4], given[0] == 407, stale=True)
        call.t = call.response(call.t + 0.003, call.invite_message, given[0], given[1], [(given[2], given[6])])
        call.ack_error()
    call.invite(extra=[credentials(rng, given, call.a.user, "sip:x@y")])
    call.trying()
    call.ring()
    call.answer()
    call.ack()
    call.talk(rng.uniform(2, 6))
    if rng.random() < 0.3:      # the BYE is challenged as well
        t, bye = call.request(call.t, True, "BYE")
        given = challenge(rng, proxy=True)
        call.t = call.response(t, bye, given[0], given[1], [(given[2], given[6])])
        call.bye(True, [credentials(rng, given, call.a.user, "sip:x@y")])
    else:
        call.bye()
    return well(call)


@case
def interval_raised(rng, tap):
    call = new_call(rng, tap, proxy=False)
    call.session = {"ask": "90"}
    call.invite()
    call.t = call.response(call.t + 0.003, call.invite_message, 422, "Session Interval Too Small", [("Min-SE", "180")])
    call.ack_error()
    call.session = {"ask": "180", "agree": "180;refresher=uac"}
    call.invite()
    call.trying()
    call.ring()
    call.answer()
    call.ack()
    call.talk(rng.uniform(2, 6))
    call.bye()
    return well(call)


@case
def redirected(rng, tap):
    """302 and the caller follows, in the same dialogue's Call-ID or a new one."""
    call = new_call(rng, tap, proxy=False, nat=False)
    other = Party(rng, public(rng, ":" in call.a.local[0]))
    call.fail(302, "Moved Temporarily", [("Contact", "<sip:%s@%s>" % (call.b.user, bracket(other.local[0])))])
    second = Call(rng, tap, call.t + rng.uniform(0.005, 0.3), call.a, other, transport=call.transport)
    second.request_user = call.request_user
    if rng.random() < 0.5:
        second.call_id, second.tag_a = call.call_id, call.tag_a
    second.set_up()
    second.talk(rng.uniform(2, 5))
    second.bye()
    return well(call) + (well(second) if second.call_id != call.call_id else [])


@case
def hold_and_resume(rng, tap):
    call = new_call(rng, tap)
    call.set_up()
    call.talk(rng.uniform(2, 4))
    by_a = rng.random() < 0.5
    mine, theirs = (call.offer, call.answer_sdp) if by_a else (call.answer_sdp, call.offer)
    how = rng.choice(("sendonly", "inactive", "zero"))
    host = mine.host
    mine.way, theirs.way = (None if how == "zero" else how), ("inactive" if how == "inactive" else "recvonly")
    if how == "zero":
        mine.host = "0.0.0.0" if ":" not in host else "::"
    mine.party.version += 1
    theirs.party.version += 1
    call.exchange(by_a, "INVITE", body=mine.text(), answer_body=theirs.text())
    start = call.t
    held = rng.uniform(3, 25)
    if how == "sendonly" and rng.random() < 0.7:
        call.audio(by_a, start, start + held)        # music
    call.t = start + held
    if rng.random() < 0.8:
        mine.host, mine.way, theirs.way = host, rng.choice((None, "sendrecv")), None
        mine.party.version += 1
        theirs.party.version += 1
        call.exchange(by_a, "INVITE", body=mine.text(), answer_body=theirs.text())
        call.talk(rng.uniform(2, 5))
    call.bye()
    return well(call)


@case
def transferred(rng, tap):
    """REFER accepted, NOTIFYs, BYE; or BYE with Also at once."""
    call = new_call(rng, tap)
    call.set_up()
    by_a = rng.random() < 0.5
    if rng.random() < 0.25:
        call.step(0.1, 0.6)
        call.bye(by_a, [("Also", "<sip:9000@example.net>")])
        return well(call)
    call.talk(rng.uniform(1, 5))
    call.exchange(by_a, "REFER", 202, "Accepted", extra=[("Refer-To", "<sip:9000@example.net>")])
    for text in ("SIP/2.0 100 Trying", "SIP/2.0 180 Ringing", "SIP/2.0 200 OK"):
        status = rng.choice((200, 200, 481))
        call.exchange(not by_a, "NOTIFY", status, "OK" if status == 200 else "No subscription", extra=[("Event", "refer"), ("Subscription-State", "active"), ("Content-Type", "message/sipfrag")], body=text + "\r\n")
        call.step(0.1, 1)
    call.bye(by_a)
    return well(call)


@case
def replaced(rng, tap):
    call = new_call(rng, tap)
    call.extra_invite.append(("Replaces", "%s;to-tag=%s;from-tag=%s" % (word(rng, 12), word(rng, 6), word(rng, 6))))
    call.set_up(ring=False)
    call.step(0.05, 0.5)
    call.bye()
    return well(call)


@case
def refreshed(rng, tap):
    call = new_call(rng, tap)
    s = timer(call, rng)
    call.set_up()
    for _ in range(rng.randrange(1, 4)):
        call.t += s["seconds"] / 2 - rng.uniform(0, 3)
        method = rng.choice(("INVITE", "UPDATE"))
        sdp, other = (call.offer, call.answer_sdp) if s["by_a"] else (call.answer_sdp, call.offer)
        body = sdp.text() if method == "INVITE" else ""
        extra = [("Session-Expires", s["refresh"])]
        if rng.random() < 0.2:
            given = challenge(rng, proxy=True)
            call.exchange(s["by_a"], method, given[0], given[1], extra=extra, body=body, answer_extra=[(given[2], given[6])])
            extra = extra + [credentials(rng, given, "x", "sip:x@y")]
        call.exchange(s["by_a"], method, extra=extra, body=body, answer_extra=[("Session-Expires", s["refresh"]), ("Require", "timer")],
                      answer_body=other.text() if body else "")
    call.t += rng.uniform(1, 30)
    call.bye()
    return well(call)


@case
def glare_retried(rng, tap):
    call = new_call(rng, tap)
    call.set_up()
    call.talk(rng.uniform(2, 5))
    t = call.t
    ta, sa = call.request(t, True, "INVITE", body=reoffer(call, True))
    tb, sb = call.request(t + call.delay * 0.3, False, "INVITE", body=reoffer(call, False))
    for when, sent in ((ta, sa), (tb, sb)):
        call.t = call.response(when + 0.002, sent, 491, "Request Pending")
        call.ack_error(sent, sent["other"])
    call.t = max(ta, tb) + rng.uniform(0.3, 3.9)
    by_a = rng.random() < 0.5
    call.exchange(by_a, "INVITE", body=reoffer(call, by_a), answer_body=reoffer(call, not by_a))
    call.talk(rng.uniform(2, 5))
    call.bye()
    return well(call)


@case
def forked_and_ended(rng, tap):
    """Two phones answer; both are acknowledged and one of them hung up at once."""
    call = new_call(rng, tap, proxy=False)
    call.set_up()
    first, other = call.tag_b, call.b.make_tag(rng)
    at = call.answered + rng.uniform(0.02, 0.5)
    body = call.answer_sdp.text()
    t = call.response(at, call.invite_message, 200, "OK", [], body, to_tag=other)
    call.request(t + 0.005, True, "ACK", cseq=call.invite_message["cseq"], tags=(call.tag_a, other))
    t, bye = call.request(t + 0.01, True, "BYE", tags=(call.tag_a, other))
    call.response(t, bye, 200)
    call.talk(rng.uniform(3, 8))
    call.bye()
    return well(call)


@case
def forked_branches(rng, tap):
    """A proxy rings two phones; one answers, the other is cancelled."""
    call = new_call(rng, tap, proxy=True, transport="UDP", links=[0, 1], nat=False)
    call.set_up()
    other = Party(rng, public(rng, ":" in call.a.local[0]))
    proxy = call.chain[1]
    sent = call.invite_message
    via = call.via_of(call.a, sent["branch"])
    branch = word(rng, 12)

    def text(start, method, tag=None):
        ident = dict(sent["headers"][:2])
        to = ident["To"] + (";tag=" + tag if tag else "")
        return call.render(call.a, start, [call.via_of(proxy, branch)] + ([via] if method != "CANCEL" else []),
                           [("From", ident["From"]), ("To", to), ("Call-ID", call.call_id), ("CSeq", "%d %s" % (sent["cseq"], method)), ("Max-Forwards", "69")], "")
    at = call.invited + call.delay + 0.01
    tag = word(rng, 8)
    uri = "sip:%s@%s" % (other.user, bracket(other.local[0]))
    tap.udp(at, proxy.wire, other.wire, text("INVITE %s SIP/2.0" % uri, "INVITE"))
    tap.udp(at + 0.05, other.wire, proxy.wire, text("SIP/2.0 180 Ringing", "INVITE", tag))
    at = call.answered + 0.05
    tap.udp(at, proxy.wire, other.wire, text("CANCEL %s SIP/2.0" % uri, "CANCEL").replace(b"Max-Forwards", b'Reason: SIP;cause=200;text="Call completed elsewhere"\r\nMax-Forwards'))
    tap.udp(at + 0.02, other.wire, proxy.wire, text("SIP/2.0 200 OK", "CANCEL", tag))
    tap.udp(at + 0.03, other.wire, proxy.wire, text("SIP/2.0 487 Request Terminated", "INVITE", tag))
    tap.udp(at + 0.04, proxy.wire, other.wire, text("ACK %s SIP/2.0" % uri, "ACK", tag).replace(via.encode(), via.encode()))
    call.talk(rng.uniform(2, 6))
    call.bye()
    return well(call)


@case
def one_way_by_agreement(rng, tap):
    call = new_call(rng, tap)
    call.offer.way, call.answer_sdp.way = rng.choice((("sendonly", "recvonly"), ("recvonly", "sendonly")))
    call.set_up()
    start, seconds = call.t, rng.uniform(5, 30)
    call.audio(call.offer.way == "sendonly", start, start + seconds)
    call.t = start + seconds
    call.bye()
    return well(call)


@case
def silence_left_out(rng, tap):
    call = new_call(rng, tap)
    call.codec = rng.choice(("PCMU", "PCMA", "G729"))
    call.ptime = rng.choice((20, 30))
    call.offer = Sdp(rng, call.a, [call.codec], 101, call.ptime)
    call.answer_sdp = Sdp(rng, call.b, [call.codec], 101, call.ptime)
    call.set_up()
    call.talk(rng.uniform(10, 30), dtx=True)
    call.bye()
    return well(call)


@case
def asymmetric(rng, tap):
    """Each side with numbers of its own, and sends from another port than it listens at."""
    call = new_call(rng, tap, nat=False)
    call.codec = rng.choice(("opus", "iLBC", "AMR", "speex"))
    call.ptime = 20
    call.offer = Sdp(rng, call.a, [call.codec, "PCMU"], 101, own={call.codec: rng.randrange(102, 110)})
    call.answer_sdp = Sdp(rng, call.b, [call.codec], 96, own={call.codec: rng.randrange(112, 127)})
    call.set_up()
    start, seconds = call.t, rng.uniform(4, 10)
    for by_a, party in ((True, call.a), (False, call.b)):
        src = (party.rtp_wire[0], party.rtp_wire[1] + (1000 if rng.random() < 0.6 else 0))
        call.audio(by_a, start, start + seconds, src=src)
    call.t = start + seconds
    call.bye()
    return well(call)


@case
def digits_in_events(rng, tap):
    call = new_call(rng, tap)
    events = rng.choice((101, 96))
    call.codec = rng.choice(("PCMU", "PCMA", "G729"))
    call.offer, call.answer_sdp = Sdp(rng, call.a, [call.codec], events, call.ptime), Sdp(rng, call.b, [call.codec], rng.choice((events, 101)), call.ptime)
    call.set_up()
    call.talk(3)
    t = call.digits(rng.random() < 0.7, call.t, [rng.randrange(12) for _ in range(rng.randrange(1, 9))])
    call.t = t
    call.talk(2)
    call.bye()
    return well(call)


@case
def digits_in_info(rng, tap):
    call = new_call(rng, tap)
    call.set_up()
    call.talk(3)
    for _ in range(rng.randrange(1, 5)):
        call.exchange(True, "INFO", extra=[("Content-Type", "application/dtmf-relay")], body="Signal=%d\r\nDuration=160\r\n" % rng.randrange(10))
        call.step(0.2, 0.5)
    call.bye()
    return well(call)


@case
def fax_changed(rng, tap):
    call = new_call(rng, tap, nat=False)
    call.set_up()
    call.talk(3)
    call.exchange(False, "INVITE", body=fax_offer(call.answer_sdp, call.answer_sdp.port), answer_body=fax_offer(call.offer, call.offer.port))
    start = call.t
    for k in range(300):
        for near, far in ((call.a, call.b), (call.b, call.a)):
            tap.udp(start + k * 0.04, near.rtp_wire, far.rtp_wire, struct.pack("!HBB", k, 1, 0) + b"\0" * 3)
    call.t = start + 12
    call.bye()
    return well(call)


@case
def video_refused(rng, tap):
    call = new_call(rng, tap)
    call.offer.video, call.answer_sdp.video = rng.randrange(10000, 30000) * 2, 0
    call.set_up()
    call.talk(rng.uniform(3, 6))
    call.bye()
    return well(call)


@case
def reliable_provisional(rng, tap):
    call = new_call(rng, tap)
    call.extra_invite.append(("Supported", "100rel"))
    call.invite()
    call.trying()
    seq = rng.randrange(1, 10 ** 5)
    reliable = [("Require", "100rel"), ("RSeq", str(seq))]
    body = call.answer_sdp.text()
    at = call.t + 0.2
    call.t = at
    args = (call.invite_message, 183, "Session Progress", reliable, body)
    call.t = call.response(at, *args)
    lost = rng.randrange(0, 3) if call.transport == "UDP" else 0
    for step in (0.5, 1.5)[:lost]:
        call.t = call.response(at + step, *args)
    call.exchange(True, "PRACK", extra=[("RAck", "%d %d INVITE" % (seq, call.invite_message["cseq"]))])
    call.audio(False, call.t, call.t + 2)
    call.t += 2
    call.answer(body="")
    call.ack()
    call.talk(rng.uniform(3, 6))
    call.bye()
    return well(call)


@case
def latched(rng, tap):
    """A private address in the SDP, and RTP goes to where its packets come from."""
    call = new_call(rng, tap, nat=True, proxy=False)
    call.where = rng.choice((0.5, 0.98))
    call.set_up()
    start, seconds = call.t, rng.uniform(4, 8)
    call.audio(True, start, start + seconds)
    first = rng.uniform(0.05, 0.4)
    if rng.random() < 0.5:       # until it learns, to the address in the SDP
        call.audio(False, start, start + first, dst=call.a.rtp_local)
    call.audio(False, start + first, start + seconds)
    call.t = start + seconds
    call.bye()
    return well(call)


@case
def latched_callee(rng, tap):
    """The called side behind a NAT of its own; the caller's switch sends to the source."""
    call = new_call(rng, tap, nat=False, six=False, proxy=False)
    outside = call.b.rtp_wire
    call.b.rtp_local = (private(rng), call.b.rtp_local[1])
    call.answer_sdp.host = call.b.rtp_local[0]
    call.b.rtp_wire = (outside[0], rng.randrange(1024, 60000))
    call.set_up()
    call.talk(rng.uniform(3, 6))
    call.bye()
    return well(call)


@case
def begun_before(rng, tap):
    """The file begins in the middle of the call."""
    call = new_call(rng, tap)
    call.set_up()
    tap.begins = call.t + rng.uniform(0.5, 3)
    call.talk(rng.uniform(6, 12))
    call.bye()
    return row(call, "NORMAL", "CAPTURE_INCOMPLETE")


@case
def goes_on_after(rng, tap):
    """The file ends while they talk."""
    call = new_call(rng, tap)
    call.set_up()
    call.talk(rng.uniform(3, 12))
    tap.ends = call.t - rng.uniform(0, 2)
    return row(call, "NORMAL", "CAPTURE_INCOMPLETE")


@case
def ends_in_set_up(rng, tap):
    call = new_call(rng, tap)
    call.invite()
    call.trying()
    if rng.random() < 0.6:
        call.ring()
    call.t += rng.uniform(0, 5)
    if rng.random() < 0.5:
        later(call, rng.uniform(0, 5))
    return row(call, "CAPTURE_INCOMPLETE", "NORMAL,UNKNOWN")


@case
def ends_after_answer(rng, tap):
    """The file ends with the answer: no ACK may be missed."""
    call = new_call(rng, tap, proxy=False)
    call.where = 0.98
    call.invite()
    call.trying()
    call.ring()
    call.answer()
    for step in (0.5, 1.5)[:rng.randrange(3)]:
        call.response(call.answered + step, *call.answer_args)
    return row(call, "NORMAL", "CAPTURE_INCOMPLETE")


@case
def same_ports_again(rng, tap):
    """Two calls of the same two ends, one within a second after the other, on the same media ports."""
    call = new_call(rng, tap, nat=False)
    call.set_up()
    call.talk(rng.uniform(2, 5))
    call.bye()
    second = Call(rng, tap, call.t + rng.uniform(0.1, 0.9), call.a, call.b, call.chain[1:-1], call.links, "UDP" if call.transport == "UDP" else call.transport)
    second.opened = call.opened
    call.a.ssrc, call.b.ssrc = rng.randrange(1, 2 ** 32), rng.randrange(1, 2 ** 32)
    call.a.session += 5
    second.set_up()
    second.talk(rng.uniform(2, 5))
    second.bye()
    return well(call) + well(second)


@case
def several_at_once(rng, tap):
    calls = [new_call(rng, tap, t=rng.uniform(0, 3)) for _ in range(rng.randrange(2, 5))]
    for call in calls:
        call.set_up()
        call.talk(rng.uniform(2, 5))
        call.bye()
    return [r for call in calls for r in well(call)]


@case
def bridged(rng, tap):
    """Both legs of a B2BUA, the numbers as they were or changed."""
    left = new_call(rng, tap, proxy=False, nat=False, six=False, transport="UDP")
    left.invite()
    left.trying()
    middle = Party(rng, left.b.local[0], port=left.b.local[1])
    middle.user = left.a.user
    right = Call(rng, tap, left.t + 0.01, middle, Party(rng, public(rng)), transport="UDP")
    right.request_user = left.request_user if rng.random() < 0.5 else "00" + left.request_user
    right.codec, right.ptime = left.codec, left.ptime
    right.offer, right.answer_sdp = Sdp(rng, middle, [left.codec], 101, left.ptime), Sdp(rng, right.b, [left.codec], 101, left.ptime)
    right.invite()
    right.trying()
    right.ring()
    left.t = right.t
    left.ring()
    right.t = left.t
    right.answer()
    right.ack()
    left.t = right.t
    left.answer()
    left.ack()
    seconds = rng.uniform(3, 7)
    right.t = left.t
    left.talk(seconds)
    right.talk(seconds)
    left.bye(True)
    right.t = left.t
    right.bye(True)
    return well(left) + well(right)


@case
def bye_crosses(rng, tap):
    """Both hang up at once; one of them answers 481."""
    call = new_call(rng, tap, proxy=False)
    call.set_up()
    call.talk(rng.uniform(2, 6))
    t1, one = call.request(call.t, True, "BYE")
    t2, two = call.request(call.t + call.delay * 0.4, False, "BYE")
    call.response(t1, one, 200)
    call.t = call.response(t2, two, rng.choice((200, 481)), "OK")
    return well(call)


@case
def short_and_normal(rng, tap):
    """Hung up after two seconds, by hand."""
    call = new_call(rng, tap)
    call.set_up()
    call.talk(rng.uniform(1.5, 3))
    call.bye()
    return well(call)


@case
def harmless_refusals(rng, tap):
    """OPTIONS, SUBSCRIBE and PUBLISH refused beside a call."""
    call = new_call(rng, tap, proxy=False)
    for method, status, phrase in (("OPTIONS", 405, "Method Not Allowed"), ("SUBSCRIBE", 489, "Bad Event"), ("PUBLISH", 501, "Not Implemented"), ("OPTIONS", 404, "Not Found")):
        if rng.random() < 0.6:
            ping = Call(rng, tap, call.t, call.a, call.b, transport=call.transport, delay=call.delay)
            ping.opened = call.opened
            t, sent = ping.request(ping.t, True, method, to_tag=False, extra=[("Event", "presence")] if method != "OPTIONS" else [])
            ping.response(t, sent, status, phrase)
            call.t += 0.3
    call.set_up()
    call.talk(rng.uniform(2, 5))
    call.bye()
    return well(call)


@case
def icmp_noise(rng, tap):
    """Ports that are closed already, or that RTCP never had."""
    call = new_call(rng, tap, proxy=False, nat=False, transport="UDP")
    call.set_up()
    start = call.t
    call.talk(4)
    six = ":" in call.a.local[0]
    what = (1, 4) if six else (3, 3)
    tap.icmp(start + 1, call.b.wire[0], (call.a.rtp_wire[0], call.a.rtp_wire[1] + 1), (call.b.rtp_wire[0], call.b.rtp_wire[1] + 1), *what)
    call.bye()
    tap.icmp(call.t + 0.05, call.b.wire[0], call.a.rtp_wire, call.b.rtp_wire, *what)
    return well(call)


@case
def small_impairments(rng, tap):
    """A packet lost now and then, a little jitter, some out of order, one sender that sends in pairs."""
    call = new_call(rng, tap)
    call.set_up()
    start, seconds = call.t, rng.uniform(6, 14)
    how = rng.choice(("few", "uneven", "pairs", "order"))
    for by_a in (True, False):
        if how == "few":
            call.audio(by_a, start, start + seconds, lose=lambda n, at: n % 337 == 5)
        elif how == "uneven":
            call.audio(by_a, start, start + seconds, jitter=0.015)
        elif how == "pairs":
            call.audio(by_a, start, start + seconds, jitter=lambda n: call.ptime / 1000 * (1 - n % 2))
        else:
            call.audio(by_a, start, start + seconds, jitter=lambda n: 0.05 if n % 97 == 0 else 0.001)
    call.t = start + seconds
    call.bye()
    return well(call)


@case
def source_changes(rng, tap):
    """Another SSRC after a re-INVITE, or another source with the ring-back before the answer."""
    call = new_call(rng, tap, nat=False)
    call.invite()
    call.trying()
    call.ring(183, "Session Progress", call.answer_sdp.text())
    call.audio(False, call.t, call.t + 2, ssrc=rng.randrange(1, 2 ** 32))
    call.t += 2
    call.answer()
    call.ack()
    call.talk(3)
    if rng.random() < 0.5:
        by_a = rng.random() < 0.5
        call.exchange(by_a, "INVITE", body=reoffer(call, by_a), answer_body=reoffer(call, not by_a))
        call.a.ssrc, call.b.ssrc = rng.randrange(1, 2 ** 32), rng.randrange(1, 2 ** 32)
        call.talk(3)
    call.bye()
    return well(call)


@case
def muted_for_a_while(rng, tap):
    call = new_call(rng, tap)
    call.codec, call.ptime = "PCMA", 20
    call.offer, call.answer_sdp = Sdp(rng, call.a, ["PCMA"], 101), Sdp(rng, call.b, ["PCMA"], 101)
    call.set_up()
    start = call.t
    share = rng.uniform(0.3, 0.8)
    call.audio(True, start, start + 10, payload=lambda n, size: b"\xd5" * size if n > 500 * (1 - share) else bytes((n * 7 + k * 13) % 256 for k in range(size)))
    call.audio(False, start, start + 10)
    call.t = start + 10
    call.bye()
    return well(call)


@case
def another_codec_of_the_offer(rng, tap):
    """The sides send different codecs of those that both have listed."""
    call = new_call(rng, tap)
    call.ptime, call.codec = 20, "PCMA"
    call.offer, call.answer_sdp = Sdp(rng, call.a, ["PCMA", "PCMU"], 101), Sdp(rng, call.b, ["PCMU", "PCMA"], 101)
    call.set_up()
    start = call.t
    call.audio(True, start, start + 5, codec="PCMU")
    call.audio(False, start, start + 5, codec="PCMA")
    call.t = start + 5
    call.bye()
    return well(call)


@case
def encrypted_media(rng, tap):
    call = new_call(rng, tap)
    call.codec, call.ptime = rng.choice(("PCMU", "PCMA", "G729")), 20
    call.offer = Sdp(rng, call.a, [call.codec], 101, profile="RTP/SAVP")
    call.answer_sdp = Sdp(rng, call.b, [call.codec], 101, profile="RTP/SAVP")
    call.offer.crypto = call.answer_sdp.crypto = word(rng, 40)
    call.set_up()
    start, tag = call.t, rng.choice((4, 10))
    for by_a in (True, False):
        call.audio(by_a, start, start + 6, tag=tag)
    call.t = start + 6
    call.bye()
    return well(call)


@case
def early_media_goes_on(rng, tap):
    """The called side's audio is there before the answer and does not stop."""
    call = new_call(rng, tap)
    call.invite()
    call.trying()
    call.ring(183, "Session Progress", call.answer_sdp.text())
    early = call.t
    call.t += rng.uniform(2, 6)
    call.answer()
    call.ack()
    seconds = rng.uniform(4, 8)
    call.audio(False, early, call.t + seconds)
    call.audio(True, call.t, call.t + seconds)
    call.t += seconds
    call.bye()
    return well(call)


@case
def announcement_alone(rng, tap):
    """An answering machine hears a caller that says nothing: one direction in the file, and nobody complains."""
    call = new_call(rng, tap, nat=False)
    call.set_up()
    call.audio(False, call.t, call.t + 8)
    call.t += 8
    call.bye()
    return well(call, "UNKNOWN")


@case
def ended_at_the_interval(rng, tap):
    """Hung up by hand about when a session timer or a missing ACK would have done it; the refreshes are there."""
    call = new_call(rng, tap)
    call.set_up()
    call.t = call.answered + rng.choice((32, 60, 90, 1800)) + rng.uniform(-0.5, 0.5)
    call.bye()
    return well(call)


@case
def registered(rng, tap):
    r = Registration(rng, tap)
    r.send()
    if rng.random() < 0.75:
        given = r.challenged(realm="pbx", proxy=False)
        r.with_credentials(given)
        if rng.random() < 0.25:
            given = r.challenged(realm="pbx", proxy=False, stale=True)
            r.with_credentials(given)
    r.answer(200)
    for _ in range(rng.randrange(3)):
        r.call.t += r.expires * 0.8
        r.send()
        given = r.challenged(realm="pbx", proxy=False, stale=rng.random() < 0.5)
        r.with_credentials(given)
        r.answer(200)
    if rng.random() < 0.3:
        r.expires = 0
        r.send()
        r.answer(200)
    later(r.call, rng.choice((1, 10, 60)))
    return row(r, "NORMAL")


@case
def registered_for_longer(rng, tap):
    r = Registration(rng, tap)
    r.expires = 30
    r.send()
    r.answer(423, "Interval Too Brief", [("Min-Expires", "120")])
    r.expires = 120
    r.send()
    r.answer(200)
    later(r.call, 20)
    return row(r, "NORMAL")


@case
def many_phones(rng, tap):
    """One office registers its phones after a power cut: no scanner."""
    rows, t = [], 0
    a, b = pair(rng, nat=True)
    for n in range(rng.randrange(8, 15)):
        r = Registration(rng, tap, nat=False)
        r.call.a, r.call.b, r.call.chain, r.call.transport = Party(rng, private(rng), nat=a.wire[0]), b, [None, b], "UDP"
        r.call.chain[0] = r.call.a
        r.call.domain = "pbx.example.net"
        r.call.request_user = r.call.a.user
        r.call.call_id = r.call.a.make_call_id(rng, r.call.a.local[0])
        r.call.t = t
        r.send()
        given = r.challenged(realm="pbx.example.net", proxy=False)
        r.with_credentials(given)
        r.answer(200)
        rows += row(r, "NORMAL")
        t += rng.uniform(0.01, 2)
    return rows


@case
def diallers_refusals(rng, tap):
    """A call centre's campaign: many numbers, most of them busy or unknown, some answered."""
    a, b = pair(rng, nat=False, six=False)
    rows, t = [], 0
    for n in range(rng.randrange(10, 16)):
        call = Call(rng, tap, t, a, b, transport="UDP")
        call.anew()
        call.request_user = "+4930" + str(rng.randrange(10 ** 6, 10 ** 8))
        if rng.random() < 0.7:
            status, phrase, code = rng.choice(((486, "Busy Here", "USER_BUSY"), (404, "Not Found", "NUMBER_UNALLOCATED"), (480, "Temporarily Unavailable", "USER_UNAVAILABLE")))
            call.fail(status, phrase)
            rows += row(call, code, "", "SIP_SCAN,TOLL_FRAUD,ROUTES_EXHAUSTED")
        else:
            call.set_up()
            call.talk(2)
            call.bye()
            rows += row(call, "NORMAL", "", "SIP_SCAN,TOLL_FRAUD")
        t += rng.uniform(0.3, 2)
    return rows


# ---- what the tap does not show ---------------------------------------------------------------------------------------------
def seen_from(tap, host):
    """A tap that has one direction alone: what this host sends."""
    tap.frames = [f for f in tap.frames if source_of(tap, f[1]) == host]


def source_of(tap, frame):
    head = {"ethernet": 14, "vlan": 18, "cooked": 16, "cooked2": 20, "raw": 0, "loopback": 4}[tap.link]
    ip = frame[head:]
    return ip[8:24] if ip[0] >> 4 == 6 else ip[12:16]


@case
def one_direction_seen(rng, tap):
    call = new_call(rng, tap, proxy=False, nat=False)
    media = rng.random() < 0.6
    call.set_up()
    if media:
        call.talk(rng.uniform(4, 10))
    else:
        call.t += rng.uniform(2, 40)
    call.bye()
    later(call, rng.choice((1, 40)))
    seen_from(tap, tap.host((call.a if rng.random() < 0.5 else call.b).wire[0]))
    if rng.random() < 0.5:
        later(call, 41)
    return row(call, "NORMAL", "CAPTURE_INCOMPLETE,UNKNOWN", NOTHING + ",NO_RESPONSE,BYE_UNDELIVERED")


@case
def one_direction_of_a_registration(rng, tap):
    r = Registration(rng, tap)
    r.call.transport = "UDP"
    r.send()
    given = r.challenged(realm="pbx", proxy=False)
    r.with_credentials(given)
    r.answer(200)
    seen_from(tap, tap.host(r.call.a.wire[0]))
    later(r.call, rng.choice((1, 40)))
    return row(r, "NORMAL", "CAPTURE_INCOMPLETE,UNKNOWN", "REG_NO_RESPONSE,WRONG_PASSWORD,NO_CREDENTIALS")


@case
def tap_loses(rng, tap):
    """Some packets never got into the file, in both directions at once; sometimes requests among them."""
    calls = [new_call(rng, tap, t=rng.uniform(0, 2), proxy=False) for _ in range(4)]
    for call in calls:
        call.set_up()
        call.talk(rng.uniform(8, 12))
        call.bye()
    share = rng.uniform(0.02, 0.2)
    tap.alone = True
    tap.frames = [f for f in tap.frames if rng.random() > share]
    return [r for call in calls for r in row(call, "NORMAL", "CAPTURE_INCOMPLETE,UNKNOWN", "NO_ACK_FOR_2XX,NO_RESPONSE,MEDIA_LOSS,MEDIA_LOSS_BURST,BYE_UNDELIVERED")]


@case
def tap_pauses(rng, tap):
    """For a moment nothing at all was written."""
    call = new_call(rng, tap, proxy=False)
    call.set_up()
    start = call.t
    call.talk(rng.uniform(9, 14))
    call.bye()
    holes = [(h, h + rng.uniform(0.1, 0.6)) for h in (start + rng.uniform(1, 8) for _ in range(3))]
    tap.frames = [f for f in tap.frames if not any(a < f[0] < b for a, b in holes)]
    return row(call, "NORMAL", "CAPTURE_INCOMPLETE", "MEDIA_JITTER")


@case
def cut_short(rng, tap):
    """Each packet is cut at some length."""
    call = new_call(rng, tap)
    call.set_up()
    call.talk(rng.uniform(2, 5))
    call.bye()
    tap.snap = rng.choice((68, 96, 128, 256, 512))
    return row(call, "NORMAL", "CAPTURE_INCOMPLETE,NO_CALLS,UNKNOWN", NOTHING + ",MALFORMED_MESSAGE,BODY_LENGTH_MISMATCH")


@case
def seen_at_two_places(rng, tap):
    """The same packets before and behind a router, some time apart."""
    call = new_call(rng, tap, proxy=False)
    call.set_up()
    call.talk(rng.uniform(3, 6))
    call.bye()
    apart = rng.choice((0.0004, 0.003, 0.02, 0.08))
    tap.frames += [(t + apart + rng.random() * 0.0002, f) for t, f in tap.frames]
    return row(call, "NORMAL", "", NOTHING + ",MEDIA_REORDER_DUPLICATE")


@case
def begun_within_set_up(rng, tap):
    """The file begins after the INVITE."""
    call = new_call(rng, tap)
    call.invite()
    tap.begins = call.t + 0.0001
    call.trying()
    call.ring()
    if rng.random() < 0.5:
        tap.begins = call.t + 0.01
    call.answer()
    call.ack()
    call.talk(rng.uniform(3, 8))
    call.bye()
    later(call, 40)
    return row(call, "NORMAL", "CAPTURE_INCOMPLETE,UNKNOWN", NOTHING)


@case
def segment_not_seen(rng, tap):
    """A TCP segment is missing from the file."""
    call = new_call(rng, tap, proxy=False, nat=False, transport="TCP")
    call.set_up()
    call.t += rng.uniform(2, 40)
    call.bye()
    data = [n for n, f in enumerate(tap.frames) if len(f[1]) > 300]
    del tap.frames[rng.choice(data)]
    later(call, 40)
    return row(call, "NORMAL", "CAPTURE_INCOMPLETE,UNKNOWN", "MALFORMED_MESSAGE,BODY_LENGTH_MISMATCH,NO_ACK_FOR_2XX,NO_RESPONSE,BYE_UNDELIVERED")


@case
def proxy_steps_aside(rng, tap):
    """No Record-Route: ACK and BYE go past the proxy, where the tap may be."""
    call = new_call(rng, tap, proxy=True, nat=False, transport="UDP", links=rng.choice(([0], [1], [0, 1])))
    call.record_route = False
    call.set_up()
    if 0 in call.links:
        call.talk(rng.uniform(3, 6))
    call.bye()
    later(call, rng.choice((1, 50)))
    return row(call, "NORMAL", "CAPTURE_INCOMPLETE", NOTHING)


@case
def registered_with_an_old_nonce(rng, tap):
    """The file begins with credentials from before; the nonce is new by now, and the file may end there."""
    r = Registration(rng, tap)
    old = challenge(rng, "pbx", False)
    r.send([credentials(rng, old, r.call.a.user, "sip:pbx")])
    given = r.challenged(realm="pbx", proxy=False, stale=rng.random() < 0.3)
    if rng.random() < 0.6:
        r.with_credentials(given)
        r.answer(200)
        later(r.call, 30)
        return row(r, "NORMAL")
    return row(r, "NORMAL", "CAPTURE_INCOMPLETE,UNKNOWN", "WRONG_PASSWORD,NO_CREDENTIALS,AUTH_REALM_MISMATCH")


# ---- further manners ------------------------------------------------------------------------------------------------------------
@case
def fragments(rng, tap):
    """A large INVITE in pieces, all of which come."""
    call = new_call(rng, tap, proxy=False, nat=False, six=False, transport="UDP")
    call.offer.more += ["a=candidate:%d 1 UDP %d 10.0.0.%d %d typ host" % (n, rng.randrange(2 ** 31), n, rng.randrange(1024, 65000)) for n in range(1, 40)]
    call.set_up()
    call.talk(rng.uniform(2, 5))
    call.bye()
    return well(call)


@case
def second_server(rng, tap):
    """The first server is silent; the second one, of the same name, takes the call."""
    call = new_call(rng, tap, proxy=False, nat=False, six=False, transport="UDP")
    call.where = 0.02
    second = call.b.wire
    dead = (public(rng), second[1])
    sent = call.invite(drop=0, dst=dead)
    for step in (0.5, 1.5, 3.5):
        call.again(call.t + step, sent)
    call.t += 4
    call.a.cseq -= rng.randrange(2)
    call.set_up()
    call.talk(3)
    call.bye()
    return row(call, "NORMAL", "NO_RESPONSE")


@case
def keepalives(rng, tap):
    """Line ends and zeros on the SIP port, STUN and empty RTP on the media ports, OPTIONS in the call."""
    call = new_call(rng, tap, proxy=False, transport="UDP")
    call.set_up()
    start = call.t
    call.talk(6)
    for k in range(5):
        tap.udp(start + k, call.a.wire, call.b.wire, rng.choice((b"\r\n\r\n", b"\0\0\0\0", b"jaK")))
        tap.udp(start + k + 0.3, call.a.rtp_wire, call.b.rtp_wire, struct.pack("!HHI", 1, 0, 0x2112a442) + bytes(12))
        tap.udp(start + k + 0.4, call.b.rtp_wire, call.a.rtp_wire, struct.pack("!BBHII", 0x80, 20, k, 0, 77))
    if rng.random() < 0.5:
        call.exchange(rng.random() < 0.5, "OPTIONS")
    call.bye()
    return well(call)


@case
def quiet_at_first(rng, tap):
    """Silence is left out from the beginning: the first audio comes with the first word."""
    call = new_call(rng, tap)
    call.codec, call.ptime = "G729", 20
    call.offer, call.answer_sdp = Sdp(rng, call.a, ["G729"], 101), Sdp(rng, call.b, ["G729"], 101)
    call.set_up()
    start = call.t
    call.audio(True, start, start + 15, dtx=True)
    call.audio(False, start + rng.uniform(1.2, 4), start + 15, dtx=True)
    call.t = start + 15
    call.bye()
    return row(call, "NORMAL", "", "NO_INBOUND_MEDIA,MEDIA_LOST_MIDCALL")


@case
def moved(rng, tap):
    """A re-INVITE takes one side's media elsewhere, and both follow."""
    call = new_call(rng, tap, proxy=False, nat=False)
    call.set_up()
    call.talk(rng.uniform(2, 4))
    by_a = rng.random() < 0.5
    party, sdp, other = (call.a, call.offer, call.answer_sdp) if by_a else (call.b, call.answer_sdp, call.offer)
    host = public(rng, ":" in party.local[0]) if rng.random() < 0.6 else party.local[0]
    party.rtp_local = party.rtp_wire = (host, rng.randrange(5000, 30000) * 2)
    sdp.host, sdp.port = party.rtp_local
    party.ssrc, party.sent_until = rng.randrange(1, 2 ** 32), None
    party.version += 1
    other.party.version += 1
    call.exchange(by_a, "INVITE", body=sdp.text(), answer_body=other.text())
    call.talk(rng.uniform(3, 6))
    call.bye()
    return well(call)


@case
def refresh_by_other_method(rng, tap):
    """UPDATE is not taken; a re-INVITE refreshes the session instead."""
    call = new_call(rng, tap, proxy=False)
    s = timer(call, rng)
    call.set_up()
    call.t += s["seconds"] / 2
    extra = [("Session-Expires", s["refresh"])]
    call.exchange(s["by_a"], "UPDATE", *rng.choice(((405, "Method Not Allowed"), (501, "Not Implemented"))), extra=extra)
    sdp, other = (call.offer, call.answer_sdp) if s["by_a"] else (call.answer_sdp, call.offer)
    call.exchange(s["by_a"], "INVITE", extra=extra, body=sdp.text(), answer_extra=extra, answer_body=other.text())
    call.t += rng.uniform(1, 30)
    call.bye()
    return well(call)


@case
def hung_up_by_the_refresher(rng, tap):
    """With a session timer, by hand and long before it."""
    call = new_call(rng, tap)
    timer(call, rng, 1800)
    call.set_up()
    call.t = call.answered + rng.choice((30, 32, 60, 148)) + rng.uniform(-0.5, 0.5)
    call.bye()
    return well(call)


@case
def change_refused_and_kept(rng, tap):
    """Video is asked for, refused, and they talk on."""
    call = new_call(rng, tap, proxy=False)
    call.set_up()
    call.talk(3)
    by_a = rng.random() < 0.5
    call.exchange(by_a, "INVITE", 488, "Not Acceptable Here", body=reoffer(call, by_a).replace("m=audio", "m=video 5000 RTP/AVP 99\r\nm=audio", 1))
    call.talk(rng.uniform(7, 12))
    call.bye()
    return well(call)


@case
def fork_rings_twice(rng, tap):
    """Several 18x with tags of their own; one of them answers."""
    call = new_call(rng, tap)
    call.invite()
    call.trying()
    for _ in range(rng.randrange(1, 4)):
        call.ring(rng.choice((180, 183)), "Ringing", call.answer_sdp.text() if rng.random() < 0.3 else "", to_tag=call.b.make_tag(rng))
    call.ring()
    call.answer()
    call.ack()
    call.talk(rng.uniform(3, 6))
    call.bye()
    return well(call)


@case
def icmp_of_another_time(rng, tap):
    """The called side was down before, and takes the call now; or it is down after the call."""
    call = new_call(rng, tap, proxy=False, nat=False, transport="UDP")
    six = ":" in call.a.local[0]
    before = rng.random() < 0.5
    if before:
        tap.icmp(-20, call.b.wire[0], call.a.asks_from, call.b.wire, *((1, 4) if six else (3, 3)))
    call.set_up()
    call.talk(3)
    call.bye()
    if not before:
        tap.icmp(call.t + 1, call.b.wire[0], call.a.asks_from, call.b.wire, *((1, 4) if six else (3, 3)))
    return well(call)


@case
def nothing_but_comfort(rng, tap):
    """A muted participant of a conference sends comfort noise now and then."""
    call = new_call(rng, tap)
    call.codec, call.ptime = "PCMU", 20
    call.offer, call.answer_sdp = Sdp(rng, call.a, ["PCMU"], 101), Sdp(rng, call.b, ["PCMU"], 101)
    call.set_up()
    start = call.t
    call.audio(False, start, start + 20)
    call.audio(True, start, start + 1)
    for k in range(18):
        call.rest_until(call.a, start + 1 + k)
        call.rtp_packet(start + 1 + k, call.delay * call.where, call.a.rtp_wire, call.b.rtp_wire, 13, call.a, call.a.ssrc, False, b"\x40", 0.001, None, 0, 1)
    call.t = start + 20
    call.bye()
    return well(call)


@case
def routed_privately(rng, tap):
    """Two private nets with a route between them: addresses look unreachable and are not."""
    a, b = Party(rng, "10.1.%d.5" % rng.randrange(250)), Party(rng, "192.168.%d.7" % rng.randrange(250))
    call = Call(rng, tap, 0, a, b)
    a.rtp_local = a.rtp_wire = ("10.9.9.%d" % rng.randrange(2, 250), a.rtp_local[1])
    call.offer.host = a.rtp_local[0]
    call.set_up()
    call.talk(rng.uniform(3, 8))
    call.bye()
    return well(call)


@case
def media_gateway_apart(rng, tap):
    """Signalling and media of the called side have addresses of their own, one of them private and reached by a tunnel."""
    call = new_call(rng, tap, proxy=False, nat=False, six=False)
    call.b.rtp_local = call.b.rtp_wire = (rng.choice((public(rng), private(rng))), call.b.rtp_local[1])
    call.answer_sdp.host = call.b.rtp_local[0]
    call.set_up()
    call.talk(rng.uniform(3, 8))
    call.bye()
    return well(call)


@case
def office_dials(rng, tap):
    """One PBX, many calls at once to several carriers, most of them fine."""
    a = Party(rng, public(rng))
    carriers = [Party(rng, public(rng)) for _ in range(6)]
    rows, t = [], 0
    for n in range(rng.randrange(8, 14)):
        call = Call(rng, tap, t, a, rng.choice(carriers), transport="UDP")
        call.anew()
        call.request_user = "00" + str(rng.randrange(10 ** 9, 10 ** 11))
        if rng.random() < 0.3:
            call.fail(486, "Busy Here")
            rows += row(call, "USER_BUSY", "", "SIP_SCAN,TOLL_FRAUD,ROUTES_EXHAUSTED")
        else:
            call.set_up()
            call.talk(2)
            call.bye()
            rows += row(call, "NORMAL", "", "SIP_SCAN,TOLL_FRAUD")
        t += rng.uniform(0.1, 3)
    return rows


@case
def extended_packets(rng, tap):
    """RTP with header extensions, RTCP on the media's own port (RFC 5761), sequence numbers that wrap."""
    call = new_call(rng, tap)
    call.a.sequence, call.b.sequence = 65535 - rng.randrange(100), 65535 - rng.randrange(100)
    call.a.timestamp = 2 ** 32 - rng.randrange(100000)
    call.offer.more, call.answer_sdp.more = ["a=rtcp-mux"], ["a=rtcp-mux"]
    call.set_up()
    start = call.t
    call.talk(rng.uniform(5, 9))
    for k in range(3):
        call.rtcp(True, start + 1 + k, 50 * k, src=call.a.rtp_wire, dst=call.b.rtp_wire)
        call.rtcp(False, start + 1.3 + k, 50 * k, src=call.b.rtp_wire, dst=call.a.rtp_wire)
    call.bye()
    return well(call)


@case
def early_media_then_cancelled(rng, tap):
    call = new_call(rng, tap)
    call.invite()
    call.trying()
    call.ring(183, "Session Progress", call.answer_sdp.text())
    call.audio(False, call.t, call.t + 6)
    call.t += rng.uniform(3, 6)
    cancel(call)
    return row(call, "CALLER_CANCELLED", "", "NO_INBOUND_MEDIA,MEDIA_LOST_MIDCALL,PROGRESS_TIMEOUT,NO_ANSWER")


@case
def asks_for_events(rng, tap):
    """SUBSCRIBE and MESSAGE refused for other reasons than a secret; a second try is taken."""
    a, b = pair(rng)
    call = Call(rng, tap, 0, a, b)
    method = rng.choice(("SUBSCRIBE", "MESSAGE"))
    t, sent = call.request(0, True, method, to_tag=False, extra=[("Event", "presence")])
    given = challenge(rng)
    t = call.response(t, sent, given[0], given[1], [(given[2], given[6])])
    t, sent = call.request(t + 0.01, True, method, to_tag=False, extra=[("Event", "presence"), credentials(rng, given, a.user, "sip:x@y")])
    call.response(t, sent, 200)
    after = Call(rng, tap, 2, a, b)
    after.set_up()
    after.talk(2)
    after.bye()
    return well(after)


@case
def updated_before_answer(rng, tap):
    """UPDATE in the early dialog, refused or taken (RFC 3311)."""
    call = new_call(rng, tap)
    call.extra_invite.append(("Supported", "100rel"))
    call.invite()
    call.trying()
    call.ring(183, "Session Progress", call.answer_sdp.text(), [("Require", "100rel"), ("RSeq", "7")])
    call.exchange(True, "PRACK", extra=[("RAck", "7 %d INVITE" % call.invite_message["cseq"])])
    taken = rng.random() < 0.5
    call.exchange(True, "UPDATE", *((200, "OK") if taken else (rng.choice((488, 500, 504)), "No")), body=call.offer.text(), answer_body=call.answer_sdp.text() if taken else "")
    call.answer(body="")
    call.ack()
    call.talk(rng.uniform(3, 8))
    call.bye()
    return well(call)


@case
def not_acknowledged_here(rng, tap):
    """The tap lost the ACK alone; the answer is not repeated, and they talk for 32 s."""
    call = new_call(rng, tap, proxy=False, nat=False, transport="UDP")
    call.invite()
    call.trying()
    call.ring()
    call.answer()
    call.ack()
    tap.frames = [f for f in tap.frames if b"ACK sip:" not in f[1]]
    call.talk(32, ptime=40 if call.codec in ("PCMU", "PCMA", "G729", "G722") else 20)
    call.bye()
    return well(call, "CAPTURE_INCOMPLETE,UNKNOWN")


@case
def called_at_the_source(rng, tap):
    """A registered phone behind a NAT is called where its packets come from, though its Contact is private."""
    r = Registration(rng, tap, nat=True)
    r.call.transport, r.call.where = "UDP", 0.98
    r.send()
    r.answer(200)
    server = Party(rng, r.call.b.local[0], port=r.call.b.local[1])
    phone = r.call.a
    call = Call(rng, tap, r.call.t + rng.uniform(2, 20), server, phone, transport="UDP")
    call.set_up()
    call.talk(rng.uniform(3, 8))
    call.bye()
    return row(r, "NORMAL") + well(call)


@case
def rebound(rng, tap):
    """A NAT gives the caller's media another port in the middle of the call; the other side follows."""
    call = new_call(rng, tap, nat=True, proxy=False)
    call.set_up()
    call.talk(rng.uniform(4, 8))
    call.a.rtp_wire = (call.a.rtp_wire[0], rng.randrange(1024, 65000))
    call.talk(rng.uniform(4, 8))
    call.bye()
    return well(call)


@case
def held_by_both(rng, tap):
    """One holds, then the other holds as well; each takes his hold back."""
    call = new_call(rng, tap, nat=False)
    call.set_up()
    call.talk(rng.uniform(2, 4))
    for by_a, mine, theirs in ((True, "sendonly", "recvonly"), (False, "inactive", "inactive"), (True, "recvonly", "sendonly"), (False, None, None)):
        call.offer.way, call.answer_sdp.way = (mine, theirs) if by_a else (theirs, mine)
        call.a.version += 1
        call.b.version += 1
        bodies = (call.offer.text(), call.answer_sdp.text())
        call.exchange(by_a, "INVITE", body=bodies[not by_a], answer_body=bodies[by_a])
        call.t += rng.uniform(1, 6)
    call.talk(rng.uniform(2, 5))
    call.bye()
    return well(call)


@case
def quiet_at_last(rng, tap):
    """Both leave silence out and say nothing for a while before one hangs up; one word is said in between."""
    call = new_call(rng, tap)
    call.codec, call.ptime = "G729", 20
    call.offer, call.answer_sdp = Sdp(rng, call.a, ["G729"], 101), Sdp(rng, call.b, ["G729"], 101)
    call.set_up()
    start = call.t
    for by_a in (True, False):
        call.audio(by_a, start, start + 12, dtx=True)
    call.audio(rng.random() < 0.5, start + 19, start + 20)
    call.t = start + rng.uniform(22, 28)
    call.bye()
    return well(call)


@case
def serial_fork(rng, tap):
    """A proxy tries one phone, which is busy, and then another, which answers."""
    call = new_call(rng, tap, proxy=True, transport="UDP", links=[0, 1], nat=False)
    busy = Party(rng, public(rng, ":" in call.a.local[0]))
    proxy = call.chain[1]
    sent = call.invite()
    via, branch, tag = call.via_of(call.a, sent["branch"]), word(rng, 12), word(rng, 8)
    kept, tap.frames[:] = list(tap.frames), [f for f in tap.frames if f[0] < call.invited + call.delay * 0.9]
    ident = dict(sent["headers"][:2])

    def text(start, method, to=ident["To"]):
        return call.render(call.a, start, [call.via_of(proxy, branch)] + ([via] if method != "ACK" else []),
                           [("From", ident["From"]), ("To", to), ("Call-ID", call.call_id), ("CSeq", "%d %s" % (sent["cseq"], method)), ("Max-Forwards", "69")], "")
    at = call.invited + call.delay + 0.01
    uri = "sip:%s@%s" % (busy.user, bracket(busy.local[0]))
    tap.udp(at, proxy.wire, busy.wire, text("INVITE %s SIP/2.0" % uri, "INVITE"))
    tap.udp(at + 0.05, busy.wire, proxy.wire, text("SIP/2.0 486 Busy Here", "INVITE", ident["To"] + ";tag=" + tag))
    tap.udp(at + 0.06, proxy.wire, busy.wire, text("ACK %s SIP/2.0" % uri, "ACK", ident["To"] + ";tag=" + tag))
    tap.frames += [(f[0] + 0.1, f[1]) for f in kept if f not in tap.frames]
    call.t += 0.2
    call.trying()
    call.ring()
    call.answer()
    call.ack()
    call.talk(rng.uniform(2, 5))
    call.bye()
    return well(call)
