// SPDX-License-Identifier: MIT
#include "harness/oracle/notes.h"

#include "lib/units.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void note(struct oom_explanation *e, const char *id, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void note(struct oom_explanation *e, const char *id, const char *fmt, ...)
{
	struct oom_note *n = &e->notes[e->note_count];
	va_list ap;

	if (e->note_count == OOM_NOTES_MAX)
		return;
	e->note_count++;
	n->id = id;
	va_start(ap, fmt);
	vsnprintf(n->text, sizeof(n->text), fmt, ap);
	va_end(ap);
}

/* Of the memory that it is about: of the group, or of the machine without swap. */
static int64_t whole(const struct oom_report *r)
{
	int64_t bytes = 0;
	size_t i;

	if (r->constraint == OOM_CONSTRAINT_MEMCG)
		return r->memory.limit_bytes;
	for (i = 0; i < r->zone_count; i++)
		bytes += r->zones[i].managed_bytes > 0 ? r->zones[i].managed_bytes : 0;
	return bytes ? bytes : r->ram_pages > 0 ? r->ram_pages * r->page_bytes : -1;
}

static const char *whose(const struct oom_report *r)
{
	return r->constraint == OOM_CONSTRAINT_MEMCG ? "the group" : "the machine";
}

/* "page tables": of a victim that has touched a page here and there */
static void page_tables(const struct oom_report *r, struct oom_explanation *e)
{
	const struct oom_kill *v = r->killed_count ? &r->killed[0] : NULL;
	char tables[UNITS_TEXT_MAX], rss_text[UNITS_TEXT_MAX];
	int64_t rss;

	if (!v || v->pgtables_bytes < 0 || v->anon_rss_bytes < 0)
		return;
	rss = v->anon_rss_bytes + (v->file_rss_bytes > 0 ? v->file_rss_bytes : 0) +
	      (v->shmem_rss_bytes > 0 ? v->shmem_rss_bytes : 0);
	/* A page of them describes 512 pages: more than a tenth is no ordinary use. */
	if (v->pgtables_bytes < rss / 10 || v->pgtables_bytes < 1 << 20)
		return;
	note(e, "page-tables",
	     "Page tables are %" PRId64
	     " %% of what it counts for: %s beside %s resident. It has a sparse mapping: a page that "
	     "is touched here and there costs a page table of its own.",
	     v->pgtables_bytes * 100 / (rss + v->pgtables_bytes),
	     size_format(tables, (uint64_t)v->pgtables_bytes), size_format(rss_text, (uint64_t)rss));
}

static void swap(const struct oom_report *r, struct oom_explanation *e)
{
	char total[UNITS_TEXT_MAX], left[UNITS_TEXT_MAX];

	if (r->constraint == OOM_CONSTRAINT_MEMCG) {
		if (r->swap.limit_bytes == 0)
			note(e, "swap-forbidden", "The group may not use swap (memory.swap.max 0).");
		else if (r->swap.limit_bytes > 0 && r->swap.usage_bytes >= r->swap.limit_bytes)
			note(e, "swap-full", "The group has used all the swap that it may: %s.",
			     size_format(total, (uint64_t)r->swap.limit_bytes));
		return;
	}
	if (r->swap_total_bytes == 0)
		note(e, "swap-absent", "There is no swap: anonymous memory has nowhere to go.");
	else if (r->swap_total_bytes > 0 && r->swap_free_bytes >= 0 &&
		 r->swap_free_bytes <= r->swap_total_bytes / 50)
		note(e, "swap-full", "Swap was full: of %s %s was left.",
		     size_format(total, (uint64_t)r->swap_total_bytes),
		     size_format(left, (uint64_t)r->swap_free_bytes));
	else if (r->swap_total_bytes > 0 && r->swap_free_bytes > r->swap_total_bytes / 4)
		note(e, "swap-left",
		     "%s of %s swap was free all the same: what was in RAM could not be swapped (locked, the kernel's), or "
		     "swapping was too slow.",
		     size_format(left, (uint64_t)r->swap_free_bytes),
		     size_format(total, (uint64_t)r->swap_total_bytes));
}

