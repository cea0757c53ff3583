// SPDX-License-Identifier: MIT
/* What a machine comes to in a guest: what it cannot have, and the kernel's command line. */
#include "harness/places/guest_machine.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define M     (1ULL << 20)
#define SPEC  "{\"machine\": {\"memory\": 134217728%s}}"
#define SWAP  ", \"swap\": {\"kind\": \"%s\", \"size\": %llu}"
#define FIXED ", \"deterministic\": true"

static json_t *spec_with(const char *more)
{
	char text[512];
	json_t *spec;

	snprintf(text, sizeof(text), SPEC, more);
	spec = json_loads(text, 0, NULL);
	assert_non_null(spec);
	return spec;
}

/* said NULL: it fits. */
static void fits(const char *more, const char *accel, const char *said)
{
	struct err e = ERR_INIT;
	json_t *spec = spec_with(more);

	assert_int_equal(guest_machine_fits(spec, accel, &e), said ? -EOPNOTSUPP : 0);
	assert_string_equal(e.text, said ? said : "");
	json_decref(spec);
}

static void swap_fits(const char *kind, unsigned long long bytes, const char *more, const char *said)
{
	char text[256];

	snprintf(text, sizeof(text), SWAP "%s", kind, bytes, more);
	fits(text, "auto", said);
}

static void kinds_of_swap(void **state)
{
	(void)state;
	swap_fits("disk", 64 * M + 1, "", NULL);
	swap_fits("pmem", 64 * M, "", NULL);
	swap_fits("zram", 64 * M, "", NULL);
	swap_fits("none", 0, "", NULL);
	swap_fits("pmem", 65 * M, "", "swap of kind pmem comes in steps of 2048K; 65M is none of them");
	swap_fits("zram", 100000, "", "swap of kind zram comes in steps of 4096B; 98K is none of them");
	swap_fits("tape", 64 * M, "", "swap of kind tape is not supported in a guest");
}

static void backing(void **state)
{
	json_t *spec = spec_with(", \"swap\": {\"kind\": \"pmem\", \"size\": 67108864}");

	(void)state;
	assert_int_equal(guest_swap_kind(spec)->backing, DISK_NVDIMM);
	assert_int_equal(guest_swap_bytes(spec), 64 * M);
	assert_int_equal(guest_host_memory(spec), 192 * M);
	json_decref(spec);
	spec = spec_with("");
	assert_null(guest_swap_kind(spec));
	assert_null(guest_swap(spec));
	assert_int_equal(guest_swap_bytes(spec), 0);
	assert_int_equal(guest_host_memory(spec), 128 * M);
	json_decref(spec);
}

static void data(void **state)
{
	const char *pmem = ", \"data\": {\"kind\": \"pmem\", \"size\": 67108864}";
	const char *disk = ", \"data\": {\"kind\": \"disk\", \"size\": 67108864}" FIXED;
	json_t *spec = spec_with(pmem);

	(void)state;
	assert_int_equal(guest_data_kind(spec)->backing, DISK_NVDIMM);
	assert_int_equal(guest_data_bytes(spec), 64 * M);
	assert_int_equal(guest_host_memory(spec), 192 * M);
	json_decref(spec);
	fits(pmem, NULL, NULL);
	fits(", \"data\": {\"kind\": \"pmem\", \"size\": 5242880}", NULL,
	     "data of kind pmem comes in steps of 2048K; 5120K is none of them");
	fits(disk, NULL,
	     "machine.deterministic: machine.data: a disk completes when the host says so: use kind pmem");
	spec = spec_with(", \"data\": null");
	assert_null(guest_data(spec));
	json_decref(spec);
}

/* said: the names, a space after each. */
static void needs(const char *more, const char *said)
{
	json_t *spec = spec_with(more);
	struct guest_modules need;
	char text[256] = "";
	size_t i;

	guest_modules(spec, &need);
	for (i = 0; need.names[i]; i++)
		strcat(strcat(text, need.names[i]), " ");
	assert_string_equal(text, said);
	json_decref(spec);
}

