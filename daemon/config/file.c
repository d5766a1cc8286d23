#include "daemon/config/file.h"

#include "daemon/base/mem.h"
#include "daemon/config/slurp.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Line and column of every 1024th byte.  A lookup scans at most that far, so that a large file on
 * one line costs no more than the same file on many. */
#define CHECKPOINT_EVERY 1024
struct checkpoint {
	unsigned line, column;
};

static void step(struct checkpoint *at, const char *text, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		if (text[i] == '\n') {
			at->line++;
			at->column = 1;
		} else if (((unsigned char)text[i] & 0xc0) != 0x80) {
			at->column++; /* bytes that continue a character are not counted */
		}
	}
}

static void make_checkpoints(struct file *f)
{
	size_t n = f->len / CHECKPOINT_EVERY + 1;
	struct checkpoint at = { 1, 1 };

	f->checkpoints = mem_array(n, sizeof *f->checkpoints);
	for (size_t i = 0; i < n; i++) {
		f->checkpoints[i] = at;
		if (i + 1 < n)
			step(&at, f->text, i * CHECKPOINT_EVERY, (i + 1) * CHECKPOINT_EVERY);
	}
}

void file_place(const struct file *f, uint32_t offset, unsigned *line, unsigned *column)
{
	struct checkpoint at = { 0, 0 };

	if (f->text && offset <= f->len) {
		size_t i = offset / CHECKPOINT_EVERY;

		at = f->checkpoints[i];
		step(&at, f->text, i * CHECKPOINT_EVERY, offset);
	}
	*line = at.line;
	*column = at.column;
}

/* The folder of `name`, absolute.  Links in it are kept: the user knows the path by its name. */
static char *folder_of(const char *name)
{
	const char *slash = strrchr(name, '/');
	char *here, *folder;

	if (slash && name[0] == '/')
		return slash == name ? mem_dup("/") : mem_print("%.*s", (int)(slash - name), name);
	here = getcwd(NULL, 0);
	if (!here)
		here = mem_dup("/");
	if (!slash)
		return here;
	folder = mem_print("%s/%.*s", strcmp(here, "/") ? here : "", (int)(slash - name), name);
	free(here);
	return folder;
}

static struct file *named(const char *name)
{
	struct file *f = mem_new(sizeof *f);

	f->name = mem_dup(name);
	f->folder = folder_of(name);
	return f;
}

struct file *file_nameless(const char *name)
{
	return named(name);
}

void file_free(struct file *f)
{
	if (!f)
		return;
	json_decref(f->root);
	spots_free(&f->spots);
	free(f->checkpoints);
	free(f->text);
	free(f->folder);
	free(f->name);
	free(f);
}

char *file_path(const struct file *f, const char *path)
{
	const char *folder = f->folder;

	if (path[0] == '/')
		return mem_dup(path);
	while (path[0] == '.' && path[1] == '/') {
		path += 2;
		path += strspn(path, "/");
	}
	if (!*path || strcmp(path, ".") == 0)
		return mem_dup(folder);
	return mem_print("%s/%s", strcmp(folder, "/") ? folder : "", path);
}

char *file_beside(const struct file *f, const char *path)
{
	const char *slash = strrchr(f->name, '/');

	if (path[0] == '/' || !slash)
		return mem_dup(path);
	return mem_print("%.*s%s", (int)(slash + 1 - f->name), f->name, path);
}

/* ---- what JSON is not ---- */

static bool starts(const struct file *f, const char *bytes, size_t n)
{
	return f->len >= n && memcmp(f->text, bytes, n) == 0;
}

