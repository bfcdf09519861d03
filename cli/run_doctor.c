/* SPDX-License-Identifier: GPL-3.0-or-later */
/* doctor: is this host fit to carry calls? Reads, changes nothing: kernel, clock, limits of the running daemon, disk.
 * Each finding says what there is, what there should be, why, and the command that sets it. */
#define _XOPEN_SOURCE_EXTENDED 1
#include "cli.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <sys/un.h>
#include <unistd.h>

#define FILE_MAX 8192
#define FILES_LEAST 65536
#define DISK_LEAST_GIB 2

/* A number in a file of /proc or /sys, and the least that it should be. */
static const struct setting {
	const char *name, *path;
	uint64_t least;
	const char *why, *fix;
} settings[] = {
	{ "receive buffer", "/proc/sys/net/core/rmem_max", 4194304,
	  "a burst of datagrams must fit while a worker is busy, or calls hear nothing",
	  "sysctl -w net.core.rmem_max=16777216" },
	{ "send buffer", "/proc/sys/net/core/wmem_max", 4194304,
	  "a burst of responses must fit until the network card has taken it",
	  "sysctl -w net.core.wmem_max=16777216" },
	{ "network backlog", "/proc/sys/net/core/netdev_max_backlog", 5000,
	  "packets beyond it are dropped before any socket sees them",
	  "sysctl -w net.core.netdev_max_backlog=5000" },
	{ "connection backlog", "/proc/sys/net/core/somaxconn", 1024,
	  "when a peer's switch restarts all its connections come at once",
	  "sysctl -w net.core.somaxconn=4096" },
	{ "tracked connections", "/proc/sys/net/netfilter/nf_conntrack_max", 262144,
	  "a firewall that tracks connections drops new calls and media when its table is full",
	  "sysctl -w net.netfilter.nf_conntrack_max=1048576" },
};

struct doctor {
	const char *root;
	json_t *checks;
	unsigned bad;
};

static void note(struct doctor *d, bool good, const char *name, const char *value,
		 const char *wanted, const char *why, const char *fix)
{
	json_t *check = json_object();

	json_object_set_new(check, "check", json_string(name));
	json_object_set_new(check, "value", json_string(value));
	json_object_set_new(check, "wanted", json_string(wanted));
	json_object_set_new(check, "good", json_boolean(good));
	if (!good) {
		json_object_set_new(check, "why", json_string(why));
		json_object_set_new(check, "fix", json_string(fix));
	}
	json_array_append_new(d->checks, check);
	d->bad += !good;
}

/* The file below the root, NUL-terminated; false when there is none. */
static bool read_file(const struct doctor *d, const char *path, char dst[FILE_MAX])
{
	char full[4096];
	FILE *file;
	size_t n;

	snprintf(full, sizeof(full), "%s%s", d->root, path);
	file = fopen(full, "re");
	if (!file)
		return false;
	n = fread(dst, 1, FILE_MAX - 1, file);
	fclose(file);
	dst[n] = '\0';
	return n > 0;
}

/* ---- kernel ---------------------------------------------------------------------------------- */

static void check_settings(struct doctor *d)
{
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		const struct setting *s = &settings[i];
		char text[FILE_MAX], wanted[32];
		uint64_t value;

		if (!read_file(d, s->path, text) || span_to_u64(span_trim(span_of(text)), &value))
			continue; /* not on this kernel, or no firewall that tracks */
		text[strcspn(text, "\n")] = '\0';
		snprintf(wanted, sizeof(wanted), "%llu or more", (unsigned long long)s->least);
		note(d, value >= s->least, s->name, text, wanted, s->why, s->fix);
	}
}

/* "Udp: InDatagrams NoPorts ...\nUdp: 1 2 ...": the value under that heading. */
static bool udp_counter(char *text, const char *heading, uint64_t *out)
{
	char *names = strstr(text, "Udp: "), *values = names ? strstr(names + 5, "Udp: ") : NULL;
	char *save_name, *save_value, *name, *value;

	if (!values)
		return false;
	values[-1] = '\0';
	values[strcspn(values, "\n")] = '\0';
	name = strtok_r(names, " ", &save_name);
	value = strtok_r(values, " ", &save_value);
	while (name && value && strcmp(name, heading) != 0) {
		name = strtok_r(NULL, " ", &save_name);
		value = strtok_r(NULL, " ", &save_value);
	}
	return name && value && span_to_u64(span_of(value), out) == 0;
}

