// SPDX-License-Identifier: MIT
#include "harness/scenario/programs.h"

#include "harness/scenario/kinds.h"
#include "lib/json.h"
#include "lib/paths.h"
#include "lib/sharedpage.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A path of the scenario's, as an absolute one without links but maybe for its last part; -errno. */
static int absolute(const struct binder *b, const char *path, char ret[PATH_LEN_MAX])
{
	const char *slash = strrchr(b->source, '/');
	char whole[PATH_LEN_MAX];
	AUTO_FREE char *dir = NULL;
	char *name;
	int r;

	if (path[0] == '/')
		r = path_format(whole, "%s", path);
	else if (slash)
		r = path_format(whole, "%.*s/%s", (int)(slash - b->source), b->source, path);
	else
		r = path_format(whole, "./%s", path);
	if (r < 0)
		return r;
	/* "x/" is the folder x; ".." has no name of its own in the folder above it. */
	while (strlen(whole) > 1 && whole[strlen(whole) - 1] == '/')
		whole[strlen(whole) - 1] = 0;
	name = strrchr(whole, '/') + 1;
	if (!*name || !strcmp(name, ".") || !strcmp(name, "..")) {
		dir = realpath(whole, NULL);
		return dir ? path_format(ret, "%s", dir) : -errno;
	}
	name[-1] = 0;
	dir = realpath(whole[0] ? whole : "/", NULL);
	return dir ? path_format(ret, "%s/%s", strcmp(dir, "/") != 0 ? dir : "", name) : -errno;
}

static json_t *scalar_path(struct binder *b, const struct key *key, const char *text, char why[WHY_MAX])
{
	char path[PATH_LEN_MAX], quoted[SHOWN_MAX];
	int r = text[0] ? absolute(b, text, path) : -ENOENT;

	(void)key;
	if (r == 0 && access(path, R_OK) < 0)
		r = -errno;
	if (r == 0)
		return json_string(path);
	snprintf(why, WHY_MAX, "%s: %s; allowed: a file or folder that can be read, relative to this file's",
		 shown(quoted, text), strerror(-r));
	return NULL;
}

static json_t *bind_exec(struct binder *b, const struct key *key, struct fy_node *node)
{
	const char *text = node_text(node);
	char quoted[SHOWN_MAX];

	if (!text || !*text)
		return bind_list(b, key, node);
	bind_complain(b, node, "%s is one text; allowed: %s", shown(quoted, text), key->kind->allowed);
	return NULL;
}

static json_t *scalar_as_it_is(struct binder *b, const struct key *key, const char *text, char why[WHY_MAX])
{
	return kind_word.scalar(b, key, text, why);
}

static bool env_name_ok(struct binder *b, const char *name, char why[WHY_MAX])
{
	char quoted[SHOWN_MAX];
	const char *p;

	(void)b;
	for (p = name; isalnum((unsigned char)*p) || *p == '_'; p++)
		;
	if (p > name && !*p)
		return true;
	snprintf(why, WHY_MAX, "%s is no name of a variable; allowed: letters, digits, '_'",
		 shown(quoted, name));
	return false;
}

static json_t *bind_stdin(struct binder *b, const struct key *key, struct fy_node *node)
{
	json_t *text;

	if (fy_node_is_mapping(node))
		return bind_fixed(b, key, node);
	if (node_is_blank(node)) {
		bind_complain(b, node, "has no value; allowed: %s", key->kind->allowed);
		return NULL;
	}
	text = bind_scalar(b, key, node);
	return text ? json_pack("{s:o}", "text", text) : NULL;
}

/* Where the program is; false and why there is none. */
static bool find(const struct binder *b, const char *word, const char *path_list, char ret[PATH_LEN_MAX],
		 char why[WHY_MAX])
{
	char quoted[SHOWN_MAX];
	int r;

	if (!strchr(word, '/')) {
		if (word[0] && paths_search(path_list, word, ret) == 0)
			return true;
		snprintf(why, WHY_MAX, "there is no program %s in %.200s; allowed: one of there, or a path",
			 shown(quoted, word), path_list);
		return false;
	}
	r = absolute(b, word, ret);
	if (r == 0 && access(ret, X_OK) < 0)
		r = -errno;
	if (r == 0 && paths_executable(ret))
		return true;
	snprintf(why, WHY_MAX, "%s: %s; allowed: a program, by a path relative to this file's folder",
		 shown(quoted, word), r < 0 ? strerror(-r) : "is no file");
	return false;
}

