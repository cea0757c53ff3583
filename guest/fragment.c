// SPDX-License-Identifier: MIT
#include "guest/fragment.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX (256u << 10)
#define OPTIONS_MAX    2048
#define FILES_MAX      16
#define PREFIX         "CONFIG_"
#define NEEDS          "# needs:"
#define NOT_SET        " is not set"
#define OPTIONAL       "optional"

struct option {
	char *name, *value; /* "CONFIG_SWAP", "y" */
	bool optional;
};

struct options {
	struct option items[OPTIONS_MAX];
	size_t count;
	char *read[FILES_MAX]; /* files that are in it, or being read */
	size_t read_count;
};

static void options_free(struct options *o)
{
	size_t i;

	for (i = 0; o && i < o->count; i++) {
		free(o->items[i].name);
		free(o->items[i].value);
	}
	for (i = 0; o && i < o->read_count; i++)
		free(o->read[i]);
	free(o);
}

/* The later one counts, and stands where it is said. */
static int add(struct options *o, const char *name, const char *value, bool optional)
{
	struct option one = { strdup(name), strdup(value), optional };
	size_t i;

	for (i = 0; i < o->count && strcmp(o->items[i].name, name) != 0; i++)
		;
	if (i < o->count) {
		free(o->items[i].name);
		free(o->items[i].value);
		memmove(o->items + i, o->items + i + 1, (--o->count - i) * sizeof(one));
	}
	if (!one.name || !one.value || o->count == OPTIONS_MAX) {
		free(one.name);
		free(one.value);
		return o->count == OPTIONS_MAX ? -E2BIG : -ENOMEM;
	}
	o->items[o->count++] = one;
	return 0;
}

/* y, n, a number, "text". */
static bool is_value(const char *value)
{
	size_t len = strlen(value);
	char *end;

	if (strcmp(value, "y") == 0 || strcmp(value, "n") == 0)
		return true;
	if (value[0] == '"')
		return len >= 2 && strchr(value + 1, '"') == value + len - 1;
	strtoull(value, &end, 0);
	return len && *end == 0;
}

static void trim_end(char *text)
{
	size_t len = strlen(text);

	while (len && isspace((unsigned char)text[len - 1]))
		text[--len] = 0;
}

/* Cuts " # optional" off the value; another remark stays, and is no value then. */
static bool cut_optional(char *value)
{
	char *mark = strrchr(value, '#');

	if (!mark || strcmp(mark + 1 + strspn(mark + 1, " "), OPTIONAL) != 0)
		return false;
	*mark = 0;
	trim_end(value);
	return true;
}

/* A line with an option; what is wrong with it, or NULL. */
static const char *parse_option(struct options *o, char *line)
{
	bool unset = line[0] == '#', optional = cut_optional(line + (unset ? 1 : 0));
	char *name = line + (unset ? 2 : 0), *end = name + strlen(PREFIX);
	int r;

	if (strncmp(name, PREFIX, strlen(PREFIX)) != 0)
		return "not an option; allowed: CONFIG_NAME=VALUE, # CONFIG_NAME is not set, comments";
	while (isalnum((unsigned char)*end) || *end == '_')
		end++;
	if (end == name + strlen(PREFIX) || (unset ? strcmp(end, NOT_SET) != 0 : *end != '='))
		return "not an option; allowed: CONFIG_NAME=VALUE, # CONFIG_NAME is not set";
	*end++ = 0;
	if (!unset && strcmp(end, "m") == 0)
		return "m: a kernel built here has no modules; allowed: y, n";
	if (!unset && !is_value(end))
		return "not a value; allowed: y, n, a number, \"text\", and # optional behind it";
	r = add(o, name, unset ? "n" : end, optional);
	return r == -E2BIG ? "more options than there is room for" : r < 0 ? "out of memory" : NULL;
}

static int add_file(struct options *o, const char *path, const char *dir, struct err *e);

