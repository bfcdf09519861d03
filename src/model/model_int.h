/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of this module share. A configuration is read into a `struct build` (growing arrays and
 * references by name), which build_finish turns into a snapshot. */
#ifndef CAUSEWAY_MODEL_INT_H
#define CAUSEWAY_MODEL_INT_H

#include "model/model.h"

#include <stdlib.h>

#define CACHE_LINE 64
#define NAME_LEN_MAX 63
#define PREFIX_LEN_MAX MODEL_PREFIX_MOST
#define ADDRESS_LISTS_MOST 16
#define NUMBER_GROUPS_MOST 64
#define SHARES_MOST 64

/* ---- kinds --------------------------------------------------------------------------- */

/* Those before KINDS are sections of the file and have names; the others stand in lists within objects. */
enum kind {
	KIND_CALENDAR,
	KIND_ACCOUNT,
	KIND_RATE_GROUP,
	KIND_GROUP,
	KIND_NUMBER_GROUP,
	KIND_TRANSFORM,
	KIND_AREA,
	KIND_ADDRESS_LIST,
	KIND_MAPPING,
	KIND_ROUTING,
	KIND_PHONE,
	KINDS,
	KIND_RATE = KINDS,
	KIND_LIMIT_WINDOW,
	KIND_RATE_WINDOW,
	KIND_PREFIX_WINDOW,
	KIND_RULE_WINDOW,
	KIND_PRIORITY_WINDOW,
	KIND_SHARE,
	KINDS_ALL
};

#define NO_LOAD SIZE_MAX
struct kind_info {
	const char *name, *section;	/* section NULL: it stands within others */
	size_t size;			/* of the struct, whose first member is the name if it has a section */
	const struct model_field_info *fields;
	size_t n_fields;
	size_t array, count;		/* offsets in struct model */
	size_t load;			/* offset in the struct, or NO_LOAD */
};
extern const struct kind_info kinds[KINDS_ALL];

/* What people coming from elsewhere write: our nth key for it (of several the kind at hand has one), or NULL. */
const char *foreign_key(struct span key, unsigned nth);
/* Our name of a key that VOS3000 fills with numbers, and what they mean: "none|outbound", "" between = nothing. NULL. */
const char *numbered_key(enum kind kind, struct span key, const char **values_out);

static inline const char *object_name(const void *object)
{
	const char *name;

	memcpy(&name, object, sizeof(name));
	return name;
}
static inline void *kind_objects(const struct model *m, enum kind kind, unsigned *n_out)
{
	void *objects;

	memcpy(&objects, (const char *)m + kinds[kind].array, sizeof(objects));
	memcpy(n_out, (const char *)m + kinds[kind].count, sizeof(*n_out));
	return objects;
}
static inline void *kind_object(const struct model *m, enum kind kind, unsigned i)
{
	unsigned n;
	char *objects = kind_objects(m, kind, &n);

	return objects + i * kinds[kind].size;
}

/* ---- values -------------------------------------------------------------------------- */

/* One scalar as written: for lists there are several. */
struct item {
	struct span text;
	unsigned line, column;
};
/* What is wrong with a value; `item` is the one to blame. */
struct fault {
	char text[256], remedy[160];
	unsigned item;
};

#define DAY_WORDS 9
extern const char *const day_words[DAY_WORDS];	/* by bit of a window's days */

struct build;
/* Set a field of `object` (number `index` of its kind) from `items`. False with `fault` filled. */
bool field_set(struct build *b, enum kind kind, unsigned index, void *object, const struct model_field_info *f,
	       const struct item *items, unsigned n, struct fault *fault);
/* The value of fields that a configuration does not mention. */
void fields_default(struct build *b, enum kind kind, void *object);
bool field_is_list(enum model_field_type type);
/* Nothing but the value of an absent key. */
bool field_is_unset(const struct model_field_info *f, const void *object);

bool text_is_clean(struct span text, bool lines);	/* UTF-8 without control characters */
/* Letters and digits, those of `others`, and with `scripts` any letter beyond ASCII. No blanks: names stand in
 * log lines, addresses of pages and command lines. */
bool text_of(struct span text, const char *others, bool scripts);
/* The header that an entry of pass_headers ("X-Tenant", "X-*") names and that never passes, or NULL. */
const char *pass_entry_refused(struct span entry);
/* "503", "480-489": statuses 300 to 699. */
bool code_range_parse(struct span text, uint32_t *first_out, uint32_t *last_out);
/* "404:503"; see model_code_replaced. */
bool code_pair_parse(struct span text, uint32_t *from_out, uint32_t *to_out);
bool code_list_is_good(struct span list);
bool bool_parse(struct span text, bool *out);
/* "08:30", "08:30:15", to 24:00: seconds of the day. */
bool clock_parse(struct span text, uint32_t *out);
/* "2026-12-25": days since 1970-01-01. */
bool date_parse(struct span text, int32_t *out);
/* Sets all but text and utc_us. False: it is none, or before 1970-01-02. */
bool moment_parse(struct span text, struct model_moment *out);
void params_default(struct model_params *params, struct arena *arena);
/* The parameter at odds with another one, or NULL. */
const char *params_check(const struct model_params *params, char *why, size_t size);
/* The likeliest word meant by `word`, or NULL: at most a third of it may differ. */
const char *nearest_word(struct span word, const char *(*next)(void *arg), void *arg);