static void add_program(struct binder *b, struct fy_node *node, json_t *process)
{
	struct fy_node_pair *pair = map_pair(node, "exec");
	const char *word = json_string_value(json_array_get(json_object_get(process, "exec"), 0));
	const char *path_list = json_text(json_object_get(process, "env"), "PATH", PROGRAM_PATH);
	json_t *env = json_pack("{s:s}", "PATH", PROGRAM_PATH);
	char path[PATH_LEN_MAX], why[WHY_MAX];
	struct bind_mark mark;

	json_object_update(env, json_object_get(process, "env"));
	if (word && find(b, word, path_list, path, why)) {
		json_object_set_new(process, "program", json_string(path));
	} else if (word) {
		mark = bind_enter(b, "exec", fy_node_pair_key(pair));
		bind_complain(b, fy_node_sequence_get_by_index(fy_node_pair_value(pair), 0), "%s", why);
		bind_leave(b, mark);
	}
	json_object_set_new(process, "env", env);
	if (!json_object_get(process, "stdin"))
		json_object_set_new(process, "stdin", json_null());
	if (!json_object_get(process, "files"))
		json_object_set_new(process, "files", json_array());
}

/* One by its name or its file: {name, library}, null for the C library's, or {name, package} of one that is not here. */
static json_t *scalar_malloc(struct binder *b, const struct key *key, const char *text, char why[WHY_MAX])
{
	const struct allocator_name *known = name_find(text, b->known->allocators, sizeof(*known));
	char list[160], hint[96], quoted[SHOWN_MAX];
	json_t *path;

	if (known)
		return json_pack("{s:s, s:s?, s:s*}", "name", text, "library", known->library, "package",
				 known->package);
	if (strchr(text, '/')) {
		path = scalar_path(b, key, text, why);
		return path ? json_pack("{s:s, s:o}", "name", text, "library", path) : NULL;
	}
	snprintf(why, WHY_MAX, "unknown malloc library %s%s; allowed: %s, or the path of one",
		 shown(quoted, text), name_hint(hint, text, b->known->allocators, sizeof(*known)),
		 name_list(list, sizeof(list), b->known->allocators, sizeof(*known)));
	return NULL;
}

/* A stressor with a malloc library is a program of ours that its loader preloads the library into. */
static void add_malloc(struct binder *b, json_t *process)
{
	const char *library = json_text(json_object_get(process, "malloc"), "library", NULL);
	json_t *env = json_pack("{s:s}", "PATH", PROGRAM_PATH);

	json_object_update(env, json_object_get(process, "env"));
	if (library) {
		json_object_set_new(env, "LD_PRELOAD", json_string(library));
		json_object_set_new(env, SHARED_MALLOC_ENV, json_string(library));
	}
	json_object_set_new(process, "program", json_string(b->known->malloc_program));
	json_object_set_new(process, "env", env);
}

static bool given(struct fy_node *node, const char *key)
{
	struct fy_node_pair *pair = map_pair(node, key);

	return pair && (node_is_blank(fy_node_pair_value(pair)) || !node_is_null(fy_node_pair_value(pair)));
}

void program_complete(struct binder *b, struct fy_node *node, json_t *process)
{
	static const char *const of_exec[] = { "stdin", "files" };
	bool run = given(node, "run"), exec = given(node, "exec");
	size_t i;

	if (!fy_node_is_mapping(node))
		return;
	if (run && exec)
		bind_complain_key(b, node, "exec", "is given beside run; allowed: one of the two");
	else if (exec)
		add_program(b, node, process);
	else if (run && json_is_object(json_object_get(process, "malloc")))
		add_malloc(b, process);
	else if (!run)
		bind_complain(b, node,
			      "neither run nor exec is given; allowed: one of the two: run, a stressor and "
			      "its arguments, or exec, a program and its arguments");
	for (i = 0; !exec && i < sizeof(of_exec) / sizeof(of_exec[0]); i++)
		if (given(node, of_exec[i]))
			bind_complain_key(b, node, of_exec[i], "belongs to exec; allowed: not beside run");
	if (run && !exec && given(node, "env") && !given(node, "malloc"))
		bind_complain_key(b, node, "env",
				  "belongs to exec, or to run with malloc; allowed: not beside run alone");
	if (exec && given(node, "malloc"))
		bind_complain_key(b, node, "malloc",
				  "belongs to run; allowed: for a program of yours env: {LD_PRELOAD: ...}");
}

const struct kind kind_exec = { .name = "list",
				.shape = SHAPE_LIST,
				.allowed = "a list of words, e.g. [sort, --reverse]",
				.bind = bind_exec };
const struct kind kind_env_value = {
	.name = "text", .allowed = "text", .scalar = scalar_as_it_is, .name_ok = env_name_ok
};
const struct kind kind_stdin = { .name = "input",
				 .shape = SHAPE_FIXED,
				 .allowed = "text, or {file: PATH}",
				 .scalar = scalar_as_it_is,
				 .bind = bind_stdin };
const struct kind kind_malloc = { .name = "malloc library",
				  .allowed = "a name of `oomlab list allocators`, or the path of a library",
				  .scalar = scalar_malloc };
const struct kind kind_path = { .name = "path", .allowed = "a path", .scalar = scalar_path };
