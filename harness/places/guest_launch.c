// SPDX-License-Identifier: MIT
#include "harness/places/guest_launch.h"

#include "harness/places/guest_machine.h"
#include "harness/places/image.h"
#include "harness/places/keeper.h"
#include "harness/places/programs.h"
#include "lib/files.h"
#include "lib/json.h"
#include "lib/paths.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int guest_resolve_modules(const json_t *spec, const struct kernel *k, struct module_list *ret, struct err *e)
{
	struct guest_modules need;

	guest_modules(spec, &need);
	ret->count = 0;
	if (!k->modules_dir[0] || !need.names[0])
		return 0;
	return modules_resolve(k->modules_dir, need.names, ret, e);
}

int guest_programs(const struct kernel *k, char ret_agent[PATH_LEN_MAX], char ret_stress[PATH_LEN_MAX],
		   struct err *e)
{
	bool narrow = strcmp(k->arch, "i386") == 0;

	if (paths_helper(narrow ? "i386/oomlab-agent" : "oomlab-agent", ret_agent) == 0 &&
	    paths_helper(narrow ? "i386/oomlab-stress" : "oomlab-stress", ret_stress) == 0)
		return 0;
	if (narrow)
		return err_set(e, EOPNOTSUPP,
			       "%s is a 32-bit kernel, and the 32-bit oomlab-agent and oomlab-stress are not "
			       "built: run ci/deps, then make",
			       k->name);
	return err_set(e, ENOENT, "oomlab-agent, oomlab-stress: not found beside oomlab");
}

/* In memory: only QEMU is to see it, and nothing is left behind however the harness ends. */
static int make_initramfs(const json_t *spec, const struct kernel *k, struct err *e)
{
	char agent[PATH_LEN_MAX], stress[PATH_LEN_MAX];
	struct module_list modules;
	int fd, r;

	r = guest_programs(k, agent, stress, e);
	if (r == 0)
		r = guest_resolve_modules(spec, k, &modules, e);
	if (r < 0)
		return r;
	fd = memfd_create("initramfs", MFD_CLOEXEC);
	if (fd < 0)
		r = err_errno(e, errno, "initramfs: memfd_create");
	else
		r = initramfs_write(fd, agent, stress, &modules, e);
	modules_free(&modules);
	if (r < 0 && fd >= 0)
		close(fd);
	return r < 0 ? r : fd;
}

/* Its parts, for as long as it takes to hand them to the keeper. */
struct parts {
	struct kernel kernel;
	char console[PATH_LEN_MAX], log[PATH_LEN_MAX], append[GUEST_APPEND_MAX];
	int initramfs, swap, data;
	int programs; /* not to be closed */
	uint64_t programs_bytes;
};

static int make_parts(const json_t *spec, const char *dir, struct parts *p, struct err *e)
{
	int r;

	r = kernels_find(json_text(guest_machine(spec), "kernel", NULL), &p->kernel, e);
	if (r < 0)
		return r;
	if (!p->kernel.cached)
		return err_set(e, ENOENT, "kernel %s is not in the cache any more", p->kernel.name);
	if (path_format(p->console, "%s/console.log", dir) < 0 || path_format(p->log, "%s/qemu.log", dir) < 0)
		return err_errno(e, ENAMETOOLONG, "%s", dir);
	r = guest_command_line(spec, p->append, e);
	if (r == 0)
		r = p->initramfs = make_initramfs(spec, &p->kernel, e);
	if (r >= 0 && guest_swap(spec) && guest_swap_kind(spec)->backing == DISK_IMAGE)
		r = p->swap = image_blank(dir, "swap", guest_swap_bytes(spec), e);
	if (r >= 0 && guest_data(spec))
		r = p->data = image_data(dir, guest_data_bytes(spec),
					 guest_data_kind(spec)->backing == DISK_IMAGE, e);
	if (r >= 0 && programs_wanted(spec))
		r = p->programs = programs_image(spec, &p->programs_bytes, e);
	return r < 0 ? r : 0;
}

static int hand_over(const json_t *spec, const struct parts *p, const char *box_path, bool kvm, bool cold,
		     pid_t *ret_pid, struct err *e)
{
	bool nvdimm = guest_swap(spec) && guest_swap_kind(spec)->backing == DISK_NVDIMM;
	AUTO_FREE char *text = json_dumps(spec, JSON_COMPACT);
	struct stat st;
	struct keeper k = {
		.setup = { .kernel = p->kernel.vmlinuz,
			   .append = p->append,
			   .memory_bytes = guest_memory(spec),
			   .cpus = (unsigned int)json_number(guest_machine(spec), "cpus", 1),
			   .nodes = json_object_get(guest_machine(spec), "nodes"),
			   .distances = json_object_get(guest_machine(spec), "distances"),
			   .initramfs_fd = p->initramfs,
			   .swap_fd = p->swap,
			   .pmem_bytes = nvdimm ? guest_swap_bytes(spec) : 0,
			   .data_fd = p->data,
			   .data_bytes = guest_data_bytes(spec),
			   .data_pmem = guest_data(spec) && guest_data_kind(spec)->backing == DISK_NVDIMM,
			   .programs_fd = p->programs,
			   .programs_bytes = p->programs_bytes,
			   .box_path = box_path,
			   .console_path = p->console,
			   .log_path = p->log,
			   .kvm = kvm,
			   .deterministic = guest_deterministic(spec) },
		.spec = text,
		/* With KVM a boot is quick, and the state depends on the host's CPU. */
		.snapshots = !cold && !kvm,
		.snapshot_bytes_max = guest_host_memory(spec) + p->programs_bytes,
	};

	if (!text)
		return err_errno(e, ENOMEM, "spec");
	if (stat(box_path, &st) < 0)
		return err_errno(e, errno, "%s", box_path);
	k.setup.box_bytes = (uint64_t)st.st_size;
	k.spec_len = strlen(text);
	return keeper_start(&k, ret_pid, e);
}

int guest_launch(const json_t *spec, const char *dir, const char *box_path, bool kvm, bool cold,
		 pid_t *ret_pid, struct err *e)
{
	struct parts p = { .initramfs = -1, .swap = -1, .data = -1, .programs = -1 };
	int r;

	r = make_parts(spec, dir, &p, e);
	if (r == 0)
		r = hand_over(spec, &p, box_path, kvm, cold, ret_pid, e);
	if (p.initramfs >= 0)
		close(p.initramfs);
	if (p.swap >= 0)
		close(p.swap);
	if (p.data >= 0)
		close(p.data);
	return r;
}
