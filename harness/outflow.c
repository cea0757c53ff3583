// SPDX-License-Identifier: MIT
#include "harness/outflow.h"

#include "lib/files.h"

/* Until a guest has booted, what is in its box may be taken away again. */
static bool begun(struct outflow *o, const char *box_path)
{
	if (o->box.header)
		return true;
	if (bb_open(box_path, false, &o->box, NULL) < 0)
		return false;
	if (!bb_next(&o->box, NULL))
		bb_close(&o->box);
	return o->box.header;
}

bool outflow_run(struct outflow *o, const char *box_path)
{
	const struct bb_record *next;

	if (!begun(o, box_path))
		return false;
	while ((next = bb_next(&o->box, o->last))) {
		int which = next->type == BB_STDERR;

		o->last = next;
		if ((which || next->type == BB_STDOUT) && !o->error[which])
			o->error[which] = -write_all(o->fds[which], next->payload, next->len);
	}
	return true;
}

void outflow_close(struct outflow *o)
{
	bb_close(&o->box);
}
