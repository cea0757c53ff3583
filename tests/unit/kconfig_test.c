// SPDX-License-Identifier: MIT
/* Configurations as kbuild writes them, inside images made here, and the table of options that matter. */
#include "guest/kconfig.h"

#include "lib/files.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define SECTOR  512
#define AT      0x40 /* of the payload in the protected-mode code */
#define ROOM    (64u << 10)
#define VMLINUX "\177ELF what comes first, and a string IKCFG_ST that is none"

static const char sample[] = "#\n# Linux/x86 6.1.0 Kernel Configuration\n#\n"
			     "CONFIG_SWAP=y\n"
			     "CONFIG_HZ=250\n"
			     "# CONFIG_MEMCG_V1 is not set\n"
			     "CONFIG_ZSMALLOC=m\n"
			     "CONFIG_ZSWAP_COMPRESSOR_DEFAULT=\"lzo\"\n"
			     "# CONFIG_TALK about something else\n"
			     "CONFIG_BROKEN\n"
			     "CONFIG_MEMCG=y";

static void options_have_their_values(void **state)
{
	struct err e = ERR_INIT;
	struct kconfig c;
	size_t i;

	(void)state;
	assert_int_equal(kconfig_parse(sample, "s", &c, &e), 0);
	assert_int_equal(c.count, 6);
	for (i = 1; i < c.count; i++)
		assert_true(strcmp(c.items[i - 1].name, c.items[i].name) < 0);
	assert_string_equal(kconfig_value(&c, "SWAP"), "y");
	assert_string_equal(kconfig_value(&c, "HZ"), "250");
	assert_string_equal(kconfig_value(&c, "MEMCG_V1"), "n");
	assert_string_equal(kconfig_value(&c, "ZSMALLOC"), "m");
	assert_string_equal(kconfig_value(&c, "ZSWAP_COMPRESSOR_DEFAULT"), "\"lzo\"");
	assert_string_equal(kconfig_value(&c, "MEMCG"), "y");
	assert_null(kconfig_value(&c, "MEMC"));
	assert_null(kconfig_value(&c, "TALK"));
	assert_null(kconfig_value(&c, "BROKEN"));
	kconfig_free(&c);
	assert_null(kconfig_value(&c, "SWAP"));
}

static void text_without_options_is_refused(void **state)
{
	struct err e = ERR_INIT;
	struct kconfig c;

	(void)state;
	assert_int_equal(kconfig_parse("hello\nworld\n", "there", &c, &e), -EBADMSG);
	assert_non_null(strstr(e.text, "there: not a kernel's configuration"));
	assert_int_equal(kconfig_read("/nowhere/config", &c, &e), -ENOENT);
	assert_non_null(strstr(e.text, "/nowhere/config"));
}

/* Data compressed into out; returns its length. */
static size_t pack(int filter, const char *data, size_t len, char out[ROOM])
{
	struct archive *a = archive_write_new();
	struct archive_entry *entry = archive_entry_new();
	size_t used = 0;

	assert_int_equal(archive_write_add_filter(a, filter), ARCHIVE_OK);
	assert_int_equal(archive_write_set_format_raw(a), ARCHIVE_OK);
	archive_write_set_bytes_in_last_block(a, 1);
	assert_int_equal(archive_write_open_memory(a, out, ROOM, &used), ARCHIVE_OK);
	archive_entry_set_pathname(entry, "x");
	archive_entry_set_filetype(entry, AE_IFREG);
	assert_int_equal(archive_write_header(a, entry), ARCHIVE_OK);
	assert_int_equal(archive_write_data(a, data, len), len);
	archive_entry_free(entry);
	assert_int_equal(archive_write_free(a), ARCHIVE_OK);
	return used;
}

struct image {
	char path[64];
	char bytes[4 * SECTOR + ROOM];
	size_t len;
};

static void put32(char *at, size_t value)
{
	uint32_t v = (uint32_t)value;

	memcpy(at, &v, sizeof(v));
}

