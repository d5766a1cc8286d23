#include "daemon/config/admission.h"

#include "daemon/config/build.h"

static bool has_unix(const struct draft *d)
{
	for (size_t i = 0; i < d->s.listen_count; i++) {
		if (d->s.listen[i].kind == ADDR_UNIX)
			return true;
	}
	return false;
}

void admission_build(struct loader *l, struct draft *d)
{
	d->s.reject_when_full = d->on_limit == 1;
	d->s.linger = d->close == 1;
	d->s.source_bits_v4 = (uint8_t)d->source_ipv4;
	d->s.source_bits_v6 = (uint8_t)d->source_ipv6;
	if (d->s.reject_message && !*d->s.reject_message)
		d->s.reject_message = NULL; /* it takes back what `defaults` say */
	if (!has_unix(d))
		return;
	if (d->s.idle_timeout_ms)
		draft_complain(l, d, "idle_timeout",
			"the kernel counts no bytes of a unix socket, and the service has one");
	if (draft_has(d, "proxy_protocol"))
		draft_complain(l, d, "proxy_protocol",
			"no proxy comes through a unix socket, and the service has one");
}
