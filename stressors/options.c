// SPDX-License-Identifier: MIT
#include "stressors/runtime.h"

#include "lib/idlist.h"
#include "lib/jsonw.h"
#include "lib/units.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX       256
#define LIST_BYTES_MAX (512 << 10)
#define IDS_ALLOWED    (IDLIST_ALLOWED ", or all")
/* With what a percentage may stand for. */
#define SIZES_ALLOWED (SIZE_ALLOWED ", N% of the cgroup's limit, or N%ram")

const struct option_info common_options[] = {
	{ .name = "hold",
	  .kind = OPTION_DURATION,
	  .fallback = "0",
	  .forever = true,
	  .help = "keep the amount that long once it is reached" },
	{ .name = "time",
	  .kind = OPTION_DURATION,
	  .fallback = "0",
	  .help = "end after that long, whatever is reached by then; 0: no limit" },
	{ .name = "verify", .kind = OPTION_FLAG, .help = "read back what was written, and check every byte" },
	{ .name = NULL },
};

const struct option_info *option_at(const struct stressor *self, size_t i)
{
	size_t own = 0;

	while (self->options && self->options[own].name)
		own++;
	if (i < own)
		return &self->options[i];
	i -= own;
	return i < sizeof(common_options) / sizeof(common_options[0]) - 1 ? &common_options[i] : NULL;
}

static uint64_t upper(const struct option_info *o)
{
	if (o->max)
		return o->max;
	if (o->kind != OPTION_SIZE)
		return INT64_MAX;
	return (o->total ? TOTAL_LIMIT : SIZE_LIMIT) - 1;
}

/* A bound as people write it. */
static const char *bound(const struct option_info *o, uint64_t value, char buf[UNITS_TEXT_MAX])
{
	if (o->kind == OPTION_SIZE && value == TOTAL_LIMIT - 1)
		return "just under 128T";
	if (o->kind == OPTION_SIZE && value == SIZE_LIMIT - 1)
		return "just under 4G";
	if (o->kind == OPTION_SIZE || o->kind == OPTION_SIZES)
		return size_format(buf, value);
	if (o->kind == OPTION_DURATION)
		return value == 0 ? "0" : duration_format(buf, value);
	snprintf(buf, UNITS_TEXT_MAX, "%llu", (unsigned long long)value);
	return buf;
}

/* What may stand after the option. */
static const char *allowed(const struct option_info *o, char ret[TEXT_MAX])
{
	static const char *const forms[] = {
		[OPTION_SIZE] = SIZES_ALLOWED,
		[OPTION_SIZES] = "sizes with commas between, e.g. 24B,100B,4K",
		[OPTION_IDS] = IDS_ALLOWED,
		[OPTION_DURATION] = DURATION_ALLOWED,
		[OPTION_COUNT] = "a whole number",
		[OPTION_FLAG] = "no value",
		[OPTION_CHOICE] = "",
	};
	char low[UNITS_TEXT_MAX], high[UNITS_TEXT_MAX];
	size_t len, i;

	len = (size_t)snprintf(ret, TEXT_MAX, "%s", forms[o->kind]);
	if (o->forever)
		len += (size_t)snprintf(ret + len, TEXT_MAX - len, ", or forever");
	for (i = 0; o->kind == OPTION_CHOICE && o->choices[i] && len < TEXT_MAX; i++)
		len += (size_t)snprintf(ret + len, TEXT_MAX - len, "%s%s", i ? ", " : "", o->choices[i]);
	if (len < TEXT_MAX && (o->kind == OPTION_SIZE || o->max || (o->kind != OPTION_FLAG && o->min)))
		snprintf(ret + len, TEXT_MAX - len, "; %s to %s", bound(o, o->min, low),
			 bound(o, upper(o), high));
	return ret;
}

static int choice_parse(const struct option_info *o, const char *text, uint64_t *ret)
{
	uint64_t i;

	for (i = 0; o->choices[i]; i++) {
		if (strcmp(o->choices[i], text) == 0) {
			*ret = i;
			return 0;
		}
	}
	return -EINVAL;
}

