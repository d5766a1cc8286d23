/* From files to a struct config, or to complaints.  All or nothing: on any complaint there is
 * no configuration, and the caller's old one is as it was. */
#ifndef CONFIG_LOAD_H
#define CONFIG_LOAD_H

#include "daemon/config/complain.h"
#include "daemon/model/config.h"

/* Reads FILE and what it includes.  Returns the configuration (config_unref), or NULL with at
 * least one complaint added.  `complaints` may also hold warnings beside a configuration.
 * `options` (NULL, or NULL-terminated) are KEY=VALUE texts that are set in every service, over what
 * the file says; complaints about them carry "-o" as their place. */
struct config *load_file(const char *path, char *const *options, struct complaints *complaints);

/* The same from memory, as if it had been read from `path`. */
struct config *load_text(
	const char *path, const char *text, size_t len, struct complaints *complaints);

/* One-liner: `superd -l ADDR … -o KEY=VALUE … -- PROG ARG …`.  Arrays are NULL-terminated.
 * A VALUE that is JSON is taken as JSON, anything else as a string; keys are service keys, and of
 * one that is a text (shell, description, umask …) every VALUE is a string.
 * The service is named after PROG.  Complaints carry "-l", "-o" or "--" as their place. */
struct config *load_oneliner(char *const *listen, char *const *options, char *const *argv,
	struct complaints *complaints);

#endif
