// SPDX-License-Identifier: MIT
#include "harness/places/guest_machine.h"

#include "harness/engine/spec.h"
#include "harness/places/guest.h"
#include "harness/places/programs.h"
#include "lib/json.h"
#include "lib/units.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Without KVM a cold boot takes 3 to 5 s on an idle machine, many times that on a busy one. */
#define BOOT_NS   (60 * 1000000000ULL)
#define END_NS    (15 * 1000000000ULL)
#define CPUS_MAX  64
#define NODES_MAX 8
/*
 * A second of a deterministic guest that is busy takes 2 to 4 s of an idle host, and hosts are not idle; one that
 * sleeps takes none.
 */
#define DETERMINISTIC_SLOWER 8

/* ext4 sums with crc32c, which was in a module of its own before 6.15; not every kernel has both built in. */
static const char *const ext4_modules[] = { "-crc32c_generic", "ext4" };

enum { KIND_DISK, KIND_PMEM, KIND_ZRAM };

static const struct disk_kind kinds[] = {
	[KIND_DISK] = { "disk",
			DISK_IMAGE,
			1,
			{ "virtio_pci", "virtio_blk" },
			NULL,
			"a disk completes when the host says so: use kind pmem" },
	/*
	 * libnvdimm leaves out what 2M does not divide. The device is above 4G, for which the kernel would lay
	 * 64M of RAM aside (swiotlb) although no device here reads memory by itself.
	 */
	[KIND_PMEM] = { "pmem", DISK_NVDIMM, 2 << 20, { "nfit", "nd_pmem" }, " swiotlb=noforce", NULL },
	/* Before 6.12 its compressor is a module that nothing depends on, and a guest has no modprobe. */
	[KIND_ZRAM] = { "zram", DISK_NOTHING, 4096, { "-lzo-rle", "zram" }, NULL, NULL },
};

const json_t *guest_machine(const json_t *spec)
{
	return json_object_get(spec, "machine");
}

uint64_t guest_memory(const json_t *spec)
{
	return (uint64_t)json_number(guest_machine(spec), "memory", GUEST_MEMORY_DEFAULT);
}

bool guest_deterministic(const json_t *spec)
{
	return json_flag(guest_machine(spec), "deterministic", false);
}

const json_t *guest_swap(const json_t *spec)
{
	const json_t *swap = json_object_get(guest_machine(spec), "swap");

	if (!json_is_object(swap) || strcmp(json_text(swap, "kind", "disk"), "none") == 0)
		return NULL;
	return json_number(swap, "size", 0) > 0 ? swap : NULL;
}

uint64_t guest_swap_bytes(const json_t *spec)
{
	return (uint64_t)json_number(guest_swap(spec), "size", 0);
}

/* NULL: disk is NULL, or of a kind that there is not. */
static const struct disk_kind *kind_of(const json_t *disk)
{
	size_t i;

	for (i = 0; disk && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(json_text(disk, "kind", "disk"), kinds[i].name) == 0)
			return &kinds[i];
	return NULL;
}

const struct disk_kind *guest_swap_kind(const json_t *spec)
{
	return kind_of(guest_swap(spec));
}

const json_t *guest_data(const json_t *spec)
{
	const json_t *data = json_object_get(guest_machine(spec), "data");

	return json_is_object(data) ? data : NULL;
}

uint64_t guest_data_bytes(const json_t *spec)
{
	return (uint64_t)json_number(guest_data(spec), "size", 0);
}

const struct disk_kind *guest_data_kind(const json_t *spec)
{
	return kind_of(guest_data(spec));
}

/* What the user's programs lie on: a device whose contents cost the guest no RAM and take none of its time. */
static const struct disk_kind *programs_kind(const json_t *spec)
{
	return programs_wanted(spec) ? &kinds[KIND_PMEM] : NULL;
}

static bool is_nvdimm(const struct disk_kind *kind)
{
	return kind && kind->backing == DISK_NVDIMM;
}

uint64_t guest_host_memory(const json_t *spec)
{
	return guest_memory(spec) + (is_nvdimm(guest_swap_kind(spec)) ? guest_swap_bytes(spec) : 0) +
	       (is_nvdimm(guest_data_kind(spec)) ? guest_data_bytes(spec) : 0);
}

static void add_module(struct guest_modules *list, const char *name)
{
	size_t i;

	for (i = 0; list->names[i]; i++)
		if (strcmp(list->names[i], name) == 0)
			return;
	list->names[i] = name;
}

void guest_modules(const json_t *spec, struct guest_modules *ret)
{
	const struct disk_kind *disks[] = { guest_swap_kind(spec), guest_data_kind(spec),
					    programs_kind(spec) };
	const char *compressor = json_text(json_object_get(guest_machine(spec), "zswap"), "compressor", NULL);
	size_t i, k;

	memset(ret, 0, sizeof(*ret));
	for (i = 0; i < sizeof(disks) / sizeof(disks[0]); i++)
		for (k = 0; disks[i] && disks[i]->modules[k]; k++)
			add_module(ret, disks[i]->modules[k]);
	for (i = 0; (disks[1] || disks[2]) && i < sizeof(ext4_modules) / sizeof(ext4_modules[0]); i++)
		add_module(ret, ext4_modules[i]);
	if (!compressor)
		return;
	/* By the alias under which the kernel itself asks for it. Whether it has it is seen after boot. */
	snprintf(ret->compressor, sizeof(ret->compressor), "-crypto-%s", compressor);
	add_module(ret, ret->compressor);
}

