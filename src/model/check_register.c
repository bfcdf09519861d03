/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who registers: what must be set together, users that stand for one device alone, and static phones by their
 * address. */
#include "model/model_int.h"

#include <stdarg.h>
#include <stdio.h>

static void complain(struct build *b, enum kind kind, unsigned i, const char *remedy,
		     const char *format, ...) __attribute__((format(printf, 5, 6)));

static void complain(struct build *b, enum kind kind, unsigned i, const char *remedy,
		     const char *format, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	build_object_error(b, kind, i, 0, text, remedy);
}

static void check_bounds(struct build *b, enum kind kind, unsigned i,
			 const struct model_register *reg)
{
	char least[32];

	if (reg->max_expiry_us && reg->min_expiry_us > reg->max_expiry_us)
		complain(b, kind, i, "let max_expiry be at least min_expiry",
			 "min_expiry (%s) is above max_expiry",
			 duration_format(reg->min_expiry_us, least, sizeof(least)));
}

static void check_mapping(struct build *b, unsigned i)
{
	const struct model_mapping *gw = &b->m->mappings[i];

	check_bounds(b, KIND_MAPPING, i, &gw->reg);
	if (gw->reg.type == REGISTER_DYNAMIC && gw->auth != AUTH_DIGEST)
		complain(b, KIND_MAPPING, i, "add `auth: digest` with `user` and `password`",
			 "register: dynamic needs credentials");
}

static void check_phone(struct build *b, unsigned i)
{
	const struct model_phone *phone = &b->m->phones[i];
	struct model_address address;
	const char *wrong;

	check_bounds(b, KIND_PHONE, i, &phone->reg);
	if (phone->reg.type == REGISTER_DYNAMIC) {
		if (phone->address)
			complain(b, KIND_PHONE, i, "remove it, or write `register: static`",
				 "address: `%s` is given, and the phone registers", phone->address);
		return;
	}
	if (!phone->address) {
		complain(b, KIND_PHONE, i, "add `address: 203.0.113.8:5060`",
			 "register: static needs an address");
		return;
	}
	wrong = address_parse(span_of(phone->address), &address);
	if (wrong || address.prefix_len != (address.ip6 ? 128 : 32))
		complain(b, KIND_PHONE, i,
			 "write 203.0.113.8, 203.0.113.8:5060 or [2001:db8::8]:5060",
			 "address: `%s` is no host's address", phone->address);
}

static const char *user_of(const struct model_routing *gw)
{
	return gw->user ? gw->user : gw->name;
}

