/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Calls that this project does not use, refused by the compiler. Included before
 * every file (-include): the system headers that declare them come first, so that
 * only our own uses are caught. What to use instead stands beside each. */
#ifndef CAUSEWAY_BANNED_H
#define CAUSEWAY_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BANNED(call, instead) causeway_banned_##call##_use_##instead

#undef strcpy
#define strcpy(d, s) BANNED(strcpy, snprintf)
#undef strcat
#define strcat(d, s) BANNED(strcat, buf)
#undef strncpy
#define strncpy(d, s, n) BANNED(strncpy, snprintf)
#undef strncat
#define strncat(d, s, n) BANNED(strncat, buf)
#undef sprintf
#define sprintf(...) BANNED(sprintf, snprintf)
#undef vsprintf
#define vsprintf(...) BANNED(vsprintf, vsnprintf)
#undef gets
#define gets(s) BANNED(gets, fgets)
#undef strtok
#define strtok(s, d) BANNED(strtok, span)
#undef atoi
#define atoi(s) BANNED(atoi, span_to_u64)
#undef atol
#define atol(s) BANNED(atol, span_to_u64)
#undef atof
#define atof(s) BANNED(atof, integers)
#undef rand
#define rand() BANNED(rand, rng)
#undef random
#define random() BANNED(random, rng)
#undef tmpnam
#define tmpnam(s) BANNED(tmpnam, mkstemp)
#undef mktemp
#define mktemp(s) BANNED(mktemp, mkstemp)
#undef gmtime
#define gmtime(t) BANNED(gmtime, gmtime_r)
#undef localtime
#define localtime(t) BANNED(localtime, localtime_r)
#undef ctime
#define ctime(t) BANNED(ctime, clock_format)
#undef asctime
#define asctime(t) BANNED(asctime, clock_format)

#endif