/* "tiny-fast other": names of files in dir. */
static int add_needed(struct options *o, char *names, const char *dir, struct err *e)
{
	char path[PATH_LEN_MAX];
	char *name;
	int r;

	while ((name = strsep(&names, " \t,"))) {
		if (name[0] == 0)
			continue;
		if (strchr(name, '/'))
			return err_set(e, EINVAL, "needs %s: a name of ours, not a path", name);
		r = path_format(path, "%s/%s" FRAGMENT_SUFFIX, dir, name);
		if (r < 0)
			return err_errno(e, -r, "needs %s", name);
		r = add_file(o, path, dir, e);
		if (r < 0)
			return err_prefix(e, "needs %s", name);
	}
	return 0;
}

static int add_lines(struct options *o, char *text, const char *path, const char *dir, struct err *e)
{
	unsigned int n = 0;
	char *line;
	int r;

	while ((line = strsep(&text, "\n"))) {
		const char *wrong;

		n++;
		line += strspn(line, " \t");
		trim_end(line);
		if (strncmp(line, NEEDS, strlen(NEEDS)) == 0) {
			r = add_needed(o, line + strlen(NEEDS), dir, e);
			if (r < 0)
				return err_prefix(e, "%s:%u", path, n);
			continue;
		}
		if (line[0] == 0 || (line[0] == '#' && strncmp(line, "# " PREFIX, 2 + strlen(PREFIX)) != 0))
			continue;
		wrong = parse_option(o, line);
		if (wrong)
			return err_set(e, EINVAL, "%s:%u: %s: %s", path, n, line, wrong);
	}
	return 0;
}

/* A file that is in already, or that needs itself, adds nothing. */
static int add_file(struct options *o, const char *path, const char *dir, struct err *e)
{
	AUTO_FREE char *text = NULL;
	size_t i;
	int r;

	for (i = 0; i < o->read_count; i++)
		if (strcmp(o->read[i], path) == 0)
			return 0;
	if (o->read_count == FILES_MAX)
		return err_set(e, E2BIG, "%s: more than %d files needed", path, FILES_MAX);
	r = file_read(path, FILE_BYTES_MAX, &text, NULL, e);
	if (r < 0)
		return r;
	o->read[o->read_count] = strdup(path);
	if (!o->read[o->read_count])
		return err_errno(e, ENOMEM, "%s", path);
	o->read_count++;
	return add_lines(o, text, path, dir, e);
}

static int print_options(const struct options *o, char **ret_text, struct err *e)
{
	size_t len, i;
	FILE *to = open_memstream(ret_text, &len);

	if (!to)
		return err_errno(e, errno, "open_memstream");
	for (i = 0; i < o->count; i++)
		fprintf(to, "%s=%s%s\n", o->items[i].name, o->items[i].value,
			o->items[i].optional ? " # " OPTIONAL : "");
	if (fclose(to) == 0)
		return 0;
	free(*ret_text);
	*ret_text = NULL;
	return err_errno(e, ENOMEM, "the fragment's text");
}

int fragment_read(const char *path, const char *dir, char **ret_text, struct err *e)
{
	struct options *o = calloc(1, sizeof(*o));
	int r;

	if (!o)
		return err_errno(e, ENOMEM, "%s", path);
	r = add_file(o, path, dir, e);
	if (r == 0 && o->count == 0)
		r = err_set(e, EINVAL, "%s: no option in it", path);
	if (r == 0)
		r = print_options(o, ret_text, e);
	options_free(o);
	return r;
}

void fragment_about(const char *path, char *ret, size_t room)
{
	AUTO_FREE char *text = NULL;

	ret[0] = 0;
	if (file_read(path, FILE_BYTES_MAX, &text, NULL, NULL) == 0 && strncmp(text, "# ", 2) == 0 &&
	    strncmp(text, NEEDS, strlen(NEEDS)) != 0)
		snprintf(ret, room, "%.*s", (int)strcspn(text + 2, "\n"), text + 2);
}
