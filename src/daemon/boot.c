/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The boot file: what must be known before the database is. One table of keys; each entry knows how
 * to read its value. */
#include "daemon/daemon_int.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BOOT_FILE_MAX INI_MAX_SIZE

struct boot_reader {
	struct boot *boot;
	const char *path;
	char *why;
	size_t why_size;
};

/* A value's reader: NULL, or what is wrong with it. */
typedef const char *read_value(struct boot *boot, struct span value, void *to);

static const char *read_text(struct boot *boot, struct span value, void *to)
{
	char **text = to;
	char *copy = malloc(value.len + 1);

	if (!copy)
		return "out of memory";
	span_copy(value, copy, value.len + 1);
	free(*text);
	*text = copy;
	return NULL;
}

static const char *read_workers(struct boot *boot, struct span value, void *to)
{
	uint64_t n;

	if (span_to_u64(value, &n) || n > WORKERS_MAX)
		return "must be a number from 0 (one per core) to 64";
	*(uint64_t *)to = n;
	return NULL;
}

static const char *read_max_calls(struct boot *boot, struct span value, void *to)
{
	uint64_t n;

	if (span_to_u64(value, &n) || n < 1 || n > 4000000)
		return "must be a number from 1 to 4000000";
	*(uint64_t *)to = n;
	return NULL;
}

static const char *read_level(struct boot *boot, struct span value, void *to)
{
	return log_level_parse(value, to) ? "must be error, warn, info or debug" : NULL;
}

static const char *read_bool(struct boot *boot, struct span value, void *to)
{
	bool on = span_ieq(value, SPAN("on")) || span_ieq(value, SPAN("yes")) ||
		  span_ieq(value, SPAN("true"));

	if (!on && !span_ieq(value, SPAN("off")) && !span_ieq(value, SPAN("no")) &&
	    !span_ieq(value, SPAN("false")))
		return "must be on or off";
	*(bool *)to = on;
	return NULL;
}

static const char *read_tos(struct boot *boot, struct span value, void *to)
{
	uint64_t n;

	if (span_istarts(value, SPAN("0x")) ? span_hex_to_u64(span_skip(value, 2), &n)
					    : span_to_u64(value, &n))
		return "must be a TOS byte such as 0xa0";
	if (n > 255)
		return "must be a TOS byte, 0 to 255";
	*(uint8_t *)to = (uint8_t)n;
	return NULL;
}

static const char *read_listen_one(struct boot *boot, struct span one)
{
	static const struct {
		const char *name;
		enum net_proto proto;
		uint16_t port;
	} protos[] = { { "udp", NET_UDP, 5060 },
		       { "tcp", NET_TCP, 5060 },
		       { "tls", NET_TLS, 5061 } };
	struct net_config *net = &boot->net;
	struct span proto, address;

	if (net->n_listen == NET_LISTENERS_MAX)
		return "too many addresses; 32 at most";
	if (!span_cut(one, ':', &proto, &address))
		return "each address is written udp:ADDRESS:PORT, tcp:... or tls:...";
	for (size_t i = 0; i < ARRAY_SIZE(protos); i++) {
		struct net_listen *listen = &net->listen[net->n_listen];

		if (!span_ieq(span_trim(proto), span_of(protos[i].name)))
			continue;
		listen->proto = protos[i].proto;
		if (net_addr_parse(&listen->addr, span_trim(address), protos[i].port))
			return "the address is not a literal such as 192.0.2.1:5060 or "
			       "[2001:db8::1]:5060";
		net->n_listen++;
		return NULL;
	}
	return "the transport must be udp, tcp or tls";
}

static const char *read_listen(struct boot *boot, struct span value, void *to)
{
	struct span one;
	const char *error = NULL;

	boot->net.n_listen = 0;
	while (value.len && !error) {
		span_cut(value, ',', &one, &value);
		error = read_listen_one(boot, span_trim(one));
	}
	return error ? error : boot->net.n_listen ? NULL : "names no address";
}

/* Keys of later modules are known here so that one file serves; they are taken and have no effect yet. */
static const char *read_later(struct boot *boot, struct span value, void *to)
{
	return NULL;
}

#define TO(member) offsetof(struct boot, member)
/* clang-format off */
static const struct boot_key {
	const char *section, *key;
	read_value *read;
	size_t offset;
} keys[] = {
	{ "sip", "listen", read_listen, 0 },
	{ "sip", "tos", read_tos, TO(net.dscp_tos) },
	{ "tls", "certificate", read_text, TO(certificate) },
	{ "tls", "key", read_text, TO(key) },
	{ "tls", "ca", read_text, TO(ca) },
	{ "tls", "verify", read_bool, TO(net.tls.verify_peer) },
	{ "store", "url", read_text, TO(store_url) },
	{ "data", "folder", read_text, TO(data_folder) },
	{ "api", "listen", read_text, TO(api_listen) },
	{ "api", "socket", read_text, TO(api_socket) },
	{ "run", "workers", read_workers, TO(workers) },
	{ "run", "max_calls", read_max_calls, TO(max_calls) },
	{ "run", "node", read_text, TO(node) },
	{ "run", "user", read_text, TO(user) },
	{ "dns", "servers", read_text, TO(dns_servers) },
	{ "log", "level", read_level, TO(log_level) },
	{ "log", "target", read_text, TO(log_target) },
	{ "media", "address", read_later, 0 },
	{ "media", "advertise", read_later, 0 },
	{ "media", "ports", read_later, 0 },
	{ "h323", "listen", read_later, 0 },
	{ "store", "shared", read_later, 0 },
};
/* clang-format on */

