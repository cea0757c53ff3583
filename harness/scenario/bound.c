// SPDX-License-Identifier: MIT
/* What an expectation holds against what: metrics by name, amounts, and sums of both. */
#include "harness/scenario/bound.h"

#include "harness/scenario/groups.h"
#include "harness/scenario/killer.h"
#include "harness/scenario/processes.h"
#include "lib/files.h"
#include "lib/units.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Of one bound. */
#define WORDS_MAX    64
#define TERM_ALLOWED "a metric or an amount, and others after ' + ' or ' - '"

static const char *const allowed[] = {
	[METRIC_ANY] = "a size, a duration, a whole number or a word",
	[METRIC_BYTES] = SIZE_ALLOWED,
	[METRIC_NS] = DURATION_ALLOWED,
	[METRIC_COUNT] = "a whole number",
	[METRIC_WORD] = "a word",
	[METRIC_OUTCOME] = "an outcome",
};

/* The same as complaints name it. */
static const char *const kinds[] = {
	[METRIC_ANY] = "of any kind",      [METRIC_BYTES] = "a size", [METRIC_NS] = "a duration",
	[METRIC_COUNT] = "a whole number", [METRIC_WORD] = "a word",  [METRIC_OUTCOME] = "an outcome",
};

const char *bound_allowed(enum metric_unit unit)
{
	return allowed[unit];
}

static bool metric_ok(const char *of, const char *name, const struct metric_name *metrics,
		      enum metric_unit *ret_unit, char why[WHY_MAX])
{
	const struct metric_name *m = name_find(name, metrics, sizeof(*metrics));
	char quoted[SHOWN_MAX], hint[96], list[360];

	if (m) {
		*ret_unit = m->unit;
		return true;
	}
	snprintf(why, WHY_MAX, "%s has no metric %s%s; allowed: %s", of, shown(quoted, name),
		 name_hint(hint, name, metrics, sizeof(*metrics)),
		 name_list(list, sizeof(list), metrics, sizeof(*metrics)));
	return false;
}

bool name_unknown(const char *what, const char *wrong, const char *const *names, char why[WHY_MAX])
{
	char quoted[SHOWN_MAX], hint[96], list[320];

	name_list(list, sizeof(list), names, sizeof(names[0]));
	snprintf(why, WHY_MAX, "no %s %s%s; there is: %s", what, shown(quoted, wrong),
		 name_hint(hint, wrong, names, sizeof(names[0])), list[0] ? list : "nothing");
	return false;
}

/* The stressor that the process runs in this cell; NULL. */
static const struct stressor_name *stressor_of(const struct binder *b, const char *process)
{
	struct fy_node *one = process_node(b, process);
	struct fy_node *run = one ? map_get(one, "run") : NULL;
	const char *name =
		run && fy_node_is_sequence(run) ? node_text(fy_node_sequence_get_by_index(run, 0)) : NULL;

	return name ? name_find(name, b->known->stressors, sizeof(*b->known->stressors)) : NULL;
}

/* A metric that stressors have of their own. One that another stressor has may be meant for another cell. */
static const struct metric_name *own_value(struct binder *b, const char *process, const char *name)
{
	const struct stressor_name *runs = stressor_of(b, process), *s;
	const struct metric_name *m = NULL;

	if (runs && runs->values)
		m = name_find(name, runs->values, sizeof(*runs->values));
	if (m) {
		b->own_value = true;
		return m;
	}
	for (s = b->known->stressors; !m && s->name; s++)
		if (s->values)
			m = name_find(name, s->values, sizeof(*s->values));
	if (m)
		snprintf(b->foreign, sizeof(b->foreign), "%s.%s", process, name);
	b->own_value = m;
	return m;
}

static bool group_metric_ok(struct binder *b, const char *text, enum metric_unit *ret_unit, char why[WHY_MAX])
{
	const char *paths[GROUP_PATHS_MAX + 1];
	const char *dot = strrchr(text, '.');
	char path[256];

	if (!dot || dot == text) {
		snprintf(why, WHY_MAX, "names no metric; allowed: cgroup.PATH.METRIC");
		return false;
	}
	snprintf(path, sizeof(path), "%.*s", (int)(dot - text < 255 ? dot - text : 255), text);
	if (group_exists(b, path))
		return metric_ok("a cgroup", dot + 1, b->known->cgroup_metrics, ret_unit, why);
	group_paths(b, paths);
	return name_unknown("cgroup", path, paths, why);
}

