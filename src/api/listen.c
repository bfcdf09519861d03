/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The sockets that the API listens on. A Unix socket's file outlives a crash: it is taken away
 * when nobody answers on it, and named with its owner when somebody does. */
#include "api/api_int.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 128

static int fail(int fd, int err, char *why, size_t why_size, const char *object, const char *what,
		const char *remedy)
{
	if (fd >= 0)
		close(fd);
	snprintf(why, why_size, "api: %s: %s%s%s%s%s", object, what, err ? ": " : "",
		 err ? strerror(err) : "", remedy[0] ? "; " : "", remedy);
	return err ? -err : -EINVAL;
}

static int make_parent(const char *path)
{
	char folder[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	const char *slash = strrchr(path, '/');

	if (!slash || slash == path)
		return 0;
	span_copy((struct span){ path, (size_t)(slash - path) }, folder, sizeof(folder));
	return mkdir(folder, 0750) == 0 || errno == EEXIST ? 0 : -errno;
}

/* Does anybody answer there? Then the process id, or -1 if unknown; 0 when nobody does. */
static pid_t answering(const struct sockaddr_un *address)
{
	struct ucred peer = { .pid = -1 };
	socklen_t len = sizeof(peer);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	pid_t pid = 0;

	if (fd < 0)
		return -1;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0) {
		getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len);
		pid = peer.pid;
	} else if (errno != ECONNREFUSED && errno != ENOENT) {
		pid = -1; /* a full queue, or no right to ask: there is somebody */
	}
	close(fd);
	return pid;
}

static int clear_place(const struct sockaddr_un *address, char *why, size_t why_size)
{
	const char *path = address->sun_path;
	struct stat stat;
	char what[96];
	pid_t pid;

	if (lstat(path, &stat) != 0)
		return errno == ENOENT
			       ? 0
			       : fail(-1, errno, why, why_size, path, "cannot look at it", "");
	if (!S_ISSOCK(stat.st_mode))
		return fail(-1, EEXIST, why, why_size, path, "there is a file that is no socket",
			    "remove it, or set [api] socket to another path");
	pid = answering(address);
	if (pid != 0) {
		snprintf(what, sizeof(what), "process %ld already answers there", (long)pid);
		return fail(-1, EADDRINUSE, why, why_size, path, what,
			    "stop it, or set [api] socket to another path");
	}
	if (unlink(path) != 0 && errno != ENOENT)
		return fail(-1, errno, why, why_size, path, "cannot remove the stale socket", "");
	return 0;
}

int api_listen_unix(const char *path, struct stat *stat_out, char *why, size_t why_size)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, err;

	if (!path[0] || span_copy(span_of(path), address.sun_path, sizeof(address.sun_path)) >=
				sizeof(address.sun_path))
		return fail(-1, ENAMETOOLONG, why, why_size, path,
			    "a socket's path has 1 to 107 bytes", "set [api] socket");
	err = make_parent(path);
	if (err)
		return fail(-1, -err, why, why_size, path, "cannot make its folder",
			    "make it, or set [api] socket");
	err = clear_place(&address, why, why_size);
	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* Nobody can connect before listen(), so the mode is right before it matters. */
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    chmod(path, 0660) != 0 || listen(fd, BACKLOG) != 0 || lstat(path, stat_out) != 0)
		return fail(fd, errno, why, why_size, path, "cannot listen",
			    "may this user write to its folder?");
	return fd;
}

static bool is_loopback(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)(const void *)address)
				     ->sin_addr.s_addr) >>
			       24 ==
		       127;
	return address->sa_family == AF_INET6 &&
	       IN6_IS_ADDR_LOOPBACK(
		       &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
}

/* "127.0.0.1:8080" or "[::1]:8080"; literals only. NULL: not that. */
static struct addrinfo *parse_address(const char *text)
{
	static const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
					       .ai_socktype = SOCK_STREAM };
	const char *colon = strrchr(text, ':');
	struct addrinfo *found = NULL;
	struct span host;
	char name[64];
	uint32_t port;

	if (!colon || span_to_u32(span_of(colon + 1), &port) || port > 65535)
		return NULL;
	host = (struct span){ text, (size_t)(colon - text) };
	if (host.len > 2 && host.p[0] == '[' && host.p[host.len - 1] == ']')
		host = (struct span){ host.p + 1, host.len - 2 };
	else if (span_find(host, ':') < host.len)
		return NULL;
	if (!host.len || span_copy(host, name, sizeof(name)) >= sizeof(name) ||
	    getaddrinfo(name, colon + 1, &hints, &found))
		return NULL;
	return found;
}

int api_listen_tcp(const char *text, char *why, size_t why_size)
{
	struct addrinfo *address = parse_address(text);
	int fd, on = 1;

	if (!address)
		return fail(-1, 0, why, why_size, text, "is not an address with a port",
			    "write [api] listen = 127.0.0.1:8080");
	if (!is_loopback(address->ai_addr)) {
		freeaddrinfo(address);
		return fail(-1, EACCES, why, why_size, text,
			    "is not a loopback address and the API has no users yet",
			    "write [api] listen = 127.0.0.1:8080");
	}
	fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
	    bind(fd, address->ai_addr, address->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
		int err = errno;

		freeaddrinfo(address);
		return fail(fd, err, why, why_size, text, "cannot listen", "is the port taken?");
	}
	freeaddrinfo(address);
	return fd;
}