static void write_image(const struct image *m)
{
	assert_int_equal(file_write(m->path, m->bytes, m->len, NULL), 0);
}

/* A bzImage of one set-up sector whose payload is vmlinux through that filter, followed by its size. */
static void make_image(struct image *m, int filter, const char *vmlinux, size_t len)
{
	char *payload = m->bytes + 2 * SECTOR + AT;
	size_t packed = pack(filter, vmlinux, len, payload);

	memset(m->bytes, 0, 2 * SECTOR + AT);
	if (filter != ARCHIVE_FILTER_GZIP) {
		put32(payload + packed, len);
		packed += 4;
	}
	m->bytes[0x1f1] = 1;
	memcpy(m->bytes + 0x202, "HdrS\x0f\x02", 6);
	put32(m->bytes + 0x248, AT);
	put32(m->bytes + 0x24c, packed);
	m->len = 2 * SECTOR + AT + packed;
	write_image(m);
}

/* A kernel with the configuration in it, as kernel/configs.c lays it out. */
static size_t make_vmlinux(char ret[ROOM + 256], const char *config)
{
	char packed[ROOM];
	size_t len = pack(ARCHIVE_FILTER_GZIP, config, strlen(config), packed);
	char *p = ret;

	p = mempcpy(p, VMLINUX, sizeof(VMLINUX));
	p = mempcpy(p, "IKCFG_ST", 8);
	p = mempcpy(p, packed, len);
	p = mempcpy(p, "IKCFG_ED and more", 17);
	return (size_t)(p - ret);
}

static int setup(void **state)
{
	struct image *m = calloc(1, sizeof(*m));
	int fd;

	*state = m;
	strcpy(m->path, "/tmp/oomlab-kconfig.XXXXXX");
	fd = mkstemp(m->path);
	if (fd < 0)
		return -1;
	cleanup_close(&fd);
	return 0;
}

static int teardown(void **state)
{
	struct image *m = *state;

	remove(m->path);
	free(m);
	return 0;
}

static void image_carries_its_configuration(void **state)
{
	static const int filters[] = { ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_XZ, ARCHIVE_FILTER_ZSTD,
				       ARCHIVE_FILTER_LZMA, ARCHIVE_FILTER_BZIP2 };
	char vmlinux[ROOM + 256];
	struct image *m = *state;
	size_t len, i;

	len = make_vmlinux(vmlinux, sample);
	for (i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		struct err e = ERR_INIT;
		struct kconfig c;

		make_image(m, filters[i], vmlinux, len);
		assert_int_equal(kconfig_read_image(m->path, &c, &e), 0);
		assert_int_equal(c.count, 6);
		assert_string_equal(kconfig_value(&c, "MEMCG_V1"), "n");
		assert_string_equal(kconfig_value(&c, "MEMCG"), "y");
		kconfig_free(&c);
	}
}

static void image_without_one_says_so(void **state)
{
	struct image *m = *state;
	struct err e = ERR_INIT;
	struct kconfig c;

	make_image(m, ARCHIVE_FILTER_ZSTD, VMLINUX, sizeof(VMLINUX));
	assert_int_equal(kconfig_read_image(m->path, &c, &e), -ENODATA);
	assert_non_null(strstr(e.text, m->path));
	assert_non_null(strstr(e.text, "carries no configuration"));
}