static bool same_text(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

/* One box may be a mapping and a routing gateway: then it has one password. */
static void check_user(struct build *b, unsigned i)
{
	const struct model_routing *gw = &b->m->routings[i];
	struct span user = span_of(user_of(gw));
	const struct model_mapping *mapping = model_mapping_by_user(b->m, user);

	if (model_phone(b->m, user))
		complain(b, KIND_ROUTING, i, "give the gateway a user of its own",
			 "user: `%s` is the number of a phone", user.p);
	else if (mapping && !same_text(mapping->password, gw->password))
		complain(b, KIND_ROUTING, i, "give both the same password, or different users",
			 "user: mapping gateway `%s` has the same user and another password",
			 mapping->name);
}

static void check_outbound(struct build *b, unsigned i)
{
	struct model_routing *gw = &b->m->routings[i];
	const char *wrong = NULL;
	struct span host;
	int proto = -1;

	if (!gw->user || !gw->password)
		complain(b, KIND_ROUTING, i, "add `user` and `password`",
			 "register: outbound needs a %s", gw->user ? "password" : "user");
	if (!gw->registrar)
		return;
	wrong = peer_parse(span_of(gw->registrar), &host, &gw->registrar_port, &proto);
	if (wrong || proto >= 0) {
		complain(b, KIND_ROUTING, i, "write host or host:port", "registrar: `%s`: %s",
			 gw->registrar, wrong ? wrong : "the transport is the gateway's");
		return;
	}
	gw->registrar_host = arena_dup(b->m->arena, host);
	if (!gw->registrar_host)
		b->no_memory = true;
}

static void check_routing(struct build *b, unsigned i)
{
	const struct model_routing *gw = &b->m->routings[i];

	check_bounds(b, KIND_ROUTING, i, &gw->reg);
	if (gw->reg.type == REGISTER_OUTBOUND)
		check_outbound(b, i);
	else if (gw->registrar)
		complain(b, KIND_ROUTING, i, "remove it, or write `register: outbound`",
			 "registrar: `%s` is given, and we do not register there", gw->registrar);
	if (gw->reg.type != REGISTER_OUTBOUND && (gw->ims || gw->public_user || gw->access_network))
		complain(b, KIND_ROUTING, i, "remove it, or write `register: outbound`",
			 "%s is given, and we do not register there",
			 gw->ims           ? "ims"
			 : gw->public_user ? "public_user"
					   : "access_network");
	if (gw->reg.type != REGISTER_DYNAMIC) {
		if (!gw->host)
			complain(b, KIND_ROUTING, i,
				 "add `address: host:port`, or `register: dynamic`",
				 "`address` is missing");
		return;
	}
	if (gw->host)
		complain(b, KIND_ROUTING, i, "remove it, or write `register: static`",
			 "address: `%s` is given, and the gateway registers", gw->host);
	if (!gw->password)
		complain(b, KIND_ROUTING, i, "add `password`",
			 "register: dynamic needs a password");
	check_user(b, i);
}

/* The index keeps to the user where one is given; the name stands in for it. */
static bool index_registrants(struct build *b)
{
	struct model *m = b->m;
	struct name_index *index = &m->index->registrants;

	if (name_index_init(index, m->arena, m->routings, m->n_routings,
			    sizeof(struct model_routing), offsetof(struct model_routing, user)))
		return false;
	for (unsigned i = 0; i < m->n_routings; i++) {
		struct model_routing *gw = &m->routings[i];
		int64_t first;

		if (gw->reg.type != REGISTER_DYNAMIC)
			continue;
		if (!gw->user)
			continue; /* found by its name */
		first = name_index_add(index, i);
		if (first >= 0)
			complain(b, KIND_ROUTING, i, "give each gateway a user of its own",
				 "user: is that of routing gateway `%s` already",
				 m->routings[first].name);
	}
	return true;
}

bool build_check_registrations(struct build *b)
{
	if (!index_registrants(b))
		return false;
	/* What is missing may be missing only because it was wrong, and has been complained of. */
	for (unsigned i = 0; b->n_errors == 0 && i < b->m->n_mappings; i++)
		check_mapping(b, i);
	for (unsigned i = 0; b->n_errors == 0 && i < b->m->n_routings; i++)
		check_routing(b, i);
	for (unsigned i = 0; b->n_errors == 0 && i < b->m->n_phones; i++)
		check_phone(b, i);
	return true;
}

const struct model_routing *model_routing_by_user(const struct model *m, struct span register_user)
{
	const struct model_routing *gw = name_index_find(&m->index->registrants, register_user);

	if (gw)
		return gw;
	gw = model_routing(m, register_user);
	return gw && gw->reg.type == REGISTER_DYNAMIC && !gw->user ? gw : NULL;
}

/* ---- static phones ------------------------------------------------------------------------ */

static int compare_hosts(const struct model_address *a, const struct model_address *b)
{
	if (a->ip6 != b->ip6)
		return a->ip6 ? 1 : -1;
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

static int compare_entries(const void *a, const void *b)
{
	const struct phone_entry *x = a, *y = b;
	int order = compare_hosts(&x->address, &y->address);

	return order ? order : x->phone < y->phone ? -1 : x->phone > y->phone;
}

int phone_index_build(struct phone_index *index, struct model *m)
{
	unsigned n = 0;

	for (unsigned i = 0; i < m->n_phones; i++)
		n += m->phones[i].reg.type == REGISTER_STATIC;
	index->entries = arena_alloc(m->arena, (n + 1) * sizeof(*index->entries));
	if (!index->entries)
		return -ENOMEM;
	for (unsigned i = 0; i < m->n_phones; i++) {
		struct phone_entry *e = &index->entries[index->n];

		if (m->phones[i].reg.type != REGISTER_STATIC)
			continue;
		memset(e, 0, sizeof(*e));
		address_parse(span_of(m->phones[i].address), &e->address);
		e->phone = i;
		index->n++;
	}
	qsort(index->entries, index->n, sizeof(*index->entries), compare_entries);
	return 0;
}

static const struct phone_entry *first_at(const struct phone_index *index,
					  const struct model_address *source)
{
	uint32_t low = 0, high = index->n;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (compare_hosts(&index->entries[middle].address, source) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return index->entries + low;
}

const struct model_phone *model_phone_at(const struct model *m, const struct sockaddr *source,
					 struct span caller)
{
	const struct phone_index *index = &m->index->static_phones;
	const struct model_phone *found = NULL;
	struct model_address from;
	unsigned n = 0;

	if (!index->n || !address_of(source, &from))
		return NULL;
	for (const struct phone_entry *e = first_at(index, &from);
	     e < index->entries + index->n && compare_hosts(&e->address, &from) == 0; e++) {
		if (e->address.port && e->address.port != from.port)
			continue;
		found = &m->phones[e->phone];
		if (span_eq(caller, span_of(found->number)) ||
		    (found->dids && number_set_find(found->dids, caller) >= 0))
			return found;
		n++;
	}
	return n == 1 ? found : NULL;
}
