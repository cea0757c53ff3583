// SPDX-License-Identifier: MIT
#include "harness/scenario/matrix.h"

#include "harness/scenario/groups.h"
#include "harness/scenario/kinds.h"
#include "harness/scenario/path.h"
#include "lib/files.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void axis_free(struct axis *a)
{
	size_t i;

	for (i = 0; a->texts && i < a->count; i++)
		free(a->texts[i]);
	free(a->texts);
	free(a->path);
	free(a->label);
	memset(a, 0, sizeof(*a));
}

void matrix_free(struct matrix *m)
{
	size_t i;

	for (i = 0; i < m->axis_count; i++)
		axis_free(&m->axes[i]);
	memset(m, 0, sizeof(*m));
}

/* About an axis: at its key in the file, or naming the option it comes from. */
static int axis_complain(struct binder *b, const struct axis *a, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int axis_complain(struct binder *b, const struct axis *a, const char *fmt, ...)
{
	char text[WHY_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	b->failed = true;
	if (a->source)
		complain(b->c, a->source, "%s", text);
	else
		complain_node(b->c, a->key, NULL, "matrix: %s", text);
	return -EINVAL;
}

/* What is the scenario's own, not a cell's. */
static bool may_vary(const char *path)
{
	static const char *const fixed[] = { "scenario", "about", "source", "place", "matrix", "expect" };
	size_t len = strcspn(path, "."), i;

	for (i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		if (strlen(fixed[i]) == len && !strncmp(fixed[i], path, len))
			return false;
	return true;
}

static int read_values(struct binder *b, struct axis *a)
{
	struct fy_node *value;
	void *at = NULL;
	size_t i = 0;

	if (!a->values || !fy_node_is_sequence(a->values))
		return axis_complain(b, a, "%s: is %s; allowed: a list of values", a->path,
				     node_kind(a->values));
	a->count = (size_t)fy_node_sequence_item_count(a->values);
	if (a->count == 0)
		return axis_complain(b, a, "%s: an empty list; allowed: at least one value", a->path);
	if (a->count > MATRIX_CELLS_MAX)
		return axis_complain(b, a, "%s: %zu values; allowed: at most %d", a->path, a->count,
				     MATRIX_CELLS_MAX);
	a->texts = calloc(a->count, sizeof(*a->texts));
	if (!a->texts)
		return axis_complain(b, a, "out of memory");
	while (i < a->count && (value = fy_node_sequence_iterate(a->values, &at))) {
		a->texts[i] = node_line(value);
		if (!a->texts[i++])
			return axis_complain(b, a, "out of memory");
	}
	return 0;
}

int matrix_set(struct binder *b, struct matrix *m, const char *path, struct fy_node *values,
	       struct fy_node *key, const char *source)
{
	struct axis a = { .values = values, .key = key, .source = source };
	size_t i;
	int r;

	a.path = strdup(path);
	if (!a.path)
		return axis_complain(b, &a, "out of memory");
	r = may_vary(path) ? read_values(b, &a)
			   : axis_complain(b, &a,
					   "%s: cannot vary; allowed: machine, sysctl, cgroups, processes, "
					   "faults, stop, record",
					   path);
	for (i = 0; r == 0 && i < m->axis_count; i++)
		if (!strcmp(m->axes[i].path, path))
			break;
	if (r == 0 && i == MATRIX_AXES_MAX)
		r = axis_complain(b, &a, "%s: one axis too many; allowed: at most %d", path, MATRIX_AXES_MAX);
	if (r < 0) {
		axis_free(&a);
		return r;
	}
	if (i < m->axis_count)
		axis_free(&m->axes[i]);
	else
		m->axis_count++;
	m->axes[i] = a;
	return 0;
}

void matrix_drop(struct matrix *m, const char *path)
{
	size_t i;

	for (i = 0; i < m->axis_count; i++) {
		if (strcmp(m->axes[i].path, path) != 0)
			continue;
		axis_free(&m->axes[i]);
		m->axis_count--;
		memmove(&m->axes[i], &m->axes[i + 1], (m->axis_count - i) * sizeof(m->axes[0]));
		return;
	}
}

int matrix_read(struct binder *b, struct matrix *m)
{
	struct fy_node *node = map_get(b->root, "matrix");
	struct fy_node_pair *pair;
	void *at = NULL;
	int r = 0;

	memset(m, 0, sizeof(*m));
	if (!node || !fy_node_is_mapping(node)) /* bind_matrix() complains */
		return 0;
	while ((pair = fy_node_mapping_iterate(node, &at))) {
		const char *path = node_text(fy_node_pair_key(pair));

		if (path &&
		    matrix_set(b, m, path, fy_node_pair_value(pair), fy_node_pair_key(pair), NULL) < 0)
			r = -EINVAL;
	}
	return r;
}

/* "processes.hog.run.0" -> "hog.stressor", length of the process' name; else 0. */
static size_t stressor_of(const char *path, const char **ret_process)
{
	const char *end;

	if (strncmp(path, "processes.", 10) != 0)
		return 0;
	*ret_process = path + 10;
	end = strchr(path + 10, '.');
	return end && !strcmp(end, ".run.0") ? (size_t)(end - path - 10) : 0;
}

/* The last part of a path that means something to a reader. */
static char *short_label(struct binder *b, const char *path)
{
	const char *process;
	size_t len;

	if (stressor_of(path, &process))
		return strdup("stressor");
	if (!strncmp(path, "sysctl.", 7) && strrchr(path, '.')[1])
		return strdup(strrchr(path, '.') + 1);
	if (!strncmp(path, "machine.", 8))
		return strdup(path + 8);
	len = strncmp(path, "cgroups.", 8) ? 0 : group_prefix(b, path + 8);
	if (len > 0)
		return strdup(path + 8 + len + 1);
	if (!strncmp(path, "processes.", 10) && strchr(path + 10, '.'))
		return strdup(strchr(path + 10, '.') + 1);
	return strdup(path);
}

/* Where two axes would be called the same: "hog.stressor", or the whole path. */
static char *long_label(const char *path)
{
	const char *process;
	size_t len = stressor_of(path, &process);
	char *label = NULL;

	if (!len)
		return strdup(path);
	return asprintf(&label, "%.*s.stressor", (int)len, process) < 0 ? NULL : label;
}

static int label_axes(struct binder *b, struct matrix *m)
{
	bool same[MATRIX_AXES_MAX] = { false };
	size_t i, j;

	for (i = 0; i < m->axis_count; i++) {
		free(m->axes[i].label);
		m->axes[i].label = short_label(b, m->axes[i].path);
		if (!m->axes[i].label)
			return -ENOMEM;
	}
	for (i = 0; i < m->axis_count; i++)
		for (j = 0; j < m->axis_count; j++)
			same[i] |= i != j && !strcmp(m->axes[i].label, m->axes[j].label);
	for (i = 0; i < m->axis_count; i++) {
		if (!same[i])
			continue;
		free(m->axes[i].label);
		m->axes[i].label = long_label(m->axes[i].path);
		if (!m->axes[i].label)
			return -ENOMEM;
	}
	return 0;
}

int matrix_finish(struct binder *b, struct matrix *m)
{
	size_t i;

	m->cells = 1;
	for (i = 0; i < m->axis_count; i++) {
		m->cells *= m->axes[i].count;
		if (m->cells > MATRIX_CELLS_MAX)
			return axis_complain(b, &m->axes[i], "%s: makes more than %d cells; take values away",
					     m->axes[i].path, MATRIX_CELLS_MAX);
	}
	if (label_axes(b, m) < 0)
		return axis_complain(b, &m->axes[0], "out of memory");
	return 0;
}

size_t matrix_value(const struct matrix *m, size_t cell, size_t axis)
{
	size_t i;

	for (i = m->axis_count; i-- > axis + 1;)
		cell /= m->axes[i].count;
	return cell % m->axes[axis].count;
}

int matrix_lay(struct binder *b, const struct matrix *m, struct fy_document *doc, size_t cell)
{
	char why[WHY_MAX];
	int r = 0;
	size_t i;

	for (i = 0; i < m->axis_count; i++) {
		const struct axis *a = &m->axes[i];
		int at = (int)matrix_value(m, cell, i);

		if (path_lay(b, doc, a->path, fy_node_sequence_get_by_index(a->values, at), why) < 0)
			r = axis_complain(b, a, "%s", why);
	}
	b->root = fy_document_root(doc);
	return r;
}

void matrix_cell_id(const struct matrix *m, size_t cell, json_t *taken, char ret_id[CELL_ID_MAX + 1])
{
	AUTO_FREE char *id = NULL;
	size_t len = 0, i, cut;
	FILE *to = open_memstream(&id, &len);
	char *p;

	for (i = 0; to && i < m->axis_count; i++)
		fprintf(to, "%s%s=%s", i ? "," : "", m->axes[i].label,
			m->axes[i].texts[matrix_value(m, cell, i)]);
	if (to)
		fclose(to);
	for (p = id; p && *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("._=,-", *p))
			*p = '_';
	snprintf(ret_id, CELL_ID_MAX + 1, "%s", m->axis_count && id ? id : "all");
	/* The cell's number tells apart what cutting or replacing has made the same. */
	if (len > CELL_ID_MAX || json_object_get(taken, ret_id)) {
		cut = strlen(ret_id) < CELL_ID_MAX - 6 ? strlen(ret_id) : CELL_ID_MAX - 6;
		do
			snprintf(ret_id + cut, CELL_ID_MAX + 1 - cut, "-%zu", cell++);
		while (json_object_get(taken, ret_id));
	}
	json_object_set_new(taken, ret_id, json_true());
}

json_t *matrix_cell_axes(const struct matrix *m, size_t cell)
{
	json_t *axes = json_object();
	size_t i;

	for (i = 0; i < m->axis_count; i++)
		json_object_set_new(axes, m->axes[i].label,
				    json_string(m->axes[i].texts[matrix_value(m, cell, i)]));
	return axes;
}

/* The shape alone; matrix_read() takes the axes. */
static json_t *bind_matrix(struct binder *b, const struct key *key, struct fy_node *node)
{
	struct fy_node_pair *pair;
	void *at = NULL;

	if (!node || !bind_shape_ok(b, key, node) || !bind_count_ok(b, key, node))
		return json_null();
	while ((pair = fy_node_mapping_iterate(node, &at)))
		if (!node_text(fy_node_pair_key(pair)))
			bind_complain(b, fy_node_pair_key(pair), "a path must be plain text");
	return json_null();
}

static json_t *bind_axis(struct binder *b, const struct key *key, struct fy_node *node)
{
	(void)b, (void)key, (void)node;
	return json_null();
}

const struct kind kind_matrix = {
	.name = "matrix", .shape = SHAPE_NAMED, .allowed = "a mapping of paths and lists", .bind = bind_matrix
};
const struct kind kind_axis = {
	.name = "axis", .shape = SHAPE_LIST, .allowed = "a list of values", .bind = bind_axis
};
