/* What is counted of a service beside its ledger: how long starts and lives take, what handlers
 * use, and how they end. */
#ifndef RUN_METRICS_H
#define RUN_METRICS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#define METRICS_BUCKETS 16

/* Upper bounds; what is above the last one is in the bucket after it. */
extern const uint64_t metrics_bounds_us[METRICS_BUCKETS];

struct histogram {
	uint64_t in[METRICS_BUCKETS + 1]; /* each its own, not summed up */
	uint64_t sum_us;
};

struct ending {
	int wait_status; /* as of wait(2), without the bit of the core file */
	uint64_t count;
};

struct metrics {
	struct histogram start; /* from the arrival of a connection until its handler runs */
	struct histogram life;  /* of a handler */
	uint64_t cpu_us;
	int64_t memory_kb;      /* the most that one had */
	struct ending *endings; /* owned */
	size_t endings_count, endings_cap;
};

void metrics_started(struct metrics *m, uint64_t us);

/* `used` may be NULL. */
void metrics_ended(struct metrics *m, uint64_t life_us, int wait_status, const struct rusage *used);

/* For an upgrade: so many have ended like that. */
void metrics_restore_ending(struct metrics *m, int wait_status, uint64_t count);

void metrics_fini(struct metrics *m);

#endif