static int count_parse(const char *text, uint64_t *ret)
{
	int64_t value;
	int r;

	r = int_parse(text, &value);
	if (r < 0)
		return r;
	if (value < 0)
		return -ERANGE;
	*ret = (uint64_t)value;
	return 0;
}

/* "120%" and "50%ram" in bytes, in whole pages; -ENODATA: no cgroup has a limit. */
static int relative_parse(struct stress *s, const char *text, uint64_t *ret)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), whole;
	size_t len = strlen(text);
	char number[32];
	double percent;
	bool of_ram;
	int r = 0;

	of_ram = len > 3 && strcmp(text + len - 3, "ram") == 0;
	snprintf(number, sizeof(number), "%.*s", (int)(of_ram ? len - 3 : len), text);
	if (percent_parse(number, &percent) < 0)
		return -EINVAL;
	s->relative = true;
	whole = (uint64_t)sysconf(_SC_PHYS_PAGES) * page;
	if (!s->checking && !of_ram)
		r = limit_of_cgroup("", &whole);
	if (percent <= 0 || percent > (double)TOTAL_LIMIT * 100 / (double)whole)
		return -ERANGE;
	percent *= (double)whole / 100;
	*ret = (uint64_t)percent / page * page;
	return r;
}

/* "24B,100B,4K", each within the bounds; how many, -EINVAL or -ERANGE. */
static int sizes_parse(const struct option_info *o, const char *text, uint64_t ret[SIZES_MAX])
{
	char one[32];
	int count = 0, r;

	for (;; text++) {
		size_t len = strcspn(text, ",");

		if (count == SIZES_MAX || len >= sizeof(one))
			return -ERANGE;
		snprintf(one, sizeof(one), "%.*s", (int)len, text);
		r = size_parse(one, &ret[count]);
		if (r == 0 && (ret[count] < o->min || ret[count] > upper(o)))
			r = -ERANGE;
		if (r < 0)
			return r;
		count++;
		text += len;
		if (!*text)
			return count;
	}
}

/* -EINVAL: not of that kind; -ERANGE: out of bounds; -ENODATA: relative to nothing. */
static int value_parse(struct stress *s, const struct option_info *o, const char *text, uint64_t *ret)
{
	uint64_t value = 0, list[SIZES_MAX];
	struct idlist ids;
	int r = -EINVAL;

	if (o->forever && strcmp(text, "forever") == 0) {
		*ret = FOREVER;
		return 0;
	}
	switch (o->kind) {
	case OPTION_SIZE:
		r = strchr(text, '%') ? relative_parse(s, text, &value) : size_parse(text, &value);
		if (s->checking && strchr(text, '%'))
			return r;
		break;
	case OPTION_SIZES:
		/* What is kept is the text, which stays as long as the arguments do. */
		r = sizes_parse(o, text, list);
		*ret = (uint64_t)(uintptr_t)text;
		return r < 0 ? r : 0;
	case OPTION_IDS:
		*ret = (uint64_t)(uintptr_t)text;
		return strcmp(text, "all") ? idlist_parse(text, &ids) : 0;
	case OPTION_DURATION:
		r = duration_parse(text, &value);
		break;
	case OPTION_COUNT:
		r = count_parse(text, &value);
		break;
	case OPTION_CHOICE:
		r = choice_parse(o, text, ret);
		return r;
	case OPTION_FLAG:
		break;
	}
	if (r == 0 && (value < o->min || value > upper(o)))
		r = -ERANGE;
	if (r == 0)
		*ret = value;
	return r;
}

static int unknown_option(const struct stressor *self, const char *arg, struct err *e)
{
	const struct option_info *o;
	char names[TEXT_MAX] = "";
	size_t len = 0, i;

	for (i = 0; (o = option_at(self, i)) && len < sizeof(names); i++)
		len += (size_t)snprintf(names + len, sizeof(names) - len, "%s--%s", i ? ", " : "", o->name);
	return err_set(e, EINVAL, "%s: unknown option; allowed: %s", arg, names);
}

