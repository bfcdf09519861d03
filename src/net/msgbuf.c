/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Message buffers. Three size classes, each with a free list per thread, so that a busy
 * worker neither calls malloc nor shares a cache line for a message. A buffer that crosses
 * to another worker is simply freed into that worker's list. Under a sanitizer nothing is
 * cached: a use after free must show. */
#include "net/net_int.h"

#include <pthread.h>
#include <stdlib.h>

#define CLASSES 3

#ifdef CAUSEWAY_SANITIZED
#define CACHING false
#else
#define CACHING true
#endif

static const uint32_t class_size[CLASSES] = { 1024, NET_BUF_RX, 65536 };
static const uint32_t class_keep[CLASSES] = { 512, 512, 16 };

struct cache {
	struct net_box *free[CLASSES];
	uint32_t count[CLASSES];
};

static _Thread_local struct cache cache;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t at_exit;

static void cache_empty(void *arg)
{
	struct cache *c = arg;

	for (int i = 0; i < CLASSES; i++) {
		while (c->free[i]) {
			struct net_box *box = c->free[i];

			c->free[i] = box->next;
			free(box);
		}
		c->count[i] = 0;
	}
}

static void cache_make_key(void)
{
	pthread_key_create(&at_exit, cache_empty);
}

static int class_of(size_t size)
{
	for (int i = 0; i < CLASSES; i++)
		if (size <= class_size[i])
			return i;
	return -1;
}

static struct net_buf *box_open(struct net_box *box, uint32_t size)
{
	if (!box)
		return NULL;
	box->buf.refs = 1;
	box->buf.size = size;
	box->buf.len = 0;
	return &box->buf;
}

struct net_buf *net_buf_new(size_t size)
{
	int class = class_of(size);
	struct net_box *box;

	if (size > NET_MSG_MAX)
		return NULL;
	box = cache.free[class];
	if (box) {
		cache.free[class] = box->next;
		cache.count[class]--;
	} else {
		box = malloc(sizeof(*box) + class_size[class]);
	}
	return box_open(box, class_size[class]);
}

struct net_buf *net_buf_copy(const void *data, size_t len)
{
	struct net_buf *b;

	if (len > NET_MSG_MAX)
		return NULL;
	b = box_open(malloc(sizeof(struct net_box) + len), (uint32_t)len);
	if (b && len) {
		memcpy(b->data, data, len);
		b->len = (uint32_t)len;
	}
	return b;
}

struct net_buf *net_buf_fill(const void *data, size_t len)
{
	struct net_buf *b = net_buf_new(len);

	if (b && len) {
		memcpy(b->data, data, len);
		b->len = (uint32_t)len;
	}
	return b;
}

static bool cache_keep(struct net_box *box)
{
	int class = class_of(box->buf.size);

	if (!CACHING || class < 0 || class_size[class] != box->buf.size ||
	    cache.count[class] >= class_keep[class])
		return false;
	if (cache.count[class] == 0) {
		pthread_once(&once, cache_make_key);
		pthread_setspecific(at_exit, &cache);
	}
	box->next = cache.free[class];
	cache.free[class] = box;
	cache.count[class]++;
	return true;
}

void net_buf_unref(struct net_buf **b)
{
	struct net_buf *buf = *b;

	*b = NULL;
	if (!buf)
		return;
	assert(buf->refs > 0);
	if (--buf->refs)
		return;
	if (!cache_keep(net_box_of(buf)))
		free(net_box_of(buf));
}
