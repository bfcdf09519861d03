# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of an actor that wait for something and look at it."""

import re
import time

from . import sip
from .language import FlowError, seconds


def failed(text):
    from .actor import Failed
    return Failed(text)


# ---- taking messages from the inbox -------------------------------------------------------

def is_new(actor, message):
    return message.method and message.method != "ACK" and message.call is None


def belongs(actor, message):
    """To the current call; or a new one, where the current call is not begun or over."""
    dialog = actor.dialog
    if message.call is not None:
        return message.call == actor.call
    if message.call_id == dialog.call_id:
        return True
    return bool(is_new(actor, message)) and (dialog.call_id is None or dialog.over)


def ignorable(actor, message):
    return message.status == 100 or message.kind in actor.ignored or str(message.status) in actor.ignored


def matches(words, message):
    """METHOD, or STATUS [METHOD]; a status may be 18x or 2xx"""
    if message.status is None:
        return message.method == words[0]
    if not re.fullmatch(words[0].replace("x", r"\d"), str(message.status)):
        return False
    return len(words) < 2 or words[1] == message.cseq_method


def next_message(actor, words, limit, tolerant=False):
    """The next message of the current call that is not to be ignored, removed from the inbox; None in time."""
    end = time.time() + limit
    with actor.arrival:
        while True:
            for message in actor.inbox:
                if not belongs(actor, message):
                    continue
                if words and matches(words, message):
                    actor.inbox.remove(message)
                    return message
                if not ignorable(actor, message):
                    if not tolerant:
                        actor.inbox.remove(message)
                        return message
                    return None
            actor.flow.check_time()
            left = end - time.time()
            if left <= 0:
                return None
            actor.arrival.wait(min(left, 0.2))


def take(actor, message, block):
    message.call = actor.call
    actor.last = message
    dialog = actor.dialog
    if message.method:
        dialog.take_request(message)
    else:
        dialog.take_response(message)
    inspect(actor, message, block)


def split_limit(words, patience):
    if "within" in words:
        at = words.index("within")
        return words[:at], seconds(words[at + 1])
    return words, patience


def expect(actor, statement, words, patience):
    """expect METHOD|STATUS [METHOD] [within T]"""
    words, limit = split_limit(words, patience)
    message = next_message(actor, words, limit)
    if message is None:
        raise failed("nothing came within %g s" % limit)
    if not matches(words, message):
        raise failed("instead came %s" % message.start)
    take(actor, message, statement.block)


def optional(actor, statement, words):
    """optional expect ...: goes on when something else or nothing comes (within 500ms)"""
    words, limit = split_limit(words, 0.5)
    message = next_message(actor, words, limit, tolerant=True)
    if message:
        take(actor, message, statement.block)


def unordered(actor, block):
    """unordered { expect A; expect B }: all of them, in any order"""
    waiting = list(block)
    while waiting:
        message = next_message(actor, None, 5.0)
        if message is None:
            raise failed("still missing: %s" % "; ".join(str(s) for s in waiting))
        if ignorable(actor, message):
            continue
        found = next((s for s in waiting if matches(s.words[1:], message)), None)
        if not found:
            raise failed("instead came %s" % message.start)
        waiting.remove(found)
        take(actor, message, found.block)


def silence(actor, span):
    """silence T: no new message of this call for so long; retransmissions do not count"""
    message = next_message(actor, None, span)
    while message is not None and ignorable(actor, message):
        message = next_message(actor, None, span)
    if message is not None:
        raise failed("there was to be silence, but %s came" % message.start)


def repeats(actor, words):
    """repeats KIND N|N..M [within T]: so many retransmissions of it have come (waits for the least number)"""
    words, limit = split_limit(words, 5.0)
    wanted = words[-1]
    least, _, most = wanted.partition("..")
    end = time.time() + limit
    pattern = words[:-1]
    count = 0
    with actor.arrival:
        while True:
            count = sum(n for kind, n in actor.repeats.items()
                        if kind.split(" ")[0] == pattern[0] and (len(pattern) < 2 or "(%s)" % pattern[1] in kind))
            if count >= int(least) or time.time() > end:
                break
            actor.arrival.wait(0.1)
    if count < int(least) or (not least == wanted and most and count > int(most)):
        raise failed("%d retransmissions of %s came, not %s" % (count, " ".join(pattern), wanted))


