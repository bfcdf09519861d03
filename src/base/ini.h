/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ini: the boot file. Sections in brackets, "key = value" lines; ";" or "#" begins a
 * comment at the start of a line or after a blank. Values are trimmed, not unquoted. */
#ifndef CAUSEWAY_INI_H
#define CAUSEWAY_INI_H

#include "base/span.h"

#define INI_MAX_SIZE 1048576

/* Called for each entry, in order. Spans borrow from the text. Return 0, or an error text
 * (static) which ends the reading. */
typedef const char *ini_entry(void *arg, struct span section, struct span key, struct span value, unsigned line);

/* Read `text`. NULL when all of it was taken; otherwise a static text of what is wrong,
 * with the line in *line_out. */
const char *ini_parse(struct span text, ini_entry *entry, void *arg, unsigned *line_out);

#endif
