/* SPDX-License-Identifier: GPL-3.0-or-later */
/* causewayd: reads the boot file, opens store, journal, workers and API in the order in which they need one
 * another, and waits for signals.
 *
 *   SIGTERM, SIGINT   drain: new calls hear 503 with Retry-After, live ones finish; a second signal (or
 *                     drain_timeout) ends them, with records
 *   SIGHUP            read the configuration again (database and log level) */
#include "daemon/daemon_int.h"

#include <getopt.h>
#include <grp.h>
#include <malloc.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SETS_MAX 64

static const char usage[] =
	"Usage: causewayd [-c FILE] [--set SECTION.KEY=VALUE]... [--check-config]\n"
	"\n"
	"The switch. Runs in the foreground; logs to stderr unless [log] target says otherwise.\n"
	"\n"
	"  -c, --config FILE    boot file (default /etc/causeway/causeway.conf if it exists);\n"
	"                       conf.d/*.conf beside it are read after it\n"
	"      --set S.K=VALUE  overrides one key of the boot file; may be repeated\n"
	"      --check-config   read the boot file, say whether it is good, and leave\n"
	"      --version        print the version\n"
	"  -h, --help           this text\n"
	"\n"
	"Gateways, accounts and routes are configured while it runs: causeway config import FILE\n"
	"SIGTERM drains (a second one ends live calls with records), SIGHUP reads the "
	"configuration again.\n";

struct options {
	const char *config;
	const char *sets[SETS_MAX];
	unsigned n_sets;
	bool check_only;
};

/* 0 go on, otherwise leave with *exit_out. */
static int read_options(int argc, char **argv, struct options *o, int *exit_out)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' }, { "set", required_argument, NULL, 's' },
		{ "check-config", no_argument, NULL, 'k' }, { "version", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },         { NULL, 0, NULL, 0 },
	};
	int c;

	*exit_out = 0;
	while ((c = getopt_long(argc, argv, "c:h", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->config = optarg;
			break;
		case 's':
			if (o->n_sets == SETS_MAX) {
				fprintf(stderr, "causewayd: more than %d --set\n", SETS_MAX);
				*exit_out = 2;
				return 1;
			}
			o->sets[o->n_sets++] = optarg;
			break;
		case 'k':
			o->check_only = true;
			break;
		case 'v':
			puts("causewayd " CAUSEWAY_VERSION);
			return 1;
		case 'h':
			fputs(usage, stdout);
			return 1;
		default:
			*exit_out = 2;
			return 1;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "causewayd: unexpected argument %s; see --help\n", argv[optind]);
		*exit_out = 2;
		return 1;
	}
	if (!o->config && access("/etc/causeway/causeway.conf", F_OK) == 0)
		o->config = "/etc/causeway/causeway.conf";
	return 0;
}

/* Tell systemd (or nobody). */
static void notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd;

	if (!path || strlen(path) >= sizeof(to.sun_path))
		return;
	span_copy(span_of(path), to.sun_path, sizeof(to.sun_path));
	if (to.sun_path[0] == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to,
	       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path)));
	close(fd);
}

/* Made anew it belongs to `owner`, if there is one. */
static bool make_folder(const char *path, const struct passwd *owner, char *why, size_t why_size)
{
	bool made = mkdir(path, 0750) == 0;

	if (!made && errno == EEXIST)
		return true;
	if (made && (!owner || chown(path, owner->pw_uid, owner->pw_gid) == 0))
		return true;
	snprintf(why, why_size, "[data] folder %s: cannot be made: %s", path, strerror(errno));
	return false;
}

static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* Each thread has an arena of its own: while a configuration of a million prefixes is taken apart, its arena is locked
 * for many milliseconds, and a worker that shared it would wait. Such arenas grow page by page, a system call each, which
 * waits for whoever maps or unmaps memory: so they begin with room, of which nothing is used before it is needed. */
static void tune_malloc(unsigned workers)
{
	mallopt(M_ARENA_MAX, (int)workers + 32);
	mallopt(M_TOP_PAD, 16 << 20);
	mallopt(M_TRIM_THRESHOLD, 32 << 20);
}

/* Whom root becomes; NULL: the process stays what it is. */
static bool find_user(const struct boot *boot, const struct passwd **user_out, char *why,
		      size_t why_size)
{
	*user_out = NULL;
	if (!boot->user || geteuid() != 0)
		return true;
	*user_out = getpwnam(boot->user);
	if (!*user_out)
		snprintf(why, why_size, "[run] user = %s: no such user", boot->user);
	return *user_out != NULL;
}

