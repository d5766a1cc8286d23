#include "daemon/config/admission.h"

#include "daemon/config/build.h"

static bool has_others(const struct draft *d)
{
	for (size_t i = 0; i < d->s.listen_count; i++) {
		if (!addr_is_ip(&d->s.listen[i]) && d->s.listen[i].kind != ADDR_FD)
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
	if (!has_others(d) || d->s.wait)
		return;
	if (d->s.idle_timeout_ms)
		draft_complain(l, d, "idle_timeout",
			"the kernel counts no bytes but those of TCP, and the service has a unix "
			"socket "
			"or a vsock");
	if (draft_has(d, "proxy_protocol"))
		draft_complain(l, d, "proxy_protocol",
			"proxies come by TCP, and the service has a unix socket or a vsock");
}
