/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thread: which threads go first. */
#ifndef CAUSEWAY_THREAD_H
#define CAUSEWAY_THREAD_H

/* What this thread does may wait: where there is more to do than the machine has cores, calls go first. For good; the
 * threads that it starts are like it. */
void thread_step_back(void);

#endif