/* A part of memory that no kill gives back. */
static void large(const struct oom_report *r, struct oom_explanation *e, enum oom_amount which,
		  const char *id, const char *what, const char *means)
{
	int64_t all = whole(r), bytes = r->amounts[which];
	char text[UNITS_TEXT_MAX];

	if (all > 0 && bytes >= all / 5)
		note(e, id, "%s: %s, %" PRId64 " %% of %s. %s", what, size_format(text, (uint64_t)bytes),
		     bytes * 100 / all, whose(r), means);
}

static void slab(const struct oom_report *r, struct oom_explanation *e)
{
	char means[OOM_SENTENCE_MAX / 2] =
		"The kernel holds it, and killing helps only if it is for a process's sake.";
	char text[UNITS_TEXT_MAX];
	size_t len, i;

	if (r->slab_count) {
		len = (size_t)snprintf(means, sizeof(means), "Most of it:");
		for (i = 0; i < r->slab_count && i < 3 && len < sizeof(means); i++)
			len += (size_t)snprintf(means + len, sizeof(means) - len, " %s %s%s",
						r->slabs[i].name,
						size_format(text, (uint64_t)r->slabs[i].total_bytes),
						i + 1 < r->slab_count && i < 2 ? "," : ".");
	}
	large(r, e, OOM_SLAB_UNRECLAIMABLE, "slab", "Slabs that cannot be reclaimed", means);
}

static void group(const struct oom_report *r, struct oom_explanation *e)
{
	if (r->constraint == OOM_CONSTRAINT_MEMCG && r->oom_memcg[0] && r->task_memcg[0] &&
	    strcmp(r->oom_memcg, r->task_memcg) != 0)
		note(e, "parent-limit",
		     "The limit was not its own group's, but that of a parent: %s. Look there, and at who else is below it.",
		     r->oom_memcg);
	if (r->group_kill)
		note(e, "group-kill",
		     "memory.oom.group is set: %zu processes of the group were killed together.",
		     r->killed_count);
}

/* Before 5.1 */
static void child(const struct oom_report *r, struct oom_explanation *e)
{
	const struct oom_task *parent = oom_task_find(r, r->chosen_pid);

	if (r->chosen_pid < 0 || !r->killed_count || r->killed[0].pid == r->chosen_pid)
		return;
	if (parent)
		note(e, "child",
		     "The kernel chose %s (pid %" PRId64
		     ") and killed a child of it in its place, as it did before 5.1.",
		     parent->comm, parent->pid);
	else if (!r->table)
		note(e, "child",
		     "The kernel chose pid %" PRId64
		     ", and killed this one in its place: a child of it, as it did before 5.1, or a thread.",
		     r->chosen_pid);
}

static void panic(const struct oom_report *r, struct oom_explanation *e)
{
	if (r->panic && !r->no_victim)
		note(e, "panic", "vm.panic_on_oom is set: instead of killing somebody the kernel panics.");
}

static void asker(const struct oom_report *r, struct oom_explanation *e)
{
	const struct oom_kill *v = r->killed_count ? &r->killed[0] : NULL;

	if (!v || !r->invoker[0] || r->sysrq)
		return;
	/* One of the same name may be a thread of it. */
	if (strcmp(r->invoker, v->comm) != 0)
		note(e, "asker", "It did not ask for memory itself: %s did.", r->invoker);
}

/* One that is protected and larger than whoever was chosen. */
static void protected_larger(const struct oom_report *r, struct oom_explanation *e)
{
	const struct oom_task *v = r->killed_count ? oom_task_find(r, r->killed[0].pid) : NULL,
			      *largest = NULL;
	char text[UNITS_TEXT_MAX];
	size_t i;

	for (i = e->candidates; e->ranks && i < r->task_count; i++) {
		const struct oom_task *t = &r->tasks[e->ranks[i].task];

		if (!largest || t->rss_pages + t->swap_pages > largest->rss_pages + largest->swap_pages)
			largest = t;
	}
	if (e->ranks && !e->candidates && r->task_count)
		note(e, "all-protected", "All of %zu processes are protected (oom_score_adj -1000).",
		     r->task_count);
	else if (largest && v && largest->rss_pages + largest->swap_pages > v->rss_pages + v->swap_pages)
		note(e, "protected-larger",
		     "%s (pid %" PRId64 ") is larger, %s, and protected (oom_score_adj -1000).",
		     largest->comm, largest->pid,
		     size_format(text, (uint64_t)(largest->rss_pages * r->page_bytes)));
}

