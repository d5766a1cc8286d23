/* The words of the handover's document, each in both directions: numbers, descriptors, bytes,
 * addresses, prefixes.
 *
 * What is read are our own words in the form that was checked (handover.h), so what is not there
 * is 0.  Refuses to know what they are about. */
#ifndef RUN_HANDOVER_VALUES_H
#define RUN_HANDOVER_VALUES_H

#include "daemon/model/acl.h"
#include "daemon/model/addr.h"

#include <jansson.h>

/* Descriptors that the next program gets. */
struct inheritance {
	int *fds; /* owned */
	size_t count, cap;
};

/* ---- writing */

json_t *value_of_number(uint64_t n);
void value_put(json_t *o, const char *key, uint64_t n);

/* The number of a descriptor that goes along. */
json_t *value_of_fd(int fd, struct inheritance *in);
void value_put_fd(json_t *o, const char *key, int fd, struct inheritance *in);

/* Bytes that need not be text. */
json_t *value_of_bytes(const void *bytes, size_t len);

json_t *value_of_addr(const struct addr *a);
json_t *value_of_prefix(const struct acl_prefix *p);

/* ---- reading */

uint64_t value_number(const json_t *o, const char *key);
uint64_t value_item(const json_t *list, size_t i);
bool value_flag(const json_t *o, const char *key);
const char *value_text(const json_t *o, const char *key);

/* A descriptor of the program before this one, now close-on-exec; -1 for NULL. */
int value_take_fd(const json_t *number);
int value_fd(const json_t *o, const char *key);

/* How many bytes there are, at most `room`. */
size_t value_bytes(const char *digits, void *out, size_t room);

struct addr value_addr(const json_t *o);
struct acl_prefix value_prefix(const json_t *list);

#endif
