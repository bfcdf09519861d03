/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Contacts of registered devices, kept so that phones can be called after a restart or an upgrade before they register
 * again. Addresses and times are texts and UTC: another version reads them, another boot too. */
#include "store/store_int.h"

static int put_device(sqlite3_stmt *del, sqlite3_stmt *add, const struct store_device *device)
{
	int err;

	sqlite3_bind_text(del, 1, device->kind, -1, SQLITE_STATIC);
	sqlite3_bind_text(del, 2, device->name, -1, SQLITE_STATIC);
	err = store_step(del);
	for (unsigned i = 0; i < device->n && !err; i++) {
		const struct store_contact *c = &device->contact[i];
		const char *texts[] = { device->kind, device->name,  c->contact,
					c->path,      c->transport,  c->source,
					c->local,     c->user_agent, c->call_id };
		int64_t numbers[] = { c->cseq, c->q, c->natted, (int64_t)c->registered_utc_us,
				      (int64_t)c->expires_utc_us };
		int column = 1;

		for (size_t j = 0; j < ARRAY_SIZE(texts); j++)
			sqlite3_bind_text(add, column++, texts[j], -1, SQLITE_STATIC);
		for (size_t j = 0; j < ARRAY_SIZE(numbers); j++)
			sqlite3_bind_int64(add, column++, numbers[j]);
		err = store_step(add);
	}
	return err;
}

int store_save_contacts(struct store *store, const struct store_device *devices, unsigned n)
{
	sqlite3_stmt *del = NULL, *add = NULL;
	int err;

	pthread_mutex_lock(&store->write_lock);
	err = store_prepare(store->write, "DELETE FROM contacts WHERE kind=? AND name=?", &del);
	if (!err)
		err = store_prepare(
			store->write,
			"INSERT OR REPLACE INTO contacts(kind, name, contact, path, "
			"transport, source, local, user_agent, call_id, cseq, q, natted, "
			"registered, expires) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
			&add);
	if (!err)
		err = store_begin(store);
	if (!err) {
		for (unsigned i = 0; i < n && !err; i++)
			err = put_device(del, add, &devices[i]);
		err = store_end(store, err);
	}
	sqlite3_finalize(del);
	sqlite3_finalize(add);
	pthread_mutex_unlock(&store->write_lock);
	return err;
}

static const char *text_at(sqlite3_stmt *statement, int column)
{
	const char *text = (const char *)sqlite3_column_text(statement, column);

	return text ? text : "";
}

static void read_row(sqlite3_stmt *statement, struct store_device *out, struct store_contact *c)
{
	*out = (struct store_device){
		.kind = text_at(statement, 0), .name = text_at(statement, 1), .n = 1, .contact = c
	};
	*c = (struct store_contact){
		.contact = text_at(statement, 2),
		.path = text_at(statement, 3),
		.transport = text_at(statement, 4),
		.source = text_at(statement, 5),
		.local = text_at(statement, 6),
		.user_agent = text_at(statement, 7),
		.call_id = text_at(statement, 8),
		.cseq = (uint32_t)sqlite3_column_int64(statement, 9),
		.q = (uint32_t)sqlite3_column_int64(statement, 10),
		.natted = sqlite3_column_int64(statement, 11) != 0,
		.registered_utc_us = (uint64_t)sqlite3_column_int64(statement, 12),
		.expires_utc_us = (uint64_t)sqlite3_column_int64(statement, 13),
	};
}

int store_load_contacts(struct store *store, uint64_t utc_us,
			void (*found)(void *arg, const struct store_device *device), void *arg)
{
	sqlite3_stmt *statement = NULL;
	struct store_device device;
	struct store_contact contact;
	char sql[80];
	int err, result = SQLITE_DONE;

	snprintf(sql, sizeof(sql), "DELETE FROM contacts WHERE expires <= %lld", (long long)utc_us);
	pthread_mutex_lock(&store->write_lock);
	err = store_exec(store->write, sql);
	if (!err)
		err = store_prepare(
			store->write,
			"SELECT kind, name, contact, path, transport, source, local, "
			"user_agent, call_id, cseq, q, natted, registered, expires FROM "
			"contacts ORDER BY kind, name, q DESC, registered DESC",
			&statement);
	while (!err && (result = sqlite3_step(statement)) == SQLITE_ROW) {
		read_row(statement, &device, &contact);
		found(arg, &device);
	}
	sqlite3_finalize(statement);
	pthread_mutex_unlock(&store->write_lock);
	return err ? err : store_errno(result);
}
