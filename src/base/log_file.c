/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/log_file.h"

#include "base/base.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void close_file(struct log_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
}

void log_file_set(struct log_file *file, const char *path, uint64_t limit)
{
	close_file(file);
	*file = LOG_FILE_NONE;
	span_copy(span_of(path), file->path, sizeof(file->path));
	file->limit = limit;
}

static int open_file(struct log_file *file)
{
	struct stat st;

	if (file->retry_us > clock_mono_us())
		return -file->error;
	file->fd = open(file->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (file->fd < 0 || fstat(file->fd, &st)) {
		int err = -errno;

		close_file(file);
		file->retry_us = clock_mono_us() + SEC;
		return err;
	}
	file->size = (uint64_t)st.st_size;
	return 0;
}

/* Where the folder refuses a new name the file begins anew: the limit holds all the same. */
static int turn(struct log_file *file)
{
	char older[sizeof(file->path) + 2];

	snprintf(older, sizeof(older), "%s.1", file->path);
	if (rename(file->path, older) && errno != ENOENT && ftruncate(file->fd, 0))
		return -errno;
	close_file(file);
	return open_file(file);
}

static int append(struct log_file *file, struct span line)
{
	ssize_t n = write(file->fd, line.p, line.len);

	if (n == (ssize_t)line.len) {
		file->size += line.len;
		return 0;
	}
	if (n < 0)
		return -errno;
	/* Half a line would spoil the next; where it cannot be cut off, it stays. */
	if (ftruncate(file->fd, (off_t)file->size))
		file->size += (uint64_t)n;
	return -ENOSPC;
}

int log_file_write(struct log_file *file, struct span line)
{
	int err = 0;

	if (!file->path[0])
		return 0;
	if (file->fd < 0)
		err = open_file(file);
	if (!err && file->size && file->size + line.len > file->limit)
		err = turn(file);
	if (!err)
		err = append(file, line);
	file->error = -err;
	file->lost = err ? file->lost + 1 : 0;
	return err;
}
