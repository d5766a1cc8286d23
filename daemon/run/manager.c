#include "daemon/run/manager.h"

#include "daemon/base/clock.h"
#include "daemon/os/handed.h"
#include "daemon/os/notify.h"
#include "daemon/run/poll.h"

#include <inttypes.h>

/* ---- what it handed over */

static bool is_wanted(const struct config *config, unsigned handed)
{
	for (size_t i = 0; i < config->services_count; i++) {
		const struct service *s = &config->services[i];

		for (size_t k = 0; k < s->listen_count; k++)
			if (s->listen[k].handed == handed)
				return true;
	}
	return false;
}

void manager_tell_unused(const struct daemon *d)
{
	for (size_t i = 0; i < handed_count(); i++) {
		const struct handed *h = handed_at(i);
		char text[ADDR_TEXT_MAX];

		if (is_wanted(d->config, (unsigned)i + 1))
			continue;
		log_say(LOG_NOTICE, "warning",
			"'%s', descriptor %d, was handed over, and no service listens on it: %s",
			h->name, h->number, h->wrong ? h->wrong : addr_format(&h->addr, text));
	}
}

/* ---- what it is told */

void manager_ready(const struct daemon *d)
{
	notify("READY=1\nSTATUS=%zu services on %zu addresses%s", d->units_count - d->units_removed,
		d->listeners_open,
		d->reload_refused ? "; the last reload was refused, see the log" : "");
}

void manager_reloading(void)
{
	notify("RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_us());
}

static void on_watchdog(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd;
	(void)what;
	start_after_wait(d->starter);
	notify("WATCHDOG=1");
}

/* Twice as often as it is wanted. */
void manager_watch(struct daemon *d)
{
	const struct timeval t = clock_span(notify_watchdog_ms() / 2);

	if (!notify_watchdog_ms())
		return;
	d->watchdog_timer = event_new(d->base, -1, EV_PERSIST, on_watchdog, d);
	event_add(d->watchdog_timer, &t);
}

void manager_free(struct daemon *d)
{
	poll_forget(&d->watchdog_timer);
}
