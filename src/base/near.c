/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Edit distance with swaps (optimal string alignment) on three rows: names are short, and what is
 * offered is bounded by the caller. */
#include "base/near.h"

#include <limits.h>

static unsigned least3(unsigned a, unsigned b, unsigned c)
{
	unsigned least = a < b ? a : b;

	return least < c ? least : c;
}

unsigned near_distance(struct span a, struct span b)
{
	unsigned rows[3][NEAR_LEN_MAX + 1];
	unsigned *before = rows[0], *last = rows[1], *row = rows[2], *spare;

	if (a.len > NEAR_LEN_MAX || b.len > NEAR_LEN_MAX)
		return UINT_MAX;
	for (size_t j = 0; j <= b.len; j++)
		before[j] = last[j] = (unsigned)j;
	for (size_t i = 1; i <= a.len; i++) {
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b.len; j++) {
			char x = ascii_lower(a.p[i - 1]), y = ascii_lower(b.p[j - 1]);

			row[j] = least3(last[j] + 1, row[j - 1] + 1, last[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == ascii_lower(b.p[j - 2]) &&
			    y == ascii_lower(a.p[i - 2]) && before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
		spare = before;
		before = last;
		last = row;
		row = spare;
	}
	return last[b.len];
}

void near_start(struct near *near, struct span wanted)
{
	*near = (struct near){ .wanted = wanted };
}

void near_offer(struct near *near, struct span name)
{
	unsigned distance = near_distance(near->wanted, name);
	unsigned at;

	if (near->wanted.len >= 2 && span_istarts(name, near->wanted))
		distance = 1;
	if (distance > (near->wanted.len + 2) / 3)
		return;
	for (at = near->n; at > 0 && near->distance[at - 1] > distance; at--)
		;
	if (at == NEAR_KEEP)
		return;
	if (near->n < NEAR_KEEP)
		near->n++;
	for (unsigned i = near->n - 1; i > at; i--) {
		near->name[i] = near->name[i - 1];
		near->distance[i] = near->distance[i - 1];
	}
	near->name[at] = name;
	near->distance[at] = distance;
}
