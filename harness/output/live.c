// SPDX-License-Identifier: MIT
#include "harness/output/output.h"

#include "lib/units.h"

#include <string.h>
#include <sys/ioctl.h>

#define LINE_MAX_BYTES 1024
#define WIDTH_DEFAULT  80

static unsigned int terminal_width(FILE *out)
{
	struct winsize size;

	if (ioctl(fileno(out), TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return WIDTH_DEFAULT;
	return size.ws_col;
}

/* Ends text where it would reach past width columns; controls would move the cursor, so they become spaces.
 */
static void cut(char *text, unsigned int width)
{
	for (; *text; text++) {
		if (((unsigned char)*text & 0xc0) != 0x80 && width-- == 0)
			break;
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = ' ';
	}
	*text = 0;
}

void live_update(FILE *out, const struct live_state *s)
{
	char elapsed[UNITS_TEXT_MAX], rss[UNITS_TEXT_MAX], swap[UNITS_TEXT_MAX];
	char line[LINE_MAX_BYTES];
	unsigned int width = terminal_width(out);

	/* The numbers stand first, so that a long name is what the cut takes. */
	snprintf(line, sizeof(line), "cell %u/%u  %6s  RSS %5s  swap %5s  %s", s->cell, s->cells,
		 duration_format(elapsed, s->elapsed_ns - s->elapsed_ns % 100000000),
		 size_format(rss, s->rss_bytes), size_format(swap, s->swap_bytes), s->what ? s->what : "");
	cut(line, width > 1 ? width - 1 : 1);
	fprintf(out, "\r%s\033[K", line);
	fflush(out);
}

void live_clear(FILE *out)
{
	fputs("\r\033[K", out);
	fflush(out);
}
