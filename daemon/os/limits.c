#include "daemon/os/limits.h"

bool limits_raise_nofile(struct rlimit *original)
{
	struct rlimit raised;

	if (getrlimit(RLIMIT_NOFILE, original) < 0)
		return false;
	raised = *original;
	raised.rlim_cur = raised.rlim_max;
	return original->rlim_cur != raised.rlim_cur && setrlimit(RLIMIT_NOFILE, &raised) == 0;
}
