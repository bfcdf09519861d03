/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside of admit. */
#ifndef CAUSEWAY_ADMIT_INT_H
#define CAUSEWAY_ADMIT_INT_H

#include "admit/admit.h"

/* The host of a source, for people. */
const char *admit_source_text(const struct sockaddr_storage *source, char *dst, size_t size);

#endif
