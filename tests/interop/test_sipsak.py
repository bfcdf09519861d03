# SPDX-License-Identifier: GPL-3.0-or-later
"""sipsak asks the switch by OPTIONS."""

import subprocess

import conftest


def test_options(switch):
    sipsak = conftest.need("sipsak")
    answer = subprocess.run([sipsak, "-v", "-s", "sip:%s:5060" % switch.host], capture_output=True, text=True, timeout=30)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_flood_of_options_over_one_socket(switch):
    sipsak = conftest.need("sipsak")
    answer = subprocess.run([sipsak, "-F", "-e", "50", "-s", "sip:%s:5060" % switch.host], capture_output=True, timeout=30)
    assert answer.returncode in (0, 1, 3)
    assert switch.ask("status").returncode == 0
