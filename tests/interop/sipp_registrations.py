# SPDX-License-Identifier: GPL-3.0-or-later
"""Registration, one row a way that it goes or fails: what the device hears, and what `registration analyze` says of it."""

from sipp_case import NOTHING, Call, Case

PROVEN = "401; auth 1001 secret; "
REGISTERS = "REGISTER 120; " + PROVEN + "200"


def device(steps, by="p1", **more):
    return Call(steps, by=by, **more)


def analyzed(reason, fix="", who="1001", saying=""):
    """`registration analyze` names the reason, and how to mend it."""
    return [("registration analyze %s --json" % who, pattern) for pattern in (r"\b%s\b" % reason, fix, saying) if pattern]


CASES = [
    Case("register", "A phone with its password is registered, and its calls find it.",
         device("REGISTER 120; " + PROVEN + "200 Contact: <sip:1001@${p1}:5060>;expires=120"),
         Call(to="1001", tried="1001 200 NORMAL"), p1="200", after=analyzed("REGISTERED")),
    Case("register_expiry_bounded", "A longer registration than endpoint_expire is granted shorter.",
         device("REGISTER 7200; " + PROVEN + "200 Contact: ;expires=300"), parameters="endpoint_expire: 300s"),
    Case("register_queried", "REGISTER without Contact asks for what is registered and changes nothing.",
         device(REGISTERS), device("REGISTER; " + PROVEN + "200 Contact: <sip:1001@${p1}:5060>"), Call(to="1001"), p1="200",
         after=analyzed("QUERIED")),
    Case("register_removed", "Expires: 0 takes the registration back: the phone is not called any more.",
         device(REGISTERS), device("REGISTER 0; " + PROVEN + "200 without Contact"),
         Call("480", "CALLEE_NOT_REGISTERED 480", "", to="1001"), p1=NOTHING, after=analyzed("REMOVED")),
    Case("register_removed_all", "Contact: * with Expires: 0 takes all registrations back.",
         device(REGISTERS), device(REGISTERS, port=5080), device("REGISTER 0 *; " + PROVEN + "200 without Contact"),
         Call("480", "CALLEE_NOT_REGISTERED 480", "", to="1001"), parameters="register_max_contacts: 2", p1=NOTHING),
    Case("register_replaces", "Where one contact is permitted the newest takes its place.",
         device(REGISTERS, port=5080), device("REGISTER 120; " + PROVEN + "200 Contact: ^ *<sip:1001@${p1}:5060>[^,]*$"),
         Call(to="1001"), p1="200"),
    Case("register_two_contacts", "Two contacts are tried in turn, the newest first; to the record they are one attempt.",
         device(REGISTERS, port=5080), device("REGISTER 120; " + PROVEN + "200 Contact: 5060>"),
         Call("503", "PEER_ICMP_UNREACHABLE 503", "1001 0 PEER_ICMP_UNREACHABLE", to="1001"),
         parameters="register_max_contacts: 2", p1="480"),
    Case("register_gateway", "A gateway that registers is called where it registered.",
         device("REGISTER 120; 401; auth pop1 secret; 200", by="s", caller="pop1"), Call(tried="g1 200 NORMAL"),
         config="routing_gateways: [ { name: g1, register: dynamic, user: pop1, password: secret } ]", s="200"),

    Case("register_unknown", "A user that does not exist.",
         device("REGISTER 120; 401; auth 2000 secret; 403", by="s", caller="2000"), keys={"p1": "do_not_disturb: off"},
         after=analyzed("NOT_A_PHONE", who="2000") + [("source list", "${s} .*SOURCE_NOT_AUTHORISED")]),
    Case("register_wrong_password", "A wrong password.",
         device("REGISTER 120; 401; auth 1001 guess; 403 without Retry-After"),
         after=analyzed("WRONG_PASSWORD", "Set the same password") + [("source list", "${p1} .*WRONG_PASSWORD")]),
    Case("register_refreshed", "A registration is refreshed with the same nonce, counted on (nc).",
         device(REGISTERS + "; auth 1001 secret; 200"), Call(to="1001"), p1="200"),
    Case("register_stale", "A nonce past its life is challenged again with stale=true, and the phone that answers is registered.",
         device("REGISTER 120; 401; silence 10500; auth 1001 secret; 401 WWW-Authenticate: stale=true; auth 1001 secret; 200"),
         parameters="auth_nonce_life: 10s", slow=True, after=analyzed("NONCE_STALE") + analyzed("REGISTERED")),
    Case("register_suspended", "After register_suspend_retry wrong passwords the right one is refused too, with the time to wait.",
         device("REGISTER 120; 401; auth 1001 guess; 403"), device("REGISTER 120; 401; auth 1001 guess; 403"),
         device("REGISTER 120; 401; auth 1001 secret; 403 Retry-After: [0-9]"),
         parameters="register_suspend_retry: 2", after=analyzed("SUSPENDED", "unsuspend")),
    Case("register_unsuspended", "An operator lifts it.",
         device("REGISTER 120; 401; auth 1001 guess; 403"), device("REGISTER 120; 401; auth 1001 secret; 403 Retry-After: [0-9]"),
         device(REGISTERS, first="registration unsuspend 1001"), parameters="register_suspend_retry: 1"),
    Case("register_never_came_back", "A challenge that the phone never answers.",
         device("REGISTER 120; 401"), parameters="auth_timeout: 1s", last="wait 1.3", after=analyzed("CHALLENGED") + analyzed("NEVER_CAME_BACK")),
    Case("register_other_number", "Who proves to be one user may not register another.",
         device("REGISTER 120; 401; auth 1002 secret; 403"), keys={"p2": "do_not_disturb: off"}, after=analyzed("OTHER_NUMBER", who="1002")),
    Case("register_static", "A static phone is not to register.",
         device("REGISTER 120; " + PROVEN + "403"), keys={"p1": 'register: static, address: "${p1}"'}, after=analyzed("IS_STATIC")),
    Case("register_locked", "A locked phone.",
         device("REGISTER 120; " + PROVEN + "403"), keys={"p1": "locked: all"}, after=analyzed("LOCKED")),
    Case("register_wrong_address", "A phone that may register from other places only.",
         device("REGISTER 120; " + PROVEN + "403"), keys={"p1": "allow_address_lists: [ office ]"},
         config='address_lists: [ { name: office, ranges: [ "${b}" ] } ]', after=analyzed("NOT_FROM_HERE") + [("source list", "${p1} .*ADDRESS_FORBIDDEN")]),
    Case("register_too_brief", "A shorter interval than granted: 423 with Min-Expires.",
         device("REGISTER 5; " + PROVEN + "423 Min-Expires: ^ *60$"), after=analyzed("INTERVAL_TOO_BRIEF", saying="60 s is the least granted")),
    Case("register_too_brief_phone", "A phone's own min_expiry goes before the system's.",
         device("REGISTER 60; " + PROVEN + "423 Min-Expires: ^ *90$"), keys={"p1": "min_expiry: 90s"}),
    Case("register_too_many", "register_replace: off: a contact beyond the most permitted is refused, the first stays.",
         device(REGISTERS), device("REGISTER 120; " + PROVEN + "403", port=5080), Call(to="1001"),
         parameters="register_replace: off", p1="200", after=analyzed("TOO_MANY_CONTACTS", "Raise max_contacts")),
    Case("register_out_of_order", "A request older than one already taken (CSeq).",
         device(REGISTERS + "; auth 1001 secret CSeq: 1 REGISTER; 500"), after=analyzed("OUT_OF_ORDER")),
    Case("register_bad_contact", "Contact: * with another Expires than 0 cannot be used.",
         device("REGISTER 120 *; " + PROVEN + "400"), after=analyzed("BAD_REQUEST")),
]