/* The ports are open: nothing needs root any more. */
static bool drop_privileges(const struct boot *boot, char *why, size_t why_size)
{
	const struct passwd *user;

	if (!find_user(boot, &user, why, why_size))
		return false;
	if (!user)
		return true;
	if (initgroups(user->pw_name, user->pw_gid) || setgid(user->pw_gid) ||
	    setuid(user->pw_uid)) {
		snprintf(why, why_size, "[run] user = %s: %s", boot->user, strerror(errno));
		return false;
	}
	return true;
}

static bool open_records(struct process *p, char *why, size_t why_size)
{
	/* A lane holds what a busy worker records in a second: longer than a disk usually takes to sync. */
	struct journal_config config = { .segment_bytes = 64u << 20,
					 .sync_us = 40000,
					 .lanes = workers_count(&p->boot),
					 .lane_bytes = 4u << 20,
					 .sink = store_sink };
	char folder[4096];
	unsigned settled = 0;
	struct model *m;

	if (store_open(&p->store, p->boot.store_url, p->boot.data_folder, why, why_size))
		return false;
	if (store_load_model(p->store, &m, why, why_size))
		return false;
	model_hub_swap(p->hub, m);
	if (store_load_blacklist(p->store, m->blacklist, clock_utc_us()))
		log_error("the numbers that operators blacklisted cannot be read");
	snprintf(folder, sizeof(folder), "%s/trace", p->boot.data_folder);
	if (tracing_open(p, folder, why, why_size))
		return false;
	snprintf(folder, sizeof(folder), "%s/journal", p->boot.data_folder);
	if (!make_folder(folder, NULL, why, why_size))
		return false;
	config.folder = folder;
	config.arg = p->store;
	if (journal_open(&p->journal, &config, &settled, why, why_size))
		return false;
	if (settled)
		log_warn("%u calls were up when the switch stopped; their records are settled as "
			 "SWITCH_RESTARTED",
			 settled);
	return true;
}

/* Root still has ports to open, but what it makes on disk must be writable for the user that it becomes. */
static bool open_records_as_user(struct process *p, char *why, size_t why_size)
{
	const struct passwd *user;
	bool good;

	if (!find_user(&p->boot, &user, why, why_size) ||
	    !make_folder(p->boot.data_folder, user, why, why_size))
		return false;
	if (!user)
		return open_records(p, why, why_size);
	good = setegid(user->pw_gid) == 0 && seteuid(user->pw_uid) == 0;
	if (!good)
		snprintf(why, why_size, "[run] user = %s: %s", p->boot.user, strerror(errno));
	good = good && open_records(p, why, why_size);
	if (seteuid(0) || setegid(0)) {
		snprintf(why, why_size, "root's rights do not come back: %s", strerror(errno));
		return false;
	}
	return good;
}

static bool open_all(struct process *p, char *why, size_t why_size)
{
	struct api_config api = { .version = CAUSEWAY_VERSION };

	raise_file_limit();
	tune_malloc(workers_count(&p->boot));
	p->hub = model_hub_new();
	if (!p->hub || suspensions_new(&p->suspensions) || hep_new(&p->hep)) {
		snprintf(why, why_size, "out of memory");
		return false;
	}
	if (!open_records_as_user(p, why, why_size))
		return false;
	if (workers_open(p, why, why_size))
		return false;
	contacts_restore(p);
	control_init(p);
	api.socket = p->boot.api_socket[0] ? p->boot.api_socket : NULL;
	api.listen = p->boot.api_listen[0] && strcmp(p->boot.api_listen, "none") != 0
			     ? p->boot.api_listen
			     : NULL;
	if (workers_start(p) || store_keep(p->store, p->hub) || contacts_start(&p->contacts, p)) {
		snprintf(why, why_size, "threads cannot be started");
		return false;
	}
	/* This thread has only signals to wait for now, and the API's threads are as it is: a configuration that they read
	 * takes a core for a second. */
	thread_step_back();
	if (api_open(&p->api, &api, &p->api_switch, why, why_size))
		return false;
	if (!drop_privileges(&p->boot, why, why_size))
		return false;
	settings_begin(p);
	return true;
}

static void close_all(struct process *p)
{
	static const struct call_end restarted = {
		.code = END_SWITCH_RESTARTED,
		.status = 503,
		.q850 = 41,
		.text = "the switch was stopped while the call was up"
	};

	api_close(&p->api);
	workers_stop(p, &restarted);
	contacts_stop(&p->contacts);
	trace_close(&p->trace);
	hep_free(&p->hep);
	if (p->journal && !journal_flush(p->journal, 10 * SEC))
		log_warn("the database does not take records; they stay in the journal and follow "
			 "at the next start");
	journal_close(&p->journal);
	suspensions_free(&p->suspensions);
	store_close(&p->store);
	model_hub_free(&p->hub);
	boot_free(&p->boot);
}

