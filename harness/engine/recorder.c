// SPDX-License-Identifier: MIT
#include "harness/engine/recorder.h"

#include <string.h>

void recorder_init(struct recorder *r, struct blackbox *box)
{
	memset(r, 0, sizeof(*r));
	r->box = box;
	r->start_ns = clock_ns();
}

uint64_t recorder_now(const struct recorder *r)
{
	return clock_ns() - r->start_ns;
}

struct jsonw *event_begin(struct recorder *r, const char *name)
{
	jsonw_begin(&r->json, r->buf, sizeof(r->buf));
	jsonw_str(&r->json, "event", name);
	return &r->json;
}

void event_end(struct recorder *r)
{
	size_t len = jsonw_end(&r->json);

	bb_append(r->box, BB_EVENT, recorder_now(r), r->buf, len);
}
