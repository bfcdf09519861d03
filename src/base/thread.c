/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/thread.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NICE 10 /* a tenth of a worker's share */

/* Linux keeps it for each thread. Everybody may step back, so it does not fail. */
void thread_step_back(void)
{
	setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICE);
}