static void check_drops(struct doctor *d)
{
	char text[FILE_MAX], value[32];
	uint64_t dropped;

	if (!read_file(d, "/proc/net/snmp", text) || !udp_counter(text, "RcvbufErrors", &dropped))
		return;
	snprintf(value, sizeof(value), "%llu", (unsigned long long)dropped);
	note(d, dropped == 0, "datagrams dropped since boot", value, "0",
	     "they came and found a socket's buffer full: messages or media were lost",
	     "raise net.core.rmem_max and restart; if the number still grows the host is too slow");
}

static void check_clocksource(struct doctor *d)
{
	char text[FILE_MAX];
	bool slow;

	if (!read_file(d, "/sys/devices/system/clocksource/clocksource0/current_clocksource", text))
		return;
	text[strcspn(text, "\n")] = '\0';
	slow = strcmp(text, "hpet") == 0 || strcmp(text, "acpi_pm") == 0;
	note(d, !slow, "clock source", text, "tsc or the hypervisor's",
	     "reading this one costs a microsecond each time",
	     "see dmesg for why the kernel left tsc; often a BIOS setting");
}

static void check_governor(struct doctor *d)
{
	char text[FILE_MAX];

	if (!read_file(d, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", text))
		return;
	text[strcspn(text, "\n")] = '\0';
	note(d, strcmp(text, "powersave") != 0, "processor speed", text, "performance or schedutil",
	     "a core that sleeps deeply answers its first messages late",
	     "cpupower frequency-set -g performance");
}

/* ---- clock ----------------------------------------------------------------------------------- */

static void check_clock(struct doctor *d)
{
	struct timex now = { 0 };
	bool synchronised = adjtimex(&now) != TIME_ERROR && !(now.status & STA_UNSYNC);

	note(d, synchronised, "clock", synchronised ? "synchronised" : "not synchronised",
	     "synchronised", "bills, records and certificates are only as right as the clock",
	     "apt-get install chrony");
}

/* ---- the running daemon ------------------------------------------------------------------------ */

/* Its process id, or 0: nobody answers, or it is another host's. */
static pid_t daemon_pid(const struct cli *cli)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct ucred peer = { 0 };
	socklen_t size = sizeof(peer);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	span_copy(span_of(cli->socket), to.sun_path, sizeof(to.sun_path));
	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size);
	if (fd >= 0)
		close(fd);
	return peer.pid;
}

static void check_files(struct doctor *d, pid_t pid)
{
	char path[64], text[FILE_MAX], *line, value[64] = "";
	uint64_t files = 0;

	snprintf(path, sizeof(path), "/proc/%ld/limits", (long)pid);
	if (!read_file(d, path, text))
		return;
	line = strstr(text, "Max open files");
	if (!line || sscanf(line + strlen("Max open files"), "%63s", value) != 1)
		return;
	if (strcmp(value, "unlimited") != 0 && span_to_u64(span_of(value), &files))
		return;
	note(d, !files || files >= FILES_LEAST, "open files", value, "65536 or more",
	     "each TCP or TLS peer holds one",
	     "LimitNOFILE=1048576 in the unit of systemd, or ulimit -n, and restart");
}

static void check_disk(struct doctor *d, const char *folder)
{
	struct statvfs fs;
	char value[64], full[4096];
	uint64_t free_mib, percent;

	snprintf(full, sizeof(full), "%s%s", d->root, folder);
	if (statvfs(full, &fs) || !fs.f_blocks)
		return;
	free_mib = (uint64_t)fs.f_bavail * fs.f_frsize >> 20;
	percent = (uint64_t)fs.f_bavail * 100 / fs.f_blocks;
	snprintf(value, sizeof(value), "%llu MiB, %llu %%", (unsigned long long)free_mib,
		 (unsigned long long)percent);
	note(d, free_mib >= DISK_LEAST_GIB * 1024 && percent >= 5, "free for records", value,
	     "2 GiB and 5 % or more", "without room for the journal no call can be billed",
	     "free some, or lower cdr_keep_days");
}