static void modules(void **state)
{
	(void)state;
	needs("", "");
	needs(", \"swap\": {\"kind\": \"disk\", \"size\": 67108864}", "virtio_pci virtio_blk ");
	needs(", \"swap\": {\"kind\": \"zram\", \"size\": 67108864}, \"zswap\": {\"compressor\": \"lz4\"}",
	      "-lzo-rle zram -crypto-lz4 ");
	needs(", \"zswap\": {\"compressor\": null}", "");
	needs(", \"swap\": {\"kind\": \"pmem\", \"size\": 67108864}, \"data\": {\"kind\": \"pmem\"}",
	      "nfit nd_pmem -crc32c_generic ext4 ");
	needs(", \"data\": {\"kind\": \"disk\"}", "virtio_pci virtio_blk -crc32c_generic ext4 ");
	needs(", \"swap\": {\"kind\": \"none\", \"size\": 67108864}", "");
	needs("}, \"processes\": [{\"run\": [\"x\"]}, {\"program\": \"/x\"}], \"more\": {\"x\": 0",
	      "nfit nd_pmem -crc32c_generic ext4 ");
}

static void has(const char *more, const char *words, const char *lacks)
{
	char line[GUEST_APPEND_MAX];
	struct err e = ERR_INIT;
	json_t *spec = spec_with(more);

	assert_int_equal(guest_command_line(spec, line, &e), 0);
	if (!strstr(line, words) || (lacks && strstr(line, lacks)))
		fail_msg("%s: %s", more, line);
	json_decref(spec);
}

static void command_line(void **state)
{
	(void)state;
	has("", "console=ttyS0 panic=-1 no_timer_check", "swiotlb");
	has(", \"swap\": {\"kind\": \"pmem\", \"size\": 2097152}", " swiotlb=noforce", NULL);
	has(", \"swap\": {\"kind\": \"disk\", \"size\": 4096}, \"data\": {\"kind\": \"pmem\"}",
	    " swiotlb=noforce", "swiotlb=noforce swiotlb");
	has("}, \"processes\": [{\"program\": \"/x\"}], \"more\": {\"x\": 0", " swiotlb=noforce", NULL);
	has(", \"cgroup\": \"v1\", \"cmdline\": \"quiet x=1\"", " swapaccount=1 quiet x=1", NULL);
}

static void too_long_a_line(void **state)
{
	char line[GUEST_APPEND_MAX], more[GUEST_APPEND_MAX];
	json_t *spec = spec_with(""), *machine = json_object_get(spec, "machine");
	struct err e = ERR_INIT;

	(void)state;
	memset(more, 'x', sizeof(more) - 1);
	more[sizeof(more) - 1] = 0;
	json_object_set_new(machine, "cmdline", json_string(more));
	assert_int_equal(guest_command_line(spec, line, &e), -E2BIG);
	json_decref(spec);
}

static void cpus_and_nodes(void **state)
{
	(void)state;
	fits(", \"cpus\": 65", NULL, "a guest has 1 to 64 CPUs");
	fits(", \"nodes\": [67108864, 67108864]", NULL, NULL);
	fits(", \"nodes\": [67108864]", NULL, "the NUMA nodes add up to 64M, the machine has 128M");
}

/* What the host's time gets into is refused, with the reason. */
static void deterministic(void **state)
{
	const char *said = "machine.deterministic: KVM counts no instructions, its time is the host's";

	(void)state;
	fits(FIXED, "auto", NULL);
	fits(FIXED, "tcg", NULL);
	fits(FIXED, NULL, NULL);
	fits(FIXED, "kvm", said);
	fits("", "kvm", NULL);
	swap_fits("pmem", 64 * M, FIXED, NULL);
	swap_fits("zram", 64 * M, FIXED, NULL);
	swap_fits(
		"disk", 64 * M, FIXED,
		"machine.deterministic: machine.swap: a disk completes when the host says so: use kind pmem");
	has(FIXED, " nokaslr norandmaps", "maxcpus");
	has(FIXED ", \"cpus\": 2", " maxcpus=1", NULL);
	has(", \"cpus\": 2", "console", "maxcpus");
	has("", "console", "nokaslr");
}

/* It is slower by the host's clock, and so is its deadline. */
static void deadlines(void **state)
{
	json_t *plain = spec_with("}, \"stop\": {\"timeout\": 20000000000"),
	       *fixed = spec_with(FIXED "}, \"stop\": {\"timeout\": 20000000000");

	(void)state;
	assert_int_equal(guest_deadline(plain), 95000000000);
	assert_int_equal(guest_deadline(fixed), 655000000000);
	json_decref(plain);
	json_decref(fixed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds_of_swap),  cmocka_unit_test(backing),
		cmocka_unit_test(command_line),   cmocka_unit_test(too_long_a_line),
		cmocka_unit_test(cpus_and_nodes), cmocka_unit_test(deterministic),
		cmocka_unit_test(deadlines),      cmocka_unit_test(modules),
		cmocka_unit_test(data),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("guest_machine", tests, NULL, NULL);
}
