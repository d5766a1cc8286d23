#include "handlers/common/path.h"

#include <stdbool.h>
#include <string.h>

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The next byte of the name, which takes one character of path or three; -1: a bad escape. */
static int take(struct http_text *path)
{
	int high, low;

	if (path->at[0] != '%') {
		path->len--;
		return (unsigned char)*path->at++;
	}
	if (path->len < 3)
		return -1;
	high = hex_value(path->at[1]);
	low = hex_value(path->at[2]);
	if (high < 0 || low < 0)
		return -1;
	path->at += 3;
	path->len -= 3;
	return high * 16 + low;
}

static bool is_hidden(const char *name)
{
	const char *segment = name;

	if (strncmp(name, ".well-known", 11) == 0 && (name[11] == '/' || name[11] == '\0'))
		segment = name + 11;
	while (segment) {
		segment += *segment == '/';
		if (*segment == '.')
			return true;
		segment = strchr(segment, '/');
	}
	return false;
}

int path_decode(char *out, size_t size, struct http_text path)
{
	bool no_file = false;
	size_t len = 0;

	while (path.len > 0) {
		bool literal = path.at[0] != '%';
		int c = take(&path);

		if (c < ' ' || c == 0x7f)
			return 400;
		if (c == '/' && !literal)
			no_file = true;
		/* The leading slash, and all but one of a run: "//host/" must never come out of
		 * here and become somebody's redirect. */
		if (c == '/' && (len == 0 || out[len - 1] == '/'))
			continue;
		if (len + 1 >= size)
			return 414;
		out[len++] = (char)c;
	}
	if (len >= size)
		return 414;
	out[len] = '\0';
	return no_file || is_hidden(out) ? 404 : 0;
}

size_t path_encode(char *out, size_t size, const char *name)
{
	static const char hex[] = "0123456789ABCDEF";
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~/";
	size_t len = 0;

	for (; *name; name++) {
		if (len + 4 > size)
			return 0;
		if (strchr(plain, *name)) {
			out[len++] = *name;
		} else {
			out[len++] = '%';
			out[len++] = hex[(unsigned char)*name >> 4];
			out[len++] = hex[(unsigned char)*name & 15];
		}
	}
	if (len >= size)
		return 0;
	out[len] = '\0';
	return len;
}