static bool process_metric_ok(struct binder *b, const char *text, enum metric_unit *ret_unit,
			      char why[WHY_MAX])
{
	const char *names[PROCESSES_MAX + 1];
	const char *dot = strchr(text, '.');
	const struct metric_name *m;
	char name[64], quoted[SHOWN_MAX], list[160];

	if (!dot) {
		name_list(list, sizeof(list), b->known->trial_metrics, sizeof(*m));
		snprintf(why, WHY_MAX,
			 "%s is no metric; allowed: PROCESS.METRIC, cgroup.PATH.METRIC, system.METRIC, %s",
			 shown(quoted, text), list);
		return false;
	}
	snprintf(name, sizeof(name), "%.*s", (int)(dot - text < 63 ? dot - text : 63), text);
	process_names(b, names);
	if (!name_find(name, names, sizeof(names[0])) && (strcmp(name, KILLER_NAME) != 0 || !killer_given(b)))
		return name_unknown("process", name, names, why);
	if (name_find(dot + 1, b->known->process_metrics, sizeof(*b->known->process_metrics)))
		m = NULL;
	else
		m = own_value(b, name, dot + 1);
	if (!m)
		return metric_ok("a process", dot + 1, b->known->process_metrics, ret_unit, why);
	*ret_unit = m->unit;
	return true;
}

bool metric_unit(struct binder *b, const char *text, enum metric_unit *ret_unit, char why[WHY_MAX])
{
	const struct metric_name *m = name_find(text, b->known->trial_metrics, sizeof(*m));

	if (m) {
		*ret_unit = m->unit;
		return true;
	}
	if (!strncmp(text, "system.", 7))
		return metric_ok("the system", text + 7, b->known->system_metrics, ret_unit, why);
	if (!strncmp(text, "cgroup.", 7))
		return group_metric_ok(b, text + 7, ret_unit, why);
	return process_metric_ok(b, text, ret_unit, why);
}

json_t *bound_amount(enum metric_unit unit, const char *text)
{
	uint64_t value;
	int64_t number;

	if ((unit == METRIC_COUNT || unit == METRIC_ANY) && int_parse(text, &number) == 0)
		return json_integer(number);
	if ((unit == METRIC_BYTES || unit == METRIC_ANY) && size_parse(text, &value) == 0)
		return json_integer((json_int_t)value);
	if ((unit == METRIC_NS || unit == METRIC_ANY) && duration_parse(text, &value) == 0)
		return json_integer((json_int_t)value);
	return NULL;
}

static bool unit_fits(enum metric_unit wanted, enum metric_unit has)
{
	return wanted == has || wanted == METRIC_ANY || has == METRIC_ANY;
}

/* One term of a bound, a metric or an amount, in place of whose text the spec has what is returned; NULL: why. */
static json_t *term(struct binder *b, const char *text, char why[WHY_MAX])
{
	json_t *value = bound_amount(b->unit, text);
	enum metric_unit unit = METRIC_ANY;
	char quoted[SHOWN_MAX];

	if (value)
		return value;
	if (!isalpha((unsigned char)text[0]) || (!strchr(text, '.') && strcmp(text, "kills") != 0)) {
		snprintf(why, WHY_MAX, "%s does not fit this metric; allowed: %s, or a metric",
			 shown(quoted, text), allowed[b->unit == METRIC_ANY ? METRIC_BYTES : b->unit]);
		return NULL;
	}
	if (!metric_unit(b, text, &unit, why))
		return NULL;
	if (unit_fits(b->unit, unit))
		return json_string(text);
	snprintf(why, WHY_MAX, "%s is %s; allowed: a metric that is %s, as the one it is held against",
		 shown(quoted, text), kinds[unit], kinds[b->unit]);
	return NULL;
}

