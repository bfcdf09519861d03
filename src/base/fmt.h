/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fmt: what snprintf does, for the few conversions that stand on the call path, at a tenth of its
 * instructions: %s %.*s %c %d %u %x, with l, ll, z and zero-padded widths ("%08x", "%016llx"). Any other
 * conversion hands the whole text to vsnprintf, so the result is always the same. */
#ifndef CAUSEWAY_FMT_H
#define CAUSEWAY_FMT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* As vsnprintf: writes at most size - 1 bytes and a NUL, returns the length it would have; size may be 0. */
size_t fmt_vprint(char *dst, size_t size, const char *format, va_list args) __attribute__((format(printf, 3, 0)));
size_t fmt_print(char *dst, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The decimal digits of `value` at dst (room for 20), not terminated. Returns their number. */
size_t fmt_u64(char *dst, uint64_t value);
/* The four bytes of an IPv4 address in network order, dotted (room for 15), likewise. */
size_t fmt_ip4(char *dst, const void *address);

#endif