/* What trace lost since the daemon's start. */
static void check_trace(struct doctor *d, const json_t *trace)
{
	json_int_t full = json_integer_value(json_object_get(trace, "dropped_full"));
	json_int_t disk = json_integer_value(json_object_get(trace, "dropped_disk"));
	json_int_t err = json_integer_value(json_object_get(trace, "disk_error"));
	char value[128];

	snprintf(value, sizeof(value), "%lld", (long long)full);
	note(d, full == 0, "trace entries without room", value, "0",
	     "more came than could be written: ladders have gaps",
	     "give trace a faster disk, or the host more cores");
	snprintf(value, sizeof(value), "%lld%s%s", (long long)disk, err ? ", " : "",
		 err ? strerror((int)err) : "");
	note(d, disk == 0 && err == 0, "trace entries not written", value, "0",
	     "the disk refused them: ladders have gaps",
	     "make room on it, or lower trace_call_file_size and trace_register_file_size");
}

static void check_collectors(struct doctor *d, const json_t *collectors)
{
	const json_t *collector;
	size_t i;

	json_array_foreach(collectors, i, collector)
	{
		const char *error = json_string_value(json_object_get(collector, "last_error"));
		bool connected = json_is_true(json_object_get(collector, "connected"));
		char name[320], value[160];

		snprintf(name, sizeof(name), "HEP collector %s",
			 json_string_value(json_object_get(collector, "server")));
		snprintf(value, sizeof(value), "%s%s", connected ? "takes messages" : "away: ",
			 connected ? "" : (error ? error : "not reached yet"));
		note(d, connected, name, value, "takes messages",
		     "copies of messages that do not wait for it are lost",
		     "start it, open its port, or correct hep_servers");
	}
}

static void check_daemon(struct doctor *d, struct cli *cli)
{
	const char *folder;
	struct reply reply;
	struct url url;
	pid_t pid = daemon_pid(cli);

	note(d, pid != 0, "daemon", pid ? "answers" : "no answer", "answers",
	     "its limits and its disk can only be seen while it runs",
	     "start causewayd, or name its socket with --socket");
	if (!pid)
		return;
	check_files(d, pid);
	url_start(&url, "/status");
	if (http_try(cli, "GET", &url, SPAN_NONE, &reply) == EXIT_DONE) {
		folder = json_string_value(json_object_get(reply.json, "data_folder"));
		if (folder)
			check_disk(d, folder);
		if (json_object_get(reply.json, "trace"))
			check_trace(d, json_object_get(reply.json, "trace"));
		check_collectors(d,
				 json_object_get(json_object_get(reply.json, "hep"), "collectors"));
	}
	reply_free(&reply);
}

/* ---- saying it ----------------------------------------------------------------------------------- */

static void show(const struct doctor *d)
{
	static const struct column columns[] = {
		{ "CHECK", "check", AS_TEXT },
		{ "IS", "value", AS_TEXT },
		{ "SHOULD BE", "wanted", AS_TEXT },
		{ "GOOD", "good", AS_YES },
	};
	size_t i;
	json_t *check;

	show_table(d->checks, columns, ARRAY_SIZE(columns), "nothing could be read");
	json_array_foreach(d->checks, i, check)
	{
		if (json_is_true(json_object_get(check, "good")))
			continue;
		printf("\n%s: %s\n  %s\n", json_string_value(json_object_get(check, "check")),
		       json_string_value(json_object_get(check, "why")),
		       json_string_value(json_object_get(check, "fix")));
	}
}

int run_doctor(struct cli *cli)
{
	const char *root = cli_value(cli, "root");
	struct doctor d = { .root = root ? root : "", .checks = json_array() };
	json_t *all;

	check_settings(&d);
	check_drops(&d);
	check_clocksource(&d);
	check_governor(&d);
	if (!root) {
		check_clock(&d);
		check_daemon(&d, cli);
	}
	all = json_pack("{s:o}", "checks", d.checks);
	if (cli->json) {
		json_dumpf(all, stdout, JSON_COMPACT);
		putchar('\n');
	} else {
		show(&d);
	}
	json_decref(all);
	return d.bad ? EXIT_REFUSED : EXIT_DONE;
}
