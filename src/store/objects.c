/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The configuration as rows: one an object, its body JSON with the keys of the YAML file; kind is the
 * section's name there, a parameter is an object of kind "parameters".
 *
 * Both ways lead through the model's own reader and writer, so there is one place that knows what an object may say: it
 * writes the rows; they are put together as YAML (of which JSON is a part) and read. Only what differs is
 * written, and the audit row counts it. Secrets stand in the rows: the switch needs
 * them; the file's mode guards them. */
#include "store/store_int.h"

#include <stdio.h>

#define TEXT_MAX (256u << 20)
#define SECTIONS_MAX 64
#define SECTION_POSITIONS                                                                          \
	0x100000000ll /* apart: a new object moves only those behind it in its own section */
#define PARAMETERS "parameters"
#define POSITION_KEPT (-1) /* where it is, or behind all others of its section */

struct section {
	const char *kind;
	unsigned added, changed, removed;
};

/* One save: the snapshot, the statements, the counts. */
struct saving {
	struct store *store;
	const char *who;
	const struct model *model;
	unsigned kind; /* of one kind alone, and what is said of the change */
	const char *what, *detail;
	sqlite3_stmt *find, *put, *keep, *gone, *remove, *last;
	struct section sections[SECTIONS_MAX];
	unsigned n_sections;
	struct buf body;
};

static int bind_key(sqlite3_stmt *statement, const char *kind, struct span name)
{
	sqlite3_bind_text(statement, 1, kind, -1, SQLITE_STATIC);
	return sqlite3_bind_text(statement, 2, name.p, (int)name.len, SQLITE_STATIC);
}

/* Behind the last object of the section, or in a section behind all others. */
static int64_t next_position(struct saving *s, const char *kind)
{
	int64_t last = -1;

	sqlite3_bind_text(s->last, 1, kind, -1, SQLITE_STATIC);
	if (sqlite3_step(s->last) == SQLITE_ROW && sqlite3_column_type(s->last, 0) != SQLITE_NULL)
		last = sqlite3_column_int64(s->last, 0);
	sqlite3_reset(s->last);
	if (last >= 0)
		return last + 1;
	last = store_number(s->store->write, "SELECT max(position) FROM objects", -1);
	return last < 0 ? 0 : (last / SECTION_POSITIONS + 1) * SECTION_POSITIONS;
}

/* Writes the object in s->body unless it stands there just so. */
static int put_object(struct saving *s, struct section *section, struct span name, int64_t position)
{
	bool found, same_body = false, same_position = false;
	int err;

	bind_key(s->find, section->kind, name);
	err = sqlite3_step(s->find);
	found = err == SQLITE_ROW;
	if (found) {
		struct span body = { (const char *)sqlite3_column_text(s->find, 0),
				     (size_t)sqlite3_column_bytes(s->find, 0) };

		same_body = span_eq(body, buf_span(&s->body));
		same_position =
			position == POSITION_KEPT || sqlite3_column_int64(s->find, 1) == position;
		if (position == POSITION_KEPT)
			position = sqlite3_column_int64(s->find, 1);
	}
	sqlite3_reset(s->find);
	if (!found && position == POSITION_KEPT)
		position = next_position(s, section->kind);
	err = store_errno(err);
	section->added += !found;
	section->changed += found && !same_body;
	if (!err && !(same_body && same_position)) {
		bind_key(s->put, section->kind, name);
		sqlite3_bind_int64(s->put, 3, position);
		sqlite3_bind_text(s->put, 4, s->body.p, (int)s->body.len, SQLITE_STATIC);
		err = store_step(s->put);
	}
	bind_key(s->keep, section->kind, name);
	return err ? err : store_step(s->keep);
}

static struct section *add_section(struct saving *s, const char *kind)
{
	struct section *section = &s->sections[s->n_sections++];

	assert(s->n_sections <= SECTIONS_MAX);
	section->kind = kind;
	return section;
}

/* All of a kind, one behind the other from `position`, or with POSITION_KEPT. */
static int save_objects(struct saving *s, struct section *section, unsigned kind, int64_t position)
{
	int err = 0;

	for (unsigned i = 0; i < model_count(s->model, kind) && !err; i++) {
		buf_reset(&s->body);
		model_write_row(&s->body, s->model, kind, i);
		err = s->body.failed
			      ? -ENOMEM
			      : put_object(s, section, span_of(model_name(s->model, kind, i)),
					   position == POSITION_KEPT ? position : position + i);
	}
	return err;
}

/* Those that are not as they are by default. */
static int save_parameters(struct saving *s)
{
	struct section *section = NULL;
	int64_t position = 0;
	int err = 0;

	for (size_t i = 0; i < param_count && !err; i++) {
		const struct param_info *info = &param_table[i];
		char text[160];

		param_format(&s->model->params, info, text, sizeof(text));
		if (span_eq(span_of(text), span_of(info->def)))
			continue;
		if (!section)
			section = add_section(s, PARAMETERS);
		buf_reset(&s->body);
		buf_add_json(&s->body, span_of(text));
		err = put_object(s, section, span_of(info->name), position++);
	}
	return err;
}

