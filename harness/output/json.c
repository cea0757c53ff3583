// SPDX-License-Identifier: MIT
#include "harness/output/forms.h"

#include <errno.h>

static int write_json(FILE *out, const json_t *run, const struct output_options *options)
{
	(void)options;
	if (json_dumpf(run, out, JSON_INDENT(2)) < 0 && !ferror(out))
		return -ENOMEM;
	fputc('\n', out);
	return 0;
}

const struct output output_json = {
	.name = "json",
	.about = "the whole run: run.json and every result.json",
	.write = write_json,
};
