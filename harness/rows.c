// SPDX-License-Identifier: MIT
#include "harness/rows.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

static const struct {
	const char *name, *fact;
} rows[] = {
#define ROW(name_, fact_) { name_, fact_ },
#include "harness/rows.def"
#undef ROW
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

const char *row_at(size_t i, const char **ret_fact)
{
	if (i >= ROWS)
		return NULL;
	if (ret_fact)
		*ret_fact = rows[i].fact;
	return rows[i].name;
}

/* The row that a word of that length names; ROWS: none. */
static size_t row_of(const char *word, size_t len)
{
	size_t i;

	for (i = 0; i < ROWS; i++)
		if (strlen(rows[i].name) == len && !strncmp(rows[i].name, word, len))
			break;
	return i;
}

static size_t word_len(const char *text)
{
	size_t len = 0;

	while (isalnum((unsigned char)text[len]) || text[len] == '_')
		len++;
	return len;
}

json_t *rows_in(const char *source)
{
	bool named[ROWS + 1] = { false };
	json_t *list = json_array();
	const char *p = source;
	size_t i, from = ROWS; /* the row before a dash */

	while (*p) {
		size_t len = word_len(p), row = row_of(p, len);

		/* "D6-D8": those between, too. */
		if (row < ROWS && from < row && rows[from].name[0] == rows[row].name[0])
			for (i = from; i < row; i++)
				named[i] = true;
		named[row] = true;
		p += len;
		from = *p == '-' ? row : ROWS;
		if (*p)
			p++;
	}
	for (i = 0; i < ROWS; i++)
		if (named[i])
			json_array_append_new(list, json_string(rows[i].name));
	return list;
}
