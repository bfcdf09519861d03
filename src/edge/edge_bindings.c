/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The contacts of a REGISTER: read whole, then bound in one step, so that a request is done as a whole or not at all
 * (RFC 3261 10.3 item 7). */
#include "edge/edge_register.h"

_Static_assert(sizeof(struct net_flow) <= sizeof(((struct binding *)NULL)->flow),
	       "a flow fits a binding");

#define DEFAULT_Q 1000 /* a contact without q is as good as any */

/* ---- reading ---------------------------------------------------------------------------------- */

/* qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] ), in thousandths. */
static bool read_q(struct span params, uint32_t *out)
{
	struct span text, whole, part;
	uint32_t unit = 1000;

	*out = DEFAULT_Q;
	if (!sip_param(params, "q", &text))
		return true;
	span_cut(text, '.', &whole, &part);
	if (whole.len != 1 || (whole.p[0] != '0' && whole.p[0] != '1') || part.len > 3)
		return false;
	*out = whole.p[0] == '1' ? 1000 : 0;
	for (size_t i = 0; i < part.len; i++) {
		if (!ascii_digit(part.p[i]))
			return false;
		unit /= 10;
		*out += unit * (uint32_t)(part.p[i] - '0');
	}
	return *out <= 1000;
}

/* 10.3 item 7: the Contact's own expires, else the header's, else ours; what is malformed counts as not
 * said (20.10). Seconds. */
static uint64_t asked_expiry(const struct sip_msg *msg, struct span contact_params,
			     uint64_t otherwise_us)
{
	struct span text = sip_header(msg, SIP_H_EXPIRES);
	uint32_t seconds;

	sip_param(contact_params, "expires", &text);
	return span_to_u32(span_trim(text), &seconds) ? otherwise_us : seconds * SEC;
}

/* All Path values in one line, as they will stand in a Route (RFC 3327 5.3). */
static bool read_path(const struct sip_msg *msg, struct binding *out)
{
	struct sip_values it = { 0 };
	size_t used = 0;

	while (sip_next_value(msg, SIP_H_PATH, &it)) {
		struct sip_name_addr hop;
		struct sip_uri uri;

		if (sip_name_addr_decode(&hop, it.value) || sip_uri_decode(&uri, hop.uri) ||
		    used + it.value.len + 2 >= sizeof(out->path))
			return false;
		if (used)
			out->path[used++] = ',';
		memcpy(out->path + used, it.value.p, it.value.len);
		used += it.value.len;
	}
	out->path[used] = '\0';
	return true;
}

static bool read_contact(const struct sip_msg *msg, const struct net_flow *flow, struct span value,
			 struct span *params_out, struct binding *out)
{
	struct sip_name_addr contact;
	struct sip_uri uri;

	if (sip_name_addr_decode(&contact, value) || sip_uri_decode(&uri, contact.uri) ||
	    !(span_ieq(uri.scheme, SPAN("sip")) || span_ieq(uri.scheme, SPAN("sips"))) ||
	    !uri.host.len || contact.uri.len >= sizeof(out->contact) ||
	    msg->call_id.len >= sizeof(out->call_id) || !read_q(contact.params, &out->q) ||
	    !read_path(msg, out))
		return false;
	span_copy(contact.uri, out->contact, sizeof(out->contact));
	span_copy(msg->call_id, out->call_id, sizeof(out->call_id));
	span_copy(sip_header(msg, SIP_H_USER_AGENT), out->user_agent, sizeof(out->user_agent));
	out->cseq = msg->cseq;
	memcpy(out->flow, flow, sizeof(*flow));
	/* Behind a Path the Contact is another proxy's neighbour, not ours. */
	out->natted = !out->path[0] && edge_is_natted(contact.uri, flow);
	*params_out = contact.params;
	return true;
}

static enum register_reason add_contact(const struct sip_msg *msg, const struct net_flow *flow,
					const struct register_policy *policy,
					const struct loop *loop, struct span value,
					struct contacts_wish *out)
{
	struct contact_wish wish = { .remove = false };
	struct span params;
	uint64_t expiry;

	if (!read_contact(msg, flow, value, &params, &wish.binding))
		return REGISTER_BAD_REQUEST;
	if (out->n == BINDINGS_MAX)
		return REGISTER_TOO_MANY_CONTACTS;
	expiry = asked_expiry(msg, params, policy->max_expiry_us);
	wish.remove = expiry == 0;
	if (expiry && expiry < policy->min_expiry_us)
		return REGISTER_INTERVAL_TOO_BRIEF;
	if (expiry > policy->max_expiry_us)
		expiry = policy->max_expiry_us;
	wish.binding.expires_us = loop->now_us + expiry;
	wish.binding.registered_utc_us = loop->utc_us;
	out->wish[out->n++] = wish;
	return REGISTER_REGISTERED;
}

/* 10.3 item 6: the wildcard goes alone, and with Expires: 0 only. */
static bool is_good_wildcard(const struct sip_msg *msg, unsigned values)
{
	uint32_t seconds = 1;

	return values == 1 &&
	       span_to_u32(span_trim(sip_header(msg, SIP_H_EXPIRES)), &seconds) == 0 &&
	       seconds == 0 && msg->call_id.len < sizeof(((struct binding *)NULL)->call_id);
}