def datagrams(actor, words):
    """datagrams N|N..M TEXT within T: so many with just this text and no SIP came during the next T"""
    words, limit = split_limit(words, 1.0)
    least, _, most = words[0].partition("..")
    text, start = " ".join(words[1:]), time.time()
    time.sleep(limit)
    came = [t for at, t in actor.wire.plain if at >= start]
    if any(t != text for t in came) or not int(least) <= len(came) <= int(most or least):
        raise failed("%d datagrams came: %r" % (len(came), came[:3]))


# ---- looking at one -----------------------------------------------------------------------

def inspect(actor, message, block):
    for line in block or []:
        words = [actor.flow.expand(w) for w in line.words[1:]]
        check = CHECKS.get(line.head)
        if not check:
            raise FlowError('"%s" says nothing about a message expected (line %d)' % (line.head, line.line))
        complaint = check(actor, message, words)
        if complaint:
            raise failed("%s, line %d: %s" % (message.start, line.line, complaint))


def compare(what, value, words):
    """= TEXT, ~ REGEX, != TEXT"""
    how, wanted = words[0], " ".join(words[1:])
    good = {"=": value == wanted, "!=": value != wanted, "~": re.search(wanted, value) is not None,
            "!~": re.search(wanted, value) is None}
    if how not in good:
        raise FlowError('"%s" compares nothing (=, !=, ~, !~)' % how)
    return None if good[how] else "%s is %r, wanted %s %s" % (what, value, how, wanted)


def check_header(actor, message, words):
    name = words[0]
    found = message.all(name)
    if not found:
        return "no %s" % name
    return compare(name, ", ".join(found), words[1:]) if len(words) > 1 else None


def check_without(actor, message, words):
    found = [name for name in words if message.all(name)]
    return "%s: %s" % (found[0], message.get(found[0])) if found else None


def check_uri(actor, message, words):
    return compare("Request-URI", message.uri or "", words)


def check_phrase(actor, message, words):
    return compare("phrase", message.phrase or "", words)


def check_body(actor, message, words):
    return "there is a body" if words == ["none"] and message.body else (
        None if words == ["none"] else compare("body", message.body, words))


def check_at(actor, message, words):
    """at HOST:PORT: the socket of ours that it came to"""
    return None if message.at == words[0] else "it came to %s" % message.at


def check_size(actor, message, words):
    least, _, most = words[0].partition("..")
    size = len(message.data)
    return None if int(least) <= size <= int(most or "65535") else "it has %d bytes" % size


def check_sdp(actor, message, words):
    """sdp | sdp none | sdp codecs A B | sdp direction D | sdp from ACTOR | sdp ~ REGEX"""
    has = bool(message.body) and "application/sdp" in message.get("Content-Type").lower()
    if words == ["none"]:
        return "there is a description" if has else None
    if not has:
        return "there is no description"
    said = sip.Description(message.body)
    if not words:
        return None
    if words[0] == "codecs":
        return None if said.codecs() == words[1:] else "codecs are %s" % " ".join(said.codecs())
    if words[0] == "direction":
        return None if said.direction == words[1] else "direction is %s" % said.direction
    if words[0] == "from":
        other = actor.flow.actors[words[1]]
        ports = [d.origin.port for d in other.calls.values() if d.origin]
        return None if said.host == other.host and said.port in ports else "media is at %s:%d" % (said.host, said.port)
    return compare("description", message.body, words)


def check_auth(actor, message, words):
    """auth USER PASSWORD: the credentials answer our challenge"""
    value = message.get("Authorization") or message.get("Proxy-Authorization")
    if not value:
        return "no credentials"
    fields, asked = sip.digest_fields(value), sip.digest_fields(actor.dialog.given_challenge or "")
    if fields.get("username") != words[0] or fields.get("nonce") != asked.get("nonce"):
        return "credentials of %s for nonce %s" % (fields.get("username"), fields.get("nonce"))
    good = sip.digest_response(fields, words[0], words[1], message.method, fields.get("uri", ""))
    return None if good == fields.get("response") else "the digest response is wrong"


CHECKS = {"header": check_header, "without": check_without, "uri": check_uri, "phrase": check_phrase,
          "body": check_body, "at": check_at, "size": check_size, "sdp": check_sdp, "auth": check_auth}