/* "--name" or "--name=value" by its name; NULL. */
static const struct option_info *find_option(const struct stressor *self, const char *arg, size_t *ret_index)
{
	size_t len = strcspn(arg, "="), i;
	const struct option_info *o;

	if (strncmp(arg, "--", 2) != 0)
		return NULL;
	for (i = 0; (o = option_at(self, i)); i++) {
		if (strlen(o->name) != len - 2 || strncmp(o->name, arg + 2, len - 2) != 0)
			continue;
		*ret_index = i;
		return o;
	}
	return NULL;
}

static const char *complaint(int r)
{
	return r == -ERANGE ? "out of range" : "not understood";
}

/* Takes one option from args; *ret_used says how many of them. */
static int option_parse(struct stress *s, char **args, size_t *ret_used, struct err *e)
{
	const char *arg = args[0], *value = strchr(arg, '=');
	const struct option_info *o;
	char text[TEXT_MAX];
	size_t i;
	int r;

	*ret_used = 1;
	value = value ? value + 1 : NULL;
	o = find_option(s->self, arg, &i);
	if (!o)
		return unknown_option(s->self, arg, e);
	if (o->kind == OPTION_FLAG) {
		s->values[i] = 1;
		return value ? err_set(e, EINVAL, "--%s: \"%s\": it takes no value", o->name, value) : 0;
	}
	if (!value) {
		value = args[1];
		*ret_used = 2;
	}
	if (!value)
		return err_set(e, EINVAL, "--%s: the value is missing; allowed: %s", o->name,
			       allowed(o, text));
	r = value_parse(s, o, value, &s->values[i]);
	if (r == -ENODATA)
		return err_set(e, EINVAL,
			       "--%s: \"%s\": no cgroup of this process has a memory limit to relate to; "
			       "allowed: a size, or N%%ram",
			       o->name, value);
	if (r < 0)
		return err_set(e, EINVAL, "--%s: \"%s\" is %s; allowed: %s", o->name, value, complaint(r),
			       allowed(o, text));
	return 0;
}

static int defaults(struct stress *s, struct err *e)
{
	const struct option_info *o;
	size_t i;
	int r;

	for (i = 0; (o = option_at(s->self, i)); i++) {
		if (i >= OPTIONS_MAX)
			return err_set(e, E2BIG, "more than %d options in the table", OPTIONS_MAX);
		/* A default may lie outside the bounds: it then stands for "not given". */
		r = o->fallback ? value_parse(s, o, o->fallback, &s->values[i]) : 0;
		if (r == -EINVAL)
			return err_set(e, EINVAL, "--%s: bad default \"%s\"", o->name, o->fallback);
	}
	return 0;
}

size_t option_sizes(const struct stress *s, const char *name, uint64_t ret_bytes[SIZES_MAX])
{
	const struct option_info *o;
	size_t i;
	int n;

	for (i = 0; (o = option_at(s->self, i)) && strcmp(o->name, name) != 0; i++)
		;
	n = o ? sizes_parse(o, (const char *)(uintptr_t)s->values[i], ret_bytes) : 0;
	return n > 0 ? (size_t)n : 0;
}

bool option_ids(const struct stress *s, const char *name, struct idlist *ret)
{
	return idlist_parse((const char *)(uintptr_t)option(s, name), ret) == 0;
}

int options_parse(struct stress *s, char **args, struct err *e)
{
	size_t used;
	int r;

	r = defaults(s, e);
	for (; r == 0 && *args; args += used)
		r = option_parse(s, args, &used, e);
	/* What a percentage comes to is known where the stressor will run, and so is what it goes with. */
	if (r < 0 || (s->checking && s->relative))
		return r;
	return s->self->check ? s->self->check(s, e) : 0;
}

static void option_help(const struct option_info *o)
{
	static const char *const words[] = { "=SIZE",  "=SIZE,...", "=IDS",   "=DURATION",
					     "=COUNT", "",          "=CHOICE" };
	char text[TEXT_MAX], low[UNITS_TEXT_MAX], high[UNITS_TEXT_MAX];

	printf("  --%s%-*s %s", o->name, 16 - (int)strlen(o->name), words[o->kind], o->help);
	if (o->kind == OPTION_SIZE && (o->max || o->min > 1))
		printf("; %s to %s", bound(o, o->min, low), bound(o, upper(o), high));
	else if (o->kind == OPTION_CHOICE || o->kind == OPTION_IDS || o->max || o->min > 1)
		printf("; allowed: %s", allowed(o, text));
	if (o->forever)
		printf(", or forever");
	printf(o->fallback ? " (default %s)\n" : "\n", o->fallback);
}