/* Members of an object's "load": the limits in force now; and of the object: all that a call of a gateway takes. */
void write_limits_now(struct buf *out, const struct model *m, enum kind kind, const void *object);
void write_claims_now(struct buf *out, const struct model *m, enum kind kind, const void *object);

/* ---- edits ------------------------------------------------------------------------------ */

/* Is it good as an item of such a list? */
bool item_is_good(const struct model_field_info *f, struct span text, struct fault *fault);
struct editing;
/* Does it change this field of the object? */
bool edit_is_of(const struct editing *edit, enum kind kind, const void *object, const struct model_field_info *f);
void edit_write_list(struct editing *edit, struct buf *out, const void *object);
/* New objects of the kind; `first`: the section has not begun yet. */
void edit_write_new(struct editing *edit, struct buf *out, const struct model *m, enum kind kind, bool first);
/* As model_write_yaml with secrets, but for the edit. */
void write_yaml_edited(struct buf *out, const struct model *m, struct editing *edit);

/* ---- addresses ------------------------------------------------------------------------ */

/* "a.b.c.d", "a.b.c.d:port", "net/len", "v6", "[v6]:port", "v6/len". NULL = good, else what is wrong (static). */
const char *address_parse(struct span text, struct model_address *out);
/* As address_parse without port, or "first-last"; sets the ends. */
const char *range_parse(struct span text, struct model_range *out);
/* "host", "host:port", "[v6]:port" with an optional ";transport=udp|tcp|tls". */
const char *peer_parse(struct span text, struct span *host_out, uint16_t *port_out, int *proto_out);
/* Address and port of a source; IPv4-mapped IPv6 becomes IPv4. False for other families. */
bool address_of(const struct sockaddr *source, struct model_address *out);
const char *address_format(const struct model_address *address, char *dst, size_t size);	/* host only */
/* The leading bits that both have in common (of the same family). */
unsigned address_common(const struct model_address *a, const struct model_address *b);
void address_mask(struct model_address *address, unsigned prefix_len);

/* ---- building -------------------------------------------------------------------------- */

struct objects {
	char *items;
	unsigned *lines;		/* where each stands in the file */
	unsigned n, size;
};
/* A name to be resolved: the pointer at `at`, or at `offset` of object `index` of `kind`, which moves until the end. */
struct reference {
	enum kind kind, to;
	unsigned index, line, column;
	size_t offset;
	const void **at;
	const char *name;
	const char *field;
};
struct zone_link {
	const struct zone *zone;
	struct zone_link *next;
};
struct build {
	struct model *m;
	struct zone_link *zones;	/* read so far */
	struct objects objects[KINDS_ALL];	/* from KINDS on: those of the lists being read */
	struct reference *refs;
	size_t n_refs, refs_size;
	struct model_error *errors;
	unsigned n_errors, max_errors;
	bool no_memory;
};
int build_init(struct build *b, struct model_error *errors, unsigned max_errors);
/* A new object with defaults; NULL without memory. Moves when another is added. */
void *build_add(struct build *b, enum kind kind, unsigned line);
bool build_refer(struct build *b, const struct reference *ref);
/* The zone of that name, or NULL with `why` in words. */
const struct zone *build_zone(struct build *b, struct span name, char *why, size_t size);
/* False when no more errors are wanted. */
bool build_error(struct build *b, unsigned line, unsigned column, const char *object, const char *text,
		 const char *remedy);
/* A list within an object is being read: what build_end_list needs to know of its beginning. */
struct list_mark {
	unsigned n;
	size_t n_refs;
};
struct list_mark build_begin_list(const struct build *b, enum kind of);
/* The objects added since become the list `f` of object `index` of `kind`. */
void build_end_list(struct build *b, const struct list_mark *mark, enum kind kind, unsigned index, void *object,
		    const struct model_field_info *f);
/* About object `i` of its kind; `line` 0 = where it stands. */
void build_object_error(struct build *b, enum kind kind, unsigned i, unsigned line, const char *text, const char *remedy);
/* check_register.c: who registers where, and under which user. False: no memory. */
void build_check_durations(struct build *b);
/* Moments by the clocks on the wall become those of UTC: when all zones are known. */
void build_resolve_moments(struct build *b);
/* False: no memory. */
bool build_index_dids(struct build *b);
bool build_check_registrations(struct build *b);
/* Checks what lies between objects and indexes. The snapshot, or NULL with errors. */
struct model *build_finish(struct build *b);
void build_free(struct build *b);

/* ---- index ------------------------------------------------------------------------------ */

