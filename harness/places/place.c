// SPDX-License-Identifier: MIT
#include "harness/places/place.h"

#include "harness/engine/engine.h"
#include "lib/blackbox.h"

#include <errno.h>
#include <string.h>

const struct place *const places[] = { &place_host, &place_guest, NULL };

const struct place *place_find(const char *name)
{
	size_t i;

	for (i = 0; places[i]; i++)
		if (!strcmp(places[i]->name, name))
			return places[i];
	return NULL;
}

int place_sealed(const char *box_path, struct err *why)
{
	struct blackbox box;
	int r;

	r = bb_open(box_path, false, &box, why);
	if (r < 0)
		return r;
	if (!box.header->sealed)
		r = -EAGAIN;
	else if (!strncmp(box.header->seal, SEAL_SKIP, strlen(SEAL_SKIP)))
		r = err_set(why, EOPNOTSUPP, "%s", box.header->seal + strlen(SEAL_SKIP));
	else if (!strncmp(box.header->seal, SEAL_FAILED, strlen(SEAL_FAILED)))
		r = err_set(why, EIO, "%s", box.header->seal);
	bb_close(&box);
	return r;
}