static void say_listening(const struct process *p)
{
	for (unsigned i = 0; i < p->boot.net.n_listen; i++) {
		char addr[NET_ADDR_TEXT];

		log_info("listening on %s %s", net_proto_name(p->boot.net.listen[i].proto),
			 net_addr_format(&p->boot.net.listen[i].addr, addr));
	}
	log_info("causeway %s: %u workers, data in %s, API on %s", CAUSEWAY_VERSION, p->n_workers,
		 p->boot.data_folder,
		 p->boot.api_socket[0] ? p->boot.api_socket : p->boot.api_listen);
}

static void reload(struct process *p, const struct options *o)
{
	struct boot boot;
	struct model *m;
	char why[512];

	if (boot_read(&boot, o->config, o->sets, o->n_sets, why, sizeof(why))) {
		log_open(boot.log_target, boot.log_level);
		atomic_store(&p->log_level, boot.log_level);
	} else {
		log_error("reload: %s; the boot settings stay as they are", why);
	}
	boot_free(&boot);
	if (store_load_model(p->store, &m, why, sizeof(why))) {
		log_error("reload: %s; the configuration stays as it is", why);
		settings_apply(p);
		return;
	}
	model_hub_swap(p->hub, m);
	workers_nudge(p);
	settings_apply(p);
	log_info("configuration read again");
}

static void begin_drain(struct process *p)
{
	atomic_store(&p->draining, true);
	notify("STOPPING=1");
	log_info("draining: %u calls up; another signal ends them", workers_live_calls(p));
}

static uint64_t drain_limit(const struct process *p)
{
	struct model *m = model_hub_get(p->hub);
	uint64_t limit = m->params.drain_timeout;

	model_unref(&m);
	return limit;
}

/* Returns when the process is to end. */
static void wait_for_signals(struct process *p, const struct options *o, int fd)
{
	uint64_t drain_since = 0;

	for (;;) {
		struct pollfd poller = { .fd = fd, .events = POLLIN };
		struct signalfd_siginfo info;
		bool draining = atomic_load(&p->draining);
		bool got = poll(&poller, 1, draining ? 100 : -1) > 0 &&
			   read(fd, &info, sizeof(info)) == sizeof(info);

		if (got && info.ssi_signo == SIGHUP) {
			reload(p, o);
		} else if (got && !draining) {
			begin_drain(p);
			drain_since = clock_mono_us();
		} else if (got) {
			log_info("ending the remaining calls");
			return;
		}
		if (!atomic_load(&p->draining))
			continue;
		if (workers_live_calls(p) == 0 || clock_mono_us() - drain_since >= drain_limit(p))
			return;
	}
}

static int run(struct process *p, const struct options *o)
{
	char why[1024] = "";
	sigset_t mask;
	int fd;

	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGHUP);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ,
	       SIG_IGN); /* a limit of files is an error like a full disk, no reason to die */
	fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	p->started_us = clock_mono_us();
	atomic_store(&p->log_level, p->boot.log_level);
	if (log_start())
		log_warn("the log's thread cannot be started: its lines are written by whoever "
			 "logs, and to its target alone");
	rng_bytes(p->digest_key, sizeof(p->digest_key));
	if (!open_all(p, why, sizeof(why))) {
		log_error("%s", why);
		close_all(p);
		return 1;
	}
	say_listening(p);
	notify("READY=1");
	wait_for_signals(p, o, fd);
	close_all(p);
	close(fd);
	log_info("stopped");
	return 0;
}

int main(int argc, char **argv)
{
	static struct process process;
	struct options o = { 0 };
	char why[1024];
	int status;

	if (read_options(argc, argv, &o, &status))
		return status;
	if (!boot_read(&process.boot, o.config, o.sets, o.n_sets, why, sizeof(why))) {
		fprintf(stderr, "causewayd: %s\n", why);
		boot_free(&process.boot);
		return 1;
	}
	if (o.check_only) {
		printf("%s: good\n", o.config ? o.config : "defaults");
		boot_free(&process.boot);
		return 0;
	}
	if (log_open(process.boot.log_target, process.boot.log_level)) {
		fprintf(stderr, "causewayd: [log] target = %s: %s\n", process.boot.log_target,
			strerror(errno));
		boot_free(&process.boot);
		return 1;
	}
	status = run(&process, &o);
	log_stop();
	return status;
}
