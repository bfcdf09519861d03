/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Opening and closing the database, and the few calls of SQLite that the rest is made of.
 *
 * synchronous=FULL: the journal forgets what the sink has taken, so that must be safe against loss of power;
 * with NORMAL a WAL commit may vanish with the power. It costs one sync a batch, a few a second. */
#include "store/store_int.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUSY_MS 1000

int store_errno(int result)
{
	switch (result & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EBADMSG;
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_INTERRUPT:
		return -ETIMEDOUT;
	default:
		return -EIO;
	}
}

int store_exec(sqlite3 *db, const char *sql)
{
	int result = sqlite3_exec(db, sql, NULL, NULL, NULL);

	if (result == SQLITE_ERROR)
		log_error("store: %s in: %.200s", sqlite3_errmsg(db), sql);
	return store_errno(result);
}

int store_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **out)
{
	int result = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);

	if (result != SQLITE_OK)
		log_error("store: %s in: %.200s", sqlite3_errmsg(db), sql);
	return store_errno(result);
}

int store_step(sqlite3_stmt *statement)
{
	int result = sqlite3_step(statement);

	sqlite3_reset(statement);
	return store_errno(result);
}

int store_begin(struct store *store)
{
	return store_step(store->begin);
}

int store_end(struct store *store, int err)
{
	if (!err)
		err = store_step(store->commit);
	/* After some errors SQLite has rolled back by itself; a COMMIT that was refused leaves the transaction open. */
	if (err && !sqlite3_get_autocommit(store->write))
		store_step(store->rollback);
	return err;
}

int64_t store_number(sqlite3 *db, const char *sql, int64_t otherwise)
{
	sqlite3_stmt *statement;

	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
		return otherwise;
	if (sqlite3_step(statement) == SQLITE_ROW)
		otherwise = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return otherwise;
}

static int read_is_late(void *arg)
{
	const struct store *store = arg;

	return store->read_until_us && clock_mono_us() > store->read_until_us;
}

/* The path of "sqlite:PATH"; NULL without memory or when it is none. */
static char *path_of(const char *url, const char *data_folder)
{
	char *path;

	if (strncmp(url, "sqlite:", 7) != 0 || !url[7])
		return NULL;
	url += 7;
	if (url[0] == '/' || !data_folder || !data_folder[0])
		return strdup(url);
	return asprintf(&path, "%s/%s", data_folder, url) < 0 ? NULL : path;
}

/* The file holds secrets: made with its mode before SQLite makes it with another. The WAL file takes the same. */
static int make_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int connect_to(sqlite3 **db, const char *path, int flags)
{
	int result = sqlite3_open_v2(path, db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
				     NULL);

	if (result != SQLITE_OK)
		return store_errno(result);
	sqlite3_busy_timeout(*db, BUSY_MS);
	return store_exec(
		*db,
		"PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF; PRAGMA cache_size=-16384");
}

static int open_database(struct store *store, bool unclean)
{
	int err = connect_to(&store->write, store->path, SQLITE_OPEN_READWRITE);

	if (!err)
		err = store_exec(store->write, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; "
					       "PRAGMA wal_autocheckpoint=4000;"
					       "PRAGMA journal_size_limit=67108864");
	if (!err && sqlite3_table_column_metadata(store->write, NULL, "meta", NULL, NULL, NULL,
						  NULL, NULL, NULL) == SQLITE_CORRUPT)
		err = -EBADMSG;
	/* All of a big database would take minutes; what a start depends on is looked at, after a crash only. */
	if (!err && unclean &&
	    store_number(store->write, "SELECT count(*) FROM sqlite_schema WHERE name='objects'",
			 0) &&
	    store_number(store->write,
			 "SELECT quick_check <> 'ok' FROM pragma_quick_check('objects')", 1))
		err = -EBADMSG;
	return err;
}

static void explain_open(const struct store *store, int err, char *why, size_t why_size)
{
	if (err == -EBADMSG)
		snprintf(why, why_size,
			 "the database %s is damaged: move it away together with %s-wal and %s-shm "
			 "and restore a backup, "
			 "or start with an empty one and import the configuration",
			 store->path, store->path, store->path);
	else if (err == -EBUSY)
		snprintf(why, why_size,
			 "the database %s is locked by another program: end that program",
			 store->path);
	else if (err == -EROFS || err == -EACCES)
		snprintf(why, why_size,
			 "the database %s cannot be written: check the owner and mode of file and "
			 "folder",
			 store->path);
	else
		snprintf(why, why_size, "cannot open the database %s: %s: check disk and folder",
			 store->path, strerror(-err));
}

static int prepare_all(struct store *store)
{
	int err = store_prepare(store->write, "BEGIN IMMEDIATE", &store->begin);

	if (!err)
		err = store_prepare(store->write, "COMMIT", &store->commit);
	if (!err)
		err = store_prepare(store->write, "ROLLBACK", &store->rollback);
	return err;
}

static int open_all(struct store *store, char *why, size_t why_size)
{
	char wal[512];
	struct stat st;
	bool unclean;
	int err = make_file(store->path);

	snprintf(wal, sizeof(wal), "%s-wal", store->path);
	unclean = stat(wal, &st) == 0 && st.st_size > 0;
	if (!err)
		err = open_database(store, unclean);
	if (!err)
		err = prepare_all(store);
	if (err) {
		explain_open(store, err, why, why_size);
		return err;
	}
	err = store_migrate(store, why, why_size);
	if (err)
		return err;
	err = connect_to(&store->read, store->path, SQLITE_OPEN_READONLY);
	if (!err)
		err = store_records_init(store);
	if (err)
		explain_open(store, err, why, why_size);
	else
		sqlite3_progress_handler(store->read, 10000, read_is_late, store);
	return err;
}

int store_open(struct store **store_out, const char *url, const char *data_folder, char *why,
	       size_t why_size)
{
	struct store *store = calloc(1, sizeof(*store));
	int err;

	if (!store) {
		snprintf(why, why_size, "no memory for the store");
		return -ENOMEM;
	}
	pthread_mutex_init(&store->write_lock, NULL);
	pthread_mutex_init(&store->read_lock, NULL);
	store_keeper_init(store);
	store->path = path_of(url, data_folder);
	if (!store->path) {
		snprintf(why, why_size, "store url '%s' is not known: write sqlite:PATH", url);
		err = -EINVAL;
	} else {
		err = open_all(store, why, why_size);
	}
	if (err) {
		store_close(&store);
		return err;
	}
	*store_out = store;
	return 0;
}

void store_close(struct store **store)
{
	struct store *s = *store;

	if (!s)
		return;
	store_keeper_close(s);
	store_records_close(s);
	sqlite3_finalize(s->begin);
	sqlite3_finalize(s->commit);
	sqlite3_finalize(s->rollback);
	/* The reader first: the last connection to close folds the WAL into the database. */
	sqlite3_close(s->read);
	sqlite3_close(s->write);
	pthread_mutex_destroy(&s->write_lock);
	pthread_mutex_destroy(&s->read_lock);
	free(s->path);
	free(s);
	*store = NULL;
}