static int save_sections(struct saving *s)
{
	int err = save_parameters(s);

	for (unsigned kind = 0; model_kind(kind).section && !err; kind++) {
		int64_t position = SECTION_POSITIONS * s->n_sections;

		if (model_count(s->model, kind))
			err = save_objects(s, add_section(s, model_kind(kind).section), kind,
					   position);
	}
	return err;
}

/* Objects that the snapshot lacks go, counted by kind (of which the snapshot may have none any more). */
static int remove_gone(struct saving *s, struct buf *detail)
{
	int result;

	while ((result = sqlite3_step(s->gone)) == SQLITE_ROW) {
		const char *kind = (const char *)sqlite3_column_text(s->gone, 0);
		unsigned count = (unsigned)sqlite3_column_int(s->gone, 1), i = 0;

		while (i < s->n_sections && strcmp(s->sections[i].kind, kind) != 0)
			i++;
		if (i < s->n_sections)
			s->sections[i].removed = count;
		else
			buf_addf(detail, "%s\"%s\":{\"added\":0,\"changed\":0,\"removed\":%u}",
				 detail->len > 1 ? "," : "", kind, count);
	}
	sqlite3_reset(s->gone);
	return result == SQLITE_DONE ? store_step(s->remove) : store_errno(result);
}

int store_audit(struct store *store, const char *who, const char *what, const char *detail)
{
	sqlite3_stmt *add = NULL;
	int err = store_prepare(store->write,
				"INSERT INTO audit(at, who, what, detail) VALUES(?,?,?,?)", &add);

	if (err)
		return err;
	sqlite3_bind_int64(add, 1, (int64_t)clock_utc_us());
	sqlite3_bind_text(add, 2, who, -1, SQLITE_STATIC);
	sqlite3_bind_text(add, 3, what, -1, SQLITE_STATIC);
	sqlite3_bind_text(add, 4, detail, -1, SQLITE_STATIC);
	err = store_step(add);
	sqlite3_finalize(add);
	return err;
}

static int audit_save(struct saving *s)
{
	const char *who = s->who && s->who[0] ? s->who : "?";
	struct buf detail = BUF_INIT(8192);
	int err;

	buf_add_char(&detail, '{');
	err = remove_gone(s, &detail);
	for (unsigned i = 0; i < s->n_sections; i++) {
		const struct section *section = &s->sections[i];

		if (section->added || section->changed || section->removed)
			buf_addf(&detail, "%s\"%s\":{\"added\":%u,\"changed\":%u,\"removed\":%u}",
				 detail.len > 1 ? "," : "", section->kind, section->added,
				 section->changed, section->removed);
	}
	buf_add_char(&detail, '}');
	if (!err)
		err = store_audit(s->store, who, "config", buf_cstr(&detail));
	buf_free(&detail);
	return err;
}

static int prepare_saving(struct saving *s)
{
	static const char gone[] = "FROM objects WHERE NOT EXISTS (SELECT 1 FROM temp.kept AS k "
				   "WHERE k.kind = objects.kind"
				   " AND k.name = objects.name)";
	sqlite3 *db = s->store->write;
	char sql[300];
	int err = store_exec(db, "CREATE TEMP TABLE IF NOT EXISTS kept(kind TEXT, name TEXT, "
				 "PRIMARY KEY(kind, name))"
				 " WITHOUT ROWID; DELETE FROM temp.kept");

	if (!err)
		err = store_prepare(
			db, "SELECT body, position FROM objects WHERE kind=? AND name=?", &s->find);
	if (!err)
		err = store_prepare(db,
				    "INSERT INTO objects(kind, name, position, body) "
				    "VALUES(?,?,?,?) ON CONFLICT(kind, name)"
				    " DO UPDATE SET position=excluded.position, body=excluded.body",
				    &s->put);
	if (!err)
		err = store_prepare(db, "INSERT INTO temp.kept VALUES(?,?) ON CONFLICT DO NOTHING",
				    &s->keep);
	if (!err)
		err = store_prepare(db, "SELECT max(position) FROM objects WHERE kind=?", &s->last);
	snprintf(sql, sizeof(sql), "SELECT kind, count(*) %s GROUP BY kind", gone);
	if (!err)
		err = store_prepare(db, sql, &s->gone);
	snprintf(sql, sizeof(sql), "DELETE %s", gone);
	return err ? err : store_prepare(db, sql, &s->remove);
}

/* What `change` does is done in one transaction, or not at all. */
static int save_whole(struct saving *s, int (*change)(struct saving *s))
{
	int err;

	pthread_mutex_lock(&s->store->write_lock);
	err = prepare_saving(s);
	if (!err)
		err = store_begin(s->store);
	if (!err)
		err = store_end(s->store, change(s));
	sqlite3_finalize(s->find);
	sqlite3_finalize(s->put);
	sqlite3_finalize(s->keep);
	sqlite3_finalize(s->gone);
	sqlite3_finalize(s->remove);
	sqlite3_finalize(s->last);
	pthread_mutex_unlock(&s->store->write_lock);
	buf_free(&s->body);
	return err;
}

