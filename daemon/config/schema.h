/* The one table of configuration keys.  Parser, defaults, range checks, `superd -t`, the JSON
 * Schema and services.json(5) all follow from its rows; a test holds them together.
 *
 * To add a key: a row here, a field in model/, its use, and its paragraph in services.json.5. */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* What a value may be; values.h has the C type that each is read into. */
enum key_type {
	KEY_BOOL,
	KEY_COUNT,    /* a number from 0 */
	KEY_INT,      /* a number that may be negative */
	KEY_DURATION, /* in milliseconds */
	KEY_SIZE,     /* in bytes */
	KEY_RATE,     /* "30/m burst 10" */
	KEY_OCTAL,    /* a string of octal digits */
	KEY_TEXT,     /* of at most `max` bytes, if that is not 0 */
	KEY_PATH,     /* relative to the file that names it */
	KEY_PATHS,    /* an array of them */
	KEY_WORD,     /* one of `words` */
	KEY_STRINGS,  /* a string, or an array of at least one */
	KEY_LISTEN,
	KEY_PEERS,    /* a prefix, {"file": PATH}, or an array of them */
	KEY_ACCOUNT,  /* of a user or a group: a name or a number */
	KEY_ACCOUNTS, /* an array of them */
	KEY_ENV,
	KEY_NAMES, /* an array of names of variables */
	KEY_SINK,  /* one of `words`, or {"file": PATH} */
	KEY_RLIMITS,
	KEY_LIMIT_COUNT, /* a row of rlimits */
	KEY_LIMIT_SIZE,
	KEY_LIMIT_TIME,
	KEY_OBJECT,  /* of `keys`; those without a preset must be there */
	KEY_SECTION, /* read by load.c itself */
};

/* Where a key may stand. */
enum key_scope {
	ANYWHERE,
	MAIN_FILE,   /* not in a file that is included */
	ITS_SERVICE, /* not in `defaults` */
};

struct key {
	const char *name;
	enum key_type type;
	enum key_scope scope;
	size_t offset;            /* of the field, in the struct that the table is for */
	int64_t min, max;         /* of numbers and durations; of KEY_PEERS, how many */
	const char *preset;       /* the default, as JSON; NULL: none */
	const char *const *words; /* of KEY_WORD and KEY_SINK; NULL-terminated */
	const struct key *keys;   /* of KEY_OBJECT and KEY_RLIMITS */
	bool tunable;             /* may be set while superd runs; a field of struct service */
	const char *help;
};

#define SERVICE_KEYS_MAX 64 /* a test holds that the table has fewer */

/* The tables, each ended by a row without a name. */
extern const struct key schema_top[];     /* offsets into struct top */
extern const struct key schema_service[]; /* offsets into struct draft */
extern const struct key schema_rlimits[]; /* offsets are RLIMIT_… */

/* The row of that name; NULL: none. */
const struct key *schema_find(const struct key *keys, const char *name);

/* True for "//…", the comments, which may stand in every object of known keys. */
bool schema_is_comment(const char *name);

/* What to say after "unknown key": what a word of inetd.conf or xinetd.conf is called here, or
 * the nearest known key, or "".  The text is put into `out`. */
const char *schema_hint(const struct key *keys, const char *name, char out[160]);

/* Writes the JSON Schema of a configuration file (etc/services.schema.json is this). */
void schema_print(FILE *out);

#endif
