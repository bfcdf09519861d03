/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading a file, packet by packet. libpcap knows the formats; a file that it finds damaged is read as far as it goes. */
#include "capture/capture_int.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define PROGRESS_EVERY 4096 /* packets */

struct capture *capture_new(int link_type, const struct capture_sink *sink,
			    struct capture_report *report)
{
	struct capture *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->link_type = link_type;
	c->sink = *sink;
	c->report = report;
	if (fragments_new(&c->fragments) || tcp_streams_new(&c->streams))
		capture_free(&c);
	return c;
}

void capture_free(struct capture **capture)
{
	struct capture *c = *capture;

	if (!c)
		return;
	fragments_free(c);
	tcp_streams_free(c);
	free(c);
	*capture = NULL;
}

void capture_packet(struct capture *c, uint64_t frame, uint64_t utc_us, struct span bytes,
		    uint32_t length)
{
	struct capture_report *r = c->report;

	c->where = (struct capture_where){ .frame = frame, .utc_us = utc_us };
	c->missing = length > bytes.len ? length - (uint32_t)bytes.len : 0;
	c->where.snapped = c->missing > 0;
	c->depth = 0;
	r->packets++;
	r->bytes += length;
	r->snapped += c->missing > 0;
	if (!r->first_us || utc_us < r->first_us)
		r->first_us = utc_us;
	if (utc_us > r->last_us)
		r->last_us = utc_us;
	link_packet(c, c->link_type, bytes);
}

void capture_hand_sip(struct capture *c, enum capture_transport transport, struct span message)
{
	c->report->sip++;
	if (c->sink.sip)
		c->sink.sip(c->sink.arg, &c->where, transport, message);
}

void capture_tell_tcp(struct capture *c, enum capture_tcp_kind kind, int value, int detail)
{
	c->report->tcp_gaps += kind == CAPTURE_GAP;
	if (c->sink.tcp)
		c->sink.tcp(c->sink.arg, &c->where, kind, value, detail);
}

static void tell_progress(const struct capture *c, pcap_t *pcap, uint64_t of_bytes)
{
	FILE *file = pcap_file(pcap);
	long at = file && of_bytes ? ftell(file) : -1;

	if (c->sink.progress && at >= 0)
		c->sink.progress(c->sink.arg, (uint64_t)at, of_bytes);
}

static void read_packets(struct capture *c, pcap_t *pcap, uint64_t of_bytes)
{
	struct pcap_pkthdr *head;
	const unsigned char *data;
	uint64_t frame = 0;
	int got;

	while ((got = pcap_next_ex(pcap, &head, &data)) == 1) {
		uint64_t utc_us = (uint64_t)head->ts.tv_sec * SEC + (uint64_t)head->ts.tv_usec;

		capture_packet(c, ++frame, utc_us,
			       (struct span){ (const char *)data, head->caplen }, head->len);
		if (frame % PROGRESS_EVERY == 0)
			tell_progress(c, pcap, of_bytes);
	}
	if (got != PCAP_ERROR_BREAK) {
		c->report->truncated = true;
		fmt_print(c->report->trouble, sizeof(c->report->trouble), "after frame %llu: %s",
			  (unsigned long long)frame, pcap_geterr(pcap));
	}
	tell_progress(c, pcap, of_bytes);
}

int capture_read(const char *path, const struct capture_sink *sink, struct capture_report *report,
		 char *why, size_t why_size)
{
	char error[PCAP_ERRBUF_SIZE] = "";
	struct stat st = { .st_size = 0 };
	struct buf netmon;
	struct capture *c;
	pcap_t *pcap;

	*report = (struct capture_report){ .packets = 0 };
	if (strcmp(path, "-") != 0 && stat(path, &st)) {
		int err = errno;

		snprintf(why, why_size, "%s: %s", path, strerror(err));
		return -err;
	}
	if (S_ISDIR(st.st_mode)) {
		snprintf(why, why_size, "%s: it is a folder", path);
		return -EISDIR;
	}
	if (netmon_load(path, &netmon) == 0) {
		c = capture_new(DLT_EN10MB, sink, report);
		if (c)
			netmon_read(c, buf_span(&netmon));
		capture_free(&c);
		buf_free(&netmon);
		return 0;
	}
	buf_free(&netmon);
	pcap = pcap_open_offline(path, error);
	if (!pcap) {
		snprintf(why, why_size, "%s: no capture that can be read: %s", path, error);
		return -EINVAL;
	}
	c = capture_new(pcap_datalink(pcap), sink, report);
	if (!c) {
		pcap_close(pcap);
		snprintf(why, why_size, "no memory");
		return -ENOMEM;
	}
	read_packets(c, pcap, S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0);
	capture_free(&c);
	pcap_close(pcap);
	return 0;
}