static int save_all(struct saving *s)
{
	int err = save_sections(s);

	return err ? err : audit_save(s);
}

static void explain(const struct store *store, int err, char *why, size_t why_size)
{
	if (err)
		snprintf(why, why_size,
			 "cannot save the configuration in %s: %s: nothing was changed",
			 store->path, strerror(-err));
}

int store_save_model(struct store *store, const struct model *m, const char *who, char *why,
		     size_t why_size)
{
	struct saving s = { .store = store, .model = m, .who = who, .body = BUF_INIT(TEXT_MAX) };
	int err = save_whole(&s, save_all);

	explain(store, err, why, why_size);
	return err;
}

static int save_kind(struct saving *s)
{
	struct section *section = add_section(s, model_kind(s->kind).section);
	int err = save_objects(s, section, s->kind, POSITION_KEPT);

	return err ? err : store_audit(s->store, s->who, s->what, s->detail);
}

int store_save_kind(struct store *store, const struct model *m, unsigned kind, const char *who,
		    const char *what, const char *detail, char *why, size_t why_size)
{
	struct saving s = { .store = store,
			    .model = m,
			    .kind = kind,
			    .who = who && who[0] ? who : "?",
			    .what = what,
			    .detail = detail,
			    .body = BUF_INIT(TEXT_MAX) };
	int err = save_whole(&s, save_kind);

	explain(store, err, why, why_size);
	return err;
}

/* All rows as one YAML text: sections in the order they were saved. */
static int gather_objects(struct store *store, struct buf *out)
{
	sqlite3_stmt *statement = NULL;
	char section[64] = "";
	int err = store_prepare(
		store->read, "SELECT kind, name, body FROM objects ORDER BY position, kind, name",
		&statement);
	int result = SQLITE_DONE;

	buf_add_str(out, "version: 1\n");
	while (!err && (result = sqlite3_step(statement)) == SQLITE_ROW) {
		const char *kind = (const char *)sqlite3_column_text(statement, 0);
		const char *name = (const char *)sqlite3_column_text(statement, 1);
		const char *body = (const char *)sqlite3_column_text(statement, 2);

		if (strcmp(section, kind) != 0) {
			snprintf(section, sizeof(section), "%s", kind);
			buf_addf(out, "%s:\n", kind);
		}
		if (strcmp(kind, PARAMETERS) == 0)
			buf_addf(out, "  %s: ", name);
		else
			buf_add_str(out, "  - ");
		buf_add_str(out, body);
		buf_add_char(out, '\n');
	}
	sqlite3_finalize(statement);
	if (!err)
		err = store_errno(result);
	return !err && out->failed ? -ENOMEM : err;
}

int store_load_model(struct store *store, struct model **model_out, char *why, size_t why_size)
{
	struct buf yaml = BUF_INIT(TEXT_MAX);
	struct model_error error = { 0 };
	int err;

	pthread_mutex_lock(&store->read_lock);
	err = gather_objects(store, &yaml);
	pthread_mutex_unlock(&store->read_lock);
	if (err) {
		snprintf(why, why_size, "cannot read the configuration from %s: %s", store->path,
			 strerror(-err));
	} else if (model_read_yaml(model_out, buf_span(&yaml), &error, 1) > 0) {
		err = -EINVAL;
		snprintf(why, why_size, "the configuration in %s is not valid: %s: %s%s%s",
			 store->path, error.object, error.text, error.remedy[0] ? ": " : "",
			 error.remedy);
	}
	buf_free(&yaml);
	return err;
}

int store_list_audit(struct store *store, unsigned limit, struct buf *out)
{
	sqlite3_stmt *statement = NULL;
	size_t before = out->len;
	int err, result = SQLITE_DONE;
	char at[32];

	pthread_mutex_lock(&store->read_lock);
	err = store_prepare(store->read,
			    "SELECT id, at, who, what, detail FROM audit ORDER BY id DESC LIMIT ?",
			    &statement);
	if (!err)
		sqlite3_bind_int64(statement, 1, limit);
	buf_add_char(out, '[');
	while (!err && (result = sqlite3_step(statement)) == SQLITE_ROW) {
		const char *detail = (const char *)sqlite3_column_text(statement, 4);

		buf_addf(
			out,
			"%s{\"id\":%lld,\"at\":\"%s\",\"who\":", out->len > before + 1 ? "," : "",
			(long long)sqlite3_column_int64(statement, 0),
			clock_format((uint64_t)sqlite3_column_int64(statement, 1), at, sizeof(at)));
		buf_add_json(out, span_of((const char *)sqlite3_column_text(statement, 2)));
		buf_add_str(out, ",\"what\":");
		buf_add_json(out, span_of((const char *)sqlite3_column_text(statement, 3)));
		buf_addf(out, ",\"detail\":%s}", detail ? detail : "null");
	}
	buf_add_char(out, ']');
	sqlite3_finalize(statement);
	pthread_mutex_unlock(&store->read_lock);
	if (!err)
		err = out->failed ? -ENOBUFS : store_errno(result);
	if (err)
		out->len = before;
	return err;
}
