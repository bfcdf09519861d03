/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside of trace: the segments' form, and the archive that the writer fills and readers ask.
 *
 * A segment is a pcapng file (draft-ietf-opsawg-pcapng) in this machine's byte order:
 *
 *   SHB   shb_userappl = product
 *   IDB   LINKTYPE_RAW (101), snaplen 262144, microseconds
 *   then, in about the order of time,
 *   EPB   a message: IPv4 or IPv6 header, UDP or TCP header, the bytes. A message that one IP packet cannot hold is several
 *         EPBs over TCP, one after the other, each with the comment; PSH is set in the last one only (and in every message of
 *         one EPB). Options, in this order:
 *           epb_flags    bits 0-1: 1 = received, 2 = sent
 *           opt_comment  TRACE_COMMENT, of fixed length:  call=0123456789abcdef leg=a attempt=01 proto=udp
 *                        ("call=----------------", "leg=-", "attempt=--" where not known)
 *   SJB   a note: systemd Journal Export Block (type 9), which Wireshark lists with its time:
 *           __REALTIME_TIMESTAMP=microseconds      MESSAGE=text        PRIORITY=6      SYSLOG_IDENTIFIER=causeway
 *           CAUSEWAY_KIND=route  CAUSEWAY_CALL=0123456789abcdef  CAUSEWAY_LEG=b  CAUSEWAY_ATTEMPT=1
 *           CAUSEWAY_OBJECT=a-1  CAUSEWAY_SIP_CALL_ID=...
 *           CAUSEWAY_F_<field in capitals>=value
 *         in this order, absent ones left out; values that hold line ends go in the format's binary form.
 *
 * Every length is a multiple of 4; blocks end with their length again, so a segment can be checked from either end. */
#ifndef CAUSEWAY_TRACE_INT_H
#define CAUSEWAY_TRACE_INT_H

#include "trace/trace.h"

#define TRACE_COMMENT_LEN 48
#define TRACE_SEGMENT_BYTES (64u << 20)		/* a segment ends when it is this large, or an eighth of its budget */

/* ---- blocks ----------------------------------------------------------------------------------- */

/* block_write.c. Writers return the length of what they wrote: never more than the room that was asked for. The head is 0
 * when dst is too small for it. */
size_t block_write_head(void *dst, size_t size, const char *product);	/* SHB and IDB */
/* How much a message needs at most. */
size_t block_message_room(const struct trace_wire *wire, size_t len);
/* `sequence`: of the TCP stream in this direction, moved on. Room as block_message_room says. */
size_t block_write_message(void *dst, const struct trace_wire *wire, struct span message, uint32_t *sequence);
/* Stamp what the writer found out into the comment(s) of a written message. */
void block_stamp_message(void *block, size_t len, uint64_t call, char leg, unsigned attempt);
/* Likewise for a note. Values longer than TRACE_VALUE_MAX are cut. */
size_t block_note_room(const struct trace_note *note);
size_t block_write_note(void *dst, const struct trace_note *note);
#define TRACE_VALUE_MAX 65535u

/* block_read.c. One block at the start of `bytes`, which may be anything; the entry's spans point into them. Returns the
 * length to skip; 0 = cut off or damaged. A message of several EPBs is read one by one: each fills the entry, `text` is its
 * part. BLOCK_ALIEN: sound, but no message and no note of ours; the entry is not filled. */
enum block_is { BLOCK_ALIEN, BLOCK_ENTRY, BLOCK_ENTRY_MORE };	/* _MORE: the next block goes on with this message */
size_t block_read(const void *bytes, size_t len, struct trace_entry *entry, enum block_is *is_out);
/* All blocks of one message: the parts of its text are moved together. False: damaged. */
bool block_join(char *bytes, size_t len, struct trace_entry *entry);
#define BLOCK_MAX (2u << 20)			/* no block of ours is larger */

/* sip_scan.c: what trace needs of a message, in a bounded look at its head. Bytes are hostile. */
struct sip_scan {
	struct span call_id;		/* len 0 = none found */
	bool registration;		/* CSeq or request line say REGISTER, OPTIONS or PUBLISH: not of a call */
};
void sip_scan(struct span message, struct sip_scan *out);

/* kind.c. Of a name that is none: TRACE_KINDS. */
enum trace_kind trace_kind_of(struct span name);

/* ---- the archive ------------------------------------------------------------------------------ */

enum trace_series { SERIES_CALLS, SERIES_REGISTRATIONS, SERIES_KEPT, TRACE_SERIES };

/* By which a block is found again: the Call-ID of a message; the call of a note, else its object. */
uint64_t key_of_sip_call_id(struct span sip_call_id);
uint64_t key_of_call(uint64_t call);
uint64_t key_of_object(struct span object);

struct archive;
struct archive_block {
	const void *bytes;		/* one whole block, or all blocks of one message */
	uint32_t len;
	uint8_t kind;			/* enum trace_kind; CALL and END become rows that trace_find reads */
	uint64_t key, key2;		/* key2: of a binding note, that of its SIP Call-ID; 0 = none */
	uint64_t utc_us;
};
/* trace.c: that of a running trace, for the readers. */
struct archive *trace_archive(struct trace *trace);
/* Open a folder: cut torn tails, build indices that are missing or do not fit their segment, and list what is there. */
int archive_open(struct archive **out, const char *folder, const char *product, char *why, size_t why_size);
void archive_close(struct archive **archive);
/* Writer's thread only. Appends all or nothing: 0, or -errno of the disk (what was half written is cut off again). */
int archive_append(struct archive *archive, enum trace_series series, const struct archive_block *blocks, unsigned n);
/* Bytes on disk, indices included, that are kept at most (not VOS3000's file size, which is half of it). What is kept of
 * aged calls lies within `calls`: at most a quarter of it. */
struct archive_budget {
	uint64_t calls, registrations;
	uint64_t disk_free;		/* age earlier when the disk has less */
};
/* Writer's thread, about once a second: begin new segments where one is full, age what is over its budget. Takes 50 ms at
 * most; true: there is more to do, call again soon. */
bool archive_tend(struct archive *archive, const struct archive_budget *budget);
void archive_usage(struct archive *archive, struct trace_status *out);	/* fills usages and ages; any thread */

/* Readers, any thread; they see what was appended before they began. archive_read replaces the entries of `into`, whose
 * arena is the caller's; times of 0 are open. */
int archive_find(struct archive *archive, const struct trace_query *query,
		 void (*each)(void *arg, const struct trace_call *call), void *arg);
int archive_read(struct archive *archive, const uint64_t *keys, unsigned n_keys, uint64_t from_us, uint64_t to_us,
		 struct trace_reading *into);
/* archive_ask.c: trace_read_call and so on, of an archive. */
int archive_read_call(struct archive *archive, uint64_t call, struct trace_reading **out);
int archive_read_sip(struct archive *archive, struct span sip_call_id, struct trace_reading **out);
int archive_read_object(struct archive *archive, struct span object, uint64_t from_us, unsigned limit,
			struct trace_reading **out);
int archive_pin(struct archive *archive, uint64_t call, bool pin);

#endif