/* 0 or -ENOMEM. */
int index_build(struct model *m);
/* A power of two, at least twice as many. */
uint32_t index_slots_for(size_t n);
/* Two objects of a name? Called while indexing: see build.c. */
struct name_index {
	uint32_t *slots;		/* object number + 1; 0 = empty */
	uint32_t mask;
	const char *base;
	size_t stride, key;		/* offset of the name in the struct */
};
int name_index_init(struct name_index *index, struct arena *arena, const void *base, unsigned n, size_t stride, size_t key);
/* The object already there under that name, or -1 and it is added. */
int64_t name_index_add(struct name_index *index, uint32_t number);
const void *name_index_find(const struct name_index *index, struct span name);

/* Areas by code and by mobile number; what names them must name some. False without memory. */
bool areas_check(struct build *b);
/* Each group that is a caller pool gets its counts; one without numbers is an error of the build. False without memory. */
bool pools_give(struct build *b);
/* The counts of numbers that `from` has too become those of `to`, which nobody else knows yet. */
void pools_carry(struct model *to, const struct model *from);
void pools_drop(struct model *m);
/* Shares, and the index of number transforms by what mapping gateways send. False without memory. */
bool numbers_check(struct build *b);
/* The system's number lists, by the parameters that name them; errors go to the build. False without memory. */
bool system_numbers_resolve(struct build *b);

struct prefix_slot {
	uint32_t tag, record;		/* place in `records` + 1; 0 = empty */
};
struct prefix_index {
	struct prefix_slot *slots;
	uint32_t mask;
	uint64_t lengths;		/* bit per length in use */
	uint16_t *records;		/* all that is known of a prefix: see index_routing.c */
};
/* Fill what routing gateways derive from their keys; then they can be indexed. 0 or -ENOMEM. */
int routings_derive(struct model *m);
int prefix_index_build(struct prefix_index *index, struct model *m);

struct address_entry {
	struct model_address address;	/* masked */
	uint32_t mapping;
	uint32_t next;			/* of the same address and length; + 1 */
	const char *text;
};
struct address_index {
	uint32_t n;
	struct address_entry *entries;	/* sorted by family, bytes, length, port (given first), mapping */
	uint32_t *slots;		/* first entry of an address and length; + 1 */
	uint32_t mask;
	uint8_t lengths4[33], lengths6[129];	/* in use */
};
/* Sorts the ranges of every address list. 0 or -ENOMEM. */
int ranges_index_build(struct model *m);
int ranges_index_peers(struct model *m);	/* m->peers */
/* The lists that parameters name. False without memory. */
bool ranges_resolve_system(struct build *b);
int address_index_build(struct address_index *index, struct model *m);

struct phone_entry {
	struct model_address address;
	uint32_t phone;
};
struct phone_index {
	uint32_t n;
	struct phone_entry *entries;	/* sorted by family, bytes */
};
int phone_index_build(struct phone_index *index, struct model *m);

struct area_index {
	const struct number_set *codes;		/* in the order of m->areas */
	const struct number_set *mobiles;	/* all of them; NULL = none */
	uint32_t *area_of;			/* for each of those */
};

struct model_index {
	struct name_index names[KINDS];
	struct name_index users;
	struct name_index registrants;	/* routing gateways that register here, by user */
	struct phone_index static_phones;
	struct name_index dids;			/* further numbers of phones */
	struct name_index transform_callers;
	struct area_index areas;
	struct prefix_index prefixes;
	struct address_index addresses;
};

/* ---- the end ---------------------------------------------------------------------------- */

/* Free it now. */
void model_destroy(struct model *m);
/* Start the thread that frees large snapshots; once for the process. */
void reaper_start(void);
/* Nobody refers to `m` any more: free it now, or soon. Any thread; never waits. */
void reaper_take(struct model *m);

/* ---- load -------------------------------------------------------------------------------- */

struct registration {
	_Atomic uint32_t sequence;
	atomic_flag writing;
	_Atomic bool natted, silent, changed;
	_Atomic unsigned n;
	_Atomic uint64_t expires_us;	/* the last of all ends; 0 = none */
	_Atomic uint64_t reachable_us;	/* of those that are not unreachable */
	_Atomic(struct binding *) slots[BINDINGS_MAX];	/* made when first needed, freed with the box */
};
void registration_free(struct registration *r);

struct load_box {
	_Alignas(CACHE_LINE) struct load load;
	atomic_uint refs;
	atomic_int lines_in, lines_out;	/* a phone's calls to it and from it now; load.lines counts both */
	struct registration registration;
	/* Routing gateways only: last. */
	struct load_quality quality;
	struct health health;
};
/* Lines in use once one more is taken, or 0: `most` are in use. */
int load_take_below(atomic_int *lines, int most);
void load_note_peak(struct load *load, int lines);
/* For an object of this kind; KINDS = the switch itself. */
struct load_box *load_box_new(enum kind kind);
struct load_box *load_box_ref(struct load *load);
void load_box_unref(struct load *load);
static inline struct load_box *load_box_of(struct load *load)
{
	return container_of(load, struct load_box, load);
}
/* The object's load (and a routing gateway's quality and health) becomes `box`, one reference of it taken over. */
void object_set_load(enum kind kind, void *object, struct load_box *box);
struct load *object_load(enum kind kind, const void *object);

#endif