enum register_reason edge_contacts_read(const struct sip_msg *msg, const struct net_flow *flow,
					const struct register_policy *policy,
					const struct loop *loop, struct contacts_wish *out)
{
	struct sip_values it = { 0 };
	enum register_reason reason = REGISTER_REGISTERED;
	unsigned values = 0;

	out->query = out->remove_all = false;
	out->n = 0;
	while (reason == REGISTER_REGISTERED && sip_next_value(msg, SIP_H_CONTACT, &it)) {
		values++;
		if (span_eq(span_trim(it.value), SPAN("*")))
			out->remove_all = true;
		else
			reason = add_contact(msg, flow, policy, loop, it.value, out);
	}
	out->query = values == 0;
	if (reason == REGISTER_REGISTERED && out->remove_all && !is_good_wildcard(msg, values))
		return REGISTER_BAD_REQUEST;
	if (out->remove_all) { /* who asks, for the order of requests */
		span_copy(msg->call_id, out->wish[0].binding.call_id,
			  sizeof(out->wish[0].binding.call_id));
		out->wish[0].binding.cseq = msg->cseq;
	}
	return reason;
}

/* ---- binding ------------------------------------------------------------------------------------ */

struct applying {
	const struct contacts_wish *wish;
	const struct register_policy *policy;
	uint64_t now_us;
	enum register_reason reason;
	struct bindings *all_out;
};

static struct span transport_of(struct span params)
{
	struct span transport;

	return sip_param(params, "transport", &transport) ? transport : SPAN("udp");
}

/* RFC 3261 19.1.4, as far as it tells contacts apart. */
static bool same_contact(const struct binding *a, const struct binding *b)
{
	struct sip_uri x, y;

	return sip_uri_decode(&x, span_of(a->contact)) == 0 &&
	       sip_uri_decode(&y, span_of(b->contact)) == 0 && span_ieq(x.scheme, y.scheme) &&
	       span_eq(x.user, y.user) && span_ieq(x.host, y.host) && x.port == y.port &&
	       span_ieq(transport_of(x.params), transport_of(y.params));
}

/* 10.3 item 7: of one client's requests (Call-ID) the later one has the higher CSeq. */
static bool is_older(const struct binding *asked, const struct binding *bound)
{
	return strcmp(asked->call_id, bound->call_id) == 0 && asked->cseq <= bound->cseq;
}

static void remove_at(struct bindings *all, unsigned i)
{
	for (all->n--; i < all->n; i++)
		all->binding[i] = all->binding[i + 1];
}

static bool is_of(const struct binding *b, const struct contacts_wish *wish)
{
	for (unsigned i = 0; i < wish->n; i++)
		if (same_contact(b, &wish->wish[i].binding))
			return true;
	return false;
}

/* Make room for one more by the oldest that this request does not name itself. */
static bool make_room(const struct applying *a, struct bindings *all)
{
	unsigned oldest = all->n;

	if (all->n < a->policy->max_contacts)
		return true;
	for (unsigned i = 0; i < all->n && a->policy->replace; i++)
		if (!is_of(&all->binding[i], a->wish) &&
		    (oldest == all->n ||
		     all->binding[i].registered_utc_us < all->binding[oldest].registered_utc_us))
			oldest = i;
	if (oldest == all->n)
		return false;
	remove_at(all, oldest);
	return true;
}

static enum register_reason bind_one(const struct applying *a, struct bindings *all,
				     const struct contact_wish *wish)
{
	uint64_t answers = 0;

	for (unsigned i = 0; i < all->n; i++) {
		if (!same_contact(&all->binding[i], &wish->binding))
			continue;
		if (is_older(&wish->binding, &all->binding[i]))
			return REGISTER_OUT_OF_ORDER;
		answers = all->binding[i].answers;
		remove_at(all, i);
		break;
	}
	if (wish->remove)
		return REGISTER_REGISTERED;
	if (!make_room(a, all))
		return REGISTER_TOO_MANY_CONTACTS;
	all->binding[all->n] = wish->binding;
	all->binding[all->n++].answers = answers; /* of the device, not of this REGISTER */
	return REGISTER_REGISTERED;
}

static enum register_reason unbind_all(const struct applying *a, struct bindings *all)
{
	for (unsigned i = 0; i < all->n; i++)
		if (is_older(&a->wish->wish[0].binding, &all->binding[i]))
			return REGISTER_OUT_OF_ORDER;
	all->n = 0;
	return REGISTER_REGISTERED;
}

static bool goes_before(const struct binding *a, const struct binding *b)
{
	return a->q != b->q ? a->q > b->q : a->registered_utc_us > b->registered_utc_us;
}

static void sort(struct bindings *all)
{
	for (unsigned i = 1; i < all->n; i++) {
		struct binding moved = all->binding[i];
		unsigned at = i;

		for (; at > 0 && goes_before(&moved, &all->binding[at - 1]); at--)
			all->binding[at] = all->binding[at - 1];
		all->binding[at] = moved;
	}
}

static int apply(void *arg, struct bindings *all)
{
	struct applying *a = arg;

	bindings_prune(all, a->now_us);
	a->reason = a->wish->remove_all ? unbind_all(a, all) : REGISTER_REGISTERED;
	for (unsigned i = 0; i < a->wish->n && a->reason == REGISTER_REGISTERED; i++)
		a->reason = bind_one(a, all, &a->wish->wish[i]);
	if (a->reason != REGISTER_REGISTERED)
		return -ECANCELED;
	sort(all);
	*a->all_out = *all;
	return 0;
}

enum register_reason edge_contacts_apply(struct registration *r, const struct contacts_wish *wish,
					 const struct register_policy *policy, uint64_t now_us,
					 struct bindings *all_out)
{
	struct applying a = {
		.wish = wish, .policy = policy, .now_us = now_us, .all_out = all_out
	};
	int err;

	if (wish->query) {
		registration_read(r, all_out);
		bindings_prune(all_out, now_us);
		return REGISTER_REGISTERED;
	}
	err = registration_update(r, apply, &a);
	return err == -ENOMEM ? REGISTER_NO_MEMORY : a.reason;
}
