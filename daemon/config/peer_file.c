/* Files of prefixes: a hundred thousand lines, and complaints that name the line. */
#include "daemon/config/peers.h"

#include "daemon/base/mem.h"

#include <stdlib.h>
#include <string.h>

#define COMPLAINTS_MAX 20 /* of one file; the others are counted */

struct lines {
	struct loader *loader;
	const struct file *file;
	struct peer_file *into;
	size_t wrong;      /* lines */
	size_t wrong_more; /* where the first stands that is not told */
};

static void line_wrong(struct lines *n, const char *word, const char *what)
{
	struct place at = { n->file, (uint32_t)(word - n->file->text), NULL };

	if (n->wrong++ < COMPLAINTS_MAX)
		loader_complain(n->loader, &at, NULL, "%s", what);
	else if (n->wrong == COMPLAINTS_MAX + 1)
		n->wrong_more = at.offset;
}

static void keep(struct peer_file *f, const struct peer *p)
{
	f->has_ip = f->has_ip || p->form != PEER_ID;
	f->has_id = f->has_id || p->form != PEER_IP;
	f->list = mem_reserve(f->list, &f->cap, f->count + p->count, sizeof *f->list);
	memcpy(f->list + f->count, p->prefixes, p->count * sizeof *p->prefixes);
	f->count += p->count;
}

/* A prefix is ASCII; what is not may be of any encoding, and none of the terminal's business. */
static void complain_word(struct lines *n, const char *word, char *text, const char *wrong)
{
	char *what;

	for (char *p = text; *p; p++) {
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	}
	what = mem_print("'%s' %s", text, wrong);
	line_wrong(n, word, what);
	free(what);
}

static void read_word(struct lines *n, const char *word, size_t len)
{
	char text[80], why[160];
	const char *wrong;
	struct peer p;

	snprintf(text, sizeof text, "%.*s", (int)(len < sizeof text ? len : sizeof text), word);
	wrong = peer_parse(text, &p);
	if (!wrong && !peer_resolve(n->loader, &p, why)) {
		keep(n->into, &p);
	} else if (!wrong) {
		line_wrong(n, word, why);
	} else {
		complain_word(n, word, text, wrong);
	}
}

static void read_line(struct lines *n, const char *line, size_t len)
{
	static const char blanks[] = " \t\r\v\f";
	const char *comment = memchr(line, '#', len), *end = comment ? comment : line + len;
	const char *word;
	size_t longest;

	while (line < end && strchr(blanks, *line))
		line++;
	while (line < end && strchr(blanks, end[-1]))
		end--;
	if (line == end)
		return;
	word = line;
	for (longest = 0; word + longest < end && !strchr(blanks, word[longest]);)
		longest++;
	if (word + longest < end)
		line_wrong(n, word, "a line has one prefix; # begins a comment");
	else
		read_word(n, word, longest);
}

static void read_lines(struct lines *n)
{
	const char *at = n->file->text, *end = at + n->file->len;

	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *stop = newline ? newline : end;

		read_line(n, at, (size_t)(stop - at));
		at = stop + 1;
	}
	if (n->wrong > COMPLAINTS_MAX) {
		struct place more = { n->file, (uint32_t)n->wrong_more, NULL };

		loader_complain(
			n->loader, &more, NULL, "… and %zu more", n->wrong - COMPLAINTS_MAX);
	}
}

const struct peer_file *peer_file_get(struct loader *l, const char *name)
{
	struct lines n = { .loader = l };
	struct peer_file *f;

	HASH_FIND_STR(l->peer_files, name, f);
	if (f)
		return f;
	f = mem_new(sizeof *f);
	f->name = name;
	n.into = f;
	n.file = loader_keep(l, file_lines(name, &f->wrong));
	if (n.file)
		read_lines(&n);
	HASH_ADD_KEYPTR(hh, l->peer_files, f->name, strlen(f->name), f);
	return f;
}

void peer_files_forget(struct loader *l)
{
	struct peer_file *f = l->peer_files, *next;

	HASH_CLEAR(hh, l->peer_files);
	for (; f; f = next) {
		next = f->hh.next;
		free(f->list);
		free(f);
	}
}
