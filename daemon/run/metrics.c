#include "daemon/run/metrics.h"

#include "daemon/base/mem.h"

#include <stdlib.h>
#include <sys/wait.h>

#define MS UINT64_C(1000)
#define S (1000 * MS)

const uint64_t metrics_bounds_us[METRICS_BUCKETS] = { 250, 500, MS, 5 * MS / 2, 5 * MS, 10 * MS,
	25 * MS, 100 * MS, 250 * MS, S, 5 * S, 15 * S, 60 * S, 300 * S, 1800 * S, 7200 * S };

static void add(struct histogram *h, uint64_t us)
{
	size_t i = 0;

	while (i < METRICS_BUCKETS && us > metrics_bounds_us[i])
		i++;
	h->in[i]++;
	h->sum_us += us;
}

void metrics_started(struct metrics *m, uint64_t us)
{
	add(&m->start, us);
}

/* Few services end in more than two or three ways. */
void metrics_restore_ending(struct metrics *m, int wait_status, uint64_t count)
{
	int status = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : wait_status;

	for (size_t i = 0; i < m->endings_count; i++)
		if (m->endings[i].wait_status == status) {
			m->endings[i].count += count;
			return;
		}
	m->endings =
		mem_reserve(m->endings, &m->endings_cap, m->endings_count + 1, sizeof *m->endings);
	m->endings[m->endings_count++] = (struct ending){ status, count };
}

static uint64_t microseconds(struct timeval t)
{
	return (uint64_t)t.tv_sec * S + (uint64_t)t.tv_usec;
}

void metrics_ended(struct metrics *m, uint64_t life_us, int wait_status, const struct rusage *used)
{
	add(&m->life, life_us);
	metrics_restore_ending(m, wait_status, 1);
	if (!used)
		return;
	m->cpu_us += microseconds(used->ru_utime) + microseconds(used->ru_stime);
	if (used->ru_maxrss > m->memory_kb)
		m->memory_kb = used->ru_maxrss;
}

void metrics_fini(struct metrics *m)
{
	free(m->endings);
}
