/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the commands of the trace share: an array of entries as the API writes them (src/api/trace_entry.c), shown whole or drawn
 * as a ladder. */
#ifndef CAUSEWAY_CLI_TRACE_H
#define CAUSEWAY_CLI_TRACE_H

#include "cli.h"

/* Signs that need UTF-8, and what stands for them where the user's locale has none. */
struct glyphs {
	const char *line, *right, *left, *life, *note, *times, *to;
};
const struct glyphs *trace_glyphs(void);

/* Members of an entry; "" or 0 when absent. */
const char *entry_text(const json_t *entry, const char *key);
unsigned entry_number(const json_t *entry, const char *key);
bool entry_is_message(const json_t *entry);
/* Microseconds since 1970 of an entry; 0 of a time that is none. */
uint64_t entry_time(const json_t *entry);
/* "11:45:30.123" by the local clocks; with `date`: "2026-11-22 11:45:30.123456 CET". */
const char *entry_clock(uint64_t utc_us, bool date, char *dst, size_t size);
/* What a note says, for one line or several: its text, or the end code and numbers of the call where it has none. */
void entry_note(struct buf *out, const json_t *entry);

/* Every entry with its text. */
void trace_show_entries(const json_t *entries);
void trace_show_entry(const json_t *entry);
/* One line: for `trace follow`. */
void trace_show_line(const json_t *entry);
/* Columns: who calls, the switch, one for each attempt; at most `width` wide. */
void trace_draw_ladder(const json_t *entries, unsigned width);
/* The call that --number and --at mean, by its trace: its id into `id`. An exit code; complained of. */
int trace_find_call(struct cli *cli, char *id, size_t size);
/* Of the terminal, else $COLUMNS, else 80. */
unsigned trace_width(void);

#endif
