/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sip: messages, transactions, dialogs and INVITE sessions of RFC 3261 and its kin.
 * Knows no accounts and no calls. One stack per worker; everything of a stack runs on
 * that worker's thread and takes no lock.
 *
 *   sip_msg.h      a received message as an index into its buffer; lazy decoders
 *   sip_write.h    writing messages
 *   sip_stack.h    transactions (RFC 3261 17, 6026), dispatch, identifiers that carry their owner
 *   sip_digest.h   authentication, both ways (RFC 7616, 8760)
 *   sip_resolve.h  where to send (RFC 3263)
 *   sip_session.h  INVITE sessions: dialog, offer/answer, PRACK, UPDATE, session timer
 */
#ifndef CAUSEWAY_SIP_H
#define CAUSEWAY_SIP_H

#include "sip/sip_digest.h"
#include "sip/sip_msg.h"
#include "sip/sip_resolve.h"
#include "sip/sip_session.h"
#include "sip/sip_stack.h"
#include "sip/sip_write.h"

#endif
