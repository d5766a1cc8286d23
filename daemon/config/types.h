/* The readers of every type of value, for the table in values.c: a row each in its array. */
#ifndef CONFIG_TYPES_H
#define CONFIG_TYPES_H

#include "daemon/config/values.h"

typedef bool read_type(struct reader *r, const struct key *k, struct value v, void *field);

/* scalars.c */
read_type read_bool, read_count, read_int, read_duration, read_size, read_rate, read_octal;
/* texts.c */
read_type read_text, read_path, read_word, read_account;
read_type read_strings, read_paths, read_accounts;
/* compound.c */
read_type read_listen, read_env, read_names, read_sink;
/* peers.c */
read_type read_peers;
/* rlimits.c */
read_type read_rlimits;

/* "a number", "an array" and so on. */
const char *kind_of(const json_t *v);

/* Complains that the value is not what is wanted: "wants a number, not a string". */
void wrong_type(struct reader *r, const char *key, struct value v, const char *wants);

/* Complains at a value of that key, printf-like. */
void value_complain(struct reader *r, const struct key *k, struct value v, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

#endif
