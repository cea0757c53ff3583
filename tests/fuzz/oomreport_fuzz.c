// SPDX-License-Identifier: MIT
/* Kills alone, as the engine reads them: tests/fuzz/run oomreport */
#include "harness/oracle/oomreport.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_text(const char *text, size_t size)
{
	check(memchr(text, '\0', size) != NULL);
}

/* What every kill must hold, whatever was fed. */
static void check_kill(const struct oom_kill *k)
{
	check_text(k->invoker, sizeof(k->invoker));
	check_text(k->gfp, sizeof(k->gfp));
	check_text(k->oom_memcg, sizeof(k->oom_memcg));
	check_text(k->task_memcg, sizeof(k->task_memcg));
	check_text(k->comm, sizeof(k->comm));
	check(k->pid > 0 && k->order >= -1);
	check(k->total_vm_bytes >= -1 && k->anon_rss_bytes >= -1 && k->file_rss_bytes >= -1);
	check(k->shmem_rss_bytes >= -1 && k->pgtables_bytes >= -1);
	check(k->oom_memcg[0] == '\0' || k->constraint == OOM_CONSTRAINT_MEMCG);
	check(strcmp(oom_constraint_name(k->constraint), "") != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct oom_parser parser;

	oom_parser_init(&parser);
	while (size) {
		const uint8_t *nl = memchr(data, '\n', size);
		size_t len = nl ? (size_t)(nl - data) : size, msg_len;
		char *line = malloc(len ? len : 1); /* alone, so that ASan sees its end */
		const char *msg;

		check(line != NULL);
		memcpy(line, data, len);
		msg = oom_line_message(line, len, &msg_len);
		check(msg >= line && msg + msg_len <= line + len);
		if (oom_parser_feed(&parser, msg, msg_len) == OOM_KILLED)
			check_kill(&parser.kill);
		free(line);
		len += nl ? 1 : 0;
		data += len;
		size -= len;
	}
	return 0;
}
