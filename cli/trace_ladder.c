/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The ladder of a call: who calls on the left, the switch, then one column for each attempt, as many as the width holds; where
 * there are more, they share columns in turn, and the line of each dialling says whose turn it is. What belongs to no leg (a
 * registration) gets a column for its peer's address. */
#include "trace.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define COLUMNS_MAX 64
#define WIDTH_MAX 400
#define LEFT 22 /* "11:45:30.123  +0.123s " */
#define RIGHT 5 /* number of the entry */
#define GAP_LEAST 17
#define GAP_MOST 38

struct rail {
	char leg; /* 'a', 'b'; 0 = known by its address */
	unsigned attempt;
	const char *title, *address;
};
struct ladder {
	const json_t *entries;
	const struct glyphs *g;
	unsigned width;
	struct rail columns[COLUMNS_MAX]; /* without the switch; the first stands left of it */
	unsigned n;
	unsigned shown; /* columns drawn */
	unsigned gap;
	uint64_t last_us;
	unsigned *times; /* by number: how often it came or went in all */
};

/* ---- columns ----------------------------------------------------------------------------------------------- */

static const char *peer_of(const json_t *entry)
{
	return entry_text(entry, strcmp(entry_text(entry, "direction"), "sent") == 0 ? "destination"
										     : "source");
}

static bool is_of(const struct rail *column, const json_t *entry)
{
	char leg = entry_text(entry, "leg")[0];

	if (!leg || !column->leg)
		return leg == column->leg && strcmp(column->address, peer_of(entry)) == 0;
	return leg == column->leg &&
	       (leg == 'a' || column->attempt == entry_number(entry, "attempt"));
}

/* Its index; l->n when it has no column (there are too many). */
static unsigned column_of(const struct ladder *l, const json_t *entry)
{
	unsigned i = 0;

	while (i < l->n && !is_of(&l->columns[i], entry))
		i++;
	return i;
}

static void add_column(struct ladder *l, const json_t *entry)
{
	struct rail *column;

	if (l->n == COLUMNS_MAX || column_of(l, entry) < l->n)
		return;
	column = &l->columns[l->n++];
	*column = (struct rail){ .leg = entry_text(entry, "leg")[0],
				 .attempt = entry_number(entry, "attempt"),
				 .title = "",
				 .address = peer_of(entry) };
}

static int by_place(const void *a, const void *b)
{
	const struct rail *x = a, *y = b;
	int left = (y->leg == 'a') - (x->leg == 'a');

	return left ? left : (int)x->attempt - (int)y->attempt;
}

/* Names, from what was noted: the call's end knows most. */
static void name_columns(struct ladder *l)
{
	size_t i;
	json_t *entry;

	json_array_foreach(l->entries, i, entry)
	{
		const char *from = entry_text(json_object_get(entry, "fields"), "mapping_gateway");
		bool dials = strcmp(entry_text(entry, "kind"), "dial") == 0;

		for (unsigned c = 0; c < l->n; c++) {
			struct rail *column = &l->columns[c];

			if (column->leg == 'a' && from[0])
				column->title = from;
			if (column->leg == 'b' && dials &&
			    column->attempt == entry_number(entry, "attempt"))
				column->title = entry_text(entry, "object");
		}
	}
}

static void find_columns(struct ladder *l)
{
	size_t i;
	json_t *entry;

	json_array_foreach(l->entries, i, entry) if (entry_is_message(entry)) add_column(l, entry);
	qsort(l->columns, l->n, sizeof(l->columns[0]), by_place);
	name_columns(l);
}

static void lay_out(struct ladder *l)
{
	unsigned room = l->width - LEFT - RIGHT;

	l->shown = l->n ? l->n : 1;
	while (l->shown > 2 && room / l->shown < GAP_LEAST)
		l->shown--;
	l->gap = room / l->shown;
	if (l->gap > GAP_MOST)
		l->gap = GAP_MOST;
}

/* Where the line of a column stands, counted from LEFT; the switch is the second. */
static unsigned place_of(const struct ladder *l, unsigned column)
{
	if (column >= l->shown)
		column = 1 + (column - 1) % (l->shown - 1);
	return (column ? column + 1 : 0) * l->gap;
}

/* ---- drawing ------------------------------------------------------------------------------------------------ */

struct row {
	const char *cell[WIDTH_MAX];
	char text[WIDTH_MAX][2];
	unsigned end; /* cells used */
};

static void row_start(const struct ladder *l, struct row *row, bool lives)
{
	row->end = l->shown * l->gap + 1;
	for (unsigned i = 0; i < WIDTH_MAX; i++)
		row->cell[i] = " ";
	for (unsigned i = 0; lives && i <= l->shown; i++)
		row->cell[i * l->gap] = l->g->life;
}

