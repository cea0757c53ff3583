/* SPDX-License-Identifier: MIT */
/* What a guest's serial console said. */
#ifndef OOMLAB_PLACES_CONSOLE_H
#define OOMLAB_PLACES_CONSOLE_H

#define CONSOLE_TAIL 8 /* lines shown with an error */

/* What a console.log tells. */
struct console {
	char panic[256]; /* after "Kernel panic - not syncing: "; "" when there is none */
	char agent[256]; /* the agent's last complaint; "" when there is none */
	char tail[1024]; /* the last lines, indented, one a line */
};

/* Takes away carriage returns, escape sequences and what cannot be printed, in place. */
void console_clean(char *text);
void console_parse(char *text, struct console *ret);
void console_read(const char *path, struct console *ret);

#endif
