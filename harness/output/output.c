// SPDX-License-Identifier: MIT
#include "harness/output/forms.h"

#include <string.h>

const struct output *const outputs[] = { &output_table, &output_tap, &output_json, NULL };

const struct output *output_find(const char *name)
{
	size_t i;

	for (i = 0; outputs[i]; i++)
		if (strcmp(outputs[i]->name, name) == 0)
			return outputs[i];
	return NULL;
}
