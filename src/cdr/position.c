/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sink.position: how far the sink is. 32 bytes: magic "CWJPOSIT", u64 sequence, u64 highest call id, u32 0,
 * u32 crc of the 28 bytes before. Written to another name and renamed, so it is either the old or the
 * new one. It is not synced: an old position, or none, only makes the sink hear again what it
 * already has. It must never be ahead of the sink, so it is written after the sink has said
 * that its records are safe. */
#include "cdr/cdr_int.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define POSITION_SIZE 32
#define POSITION_NAME "sink.position"
#define POSITION_TEMP "sink.position.new"

static const unsigned char magic[8] = { 'C', 'W', 'J', 'P', 'O', 'S', 'I', 'T' };

int position_read(int dir_fd, struct position *out)
{
	unsigned char bytes[POSITION_SIZE + 1];
	int fd = openat(dir_fd, POSITION_NAME, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, bytes, sizeof(bytes));
	close(fd);
	if (n != POSITION_SIZE || memcmp(bytes, magic, sizeof(magic)) != 0 ||
	    crc32c(bytes, POSITION_SIZE - 4) != get_le(bytes + POSITION_SIZE - 4, 4))
		return -EBADMSG;
	*out = (struct position){ .sequence = get_le(bytes + 8, 8),
				  .call_id = get_le(bytes + 16, 8) };
	return 0;
}

int position_write(int dir_fd, const struct position *position)
{
	unsigned char bytes[POSITION_SIZE] = { 0 };
	int fd = openat(dir_fd, POSITION_TEMP, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	ssize_t n;

	if (fd < 0)
		return -errno;
	memcpy(bytes, magic, sizeof(magic));
	put_le(bytes + 8, position->sequence, 8);
	put_le(bytes + 16, position->call_id, 8);
	put_le(bytes + POSITION_SIZE - 4, crc32c(bytes, POSITION_SIZE - 4), 4);
	n = write(fd, bytes, sizeof(bytes));
	if (close(fd) || n != POSITION_SIZE)
		return -EIO;
	return renameat(dir_fd, POSITION_TEMP, dir_fd, POSITION_NAME) ? -errno : 0;
}