static void order(const struct oom_report *r, struct oom_explanation *e)
{
	char text[UNITS_TEXT_MAX], free_text[UNITS_TEXT_MAX], left[80] = "";
	int64_t bytes = 0;
	size_t i;

	if (r->order <= 0 || r->order > 20)
		return;
	for (i = 0; i < r->zone_count; i++)
		bytes += r->zones[i].free_bytes > 0 ? r->zones[i].free_bytes : 0;
	if (r->zone_count)
		snprintf(left, sizeof(left), ": %s were free, in smaller pieces",
			 size_format(free_text, (uint64_t)bytes));
	note(e, "order",
	     "A contiguous block of %s was asked for (order %" PRId64
	     ")%s. That is fragmentation as much as shortage.",
	     size_format(text, (uint64_t)r->page_bytes << r->order), r->order, left);
}

/* Plenty is free, but not where it is wanted: 32-bit kernels and their low memory, nodes, DMA. */
static void elsewhere(const struct oom_report *r, struct oom_explanation *e)
{
	size_t i, above = 0, below = 0;

	if (r->constraint == OOM_CONSTRAINT_MEMCG || r->order > 0)
		return;
	for (i = 0; i < r->zone_count; i++) {
		const struct oom_zone *z = &r->zones[i];

		if (z->free_bytes < 0 || z->min_bytes < 0 || z->managed_bytes == 0)
			continue;
		above += z->free_bytes > z->high_bytes && z->free_bytes > 16 << 20;
		below += z->free_bytes <= z->low_bytes;
	}
	if (above && below)
		note(e, "zones",
		     "%zu of %zu zones had plenty: the memory was asked for where there was none (low memory, a node, DMA).",
		     above, r->zone_count);
}

static void missing(const struct oom_report *r, struct oom_explanation *e)
{
	if (!r->invoked && !r->sysrq)
		note(e, "begin-lost", "The beginning of the report is not in the log.");
	if (!r->table && r->killed_count)
		note(e, "no-table",
		     "The table of tasks is not in the log (vm.oom_dump_tasks 0, or it is cut).");
	if (r->tasks_lost)
		note(e, "rows-lost", "%zu rows of the table cannot be read.", r->tasks_lost);
	if (r->dropped)
		note(e, "dropped", "The kernel dropped messages meanwhile.");
	if (e->agreement == OOM_BY_RULE || e->agreement == OOM_DISAGREES)
		note(e, e->agreement == OOM_BY_RULE ? "rule" : "disagrees",
		     "By its score another one would have been chosen; %s.", e->reason);
}

static void reaper(const struct oom_report *r, struct oom_explanation *e)
{
	char text[UNITS_TEXT_MAX];

	if (r->reaped_left_bytes > 1 << 20)
		note(e, "reaper",
		     "The OOM reaper could not free all of it: %s stayed until it had ended (shared, or locked).",
		     size_format(text, (uint64_t)r->reaped_left_bytes));
}

void oom_notes(const struct oom_report *r, struct oom_explanation *e)
{
	page_tables(r, e);
	group(r, e);
	swap(r, e);
	slab(r, e);
	large(r, e, OOM_SHMEM, "shmem", "Shared memory and tmpfs",
	      "Only swap can take it, and killing frees it only when nobody else has it.");
	large(r, e, OOM_UNEVICTABLE, "unevictable", "Locked memory",
	      "It can be neither swapped nor dropped.");
	large(r, e, OOM_PAGETABLES, "tables", "Page tables", "They are never reclaimed.");
	order(r, e);
	elsewhere(r, e);
	child(r, e);
	panic(r, e);
	asker(r, e);
	protected_larger(r, e);
	reaper(r, e);
	missing(r, e);
}
