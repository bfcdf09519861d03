/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pinned calls: a file of their ids in hex, one a line, that is replaced whole. */
#include "trace/archive_int.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PINS "pins"
#define PINS_NEW "pins.new"
#define PINS_BYTES_MAX (64u << 20)

static int read_pins(struct archive *archive, struct span rest)
{
	struct span line;
	uint64_t call;
	int err = 0;

	while (rest.len && !err) {
		span_cut(rest, '\n', &line, &rest);
		if (span_hex_to_u64(line, &call) == 0 && call)
			err = map64_set(&archive->pins, call, 1);
		else
			log_warn("trace %s: " PINS ": a line is no call id", archive->folder);
	}
	return err;
}

int pins_load(struct archive *archive)
{
	int fd = openat(archive->dir_fd, PINS, O_RDONLY | O_CLOEXEC), err;
	char *bytes = NULL;
	struct stat st;
	ssize_t n = 0;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	err = fstat(fd, &st) ? -errno : st.st_size > PINS_BYTES_MAX ? -EFBIG : 0;
	if (!err) {
		bytes = malloc((size_t)st.st_size + 1);
		err = bytes ? 0 : -ENOMEM;
	}
	if (!err) {
		n = read(fd, bytes, (size_t)st.st_size);
		err = n < 0 ? -errno : read_pins(archive, (struct span){ bytes, (size_t)n });
	}
	close(fd);
	free(bytes);
	return err;
}

static int write_pins(const struct archive *archive, const struct map64 *pins)
{
	struct buf text = BUF_INIT(PINS_BYTES_MAX);
	int fd, err = 0;

	for (size_t i = 0; i < pins->size; i++)
		if (pins->slots[i].key)
			buf_addf(&text, "%016llx\n", (unsigned long long)pins->slots[i].key);
	fd = text.failed ? -1
			 : openat(archive->dir_fd, PINS_NEW,
				  O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (fd < 0) {
		err = text.failed ? -ENOMEM : -errno;
		buf_free(&text);
		return err;
	}
	errno = 0;
	if (write(fd, text.p, text.len) != (ssize_t)text.len || fsync(fd))
		err = errno ? -errno : -ENOSPC;
	if (close(fd) && !err)
		err = -EIO;
	buf_free(&text);
	if (!err && renameat(archive->dir_fd, PINS_NEW, archive->dir_fd, PINS))
		err = -errno;
	if (err)
		unlinkat(archive->dir_fd, PINS_NEW, 0);
	return err;
}

/* Under pin_lock. File first: what people were told holds. */
static int set_pin(struct archive *archive, uint64_t call, bool pin)
{
	struct map64 pins, old;
	int err = map64_copy(&pins, &archive->pins);

	if (err)
		return err;
	if (pin)
		err = map64_set(&pins, call, 1);
	else
		map64_del(&pins, call);
	if (!err)
		err = write_pins(archive, &pins);
	if (err) {
		map64_free(&pins);
		return err;
	}
	pthread_mutex_lock(&archive->lock);
	old = archive->pins;
	archive->pins = pins;
	archive->pins_state++;
	pthread_mutex_unlock(&archive->lock);
	map64_free(&old);
	return 0;
}

/* -ENOENT: no note of it is left. */
static int look_for(struct archive *archive, uint64_t call)
{
	struct trace_reading reading = { .arena = arena_new(4096) };
	uint64_t key = key_of_call(call);
	int err = reading.arena ? 0 : -ENOMEM;
	bool found = false;

	if (!err)
		err = archive_read(archive, &key, 1, 0, 0, &reading);
	for (unsigned i = 0; i < reading.n && !err; i++)
		found = found || reading.entries[i].call == call;
	arena_free(&reading.arena);
	return err ? err : found ? 0 : -ENOENT;
}

int archive_pin(struct archive *archive, uint64_t call, bool pin)
{
	bool before;
	int err;

	if (!call)
		return -ENOENT;
	pthread_mutex_lock(&archive->pin_lock);
	before = map64_find(&archive->pins, call) != NULL;
	/* Pinned first, then looked for: it cannot age in between. */
	err = before != pin ? set_pin(archive, call, pin) : 0;
	if (!err)
		err = look_for(archive, call);
	if (err && pin && !before)
		set_pin(archive, call, false);
	pthread_mutex_unlock(&archive->pin_lock);
	return err;
}
