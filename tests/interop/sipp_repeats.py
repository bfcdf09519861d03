# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages that are lost: what the switch must send again, one a row, and what becomes of a call whose peer never hears or never speaks."""

from sipp_case import TALK, Call, Case

CASES = [
    Case("repeats_invite", "An INVITE that nobody answers is sent again, at T1, 2 T1... until invite_timeout.",
         Call(tried="g1 0 NO_RESPONSE, g2 200 NORMAL"),
         parameters="invite_timeout: 1s", g1="silent 1300", g2="200", saw={"g1": "3 INVITE "}),
    Case("repeats_answer", "The 200 is sent again until the caller's ACK.",
         Call("deaf 900; " + TALK), g1="200", saw={"a-1": "2 SIP/2.0 200"}),
    Case("repeats_refusal", "A final response that the caller did not hear is sent again until its ACK.",
         Call("deaf 900; 486", "USER_BUSY 486"), g1="486", saw={"a-1": "2 SIP/2.0 486"}),
    Case("repeats_own_refusal", "So is our own.",
         Call("deaf 900; 404", "NO_ROUTE 404", ""), saw={"a-1": "2 SIP/2.0 404"}),
    Case("repeats_bye", "A BYE that the called side did not hear is sent again.",
         Call(), g1="200; deaf 900; hears BYE", saw={"g1": "2 BYE "}),
    Case("repeats_cancel", "A CANCEL that the called side did not hear is sent again.",
         Call("180; CANCEL", "CALLER_CANCELLED 487", "g1 487 CALLER_CANCELLED"), g1="180; deaf 900; cancelled", saw={"g1": "2 CANCEL "}),
    Case("repeats_ack", "An ACK that the called side did not hear is sent again with each of its 200s.",
         Call("200; held; BYE"), Call("486", "USER_BUSY 486", first="wait 3", to="4412345678"),
         keys={"g1": 'prefixes: [ "31" ]', "g2": 'prefixes: [ "44" ]'}, g1="200 unacked 800", g2="486", saw={"g1": "2 ACK "}, slow=True),
    Case("no_ack", "A caller that never acknowledges our answer: the call ends on both sides after 64 T1.",
         Call("deaf 900", "NO_ACK_FOR_2XX 200", "g1 200 NO_ACK_FOR_2XX"), parameters="sip_t1: 10ms", g1="200"),
    Case("no_bye_answered", "A called side that never answers our BYE has its lines given back all the same.",
         Call(), parameters="sip_t1: 20ms", g1="200; deaf 2000"),
]