/* Bytes from elsewhere: what is not plain becomes '?'. */
static void row_put(struct row *row, unsigned at, struct span text)
{
	for (size_t i = 0; i < text.len && at + i < WIDTH_MAX; i++) {
		char c = text.p[i];

		row->text[at + i][0] = c >= ' ' && c < 0x7f ? c : '?';
		row->text[at + i][1] = '\0';
		row->cell[at + i] = row->text[at + i];
		if (at + i >= row->end)
			row->end = at + (unsigned)i + 1;
	}
}

static void row_print(const struct row *row)
{
	unsigned end = row->end;

	while (end && strcmp(row->cell[end - 1], " ") == 0)
		end--;
	for (unsigned i = 0; i < end; i++)
		fputs(row->cell[i], stdout);
}

static const char *format_delta(uint64_t us, char *dst, size_t size)
{
	if (us < MSEC)
		snprintf(dst, size, "+%uus", (unsigned)us);
	else if (us < 10 * SEC)
		snprintf(dst, size, "+%u.%03us", (unsigned)(us / SEC), (unsigned)(us % SEC / MSEC));
	else if (us < 100000 * SEC)
		snprintf(dst, size, "+%us", (unsigned)(us / SEC));
	else
		snprintf(dst, size, "+%ud", (unsigned)(us / SEC / 86400));
	return dst;
}

static void print_time(struct ladder *l, const json_t *entry)
{
	uint64_t now = entry_time(entry);
	char time[64], delta[32] = "";

	if (l->last_us)
		format_delta(now > l->last_us ? now - l->last_us : 0, delta, sizeof(delta));
	l->last_us = now;
	printf("%s %8s ", entry_clock(now, false, time, sizeof(time)), delta);
}

/* Repeats stand behind what they repeat. */
static void count_repeats(struct ladder *l)
{
	size_t n = json_array_size(l->entries), i;
	json_t *entry;

	l->times = calloc(n + 1, sizeof(*l->times));
	if (!l->times)
		abort();
	json_array_foreach(l->entries, i, entry)
	{
		unsigned first = entry_number(entry, "repeat_of");

		l->times[first && first <= n ? first : i + 1]++;
	}
}

static unsigned times_of(const struct ladder *l, const json_t *entry)
{
	unsigned number = entry_number(entry, "n");

	return number <= json_array_size(l->entries) ? l->times[number] : 1;
}

/* "183 Session Progress SDP x3", made to fit: the phrase gives way, by words where it can. */
static void make_label(const struct ladder *l, const json_t *entry, unsigned room, struct buf *out)
{
	unsigned times = times_of(l, entry);
	struct span what = span_of(entry_text(entry, "what"));
	struct buf more = BUF_INIT(64);
	size_t keep, space;

	if (json_is_true(json_object_get(entry, "sdp")))
		buf_add_str(&more, " SDP");
	if (times > 1)
		buf_addf(&more, " x%u", times);
	keep = room > more.len + 3 ? room - more.len : 3;
	if (what.len > keep) {
		space = keep;
		while (space && what.p[space] != ' ')
			space--;
		what = span_head(what, space ? space : keep);
	}
	buf_add_span(out, what);
	buf_add_span(out, span_head(buf_span(&more), room > what.len ? room - what.len : 0));
	buf_free(&more);
}

/* "-- INVITE SDP x3 -->" between the lines of the switch and of the peer. */
static void draw_arrow(const struct ladder *l, const json_t *entry, struct row *row)
{
	unsigned peer = place_of(l, column_of(l, entry)), own = l->gap;
	unsigned from = peer < own ? peer : own, to = peer < own ? own : peer;
	bool sent = strcmp(entry_text(entry, "direction"), "sent") == 0,
	     right = sent == (peer > own);
	unsigned room = to - from - 4, at;
	struct buf label = BUF_INIT(256);

	for (unsigned i = from + 1; i < to; i++)
		row->cell[i] = l->g->line;
	row->cell[right ? to - 1 : from + 1] = right ? l->g->right : l->g->left;
	make_label(l, entry, room, &label);
	at = from + (right ? 2 : 3) + (room - (unsigned)label.len) / 2;
	row->cell[at - 1] = row->cell[at + label.len] = " ";
	row_put(row, at, buf_span(&label));
	if (times_of(l, entry) > 1)
		for (size_t i = label.len; i-- && label.p[i] != ' ';)
			if (label.p[i] == 'x')
				row->cell[at + i] = l->g->times;
	buf_free(&label);
}

