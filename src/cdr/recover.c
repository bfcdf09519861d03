/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a start finds: segments of earlier runs. The last one may end in a frame that was being written
 * when the process or the machine died. That tail was never called committed; it is cut. A frame
 * that is bad while sound ones follow is no torn tail but damage: then the segment is kept aside under
 * ".damaged" before it is cut, because somebody may want to look at what is behind.
 *
 * A run never appends to an earlier run's segment. */
#include "cdr/cdr_int.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct recovery {
	struct journal *journal;
	uint32_t segment;
	uint64_t last_sequence, last_seen_us;
	uint64_t missing; /* sequences that no segment has */
};

__attribute__((format(printf, 3, 4))) static void say(char *why, size_t size, const char *format,
						      ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(why, size, format, ap);
	va_end(ap);
}

static void recover_frame(void *arg, const struct frame *frame)
{
	struct recovery *r = arg;
	struct journal *j = r->journal;
	uint64_t id = cdr_data_call_id(frame->data, frame->len);

	if (frame->sequence <= r->last_sequence)
		return; /* written again after a failed sync */
	if (r->last_sequence)
		r->missing += frame->sequence - r->last_sequence - 1;
	r->last_sequence = frame->sequence;
	r->last_seen_us = frame->time_us;
	if (id > atomic_load(&j->highest_call_id))
		atomic_store(&j->highest_call_id, id);
	if (frame->kind == CDR_ANSWER)
		answered_add(&j->answered, id, r->segment);
	else if (frame->kind == CDR_END)
		answered_del(&j->answered, id);
	else if (frame->kind == CDR_ATTEMPT)
		answered_attempt(&j->answered, id);
	if ((frame->kind != CDR_END && frame->kind != CDR_ATTEMPT) ||
	    frame->sequence <= j->position.sequence)
		return;
	if (atomic_fetch_add(&j->unsettled, 1) == 0) {
		j->read_segment = r->segment;
		j->read_offset = frame->offset;
	}
}

/* Is there a sound frame behind the first bad byte? */
static bool sound_behind(const unsigned char *bytes, size_t from, size_t len)
{
	struct frame frame;

	for (size_t at = from + 1; at + FRAME_HEADER <= len; at++) {
		/* The cheap things first: a kind, seven zeros, a length that fits. */
		if (bytes[at + 24] < CDR_ANSWER || bytes[at + 24] > CDR_ALIVE ||
		    get_le(bytes + at + 25, 7) != 0)
			continue;
		if (frame_read(&frame, bytes + at, len - at))
			return true;
	}
	return false;
}

static void keep_aside(struct journal *j, const char *name, const unsigned char *bytes, size_t len)
{
	char aside[64];
	int fd;

	snprintf(aside, sizeof(aside), "%s.damaged", name);
	fd = openat(j->dir_fd, aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd < 0)
		return;
	if (write(fd, bytes, len) != (ssize_t)len || fsync(fd))
		log_warn("journal %s: %s is incomplete", j->folder, aside);
	close(fd);
}

/* Cut `name` after its sound bytes. */
static int cut_tail(struct journal *j, uint32_t segment, const unsigned char *bytes, size_t sound,
		    size_t len)
{
	char name[32];
	int fd, err = 0;

	segment_name(segment, name, sizeof(name));
	atomic_fetch_add(&j->repaired_bytes, len - sound);
	if (sound_behind(bytes, sound, len)) {
		log_error("journal %s: %s is damaged at byte %zu with sound records behind; kept "
			  "as %s.damaged",
			  j->folder, name, sound, name);
		keep_aside(j, name, bytes, len);
	} else {
		log_warn("journal %s: %s ends in %zu bytes of an unfinished write; cut", j->folder,
			 name, len - sound);
	}
	if (sound < SEGMENT_HEADER)
		return unlinkat(j->dir_fd, name, 0) ? -errno : 0;
	fd = openat(j->dir_fd, name, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)sound) || fsync(fd))
		err = -errno;
	close(fd);
	return err;
}

static int recover_segment(struct recovery *r, char *why, size_t why_size)
{
	struct journal *j = r->journal;
	struct segment_header header;
	unsigned char *bytes;
	size_t len, sound;
	char name[32];
	int err = segment_load(j->dir_fd, r->segment, &bytes, &len);

	segment_name(r->segment, name, sizeof(name));
	if (err) {
		say(why, why_size, "cannot read %s/%s: %s", j->folder, name, strerror(-err));
		return err;
	}
	err = segment_header_read(&header, bytes, len);
	if (err == -EPROTONOSUPPORT) {
		say(why, why_size,
		    "%s/%s was written by another version (%u, this one knows %u): start that "
		    "version, let it stop "
		    "with an empty journal, then this one",
		    j->folder, name, header.version, SEGMENT_VERSION);
		free(bytes);
		return err;
	}
	if (!err && header.first_sequence > j->next_sequence)
		j->next_sequence = header.first_sequence;
	sound = segment_scan(bytes, len, recover_frame, r);
	err = sound < len || sound == 0 ? cut_tail(j, r->segment, bytes, sound, len) : 0;
	free(bytes);
	if (err)
		say(why, why_size, "cannot cut the torn tail of %s/%s: %s", j->folder, name,
		    strerror(-err));
	return err;
}

