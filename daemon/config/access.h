/* Who may connect: the lists of a service to one that is looked up (model/acl.h).  Services with
 * the same lists share it. */
#ifndef CONFIG_ACCESS_H
#define CONFIG_ACCESS_H

#include "daemon/config/loader.h"

/* Fills d->s.access and d->s.proxies.  Complains about rules that can decide about nobody who
 * connects to this service.  The files and accounts of a disabled one are not looked at. */
void access_build(struct loader *l, struct draft *d);

void access_forget(struct loader *l);

#endif
