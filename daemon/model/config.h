/* A whole configuration, const once loaded.  One arena holds all of it.
 *
 * A reload brings a new one, and the connections that came under the old one keep it: so it is
 * counted who refers to it. */
#ifndef MODEL_CONFIG_H
#define MODEL_CONFIG_H

#include "daemon/base/log.h"
#include "daemon/base/mem.h"
#include "daemon/model/service.h"

#include <stdint.h>

struct config {
	struct arena arena; /* owns everything below */
	unsigned references;
	struct config *base; /* owned reference, NULL: none; one that was tuned points into it */
	uint64_t generation; /* which one superd runs: 1 at the start, one more at each reload */
	const char *path;    /* the file named on the command line; NULL for the one-liner */

	struct log_options log;
	bool log_bytes; /* superd keeps a copy of each connection to account for its bytes */
	uint32_t max_connections; /* all services together; 0 is no limit */
	uint64_t stop_timeout_ms;
	const char *const *handler_path; /* NULL-terminated, absolute folders */

	const char *control, *observe; /* paths of sockets; NULL: none */
	mode_t observe_mode;
	gid_t observe_gid; /* -1 leaves it */

	const struct service *services; /* in the order of the file(s) */
	size_t services_count;
	struct acl **acls; /* owned, and each of them: what the services' lists are */
	size_t acls_count, acls_cap;
};

/* A new, empty one with one reference, the caller's. */
struct config *config_new(void);

/* One more reference; returns c. */
struct config *config_ref(struct config *c);

/* Gives a reference back; the last one frees the configuration and everything it owns.  NULL is
 * fine. */
void config_unref(struct config *c);

#endif
