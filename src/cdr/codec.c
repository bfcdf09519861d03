/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Records as bytes and as JSON. Encoded: for each field that says something a tag (u8), a length
 * (u16, little-endian) and the value: texts as they are, times and unsigned numbers in as few bytes as they
 * need, signed numbers in eight. What is 0 or NULL is left out; a reader skips tags it does not know,
 * so fields can be added and a journal can be read by an older program. */
#include "cdr/cdr_int.h"

#include <endian.h>
#include <stdlib.h>

#define TAG_CALL_ID 1

const struct cdr_field_info cdr_fields[] = {
#define CDR_FIELD(tag, name, type, where, vos, meaning)                                            \
	{ tag, #name, CDR_TYPE_##type, #where[0], vos, meaning, offsetof(struct cdr, name) },
#include "cdr/fields.def"
#undef CDR_FIELD
};
const size_t cdr_field_count = ARRAY_SIZE(cdr_fields);

_Static_assert(ARRAY_SIZE(cdr_fields) * (CDR_TEXT_MAX + 3) + FRAME_HEADER <= FRAME_MAX,
	       "any record fits into a frame");

static bool kind_has(enum cdr_kind kind, const struct cdr_field_info *field)
{
	if (kind == CDR_ALIVE)
		return false;
	return field->where == 'B' || field->where == (kind == CDR_ATTEMPT ? 'A' : 'C');
}

static uint64_t field_u64(const struct cdr *cdr, const struct cdr_field_info *field)
{
	uint64_t value;

	memcpy(&value, (const char *)cdr + field->offset, sizeof(value));
	return value;
}

static const char *field_text(const struct cdr *cdr, const struct cdr_field_info *field)
{
	const char *text;

	memcpy(&text, (const char *)cdr + field->offset, sizeof(text));
	return text;
}

static unsigned bytes_needed(uint64_t value)
{
	return value ? (71 - (unsigned)__builtin_clzll(value)) / 8 : 0;
}

/* Length of a text, cut at CDR_TEXT_MAX but never within a UTF-8 character. */
static size_t text_length(const char *text)
{
	size_t len = strnlen(text, CDR_TEXT_MAX + 1);

	if (len <= CDR_TEXT_MAX)
		return len;
	for (len = CDR_TEXT_MAX;
	     len > CDR_TEXT_MAX - 4 && ((unsigned char)text[len] & 0xc0) == 0x80; len--)
		;
	return len;
}

/* Bytes that the value of `field` takes; 0 = left out. */
static size_t field_size(const struct cdr *cdr, const struct cdr_field_info *field)
{
	static_assert(sizeof(const char *) == sizeof(uint64_t), "a missing text is a zero too");
	uint64_t value = field_u64(cdr, field);

	if (!value)
		return 0;
	if (field->type == CDR_TYPE_TEXT)
		return text_length(field_text(cdr, field));
	return field->type == CDR_TYPE_I64 ? 8 : bytes_needed(value);
}

static unsigned char *put_field(unsigned char *to, const struct cdr *cdr,
				const struct cdr_field_info *field, size_t size)
{
	uint64_t number;

	to[0] = field->tag;
	to[1] = (unsigned char)size;
	to[2] = (unsigned char)(size >> 8);
	to += 3;
	if (field->type == CDR_TYPE_TEXT) {
		memcpy(to, field_text(cdr, field), size);
		return to + size;
	}
	number = htole64(field_u64(cdr, field));
	memcpy(to, &number, size);
	return to + size;
}

struct cdr_entry *cdr_encode(enum cdr_kind kind, const struct cdr *cdr)
{
	uint16_t sizes[ARRAY_SIZE(cdr_fields)];
	uint8_t used[ARRAY_SIZE(cdr_fields)];
	struct cdr_entry *entry;
	unsigned char *to;
	size_t total = 0;
	unsigned n = 0;

	for (size_t i = 0; i < cdr_field_count; i++) {
		size_t size = field_size(cdr, &cdr_fields[i]);

		if (!size || !kind_has(kind, &cdr_fields[i]))
			continue;
		used[n] = (uint8_t)i;
		sizes[n++] = (uint16_t)size;
		total += 3 + size;
	}
	entry = cdr_entry_copy(kind, NULL, total);
	if (!entry)
		return NULL;
	to = entry->data;
	for (unsigned i = 0; i < n; i++)
		to = put_field(to, cdr, &cdr_fields[used[i]], sizes[i]);
	assert(to == entry->data + total);
	return entry;
}

struct cdr_entry *cdr_entry_copy(enum cdr_kind kind, const unsigned char *data, size_t len)
{
	struct cdr_entry *entry;

	assert(len <= FRAME_MAX - FRAME_HEADER);
	entry = malloc(sizeof(*entry) + len);
	if (!entry)
		return NULL;
	*entry = (struct cdr_entry){ .len = (uint32_t)len, .kind = (uint8_t)kind };
	if (data && len)
		memcpy(entry->data, data, len);
	return entry;
}

static const struct cdr_field_info *field_by_tag(unsigned tag)
{
	/* Tags count from 1 without holes so far; the search is for the day they do not. */
	if (tag >= 1 && tag <= cdr_field_count && cdr_fields[tag - 1].tag == tag)
		return &cdr_fields[tag - 1];
	for (size_t i = 0; i < cdr_field_count; i++)
		if (cdr_fields[i].tag == tag)
			return &cdr_fields[i];
	return NULL;
}

static int decode_field(struct cdr *out, struct arena *arena, const struct cdr_field_info *field,
			struct span value)
{
	char *at = (char *)out + field->offset;
	const char *text;
	uint64_t number;

	if (field->type == CDR_TYPE_TEXT) {
		if (value.len && memchr(value.p, '\0', value.len))
			return -EBADMSG;
		text = arena_dup(arena, value);
		if (!text)
			return -ENOMEM;
		memcpy(at, &text, sizeof(text));
		return 0;
	}
	if (value.len < 1 || value.len > 8 || (field->type == CDR_TYPE_I64 && value.len != 8))
		return -EBADMSG;
	number = get_le((const unsigned char *)value.p, (unsigned)value.len);
	memcpy(at, &number, sizeof(number));
	return 0;
}

/* Cuts the next (tag, value) off; 1, 0 at the end, or -EBADMSG. */
static int next_field(const unsigned char **at, const unsigned char *end, unsigned *tag_out,
		      struct span *value_out)
{
	const unsigned char *p = *at;
	size_t len;

	if (p == end)
		return 0;
	if (end - p < 3)
		return -EBADMSG;
	len = (size_t)get_le(p + 1, 2);
	if ((size_t)(end - p) - 3 < len)
		return -EBADMSG;
	*tag_out = p[0];
	*value_out = (struct span){ (const char *)p + 3, len };
	*at = p + 3 + len;
	return 1;
}

int cdr_decode(struct cdr *out, struct arena *arena, const unsigned char *data, size_t len)
{
	const unsigned char *at = data, *end = data + len;
	struct cdr cdr = { 0 };
	struct span value;
	unsigned tag;
	int err;

	while ((err = next_field(&at, end, &tag, &value)) > 0) {
		const struct cdr_field_info *field = field_by_tag(tag);

		err = field ? decode_field(&cdr, arena, field, value) : 0;
		if (err)
			break;
	}
	if (err)
		return err;
	*out = cdr;
	return 0;
}

uint64_t cdr_data_call_id(const unsigned char *data, size_t len)
{
	const unsigned char *at = data, *end = data + len;
	struct span value;
	unsigned tag;

	while (next_field(&at, end, &tag, &value) > 0)
		if (tag == TAG_CALL_ID && value.len <= 8)
			return get_le((const unsigned char *)value.p, (unsigned)value.len);
	return 0;
}

/* "talk_us" is told as "talk_s": whole and fraction as integers, because floating point would round. */
static void write_seconds(struct buf *out, const char *name, uint64_t us)
{
	buf_addf(out, "\"%.*s_s\":%llu.%06llu", (int)strlen(name) - 3, name,
		 (unsigned long long)(us / SEC), (unsigned long long)(us % SEC));
}

static bool is_duration(const struct cdr_field_info *field)
{
	size_t len = strlen(field->name);

	return field->type == CDR_TYPE_U64 && len > 3 &&
	       memcmp(field->name + len - 3, "_us", 3) == 0;
}

static void write_value(struct buf *out, const struct cdr *cdr, const struct cdr_field_info *field)
{
	char time[32];
	const char *text;
	uint64_t number;

	if (field->type == CDR_TYPE_TEXT) {
		text = field_text(cdr, field);
		if (text)
			buf_add_json(out, span_of(text));
		else
			buf_add_str(out, "null");
		return;
	}
	number = field_u64(cdr, field);
	if (field->tag == TAG_CALL_ID)
		buf_addf(out, "\"%016llx\"", (unsigned long long)number);
	else if (field->type == CDR_TYPE_I64)
		buf_addf(out, "%lld", (long long)(int64_t)number);
	else if (field->type == CDR_TYPE_U64)
		buf_addf(out, "%llu", (unsigned long long)number);
	else if (number)
		buf_addf(out, "\"%s\"", clock_format(number, time, sizeof(time)));
	else
		buf_add_str(out, "null");
}

void cdr_write_json(struct buf *out, enum cdr_kind kind, const struct cdr *cdr)
{
	cdr_write_json_without(out, kind, cdr, "");
}

void cdr_write_json_without(struct buf *out, enum cdr_kind kind, const struct cdr *cdr,
			    const char *without)
{
	char separator = '{';

	for (size_t i = 0; i < cdr_field_count; i++) {
		const struct cdr_field_info *field = &cdr_fields[i];

		if (!kind_has(kind, field) || strcmp(field->name, without) == 0)
			continue;
		buf_add_char(out, separator);
		separator = ',';
		if (is_duration(field)) {
			write_seconds(out, field->name, field_u64(cdr, field));
			continue;
		}
		buf_addf(out, "\"%s\":", field->name);
		write_value(out, cdr, field);
	}
	buf_add_str(out, separator == '{' ? "{}" : "}");
}