static int nodes_fit(const json_t *spec, struct err *why)
{
	const json_t *nodes = json_object_get(guest_machine(spec), "nodes"), *one;
	char have[UNITS_TEXT_MAX], want[UNITS_TEXT_MAX];
	uint64_t sum = 0;
	size_t i;

	if (json_array_size(nodes) == 0)
		return 0;
	if (json_array_size(nodes) > NODES_MAX)
		return err_set(why, EOPNOTSUPP, "more than %d NUMA nodes are not supported", NODES_MAX);
	json_array_foreach (nodes, i, one)
		sum += (uint64_t)json_integer_value(one);
	if (sum != guest_memory(spec))
		return err_set(why, EOPNOTSUPP, "the NUMA nodes add up to %s, the machine has %s",
			       size_format(have, sum), size_format(want, guest_memory(spec)));
	return 0;
}

/* what: "swap" or "data"; disk NULL: it has none. */
static int disk_fits(const json_t *spec, const char *what, const json_t *disk, struct err *why)
{
	uint64_t bytes = (uint64_t)json_number(disk, "size", 0);
	const struct disk_kind *kind = kind_of(disk);
	char have[UNITS_TEXT_MAX], want[UNITS_TEXT_MAX];

	if (!disk)
		return 0;
	if (!kind)
		return err_set(why, EOPNOTSUPP, "%s of kind %s is not supported in a guest", what,
			       json_text(disk, "kind", "disk"));
	if (bytes % kind->step_bytes)
		return err_set(why, EOPNOTSUPP, "%s of kind %s comes in steps of %s; %s is none of them",
			       what, kind->name, size_format(want, kind->step_bytes),
			       size_format(have, bytes));
	if (guest_deterministic(spec) && kind->unrepeatable)
		return err_set(why, EOPNOTSUPP, "machine.deterministic: machine.%s: %s", what,
			       kind->unrepeatable);
	return 0;
}

int guest_machine_fits(const json_t *spec, const char *accel, struct err *why)
{
	int64_t cpus = json_number(guest_machine(spec), "cpus", 1);

	if (cpus < 1 || cpus > CPUS_MAX)
		return err_set(why, EOPNOTSUPP, "a guest has 1 to %d CPUs", CPUS_MAX);
	if (guest_deterministic(spec) && accel && strcmp(accel, "kvm") == 0)
		return err_set(why, EOPNOTSUPP,
			       "machine.deterministic: KVM counts no instructions, its time is the host's");
	if (nodes_fit(spec, why) < 0 || disk_fits(spec, "swap", guest_swap(spec), why) < 0 ||
	    disk_fits(spec, "data", guest_data(spec), why) < 0)
		return -EOPNOTSUPP;
	return 0;
}

/*
 * no_timer_check: the kernel waits for 10 ticks of the PIT and panics if they do not come in time, which
 * happens under TCG on a busy machine.
 *
 * maxcpus=1: the agent starts the other CPUs. With a count of instructions QEMU 7.2 gives a CPU all that is left
 * until the next timer, and after a timer it begins with the first CPU again (rr_cpu_thread_fn(),
 * icount_prepare_for_run()). Others run only after the first has waited (pause, hlt) or has set a timer that is the
 * next one. Kernels before 6.5 wait for a CPU that they start by calling schedule() in a loop (do_boot_cpu()),
 * while it waits for them with pause in wait_for_master_cpu(); at boot the tick is periodic, so nobody sets a timer,
 * and it never runs again. Later every tick sets the next one.
 */
int guest_command_line(const json_t *spec, char ret[GUEST_APPEND_MAX], struct err *e)
{
	const json_t *machine = guest_machine(spec);
	bool v1 = strcmp(json_text(machine, "cgroup", "v2"), "v1") == 0;
	bool nvdimm =
		is_nvdimm(guest_swap_kind(spec)) || is_nvdimm(guest_data_kind(spec)) || programs_kind(spec);
	const char *more = json_text(machine, "cmdline", "");
	bool fixed = guest_deterministic(spec);

	if (snprintf(ret, GUEST_APPEND_MAX, "console=ttyS0 panic=-1 no_timer_check%s%s%s%s%s%s",
		     fixed ? " nokaslr norandmaps" : "",
		     fixed && json_number(machine, "cpus", 1) > 1 ? " maxcpus=1" : "",
		     nvdimm ? kinds[KIND_PMEM].cmdline : "", v1 ? " cgroup_enable=memory swapaccount=1" : "",
		     more[0] ? " " : "", more) >= GUEST_APPEND_MAX)
		return err_set(e, E2BIG, "the kernel command line is longer than %d bytes",
			       GUEST_APPEND_MAX - 1);
	return 0;
}

uint64_t guest_deadline(const json_t *spec)
{
	const json_t *stop = json_object_get(spec, "stop");
	uint64_t guest_ns = (uint64_t)json_number(stop, "timeout", 0) +
			    (uint64_t)json_number(stop, "settle", 0) +
			    (programs_killer(spec) ? SPEC_READY_NS : 0);

	return (BOOT_NS + guest_ns) * (guest_deterministic(spec) ? DETERMINISTIC_SLOWER : 1) + END_NS;
}
