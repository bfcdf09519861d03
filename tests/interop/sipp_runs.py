# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of many calls: messages lost at random on both sides, and vendors that freeze or start again in the middle."""

import re
import signal
import time

from sipp_case import Call, Case, Run, read
from sipp_scenario import Caller

FOREVER = 1000000


class ManyCalls(Case):
    """`calls` of one caller at `rate` a second over g1 and g2. `lost`: percent of the datagrams, each way, at every SIPp.
    `happens`: "freeze" or "restart", to g1, a quarter into the run; freezing lasts for half of it."""

    def __init__(self, name, rule, calls, rate, parameters, lost=0, happens=None, steps="200; silence 300; BYE"):
        super().__init__(name, rule, Call(steps), parameters=parameters, slow=True, g1="200", g2="200")
        self.count, self.rate, self.lost, self.happens = calls, rate, lost, happens

    def run(self, *where):
        return ManyRun(self, *where).run()


class ManyRun(Run):
    def sipp(self, name, scenario, host, port, calls=1, more=()):
        return super().sipp(name, scenario, host, port, FOREVER if name in self.case.hears else calls,
                            [*more, "-lost", str(self.case.lost)] if self.case.lost else more)

    def batch(self, number, calls):
        name = "a-%d" % number
        return self.sipp(name, Caller(name, self.case.calls[0].steps).out, self.host("a"), 5070 + number, calls, [
            self.host("switch") + ":5060", "-s", "31612345678", "-cid_str", "%s-%d-%%u" % (self.case.name, number), "-key", "caller", "3110555",
            "-r", str(self.case.rate), "-l", str(calls)])

    def exchange(self):
        self.calls_made = self.case.count
        process = self.batch(1, self.case.count)
        if self.case.happens:
            self.happen(self.case.count / self.case.rate)
        self.caller_ended(process)
        if self.case.happens:
            self.comes_back()
        self.vendors_end()

    def caller_ended(self, process):
        """Whether all of SIPp's calls must have been good is a question of whether messages were lost."""
        code = process.wait()
        if code not in ((0, 1) if self.case.lost else (0,)):
            self.complain("%s: its SIPp ended with %d" % (process.name, code))

    def happen(self, length):
        g1 = next(process for process in self.sipps if process.name == "g1")
        time.sleep(length / 4)
        g1.send_signal(signal.SIGSTOP if self.case.happens == "freeze" else signal.SIGKILL)
        time.sleep(length / 2)
        if self.case.happens == "freeze":
            g1.send_signal(signal.SIGCONT)
        else:
            self.sipps.remove(g1)
            g1.wait()
            self.listen_at("g1")

    def comes_back(self):
        """Calls, few at a time, until g1 takes them again by itself."""
        for number in range(2, 20):
            self.caller_ended(self.batch(number, 2))
            self.calls_made += 2
            if self.rows()[0]["routing_gateway"] == "g1":
                return
            time.sleep(0.5)
        self.complain("g1 is back and was not called again")

    def vendors_end(self):
        """On SIGUSR1 a SIPp ends when its calls have: one that does not has a call that nobody hung up."""
        vendors = [process for process in self.sipps if process.name in self.case.hears]
        for process in vendors:
            process.send_signal(signal.SIGUSR1)
        for process in vendors:
            self.until(lambda process=process: process.poll() is not None, "%s: calls are still up there" % process.name, 15)

    def rows(self):
        self.until(lambda: len(self.every_row()) >= self.calls_made, "%d records, expected %d" % (len(self.every_row()), self.calls_made))
        return sorted(self.every_row(), key=lambda row: row["started"], reverse=True)

    def every_row(self):
        return list(self.daemon.pages("cdr", "list", "--limit", "100", "--all"))

    def look(self):
        rows = self.rows()
        ids = {row["caller_call_id"] for row in rows}
        if len(rows) != self.calls_made or len(ids) != len(rows):
            self.complain("%d records of %d Call-IDs, expected %d" % (len(rows), len(ids), self.calls_made))
        sent, heard = self.said_by_caller()
        self.bad = [row for row in rows if not self.is_true(row, sent.get(row["caller_call_id"], ()), heard.get(row["caller_call_id"], ()))]
        for row in self.bad[:5]:
            self.complain("%s ended with %s, which is not what happened" % (row["caller_call_id"], row["end_code"]))
        normal = sum(row["end_code"] == "NORMAL" for row in rows)
        if normal < (0.9 if self.case.lost else 1) * len(rows):
            self.complain("only %d of %d calls came to their end" % (normal, len(rows)))
        self.until_free()

    @staticmethod
    def is_true(row, sent, heard):
        return {"NORMAL": "BYE" in sent, "NO_ACK_FOR_2XX": "ACK" not in sent and "BYE" not in sent,
                "ROUTES_EXHAUSTED": "200" not in heard and row["attempts"] == 2}.get(row["end_code"], False)

    def said_by_caller(self):
        """By Call-ID: the requests that went out and the statuses that came in. What SIPp lost on purpose is in neither."""
        sent, heard = {}, {}
        for process in self.sipps:
            for part in parts_of(process) if process.name[0] == "a" else ():
                start, call_id = re.search(r"(?:SIP/2.0 )?(\S+)", part.split("\n\n", 1)[1]).group(1), re.search(r"\nCall-ID: (\S+)", part).group(1)
                (sent if " message sent " in part else heard).setdefault(call_id, set()).add(start)
        return sent, heard

    def messages(self, process):
        """Thousands: of them those of calls that are not as they should be."""
        ids = [row[leg] for row in getattr(self, "bad", ()) for leg in ("caller_call_id", "callee_call_id") if row[leg]]
        return "".join(part for part in parts_of(process) if any("Call-ID: %s\n" % name in part for name in ids))


def parts_of(process):
    """The messages that SIPp sent and received, each with its line of time."""
    return [part for part in re.split(r"-{40,} (?=\d)", read(process.base + ".messages")) if "\nCall-ID:" in part]


CASES = [
    ManyCalls("lost_messages", "One datagram in ten is lost on every way: each call has its one record, with its true cause.", 300, 50,
              "sip_t1: 100ms, invite_timeout: 400ms", lost=10),
    ManyCalls("vendor_freezes", "A vendor that freezes and thaws loses no call, what it answers too late is hung up, and it is called again by itself.", 120, 20,
              "invite_timeout: 700ms, gateway_retry: 1s", happens="freeze"),
    ManyCalls("vendor_restarts", "A vendor that dies and starts again loses no call, and is called again by itself.", 120, 20,
              "invite_timeout: 700ms, gateway_retry: 1s", happens="restart"),
]