/* "100", "0.5" as a number; NULL for anything else. */
static json_t *factor(const char *text)
{
	static const char digits[] = "0123456789";
	size_t whole = strspn(text, digits), part = 0;

	if (text[whole] == '.')
		part = 1 + strspn(text + whole + 1, digits);
	if (whole < 1 || whole > 9 || part == 1 || part > 10 || text[whole + part])
		return NULL;
	return part ? json_real(strtod(text, NULL)) : json_integer(strtol(text, NULL, 10));
}

/* "100 * lifo.wasted" as [100, "lifo.wasted"]; NULL: why. */
static json_t *product(struct binder *b, const char *number, const char *metric, char why[WHY_MAX])
{
	json_t *by = factor(number), *of = by && metric ? term(b, metric, why) : NULL;
	char quoted[SHOWN_MAX];

	if (json_is_string(of))
		return json_pack("[o, o]", by, of);
	if (!by || !metric || of)
		snprintf(why, WHY_MAX,
			 "%s stands where %s must; allowed: a number, ' * ' and a metric, e.g. 1.5 * %s",
			 shown(quoted, by && metric ? metric
				       : by         ? "*"
						    : number),
			 by ? "a metric" : "a factor", "system.mem_total");
	json_decref(by);
	json_decref(of);
	return NULL;
}

static size_t split(char *text, char *ret_words[WORDS_MAX])
{
	char *word, *rest = NULL;
	size_t n = 0;

	for (word = strtok_r(text, " ", &rest); word && n < WORDS_MAX; word = strtok_r(NULL, " ", &rest))
		ret_words[n++] = word;
	return word ? WORDS_MAX + 1 : n;
}

/* + or -; NULL: why. */
static json_t *sign(const char *word, char why[WHY_MAX])
{
	char quoted[SHOWN_MAX];

	if (!strcmp(word, "+") || !strcmp(word, "-"))
		return json_string(word);
	snprintf(why, WHY_MAX, "%s stands where + or - must; allowed: " TERM_ALLOWED, shown(quoted, word));
	return NULL;
}

/* The terms of "a - 2 * b + c" as ["a", "-", [2, "b"], "+", "c"]; NULL: why. */
static json_t *terms(struct binder *b, char *text, char why[WHY_MAX])
{
	char *words[WORDS_MAX], quoted[SHOWN_MAX];
	json_t *list = json_array(), *one = NULL;
	size_t n = split(text, words), i;
	bool after = false; /* a term, so that a sign must come */

	if (n > WORDS_MAX)
		snprintf(why, WHY_MAX, "has too many parts; allowed: %d, with the signs", WORDS_MAX);
	for (i = 0; n <= WORDS_MAX && i < n; i++, after = !after) {
		if (after) {
			one = sign(words[i], why);
		} else if (strchr("+-*", words[i][0]) && !words[i][1]) {
			one = NULL;
			snprintf(why, WHY_MAX, "%s stands where a metric must; allowed: " TERM_ALLOWED,
				 shown(quoted, words[i]));
		} else if (i + 1 < n && !strcmp(words[i + 1], "*")) {
			one = product(b, words[i], i + 2 < n ? words[i + 2] : NULL, why);
			i += 2;
		} else {
			one = term(b, words[i], why);
		}
		if (!one)
			break;
		json_array_append_new(list, one);
	}
	if (one && !after)
		snprintf(why, WHY_MAX, "ends with a sign; allowed: a metric or an amount after it");
	if (one && after)
		return list;
	json_decref(list);
	return NULL;
}

json_t *bound_value(struct binder *b, const char *text, char why[WHY_MAX])
{
	json_t *value = bound_amount(b->unit, text);
	AUTO_FREE char *copy = NULL;

	if (value)
		return value;
	if (b->unit == METRIC_WORD || b->unit == METRIC_OUTCOME) {
		snprintf(why, WHY_MAX, "this metric is a word; allowed: is");
		return NULL;
	}
	if (!strchr(text, ' ')) {
		value = term(b, text, why);
		return json_is_string(value) ? json_pack("[o]", value) : value;
	}
	copy = strdup(text);
	return copy ? terms(b, copy, why) : NULL;
}
