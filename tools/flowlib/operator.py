# SPDX-License-Identifier: GPL-3.0-or-later
"""What the people around the switch do in a test: stop it, kill it, change its configuration, hang up calls."""

import re
import resource
import shlex
import signal
import time

from .actor import Failed
from .daemon import DaemonError
from .language import FlowError, seconds


class Operator:
    def __init__(self, flow, statement):
        self.flow, self.script, self.name = flow, statement.block, "operator"
        self.at, self.problem = statement, None

    def run(self):
        try:
            for statement in self.script:
                self.flow.check_time()
                self.at = statement
                step = getattr(self, "do_" + statement.head, None)
                if not step:
                    raise FlowError('no such step: "%s"' % statement.head)
                self.flow.ladder.note("operator", str(statement))
                step(statement, [self.flow.expand(w) for w in statement.words[1:]])
        except (Failed, FlowError, DaemonError, OSError) as problem:
            self.problem = str(problem)
            self.flow.complain("operator stopped at line %d, %s: %s" % (self.at.line, self.at, problem), None)

    def do_wait(self, statement, words):
        time.sleep(seconds(words[0]))

    def do_signal(self, statement, words):
        self.flow.signal(words[0])

    def do_await(self, statement, words):
        if not self.flow.await_signal(words[0], 20):
            raise Failed("nobody signalled %s" % words[0])

    def do_terminate(self, statement, words):
        """SIGTERM; does not wait"""
        self.flow.daemon.signal(signal.SIGTERM)

    def do_ended(self, statement, words):
        """the process has ended cleanly, or does so within T"""
        complaint = self.flow.daemon.wait_end(seconds(words[1]) if words else 10)
        if complaint:
            raise Failed(complaint)

    def do_kill(self, statement, words):
        """kill -9"""
        self.flow.daemon.kill()

    def do_disk(self, statement, words):
        """disk full, disk free: files cannot grow (RLIMIT_FSIZE is 0), or can again"""
        pid = self.flow.daemon.process.pid
        hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(pid, resource.RLIMIT_FSIZE, ({"full": 0, "free": hard}[words[0]], hard))

    def do_start(self, statement, words):
        self.flow.daemon.start()

    def do_reload(self, statement, words):
        self.flow.daemon.signal(signal.SIGHUP)

    def do_config(self, statement, words):
        self.flow.daemon.import_config(self.flow.expand(statement.raw))

    def do_parameters(self, statement, words):
        self.flow.parameters.update({s.words[0]: " ".join(s.words[1:]) for s in statement.block})
        self.flow.daemon.import_config(self.flow.configuration())

    def do_set(self, statement, words):
        """set ACTOR key=value...: changes its object and imports the whole configuration anew"""
        options = self.flow.actors[words[0]].options
        options.update(word.split("=", 1) for word in words[1:])
        self.flow.daemon.import_config(self.flow.configuration())

    def do_remove(self, statement, words):
        """remove ACTOR: takes its object out of the configuration"""
        self.flow.actors[words[0]].options["unconfigured"] = "on"
        self.flow.daemon.import_config(self.flow.configuration())

    def do_hangup(self, statement, words):
        """hangup ACTOR: causeway call hangup of that actor's live call"""
        call_ids = {d.call_id for d in self.flow.actors[words[0]].calls.values()}
        call_id = self.flow.daemon.live_call(call_ids)
        if not call_id:
            raise Failed("causeway call list has no call of %s" % words[0])
        answer = self.flow.daemon.ask("call", "hangup", call_id)
        if answer.returncode != 0:
            raise Failed("causeway call hangup: %s" % (answer.stderr or answer.stdout))

    def do_calls(self, statement, words):
        """calls N: so many are live, within 3 s"""
        end = time.time() + 3
        while len(self.flow.daemon.rows("call", "list")) != int(words[0]):
            if time.time() > end:
                raise Failed("live calls: %d" % len(self.flow.daemon.rows("call", "list")))
            time.sleep(0.05)

    def do_cli(self, statement, words):
        """cli "ARGUMENTS" [exit N] [~ REGEX]: run causeway; its output matches"""
        answer = self.flow.daemon.ask(*shlex.split(words[0]))
        options = dict(zip(words[1::2], words[2::2]))
        if answer.returncode != int(options.get("exit", "0")):
            raise Failed("exit %d: %s" % (answer.returncode, answer.stderr.strip() or answer.stdout.strip()))
        if "~" in options and not re.search(options["~"], answer.stdout + answer.stderr):
            raise Failed("it says: %s" % (answer.stdout + answer.stderr).strip()[:400])