void options_help(const struct stressor *self)
{
	const struct option_info *o;
	const struct value_info *v;
	size_t i;

	printf("oomlab-stress %s [--option=value...]: %s\n", self->name, self->about);
	for (i = 0; self->needs && self->needs[i]; i++)
		printf("%s%s%s", i ? ", " : "needs: ", self->needs[i], self->needs[i + 1] ? "" : "\n");
	for (i = 0; (o = option_at(self, i)); i++)
		option_help(o);
	printf("  --%-17sonly looks at the arguments: exit status 0 or 2\n", "check ");
	printf("SIZE is %s.\nDURATION is %s.\n", SIZES_ALLOWED, DURATION_ALLOWED);
	for (v = self->values; v && v->name; v++)
		printf("%s  %-18s %s (%s)\n", v == self->values ? "It measures:\n" : "", v->name, v->about,
		       v->unit);
}

static void option_json(struct jsonw *w, const struct option_info *o)
{
	static const char *const kinds[] = { "size", "sizes", "ids", "duration", "count", "flag", "choice" };
	static const char *const units[] = { "bytes", "bytes", NULL, "ns", NULL, NULL, NULL };
	struct stress none = { .checking = true };
	uint64_t value = 0;
	size_t i;

	jsonw_object(w, NULL);
	jsonw_str(w, "name", o->name);
	jsonw_str(w, "kind", kinds[o->kind]);
	jsonw_str(w, "unit", units[o->kind]);
	jsonw_str(w, "default", o->fallback);
	if (o->kind != OPTION_FLAG && o->kind != OPTION_CHOICE && o->kind != OPTION_IDS) {
		if (o->fallback && o->kind != OPTION_SIZES && value_parse(&none, o, o->fallback, &value) == 0)
			jsonw_uint(w, "default_value", value);
		jsonw_uint(w, "min", o->min);
		jsonw_uint(w, "max", upper(o));
	}
	if (o->kind == OPTION_CHOICE) {
		jsonw_array(w, "choices");
		for (i = 0; o->choices[i]; i++)
			jsonw_str(w, NULL, o->choices[i]);
		jsonw_close(w);
	}
	if (o->kind == OPTION_DURATION)
		jsonw_bool(w, "forever", o->forever);
	jsonw_str(w, "help", o->help);
	jsonw_close(w);
}

static void stressor_json(struct jsonw *w, const struct stressor *self)
{
	const struct option_info *o;
	const struct value_info *v;
	size_t i;

	jsonw_object(w, NULL);
	jsonw_str(w, "name", self->name);
	jsonw_str(w, "about", self->about);
	jsonw_array(w, "needs");
	for (i = 0; self->needs && self->needs[i]; i++)
		jsonw_str(w, NULL, self->needs[i]);
	jsonw_close(w);
	jsonw_array(w, "options");
	for (i = 0; (o = option_at(self, i)); i++)
		option_json(w, o);
	jsonw_close(w);
	jsonw_array(w, "values");
	for (v = self->values; v && v->name; v++) {
		jsonw_object(w, NULL);
		jsonw_str(w, "name", v->name);
		jsonw_str(w, "unit", v->unit);
		jsonw_str(w, "about", v->about);
		jsonw_close(w);
	}
	jsonw_close(w);
	jsonw_close(w);
}

int list_json(const struct stressor *const *all)
{
	static char text[LIST_BYTES_MAX];
	struct jsonw w;

	jsonw_begin(&w, text, sizeof(text));
	jsonw_array(&w, "stressors");
	for (; *all; all++)
		stressor_json(&w, *all);
	jsonw_end(&w);
	if (w.cut)
		return -EMSGSIZE;
	puts(text);
	return 0;
}
