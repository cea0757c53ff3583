// SPDX-License-Identifier: MIT
/* oomlab stress NAME ...: one stressor by hand. */
#include "harness/stressors.h"
#include "harness/verbs.h"

int verb_stress(int argc, char **argv)
{
	struct err e = ERR_INIT;

	if (argc < 2)
		return complain_and(EXIT_USAGE, "stress", "which stressor? see oomlab list stressors");
	stressors_exec(argv, &e);
	return complain_and(EXIT_BROKEN, "stress", "%s", e.text);
}
