/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Parameters that do not reach a worker with its snapshot: what the process does beside its calls follows them here, after
 * each change. */
#include "daemon/daemon_int.h"

#include <stdio.h>
#include <sys/stat.h>

/* One log_mask for target and file; where it is empty the boot file rules. */
static void set_log(struct process *p, const struct model_params *params)
{
	enum log_level level = atomic_load(&p->log_level);
	char path[4096];

	log_level_parse(span_of(params->log_mask), &level);
	log_set_level(level);
	snprintf(path, sizeof(path), "%s/log", p->boot.data_folder);
	if (params->log_to_file && mkdir(path, 0750) && errno != EEXIST)
		log_error("folder %s cannot be made: %s", path, strerror(errno));
	snprintf(path, sizeof(path), "%s/log/causeway.log", p->boot.data_folder);
	log_keep(params->log_to_file ? path : NULL, params->log_file_length << 10);
}

void settings_apply(struct process *p)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* the newest comes last */
	struct model *m;

	if (!atomic_load(&p->settled))
		return;
	pthread_mutex_lock(&lock);
	m = model_hub_get(p->hub);
	set_log(p, &m->params);
	tracing_set(p, m);
	collectors_set(p, m);
	model_unref(&m);
	pthread_mutex_unlock(&lock);
}

void settings_begin(struct process *p)
{
	atomic_store(&p->settled, true);
	settings_apply(p);
}