static const char *complain(struct boot_reader *r, unsigned line, struct span section,
			    struct span key, struct span value, const char *what)
{
	char place[32] = "";

	if (line)
		snprintf(place, sizeof(place), ":%u", line);
	snprintf(r->why, r->why_size, "%s%s: [%.*s] %.*s = %.*s: %s", r->path, place,
		 SPAN_ARG(section), SPAN_ARG(key), SPAN_ARG(value), what);
	return r->why;
}

static const char *boot_entry(void *arg, struct span section, struct span key, struct span value,
			      unsigned line)
{
	struct boot_reader *r = arg;
	bool section_known = false;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const char *error;

		if (!span_eq(section, span_of(keys[i].section)))
			continue;
		section_known = true;
		if (!span_eq(key, span_of(keys[i].key)))
			continue;
		error = keys[i].read(r->boot, value, (char *)r->boot + keys[i].offset);
		return error ? complain(r, line, section, key, value, error) : NULL;
	}
	return complain(r, line, section, key, value,
			section_known ? "unknown key in this section" : "unknown section");
}

static bool read_file(struct boot_reader *r, const char *path)
{
	char *text = malloc(BOOT_FILE_MAX + 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 && text ? read(fd, text, BOOT_FILE_MAX + 1) : -1;
	const char *error;
	unsigned line;

	r->path = path;
	if (n < 0) {
		snprintf(r->why, r->why_size, "%s: cannot be read: %s", path, strerror(errno));
		error = r->why;
	} else {
		error = ini_parse((struct span){ text, (size_t)n }, boot_entry, r, &line);
		if (error && error != r->why)
			snprintf(r->why, r->why_size, "%s:%u: %s", path, line, error);
	}
	if (fd >= 0)
		close(fd);
	free(text);
	return !error;
}

static int is_conf(const struct dirent *entry)
{
	struct span name = span_of(entry->d_name);

	return name.len > 5 && span_eq(span_skip(name, name.len - 5), SPAN(".conf"));
}

/* conf.d/NAME.conf beside the boot file, in the order of names. */
static bool read_conf_d(struct boot_reader *r, const char *path)
{
	const char *slash = strrchr(path, '/');
	int dir_len = slash ? (int)(slash - path) : 1;
	char folder[4096], file[4400];
	struct dirent **entries;
	bool good = true;
	int n;

	snprintf(folder, sizeof(folder), "%.*s/conf.d", dir_len, slash ? path : ".");
	n = scandir(folder, &entries, is_conf, alphasort);
	for (int i = 0; i < n; i++) {
		snprintf(file, sizeof(file), "%s/%s", folder, entries[i]->d_name);
		good = good && read_file(r, file);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return good;
}

static bool read_set(struct boot_reader *r, const char *set)
{
	struct span name, value, section, key;

	r->path = "--set";
	if (!span_cut(span_of(set), '=', &name, &value) || !span_cut(name, '.', &section, &key)) {
		snprintf(r->why, r->why_size, "--set %s: expected section.key=value", set);
		return false;
	}
	return !boot_entry(r, section, key, span_trim(value), 0);
}

static bool defaults(struct boot_reader *r)
{
	static const char *const sets[] = {
		"sip.listen=udp:0.0.0.0:5060, tcp:0.0.0.0:5060",
		"sip.tos=0xa0",
		"store.url=sqlite:causeway.db",
		"data.folder=/var/lib/causeway",
		"api.socket=/run/causeway/api.sock",
		"api.listen=127.0.0.1:8080",
		"run.max_calls=200000",
		"log.level=info",
		"log.target=stderr",
	};
	char host[64] = "causeway";
	bool good = true;

	gethostname(host, sizeof(host) - 1);
	read_text(r->boot, span_of(host), &r->boot->node);
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		good = good && read_set(r, sets[i]);
	return good;
}

static bool check(struct boot_reader *r)
{
	struct boot *boot = r->boot;
	struct net_config *net = &boot->net;

	net->tls.certificate = boot->certificate;
	net->tls.key = boot->key;
	net->tls.ca = boot->ca;
	for (unsigned i = 0; i < net->n_listen; i++) {
		if (net->listen[i].proto == NET_TLS && (!boot->certificate || !boot->key)) {
			snprintf(r->why, r->why_size,
				 "[sip] listens on tls, but [tls] certificate and key are not both "
				 "set");
			return false;
		}
	}
	if (net->tls.verify_peer && !boot->ca) {
		snprintf(r->why, r->why_size,
			 "[tls] verify = on needs [tls] ca: the authorities to check clients "
			 "against");
		return false;
	}
	return true;
}

bool boot_read(struct boot *boot, const char *path, const char *const *sets, unsigned n_sets,
	       char *why, size_t why_size)
{
	struct boot_reader r = { .boot = boot, .why = why, .why_size = why_size };
	bool good;

	*boot = (struct boot){
		.net = { .max_connections = 20000,
			 .idle_timeout_us = 3600 * SEC,
			 .connect_timeout_us = 5 * SEC },
	};
	good = defaults(&r);
	if (good && path)
		good = read_file(&r, path) && read_conf_d(&r, path);
	for (unsigned i = 0; i < n_sets && good; i++)
		good = read_set(&r, sets[i]);
	return good && check(&r);
}

void boot_free(struct boot *boot)
{
	char **texts[] = { &boot->certificate, &boot->key,         &boot->ca,
			   &boot->store_url,   &boot->data_folder, &boot->api_listen,
			   &boot->api_socket,  &boot->node,        &boot->user,
			   &boot->log_target,  &boot->dns_servers };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		free(*texts[i]);
		*texts[i] = NULL;
	}
}
