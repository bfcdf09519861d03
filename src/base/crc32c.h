/* SPDX-License-Identifier: GPL-3.0-or-later */
/* crc32c: CRC-32C (Castagnoli, RFC 3720 appendix B.4): the checksum that processors compute. It finds torn and rotten bytes;
 * it is no protection against somebody who writes into our files. */
#ifndef CAUSEWAY_CRC32C_H
#define CAUSEWAY_CRC32C_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(const void *data, size_t len);
/* The plain one, which machines without the instruction use. */
uint32_t crc32c_table(const void *data, size_t len);

#endif