static void print_message(struct ladder *l, const json_t *entry)
{
	struct row row;

	if (entry_number(entry, "repeat_of"))
		return;
	print_time(l, entry);
	row_start(l, &row, true);
	if (column_of(l, entry) < l->n)
		draw_arrow(l, entry, &row);
	row_print(&row);
	printf(" %u\n", entry_number(entry, "n"));
}

/* Words of a line, broken at the width; further ones stand below the first. */
static void print_wrapped(struct span line, unsigned left, unsigned width)
{
	unsigned room = width > left + 20 ? width - left : 20;

	while (line.len > room) {
		size_t at = room;

		while (at > room / 2 && line.p[at] != ' ')
			at--;
		if (line.p[at] != ' ')
			at = room;
		while (at > 1 && (line.p[at] & 0xc0) == 0x80) /* not within a character */
			at--;
		printf("%.*s\n%*s", (int)at, line.p, (int)left, "");
		line = span_trim(span_skip(line, at));
	}
	printf("%.*s\n", SPAN_ARG(line));
}

static void print_note(struct ladder *l, const json_t *entry)
{
	struct buf text = BUF_INIT(1u << 20);
	unsigned attempt = entry_number(entry, "attempt");
	struct span rest, line;
	bool more = true, first = true;

	print_time(l, entry);
	buf_addf(&text, "%s ", l->g->note);
	show_clean(&text, entry_text(entry, "kind"));
	if (attempt && !span_starts(span_of(entry_text(entry, "text")), SPAN("attempt ")))
		buf_addf(&text, " %u", attempt);
	buf_add_str(&text, ": ");
	entry_note(&text, entry);
	rest = buf_span(&text);
	while (more) {
		more = span_cut(rest, '\n', &line, &rest);
		if (!line.len && !more && !first)
			break;
		if (!first)
			printf("%*s", LEFT + 2, "");
		print_wrapped(line, LEFT + 2, l->width);
		first = false;
	}
	buf_free(&text);
}

/* ---- the head ------------------------------------------------------------------------------------------------- */

static void put_centred(const struct ladder *l, struct row *row, unsigned place, const char *text)
{
	unsigned len = (unsigned)strlen(text), at = LEFT + place;

	if (len > l->gap - 1)
		len = l->gap - 1;
	at = at > len / 2 ? at - len / 2 : 0;
	if (at + len > l->width)
		at = l->width - len;
	row_put(row, at, (struct span){ text, len });
}

/* Without its port where that does not fit: `trace show` has it. */
static void put_address(const struct ladder *l, struct row *row, unsigned place,
			const char *address)
{
	char host[64];
	const char *port = strrchr(address, ':');

	if (port && strlen(address) > l->gap - 1) {
		span_copy((struct span){ address, (size_t)(port - address) }, host, sizeof(host));
		address = host;
	}
	put_centred(l, row, place, address);
}

static const char *title_of(const struct rail *column, char *dst, size_t size)
{
	if (column->title[0])
		return column->title;
	if (column->leg == 'b')
		snprintf(dst, size, "attempt %u", column->attempt);
	else
		snprintf(dst, size, "%s", column->leg == 'a' ? "caller" : "peer");
	return dst;
}

/* Names, and below them addresses; of columns that several attempts share, the first's. */
static void print_head(const struct ladder *l)
{
	struct row names, addresses;
	char text[128];

	row_start(l, &names, false);
	row_start(l, &addresses, false);
	put_centred(l, &names, l->gap, "switch");
	for (unsigned c = 0; c < l->shown && c < l->n; c++) {
		put_centred(l, &names, place_of(l, c),
			    title_of(&l->columns[c], text, sizeof(text)));
		put_address(l, &addresses, place_of(l, c), l->columns[c].address);
	}
	row_print(&names);
	putchar('\n');
	row_print(&addresses);
	putchar('\n');
}

void trace_draw_ladder(const json_t *entries, unsigned width)
{
	struct ladder *l = calloc(1, sizeof(*l));
	size_t i;
	json_t *entry;
	char day[64];

	if (!l)
		abort();
	l->entries = entries;
	l->g = trace_glyphs();
	l->width = width < 70 ? 70 : width > WIDTH_MAX - 40 ? WIDTH_MAX - 40 : width;
	count_repeats(l);
	find_columns(l);
	lay_out(l);
	if (json_array_size(entries))
		printf("%s\n",
		       entry_clock(entry_time(json_array_get(entries, 0)), true, day, sizeof(day)));
	print_head(l);
	json_array_foreach(entries, i, entry)
	{
		if (entry_is_message(entry))
			print_message(l, entry);
		else
			print_note(l, entry);
	}
	free(l->times);
	free(l);
}

unsigned trace_width(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	uint32_t width;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col)
		return size.ws_col;
	if (columns && span_to_u32(span_of(columns), &width) == 0 && width)
		return width;
	return 80;
}
