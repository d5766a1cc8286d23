#include "daemon/config/variable.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* A final * stands for any rest. */
static const char *const set_by_superd[] = { "SUPERD_*", "TCP*", "UDP*", "VSOCK*", "IPC*",
	"REMOTE_*", "SERVER_ADDR", "SERVER_PORT", "PROTO", "LISTEN_*", NULL };

/* They make a program run other code, or (HTTP_PROXY) are a header's name in a CGI environment. */
static const char *const never_passed[] = { "LD_*", "BASH_FUNC_*", "HTTP_PROXY", NULL };

static bool matches(const char *name, const char *const *patterns)
{
	for (; *patterns; patterns++) {
		size_t n = strlen(*patterns);

		if ((*patterns)[n - 1] == '*' ? strncmp(name, *patterns, n - 1) == 0
					      : strcmp(name, *patterns) == 0)
			return true;
	}
	return false;
}

static bool is_name(const char *name)
{
	static const char start[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
	static const char rest[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

	return *name && strchr(start, *name) && name[strspn(name, rest)] == '\0';
}

const char *variable_settable(const char *name)
{
	if (!is_name(name))
		return "is not a name of a variable; letters, digits and _ make one";
	if (matches(name, set_by_superd))
		return "is set by superd itself";
	return NULL;
}

const char *variable_passable(const char *name)
{
	/* An exported bash function is named BASH_FUNC_x%%: say the better reason first. */
	if (matches(name, never_passed))
		return "is never passed on; if it must be, set it in 'env'";
	return variable_settable(name);
}
