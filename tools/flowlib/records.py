# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at what a test left behind: call records and the log."""

import collections
import re
import time

from .language import FlowError

PATIENCE = 3.0          # records pass through the journal before they can be read


def check(flow, statement):
    if statement.head == "log":
        return check_log(flow, statement.words[1:])
    return check_record(flow, statement)


def check_log(flow, words):
    """log ~ REGEX | log !~ REGEX"""
    found = re.search(words[1], flow.daemon.log()) is not None
    if found != (words[0] == "~"):
        flow.complain("the log %s %s" % ("lacks" if words[0] == "~" else "has", words[1]))


def check_each(flow, actor, least):
    """cdr ACTOR each N: each call of it that heard 200 has exactly one record, and the others one at most; N or more did"""
    answered = {d.call_id for d in actor.calls.values() if d.confirmed}
    if len(answered) < least:
        return flow.complain("%s had %d calls answered, wanted %d" % (actor.name, len(answered), least))
    wrong, end = ["nobody has looked"], time.time() + PATIENCE
    while wrong and time.time() < end:
        count = collections.Counter(row["caller_call_id"] for row in flow.daemon.pages("cdr", "list", "--all"))
        wrong = ["%s has %d" % (d.call_id, count[d.call_id]) for d in actor.calls.values()
                 if d.call_id and not (d.call_id in answered) <= count[d.call_id] <= 1]
        time.sleep(0.05)
    if wrong:
        flow.complain("records of %s's calls: %s" % (actor.name, ", ".join(wrong)))


def check_record(flow, statement):
    """cdr ACTOR[.CALL] { field value... } | cdr ACTOR none | cdr ACTOR each N"""
    name, _, call = statement.words[1].partition(".")
    if name not in flow.actors:
        raise FlowError("cdr of %s, but there is no such actor" % name)
    if statement.words[2:3] == ["each"]:
        return check_each(flow, flow.actors[name], int(statement.words[3]))
    calls = flow.actors[name].calls
    call_ids = {d.call_id for n, d in calls.items() if d.call_id and call in ("", n)}
    end, record = time.time() + PATIENCE, None
    none = statement.words[2:] == ["none"]
    while time.time() < end:
        record = flow.daemon.record(call_ids)
        wrong = complaints(flow, record, statement.block or []) if record and not none else None
        if (record and not wrong) and not none:
            return
        if none and record:
            break
        time.sleep(0.05)
        if none and time.time() > end - PATIENCE + 0.5:
            return
    if none:
        flow.complain("there is a record of %s: %s" % (name, record.get("end_code")))
    elif not record:
        flow.complain("no record of %s's call within %g s" % (name, PATIENCE))
    else:
        flow.complain("record of %s: %s" % (name, "; ".join(wrong)))
        flow.ladder.note("record", str(record))


def complaints(flow, record, block):
    wrong = []
    for line in block:
        words = [flow.expand(w) for w in line.words]
        if words[0] == "attempt":
            wrong += attempt(flow, record, words, line.block)
        else:
            text = field(record, words)
            if text:
                wrong.append(text)
    return wrong


def attempt(flow, record, words, block):
    """attempt N { field value... }"""
    tried = [a for a in record.get("attempts_list", record.get("attempts")) or [] if isinstance(a, dict)] \
        if isinstance(record.get("attempts_list", record.get("attempts")), list) else []
    found = next((a for a in tried if str(a.get("attempt")) == words[1]), None)
    if not found:
        return ["no attempt %s among %d" % (words[1], len(tried))]
    return ["attempt %s: %s" % (words[1], text) for text in complaints(flow, found, block)]


def value_of(record, name):
    """A field; talk_s and pdd_s also from their microseconds; attempts as a number even when it is the list."""
    value = record.get(name)
    if value is None and name.endswith("_s") and record.get(name[:-1] + "us") is not None:
        value = float(record[name[:-1] + "us"]) / 1e6
    return len(value) if name == "attempts" and isinstance(value, list) else value


def field(record, words):
    """NAME VALUE | NAME a..b | NAME ~ REGEX | NAME absent | NAME present"""
    name, value, wanted = words[0], value_of(record, words[0]), " ".join(words[1:])
    absent = value in (None, "")
    if wanted in ("absent", "present"):
        return None if absent == (wanted == "absent") else "%s is %r, wanted %s" % (name, value, wanted)
    if words[1] == "~":
        good = not absent and re.search(" ".join(words[2:]), str(value))
    elif re.fullmatch(r"[\d.]+?\.\.[\d.]+", wanted):
        least, most = wanted.split("..")
        good = not absent and float(least) <= float(value) <= float(most)
    else:
        good = str(value) == wanted
    return None if good else "%s is %r, wanted %s" % (name, value, wanted)
