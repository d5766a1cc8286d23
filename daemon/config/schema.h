/* The one table of configuration keys.  Parser, defaults, range checks, `superd -t`, the JSON
 * Schema and services.json(5) all follow from its rows; a test holds them together. */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H

#include <stdio.h>

/* Writes the JSON Schema of a configuration file (etc/services.schema.json is this). */
void schema_print(FILE *out);

#endif