/* The mistakes that deserve better words than a JSON parser has for them. */
static bool is_text(const struct file *f, struct complaints *complaints)
{
	const char *nul = memchr(f->text, '\0', f->len);
	unsigned line, column;

	if (strspn(f->text, " \t\r\n") == f->len) {
		complain(complaints, f->name, 0, 0,
			"is empty; the smallest useful file is "
			"{ \"services\": { \"echo\": { \"listen\": \"7000\", \"exec\": \"cat\" } } "
			"}");
	} else if (starts(f, "\xef\xbb\xbf", 3)) {
		complain(complaints, f->name, 1, 1,
			"begins with a byte order mark; save it as UTF-8 without one");
	} else if (starts(f, "\xff\xfe", 2) || starts(f, "\xfe\xff", 2)) {
		complain(complaints, f->name, 1, 1, "is UTF-16; save it as UTF-8");
	} else if (nul) {
		file_place(f, (uint32_t)(nul - f->text), &line, &column);
		complain(complaints, f->name, line, column, "holds a NUL byte; it must be text");
	} else {
		return true;
	}
	return false;
}

/* What stands before the place where the parser gave up, white space aside; 0: nothing. */
static char before(const struct file *f, size_t position)
{
	while (position > 0 && strchr(" \t\r\n", f->text[position - 1]))
		position--;
	return position > 0 ? f->text[position - 1] : '\0';
}

static const char *syntax_hint(const struct file *f, const json_error_t *e)
{
	size_t at = e->position > 0 ? (size_t)e->position - 1 : 0;

	if (at >= f->len)
		return "";
	if (f->text[at] == '/' || f->text[at] == '#')
		return "; JSON has no comments, but a key that begins with // is one";
	if (strchr("]}", f->text[at]) && before(f, at) == ',')
		return "; JSON allows no comma before it";
	if (f->text[at] == '\'')
		return "; JSON's quotes are \"";
	return "";
}

static void complain_syntax(
	const struct file *f, const json_error_t *e, struct complaints *complaints)
{
	bool nul = strstr(e->text, "\\u0000 is not allowed");

	complain(complaints, f->name, e->line > 0 ? (unsigned)e->line : 1,
		e->column > 0 ? (unsigned)e->column : 1, "JSON: %s%s",
		nul ? "\\u0000 has no place in any text here" : e->text, syntax_hint(f, e));
}

static bool parse(struct file *f, struct complaints *complaints)
{
	json_error_t e;

	make_checkpoints(f);
	if (!is_text(f, complaints))
		return false;
	f->root = json_loadb(f->text, f->len, 0, &e);
	if (!f->root) {
		complain_syntax(f, &e, complaints);
		return false;
	}
	if (!json_is_object(f->root)) {
		complain(complaints, f->name, 1, 1,
			"a configuration is an object, { … }, not an array");
		return false;
	}
	locate(f->text, &f->spots);
	return true;
}

static struct file *parsed(struct file *f, struct complaints *complaints)
{
	if (parse(f, complaints))
		return f;
	file_free(f);
	return NULL;
}

struct file *file_from_text(
	const char *name, const char *text, size_t len, struct complaints *complaints)
{
	struct file *f = named(name);

	f->text = mem_new(len + 1);
	if (len)
		memcpy(f->text, text, len);
	f->len = len;
	return parsed(f, complaints);
}

/* ---- from the disk ---- */

static struct file *from_disk(const char *name, bool regular, const char **wrong)
{
	struct slurped all;
	struct file *f;

	*wrong = slurp(name, regular, &all);
	if (*wrong)
		return NULL;
	f = named(name);
	f->text = all.text;
	f->len = all.len;
	f->device = all.device;
	f->inode = all.inode;
	return f;
}

struct file *file_open(const char *name, struct complaints *complaints)
{
	const char *wrong;
	struct file *f = from_disk(name, false, &wrong);

	if (f)
		return parsed(f, complaints);
	complain(complaints, name, 0, 0, "%s", wrong);
	return NULL;
}

struct file *file_lines(const char *name, const char **wrong)
{
	struct file *f = from_disk(name, true, wrong);

	if (f)
		make_checkpoints(f);
	return f;
}
