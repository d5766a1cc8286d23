/* superctl top: services or connections on the full screen, asked for again and again. */
#ifndef CTL_TOP_H
#define CTL_TOP_H

/* Until the person has enough.  Returns the exit code. */
int top(const char *socket, double delay_s);

#endif
