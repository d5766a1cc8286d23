/* Which environment variables a configuration may set and pass on (H22).  Pure. */
#ifndef CONFIG_VARIABLE_H
#define CONFIG_VARIABLE_H

/* NULL if `env` may set it; or what is wrong with the name, to be put behind it. */
const char *variable_settable(const char *name);

/* NULL if `pass_env` may name it; stricter than the above. */
const char *variable_passable(const char *name);

#endif
