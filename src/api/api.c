/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Opening and closing: the same routes on a Unix socket, whose callers the kernel vouches for, and on
 * a loopback address. Each listener has threads of its own; the switch never waits for them. */
#include "api/api_int.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int open_unix(struct api *api, const char *path, char *why, size_t why_size)
{
	int fd;

	api->socket_path = strdup(path);
	if (!api->socket_path)
		return -ENOMEM;
	fd = api_listen_unix(path, &api->socket_stat, why, why_size);
	if (fd < 0) {
		free(api->socket_path);
		api->socket_path = NULL; /* not ours to remove */
		return fd;
	}
	api->unix_listener = (struct api_listener){ .api = api, .local = true };
	api->unix_listener.mhd = api_serve(&api->unix_listener, fd);
	if (api->unix_listener.mhd)
		return 0;
	close(fd);
	snprintf(why, why_size, "api: %s: the HTTP server does not start", path);
	return -ENOMEM;
}

static int open_tcp(struct api *api, const char *address, char *why, size_t why_size)
{
	int fd = api_listen_tcp(address, why, why_size);

	if (fd < 0)
		return fd;
	api->tcp_listener = (struct api_listener){ .api = api };
	api->tcp_listener.mhd = api_serve(&api->tcp_listener, fd);
	if (api->tcp_listener.mhd)
		return 0;
	close(fd);
	snprintf(why, why_size, "api: %s: the HTTP server does not start", address);
	return -ENOMEM;
}

int api_open(struct api **api_out, const struct api_config *config, const struct api_switch *sw,
	     char *why, size_t why_size)
{
	struct api *api = calloc(1, sizeof(*api));
	int err = 0;

	if (!api)
		return -ENOMEM;
	api->sw = *sw;
	pthread_mutex_init(&api->config_lock, NULL);
	pthread_mutex_init(&api->follow_lock, NULL);
	pthread_cond_init(&api->follow_wake, NULL);
	list_init(&api->follows);
	if (config->socket)
		err = open_unix(api, config->socket, why, why_size);
	if (!err && config->listen)
		err = open_tcp(api, config->listen, why, why_size);
	if (err) {
		api_close(&api);
		return err;
	}
	*api_out = api;
	return 0;
}

/* Only if it is still the file that we made. */
static void remove_socket(const struct api *api)
{
	struct stat now;

	if (lstat(api->socket_path, &now) == 0 && now.st_ino == api->socket_stat.st_ino &&
	    now.st_dev == api->socket_stat.st_dev)
		unlink(api->socket_path);
}

void api_close(struct api **api)
{
	struct api *a = *api;

	if (!a)
		return;
	*api = NULL;
	if (a->socket_path)
		remove_socket(a); /* first: who comes now shall find nobody rather than a reset */
	api_finish_tests(a);
	api_finish_follows(a);
	if (a->unix_listener.mhd)
		MHD_stop_daemon(a->unix_listener.mhd);
	if (a->tcp_listener.mhd)
		MHD_stop_daemon(a->tcp_listener.mhd);
	pthread_mutex_destroy(&a->config_lock);
	pthread_mutex_destroy(&a->follow_lock);
	pthread_cond_destroy(&a->follow_wake);
	free(a->socket_path);
	free(a);
}
