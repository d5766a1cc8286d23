#include "daemon/run/handover_values.h"

#include "daemon/base/mem.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>

/* ---- writing */

json_t *value_of_number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

void value_put(json_t *o, const char *key, uint64_t n)
{
	json_object_set_new(o, key, value_of_number(n));
}

json_t *value_of_fd(int fd, struct inheritance *in)
{
	in->fds = mem_reserve(in->fds, &in->cap, in->count + 1, sizeof *in->fds);
	in->fds[in->count++] = fd;
	return json_integer(fd);
}

void value_put_fd(json_t *o, const char *key, int fd, struct inheritance *in)
{
	json_object_set_new(o, key, value_of_fd(fd, in));
}

json_t *value_of_bytes(const void *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *p = bytes;
	char *text = mem_new(2 * len + 1);
	json_t *value;

	for (size_t i = 0; i < len; i++) {
		text[2 * i] = digits[p[i] >> 4];
		text[2 * i + 1] = digits[p[i] & 15];
	}
	value = json_string(text);
	free(text);
	return value;
}

json_t *value_of_addr(const struct addr *a)
{
	json_t *o = json_pack("{s:i,s:b,s:o}", "kind", (int)a->kind, "dual", a->dual, "bytes",
		value_of_bytes(&a->sa, a->len));

	if (a->handed)
		value_put(o, "handed", a->handed);
	return o;
}

json_t *value_of_prefix(const struct acl_prefix *p)
{
	return json_pack("[i,i,o]", (int)p->key.kind, (int)p->bits,
		value_of_bytes(p->key.bytes, sizeof p->key.bytes));
}

/* ---- reading */

uint64_t value_number(const json_t *o, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(o, key));
}

uint64_t value_item(const json_t *list, size_t i)
{
	return (uint64_t)json_integer_value(json_array_get(list, i));
}

bool value_flag(const json_t *o, const char *key)
{
	return json_is_true(json_object_get(o, key));
}

const char *value_text(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

int value_take_fd(const json_t *number)
{
	int fd = number ? (int)json_integer_value(number) : -1;

	if (fd >= 0)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	return fd;
}

int value_fd(const json_t *o, const char *key)
{
	return value_take_fd(json_object_get(o, key));
}

static unsigned digit(char c)
{
	return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a') + 10;
}

size_t value_bytes(const char *digits, void *out, size_t room)
{
	unsigned char *p = out;
	size_t n = 0;

	for (; digits && digits[0] && digits[1] && n < room; digits += 2)
		p[n++] = (unsigned char)(digit(digits[0]) << 4 | digit(digits[1]));
	return n;
}

struct addr value_addr(const json_t *o)
{
	struct addr a = { .kind = (enum addr_kind)value_number(o, "kind"),
		.dual = value_flag(o, "dual"),
		.handed = (unsigned)value_number(o, "handed") };

	a.len = (socklen_t)value_bytes(
		value_text(o, "bytes"), &a.sa, sizeof a - offsetof(struct addr, sa));
	return a;
}

struct acl_prefix value_prefix(const json_t *list)
{
	struct acl_prefix p = { 0 };

	p.key.kind = (uint8_t)value_item(list, 0);
	p.bits = (uint8_t)value_item(list, 1);
	value_bytes(json_string_value(json_array_get(list, 2)), p.key.bytes, sizeof p.key.bytes);
	return p;
}
