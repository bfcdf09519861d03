/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base: what every module stands on. Knows no telephony. */
#ifndef CAUSEWAY_BASE_H
#define CAUSEWAY_BASE_H

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/fmt.h"
#include "base/hash.h"
#include "base/ini.h"
#include "base/list.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/ring.h"
#include "base/rng.h"
#include "base/slots.h"
#include "base/span.h"
#include "base/thread.h"
#include "base/wheel.h"
#include "base/zone.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

#endif
