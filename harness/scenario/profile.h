/* SPDX-License-Identifier: MIT */
/*
 * Limit profiles (cgroups/profiles/): limits of a group and of groups below
 * it, as a service manager would write them, worked out from a few parameters.
 */
#ifndef OOMLAB_SCENARIO_PROFILE_H
#define OOMLAB_SCENARIO_PROFILE_H

#include "harness/scenario/bind.h"
#include "lib/err.h"

/* What a group that has one names it by. */
#define PROFILE_KEY "profile"

/*
 * All NAME.yaml of a folder, by name:
 *
 *     {"systemd-slice": {"about": "...", "source": "...", "parameters": {"high": 50331648},
 *                        "cgroups": {"": {"memory.high": "high"}, "service": {"memory.oom.group": "1"}}}}
 *
 * "" is the group itself. -EINVAL names the file and what is wrong with it. keys: of limits, as in struct names.
 */
int profiles_read(const char *dir, const struct cgroup_key_name *keys, json_t **ret, struct err *e);

/* "0.1 * request + 0.9 * limit" in bytes, cut to pages, as text; "max" and whole numbers as they are; NULL: it is neither. */
json_t *profile_value(const char *text, const json_t *parameters);

#define PROFILE_WORDS_MAX 64

/* PROFILE_KEY and the parameters of all profiles, NULL at the end; nothing when there are no profiles. */
void profile_words(const struct binder *b, const char *ret_words[PROFILE_WORDS_MAX + 1]);

/* The profile of that group of the tree; NULL. */
const json_t *profile_of(const struct binder *b, struct fy_node *group);

/* A group's own entries, PROFILE_KEY and parameters among them: each parameter must be the profile's. */
void profile_check(struct binder *b, struct fy_node *node, const json_t *own);

/*
 * Groups by path, each with its entries: those of a profile become its limits
 * and groups. What the scenario says itself stays. Returns how many limits were added.
 */
size_t profiles_apply(const struct binder *b, json_t *by_path);

#endif
