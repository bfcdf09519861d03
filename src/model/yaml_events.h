/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One walk over a YAML text by libyaml's events, refusing what could make it endless. */
#ifndef CAUSEWAY_MODEL_YAML_EVENTS_H
#define CAUSEWAY_MODEL_YAML_EVENTS_H

#include "model/model_int.h"

#include <yaml.h>

struct reader {
	struct build b;
	yaml_parser_t parser;
	yaml_event_t event;
	bool have_event, stop;
	unsigned depth;
	char object[96];
	struct buf texts; /* of the list being read */
	struct item *items;
	unsigned n_items, items_size;
};

void reader_complain(struct reader *r, unsigned line, unsigned column, const char *remedy,
		     const char *format, ...) __attribute__((format(printf, 5, 6)));
#define complain(r, remedy, ...)                                                                   \
	reader_complain((r), reader_line(r), reader_column(r), (remedy), __VA_ARGS__)

/* The next event's type; YAML_NO_EVENT when reading is over. */
yaml_event_type_t reader_next(struct reader *r);
/* Of the event in hand. */
yaml_event_type_t reader_type(const struct reader *r);
struct span reader_scalar(const struct reader *r);
unsigned reader_line(const struct reader *r);
unsigned reader_column(const struct reader *r);
/* Written as nothing, ~ or null: as if the key were absent. */
bool reader_is_null(const struct reader *r);
/* To the end of the node in hand. */
void reader_skip(struct reader *r);
/* Moves to the next key of the mapping being read and copies it out (keys are short); false at its end. */
bool reader_next_key(struct reader *r, char *key, size_t size);

#endif