/* What a dying process wrote last was perhaps never synced. */
static void sync_segment(const struct journal *j, uint32_t number)
{
	char name[32];
	int fd = openat(j->dir_fd, segment_name(number, name, sizeof(name)), O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (fdatasync(fd))
		log_error("journal %s: %s cannot be synced: %s", j->folder, name, strerror(errno));
	close(fd);
}

int journal_recover(struct journal *j, uint64_t *last_seen_us_out, char *why, size_t why_size)
{
	struct recovery r = { .journal = j };
	uint32_t *numbers = NULL;
	unsigned count = 0;
	int err;

	if (position_read(j->dir_fd, &j->position) == -EBADMSG)
		log_warn("journal %s: sink.position is damaged; the database is given everything "
			 "again",
			 j->folder);
	err = segment_list(j->dir_fd, &numbers, &count);
	if (err)
		say(why, why_size, "cannot list %s: %s", j->folder, strerror(-err));
	atomic_store(&j->highest_call_id, j->position.call_id);
	j->next_sequence = 1;
	for (unsigned i = 0; i < count && !err; i++) {
		r.segment = numbers[i];
		err = recover_segment(&r, why, why_size);
	}
	if (!err && r.missing)
		log_error("journal %s: %llu entries are missing between the segments: a file was "
			  "removed or damaged",
			  j->folder, (unsigned long long)r.missing);
	if (!err && count)
		sync_segment(j, numbers[count - 1]);
	j->oldest = count ? numbers[0] : 1;
	j->segment = count ? numbers[count - 1] : 0;
	free(numbers);
	if (err)
		return err;
	if (r.last_sequence >= j->next_sequence)
		j->next_sequence = r.last_sequence + 1;
	if (j->position.sequence >= j->next_sequence)
		j->next_sequence = j->position.sequence + 1;
	*last_seen_us_out = r.last_seen_us;
	return 0;
}

struct settling {
	struct journal *journal;
	uint32_t segment;
	uint64_t last_seen_us;
	unsigned count;
};

/* The attempt that was answered, from what the ANSWER says of the callee's side. It began when the one before it
 * ended, the first one with the call. */
static struct cdr_entry *attempt_of(struct cdr cdr, const struct answered_call *call)
{
	uint64_t heard = cdr.started + cdr.pdd_us;

	cdr.attempt = cdr.attempts;
	if (cdr.attempts > 1) {
		cdr.started = call->tried_until_us ? call->tried_until_us : cdr.answered;
		heard = heard >= cdr.started ? heard : cdr.answered;
		cdr.first_response = cdr.first_response >= cdr.started ? cdr.first_response : 0;
		cdr.ringing = cdr.ringing >= cdr.started ? cdr.ringing : 0;
		cdr.pdd_us = heard - cdr.started;
	}
	return cdr_encode(CDR_ATTEMPT, &cdr);
}

/* What is known of the call at its answer, ended when the journal was last written. */
static bool settle(struct settling *s, const struct frame *frame, const struct answered_call *call)
{
	struct arena *arena = arena_new(4096);
	struct cdr_entry *end = NULL, *attempt = NULL;
	bool wants_attempt = false;
	struct cdr cdr;

	if (arena && cdr_decode(&cdr, arena, frame->data, frame->len) == 0) {
		cdr.ended = s->last_seen_us > cdr.answered ? s->last_seen_us : cdr.answered;
		cdr.talk_us = cdr.answered ? cdr.ended - cdr.answered : 0;
		cdr.end_code = "SWITCH_RESTARTED";
		cdr.end_side = "switch";
		cdr.end_text = "The switch stopped while the call was up; counted until it was "
			       "last seen alive.";
		wants_attempt = cdr.attempts && !call->has_attempt;
		if (wants_attempt)
			attempt = attempt_of(cdr, call);
		end = cdr_encode(CDR_END, &cdr);
	}
	arena_free(&arena);
	if (!end || (wants_attempt && !attempt)) {
		free(end);
		free(attempt);
		return false;
	}
	if (attempt)
		journal_append(s->journal, attempt);
	journal_append(s->journal, end);
	return true;
}

static void note_tried(struct answered_call *call, const struct frame *frame)
{
	struct arena *arena = call->has_attempt ? NULL : arena_new(2048);
	struct cdr cdr;

	if (arena && cdr_decode(&cdr, arena, frame->data, frame->len) == 0 &&
	    cdr.ended > call->tried_until_us)
		call->tried_until_us = cdr.ended;
	arena_free(&arena);
}

static void settle_frame(void *arg, const struct frame *frame)
{
	struct settling *s = arg;
	uint64_t id = cdr_data_call_id(frame->data, frame->len);
	struct answered_call *call = answered_find(&s->journal->answered, id);

	if (call && frame->kind == CDR_ATTEMPT)
		note_tried(call, frame);
	if (!call || frame->kind != CDR_ANSWER || call->segment != s->segment)
		return;
	if (!settle(s, frame, call)) {
		log_error("journal %s: call %016llx was up and cannot be settled: its ANSWER "
			  "cannot be read",
			  s->journal->folder, (unsigned long long)id);
		return;
	}
	answered_del(&s->journal->answered, id);
	s->count++;
}

unsigned journal_settle(struct journal *j, uint64_t last_seen_us)
{
	struct settling s = { .journal = j, .last_seen_us = last_seen_us };
	unsigned char *bytes;
	size_t len;

	for (s.segment = j->oldest; s.segment <= j->segment && j->answered.table.count;
	     s.segment++) {
		if (segment_load(j->dir_fd, s.segment, &bytes, &len) != 0)
			continue;
		segment_scan(bytes, len, settle_frame, &s);
		free(bytes);
	}
	return s.count;
}
