#include "handlers/common/mime.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a small site consists of. */
static const char built_in[] = "text/html html htm\n"
			       "text/css css\n"
			       "text/javascript js mjs\n"
			       "text/plain txt\n"
			       "application/json json\n"
			       "image/png png\n"
			       "image/jpeg jpg jpeg\n"
			       "image/gif gif\n"
			       "image/svg+xml svg\n"
			       "image/webp webp\n"
			       "image/vnd.microsoft.icon ico\n"
			       "font/woff2 woff2\n"
			       "application/pdf pdf\n"
			       "application/wasm wasm\n";

struct word {
	const char *at;
	size_t len;
};

/* The next word before end, or one of length 0. */
static struct word next_word(const char **at, const char *end)
{
	struct word w;

	while (*at < end && (**at == ' ' || **at == '\t' || **at == '\r'))
		++*at;
	w.at = *at;
	while (*at < end && **at != ' ' && **at != '\t' && **at != '\r')
		++*at;
	w.len = (size_t)(*at - w.at);
	return w;
}

/* A type goes into a header, so nothing but visible ASCII may come from the file. */
static bool is_type(struct word w)
{
	for (size_t i = 0; i < w.len; i++)
		if (w.at[i] <= ' ' || w.at[i] > '~')
			return false;
	return w.len < MIME_SIZE && memchr(w.at, '/', w.len);
}

static const char *ending_of(const char *name)
{
	const char *slash = strrchr(name, '/');
	const char *dot = strrchr(slash ? slash : name, '.');

	return dot && dot[1] ? dot + 1 : NULL;
}

static bool has_ending(const char *at, const char *end, const char *ending)
{
	struct word w;

	while ((w = next_word(&at, end)).len > 0)
		if (w.len == strlen(ending) && strncasecmp(w.at, ending, w.len) == 0)
			return true;
	return false;
}

bool mime_find(char type[MIME_SIZE], const char *text, size_t len, const char *name)
{
	const char *ending = ending_of(name), *end = text + len;

	while (ending && text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *line_end = newline ? newline : end;
		struct word w = next_word(&text, line_end);

		if (w.len > 0 && w.at[0] != '#' && has_ending(text, line_end, ending) &&
			is_type(w)) {
			memcpy(type, w.at, w.len);
			type[w.len] = '\0';
			return true;
		}
		text = newline ? newline + 1 : end;
	}
	return false;
}

/* False if the table cannot be read; otherwise *found says whether it has the name. */
static bool find_in_file(char type[MIME_SIZE], const char *table, const char *name, bool *found)
{
	int fd = open(table, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	void *text = MAP_FAILED;
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
		text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (fd >= 0)
		close(fd);
	if (text == MAP_FAILED)
		return false;
	*found = mime_find(type, text, (size_t)st.st_size, name);
	munmap(text, (size_t)st.st_size);
	return true;
}

void mime_lookup(char type[MIME_SIZE], const char *table, const char *name)
{
	static const char charset[] = "; charset=utf-8";
	bool found = false;

	if (!find_in_file(type, table, name, &found))
		found = mime_find(type, built_in, sizeof(built_in) - 1, name);
	if (!found)
		strcpy(type, "application/octet-stream");
	/* Without it, browsers take plain text for an encoding of the last century. */
	if (strncmp(type, "text/", 5) == 0 && !strchr(type, ';') &&
		strlen(type) + sizeof(charset) <= MIME_SIZE)
		strcat(type, charset);
}