static void damaged_images_are_refused(void **state)
{
	char vmlinux[ROOM + 256];
	struct image *m = *state;
	struct err e = ERR_INIT;
	struct kconfig c;
	size_t len = make_vmlinux(vmlinux, sample);

	/* A payload longer than the file. */
	make_image(m, ARCHIVE_FILTER_GZIP, vmlinux, len);
	put32(m->bytes + 0x24c, m->len);
	write_image(m);
	assert_int_equal(kconfig_read_image(m->path, &c, &e), -EBADMSG);
	/* One that starts behind the end, and one that begins near 4G. */
	put32(m->bytes + 0x248, m->len);
	write_image(m);
	assert_int_equal(kconfig_read_image(m->path, &c, &e), -EBADMSG);
	put32(m->bytes + 0x248, UINT32_MAX);
	put32(m->bytes + 0x24c, UINT32_MAX);
	write_image(m);
	assert_int_equal(kconfig_read_image(m->path, &c, &e), -EBADMSG);
	/* Cut off in the compressed kernel. */
	make_image(m, ARCHIVE_FILTER_XZ, vmlinux, len);
	memset(m->bytes + 2 * SECTOR + AT + 24, 0x5a, 64);
	write_image(m);
	assert_int_equal(kconfig_read_image(m->path, &c, &e), -EBADMSG);
	assert_non_null(strstr(e.text, "cannot be decompressed"));
	/* A compression that nobody knows. */
	make_image(m, ARCHIVE_FILTER_NONE, "what is this?", 13);
	assert_int_equal(kconfig_read_image(m->path, &c, &e), -EBADMSG);
	/* A protocol that knows no payload; no image at all. */
	m->bytes[0x206] = 7;
	write_image(m);
	assert_int_equal(kconfig_read_image(m->path, &c, &e), -ENOEXEC);
	m->len = 100;
	write_image(m);
	assert_int_equal(kconfig_read_image(m->path, &c, &e), -ENOEXEC);
}

static void options_are_parsed(void **state)
{
	struct err e = ERR_INIT;
	struct kconfig_options o;
	size_t i;
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "A\tx\nB x\n", "t:2: B x: not an option" },
		{ "A\t\n", "t:1: A\t: not an option" },
		{ "CONFIG_A\tx\n", "t:1: CONFIG_A\tx: not an option" },
		{ "# c\n\nA B\tx\n", "t:3: A B\tx: not an option" },
		{ "A\tx\nA\ty\n", "t:2: A: a second row" },
	};

	(void)state;
	assert_int_equal(kconfig_options_parse("# c\n\nSWAP\tone thing\nHZ\tanother\n", "t", &o, &e), 0);
	assert_int_equal(o.count, 2);
	assert_string_equal(o.rows[0].name, "SWAP");
	assert_string_equal(o.rows[0].value, "one thing");
	assert_string_equal(o.rows[1].name, "HZ");
	kconfig_options_free(&o);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(kconfig_options_parse(bad[i].text, "t", &o, &e), -EINVAL);
		assert_int_equal(strncmp(e.text, bad[i].says, strlen(bad[i].says)), 0);
	}
}

static void own_options_are_sound(void **state)
{
	static const char *const must[] = { "MEMCG",    "MEMCG_V1",       "SWAP", "LRU_GEN_ENABLED", "PSI",
					    "FAILSLAB", "MEMORY_FAILURE", "HZ",   "HIGHMEM" };
	struct kconfig_options o;
	size_t i, j;
	char *text;

	(void)state;
	assert_int_equal(file_read("guest/kernels/options.tsv", 1 << 18, &text, NULL, NULL), 0);
	assert_int_equal(kconfig_options_parse(text, "options", &o, NULL), 0);
	assert_true(o.count >= 60);
	for (i = 0; i < sizeof(must) / sizeof(must[0]); i++) {
		for (j = 0; j < o.count && strcmp(o.rows[j].name, must[i]) != 0; j++)
			;
		assert_true(j < o.count);
	}
	kconfig_options_free(&o);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_have_their_values),
		cmocka_unit_test(text_without_options_is_refused),
		cmocka_unit_test_setup_teardown(image_carries_its_configuration, setup, teardown),
		cmocka_unit_test_setup_teardown(image_without_one_says_so, setup, teardown),
		cmocka_unit_test_setup_teardown(damaged_images_are_refused, setup, teardown),
		cmocka_unit_test(options_are_parsed),
		cmocka_unit_test(own_options_are_sound),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("kconfig", tests, NULL, NULL);
}
