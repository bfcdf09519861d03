/* SPDX-License-Identifier: GPL-3.0-or-later */
/* IP fragments (RFC 791 3.2, RFC 8200 4.5). A datagram whose rest never comes is handed on as far as it goes if its first
 * piece is there: that piece holds the head of a SIP message. Overlaps keep what came first. */
#include "capture/capture_int.h"

#include <stdlib.h>

#define DATAGRAMS_MAX 512 /* incomplete ones kept; the oldest goes first */
#define PIECES_MAX 64
#define LIFE (30 * SEC)

struct piece {
	uint32_t from, to;
};
struct datagram {
	struct list node; /* oldest first */
	struct capture_where where; /* of its latest piece */
	uint32_t id;
	uint8_t protocol;
	unsigned n_pieces;
	struct piece pieces[PIECES_MAX]; /* sorted, none touches another */
	uint32_t total; /* 0 = the last piece has not come */
	uint32_t size;
	char *bytes;
};
struct fragments {
	struct list waiting;
	unsigned n;
	char *lent[TUNNELS_MAX + 1]; /* the last whole one of each level */
};

int fragments_new(struct fragments **out)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	list_init(&(*out)->waiting);
	return 0;
}

static void unlink_datagram(struct fragments *all, struct datagram *d)
{
	list_del(&d->node);
	all->n--;
}

static void datagram_free(struct datagram *d)
{
	free(d->bytes);
	free(d);
}

/* Out of the list first: what is in it may be a packet with fragments of its own. */
static void give_up(struct capture *c, struct datagram *d)
{
	struct capture_where now = c->where;
	unsigned depth = c->depth;

	unlink_datagram(c->fragments, d);
	c->report->fragments_lost++;
	if (d->n_pieces && d->pieces[0].from == 0) {
		c->where = d->where;
		c->where.fragmented = c->where.snapped = true;
		ip_payload(c, d->protocol, (struct span){ d->bytes, d->pieces[0].to }, true);
		c->where = now;
		c->depth = depth;
	}
	datagram_free(d);
}

void fragments_free(struct capture *c)
{
	struct fragments *all = c->fragments;

	if (!all)
		return;
	while (!list_empty(&all->waiting)) {
		c->depth = 0;
		give_up(c, list_entry(all->waiting.next, struct datagram, node));
	}
	for (unsigned i = 0; i <= TUNNELS_MAX; i++)
		free(all->lent[i]);
	free(all);
	c->fragments = NULL;
}

static struct datagram *find(struct capture *c, uint32_t id, unsigned protocol)
{
	for (struct list *at = c->fragments->waiting.prev; at != &c->fragments->waiting;
	     at = at->prev) {
		struct datagram *d = list_entry(at, struct datagram, node);

		if (d->id == id && d->protocol == protocol &&
		    net_addr_eq_host(&d->where.src, &c->where.src) &&
		    net_addr_eq_host(&d->where.dst, &c->where.dst))
			return d;
	}
	return NULL;
}

/* The oldest first: those too old, and what is more than `most`. */
static void make_room(struct capture *c, unsigned most)
{
	struct fragments *all = c->fragments;

	while (!list_empty(&all->waiting)) {
		struct datagram *oldest = list_entry(all->waiting.next, struct datagram, node);
		bool old = oldest->where.utc_us + LIFE < c->where.utc_us;

		if (!old && all->n <= most)
			return;
		give_up(c, oldest);
	}
}

static struct datagram *datagram_new(struct capture *c, uint32_t id, unsigned protocol)
{
	struct datagram *d;

	make_room(c, DATAGRAMS_MAX - 1);
	d = calloc(1, sizeof(*d));
	if (!d)
		return NULL;
	d->id = id;
	d->protocol = (uint8_t)protocol;
	list_add_tail(&c->fragments->waiting, &d->node);
	c->fragments->n++;
	return d;
}

static bool grow(struct datagram *d, uint32_t size)
{
	char *bytes;

	if (size <= d->size)
		return true;
	bytes = realloc(d->bytes, size);
	if (!bytes)
		return false;
	d->bytes = bytes;
	d->size = size;
	return true;
}

/* Copy what is new of it, and note its place. False: no room for another piece. */
static bool insert(struct datagram *d, uint32_t from, struct span bytes)
{
	uint32_t to = from + (uint32_t)bytes.len;
	unsigned at = 0, gone = 0;

	while (at < d->n_pieces && d->pieces[at].to < from)
		at++;
	for (uint32_t i = from; i < to;) { /* byte ranges not there yet */
		uint32_t end = to;
		bool there = false;

		for (unsigned p = at; p < d->n_pieces && d->pieces[p].from < to; p++) {
			if (d->pieces[p].from <= i && i < d->pieces[p].to) {
				there = true;
				end = d->pieces[p].to < to ? d->pieces[p].to : to;
			} else if (d->pieces[p].from > i && d->pieces[p].from < end) {
				end = d->pieces[p].from;
			}
		}
		if (!there)
			memcpy(d->bytes + i, bytes.p + (i - from), end - i);
		i = end;
	}
	while (at + gone < d->n_pieces && d->pieces[at + gone].from <= to) {
		const struct piece *p = &d->pieces[at + gone++];

		from = p->from < from ? p->from : from;
		to = p->to > to ? p->to : to;
	}
	if (!gone && d->n_pieces == PIECES_MAX)
		return false;
	memmove(&d->pieces[at + 1], &d->pieces[at + gone],
		(d->n_pieces - at - gone) * sizeof(d->pieces[0]));
	d->n_pieces = d->n_pieces - gone + 1;
	d->pieces[at] = (struct piece){ from, to };
	return true;
}

bool fragments_add(struct capture *c, uint32_t id, unsigned protocol, size_t offset, bool last,
		   struct span piece, struct span *whole_out)
{
	struct datagram *d;
	uint32_t end = (uint32_t)(offset + piece.len);
	char **lent;

	c->report->fragments++;
	if (!piece.len || end > 65535 || c->where.snapped) {
		c->report->malformed += !c->where.snapped;
		return false;
	}
	make_room(c, DATAGRAMS_MAX);
	d = find(c, id, protocol);
	if (!d)
		d = datagram_new(c, id, protocol);
	if (!d)
		return false;
	d->where = c->where;
	if (last)
		d->total = end;
	if (!grow(d, end) || !insert(d, (uint32_t)offset, piece)) {
		give_up(c, d);
		return false;
	}
	if (!d->total || d->n_pieces != 1 || d->pieces[0].from || d->pieces[0].to < d->total)
		return false;
	lent = &c->fragments->lent[c->depth];
	free(*lent);
	*lent = d->bytes;
	d->bytes = NULL;
	*whole_out = (struct span){ *lent, d->total };
	c->where.fragmented = true;
	unlink_datagram(c->fragments, d);
	datagram_free(d);
	return true;
}
