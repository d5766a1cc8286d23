/* The sections `defaults` and `services`: from JSON to drafts, and from drafts to services. */
#ifndef CONFIG_SERVICES_H
#define CONFIG_SERVICES_H

#include "daemon/config/values.h"

/* A draft with the preset of every key. */
void services_presets(struct loader *l, struct draft *out);

/* Reads `defaults` over what `base` holds. */
void services_defaults(struct reader *r, struct value section, struct draft *base);

/* Reads `services`; each begins as a copy of `base`. */
void services_read(struct reader *r, struct value section, const struct draft *base);

/* The one service of a command line: `listen` and `argv` are JSON arrays; argv may be NULL where
 * the options have `shell`. */
void services_oneliner(struct loader *l, json_t *listen, json_t *argv, const struct draft *base);

/* Complains about addresses that two services want, or one wants twice. */
void services_clashes(struct loader *l);

void services_forget(struct loader *l);

#endif
