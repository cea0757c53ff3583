// SPDX-License-Identifier: MIT
/*
 * oomlab-oomd: starts systemd-oomd where systemd is not, in a guest. What systemd would tell it is told by us: which
 * groups to watch, over the socket on which it asks for them (varlink: JSON texts that end with a NUL byte;
 * io.systemd.ManagedOOM.SubscribeManagedOOMCGroups in systemd's src/core/core-varlink.c and src/oom/oomd-manager.c).
 * They are those beside our own group, each as with ManagedOOMSwap=kill and ManagedOOMMemoryPressure=kill in its unit.
 */
#include "lib/err.h"
#include "lib/files.h"
#include "lib/jsonw.h"
#include "lib/units.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CGROUPS       "/sys/fs/cgroup"
#define SOCKET        "/run/systemd/io.system.ManagedOOM"
#define OWN_FOLDER    "/run/systemd/oom"
#define CONFIG_FOLDER "/run/systemd/oomd.conf.d"
#define CONFIG        CONFIG_FOLDER "/zz-oomlab.conf"
#define QUESTION_MAX  4096
#define ANSWER_MAX    (64u << 10)
#define EXIT_USAGE    2

struct limits {
	const char *swap_used, *pressure, *duration;
};

static void usage(FILE *out)
{
	fputs("usage: oomlab-oomd [--swap-used=PERCENT] [--pressure=PERCENT] [--duration=DURATION] PROGRAM\n"
	      "Starts PROGRAM, systemd-oomd, and tells it in systemd's place to watch the groups beside this one.\n"
	      "  --swap-used   SwapUsedLimit: it kills when more of both memory and swap is in use\n"
	      "  --pressure    DefaultMemoryPressureLimit: and when a group waited for memory so much of the time\n"
	      "  --duration    DefaultMemoryPressureDurationSec: for so long, in whole seconds\n"
	      "What is not given is as the package has it.\n",
	      out);
}

/* "/oomlab/@killer" of "0::/oomlab/@killer\n"; ret_name: its last part. */
static int own_group(char ret_parent[PATH_LEN_MAX], char ret_name[NAME_MAX + 1], struct err *e)
{
	AUTO_FREE char *text = NULL;
	char *path, *slash;

	if (file_read("/proc/self/cgroup", 1u << 16, &text, NULL, e) < 0)
		return -e->code;
	path = strstr(text, "0::/");
	if (!path || strncmp(text, "0::", 3) != 0)
		return err_set(e, EOPNOTSUPP, "systemd-oomd needs cgroup v2 alone; this machine has v1");
	path += 3;
	path[strcspn(path, "\n")] = 0;
	slash = strrchr(path, '/');
	snprintf(ret_name, NAME_MAX + 1, "%s", slash + 1);
	*slash = 0;
	return path_format(ret_parent, "%s", path);
}

static void add_group(struct jsonw *w, const char *path)
{
	static const char *const properties[] = { "ManagedOOMSwap", "ManagedOOMMemoryPressure" };
	size_t i;

	for (i = 0; i < sizeof(properties) / sizeof(properties[0]); i++) {
		jsonw_object(w, NULL);
		jsonw_str(w, "mode", "kill");
		jsonw_str(w, "path", path);
		jsonw_str(w, "property", properties[i]);
		jsonw_close(w);
	}
}

/* How many groups it names. */
static int make_answer(char *buf, size_t room, size_t *ret_len)
{
	char parent[PATH_LEN_MAX], name[NAME_MAX + 1], path[PATH_LEN_MAX];
	struct dirent *one;
	struct jsonw w;
	int count = 0;
	DIR *d;

	if (own_group(parent, name, NULL) < 0 || path_format(path, CGROUPS "%s", parent) < 0)
		return 0;
	d = opendir(path);
	jsonw_begin(&w, buf, room);
	jsonw_object(&w, "parameters");
	jsonw_array(&w, "cgroups");
	while (d && (one = readdir(d))) {
		if (one->d_type != DT_DIR || one->d_name[0] == '.' || !strcmp(one->d_name, name) ||
		    !strcmp(one->d_name, "@engine"))
			continue;
		path_format(path, "%s/%s", parent, one->d_name);
		add_group(&w, path);
		count++;
	}
	if (d)
		closedir(d);
	jsonw_close(&w);
	jsonw_close(&w);
	jsonw_bool(&w, "continues", true);
	*ret_len = jsonw_end(&w);
	return count;
}

/* In a child of its own: answers the one question, and is there for as long as systemd-oomd. */
static _Noreturn void serve(int listening)
{
	static char question[QUESTION_MAX], answer[ANSWER_MAX];
	int fd = accept(listening, NULL, NULL), count;
	size_t len = 0;

	if (fd < 0 || recv(fd, question, sizeof(question), 0) <= 0)
		_exit(EXIT_FAILURE);
	count = make_answer(answer, sizeof(answer) - 1, &len);
	answer[len] = 0;
	if (write_all(fd, answer, len + 1) < 0)
		_exit(EXIT_FAILURE);
	dprintf(STDOUT_FILENO, "watching %d groups\n", count);
	while (recv(fd, question, sizeof(question), 0) > 0)
		;
	_exit(EXIT_SUCCESS);
}

static int listen_at(const char *path, struct err *e)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1) < 0)
		return err_errno(e, errno, "%s", path);
	return fd;
}

static int write_config(const struct limits *l, struct err *e)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "[OOM]\n");
	uint64_t ns;

	if (l->swap_used)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "SwapUsedLimit=%.8s\n", l->swap_used);
	if (l->pressure)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "DefaultMemoryPressureLimit=%.8s\n",
			      l->pressure);
	if (l->duration && duration_parse(l->duration, &ns) == 0)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "DefaultMemoryPressureDurationSec=%llus\n",
			      (unsigned long long)(ns / 1000000000));
	if (dir_make(CONFIG_FOLDER, e) < 0)
		return -e->code;
	return file_write(CONFIG, text, (size_t)n, e);
}

static int check(const struct limits *l, struct err *e)
{
	const char *const percents[] = { l->swap_used, l->pressure };
	double percent;
	uint64_t ns;
	size_t i;

	for (i = 0; i < 2; i++)
		if (percents[i] && (percent_parse(percents[i], &percent) < 0 || percent < 0 || percent > 100))
			return err_set(e, EINVAL, "%s=%.40s; allowed: 0%% to 100%%",
				       i ? "--pressure" : "--swap-used", percents[i]);
	if (l->duration && (duration_parse(l->duration, &ns) < 0 || ns < 1000000000))
		return err_set(e, EINVAL, "--duration=%.40s; allowed: whole seconds, at least 1s",
			       l->duration);
	return 0;
}

static void parse(int argc, char **argv, struct limits *l)
{
	static const struct option options[] = { { "swap-used", required_argument, NULL, 's' },
						 { "pressure", required_argument, NULL, 'p' },
						 { "duration", required_argument, NULL, 'd' },
						 { "help", no_argument, NULL, 'h' },
						 { NULL, 0, NULL, 0 } };
	int c;

	while ((c = getopt_long(argc, argv, "+", options, NULL)) >= 0) {
		switch (c) {
		case 's':
			l->swap_used = optarg;
			break;
		case 'p':
			l->pressure = optarg;
			break;
		case 'd':
			l->duration = optarg;
			break;
		default:
			usage(c == 'h' ? stdout : stderr);
			exit(c == 'h' ? EXIT_SUCCESS : EXIT_USAGE);
		}
	}
	if (optind + 1 != argc) {
		usage(stderr);
		exit(EXIT_USAGE);
	}
}

/* All but the last step: becoming the program. */
static int prepare(const struct limits *l, struct err *e)
{
	char parent[PATH_LEN_MAX], name[NAME_MAX + 1];
	int listening, r;
	pid_t pid;

	r = own_group(parent, name, e);
	if (r == 0)
		r = dir_make(OWN_FOLDER, e);
	if (r == 0)
		r = write_config(l, e);
	listening = r == 0 ? listen_at(SOCKET, e) : -1;
	if (listening < 0)
		return -e->code;
	pid = fork();
	if (pid < 0)
		return err_errno(e, errno, "fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(listening);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct limits l = { 0 };
	struct err e = ERR_INIT;

	parse(argc, argv, &l);
	if (check(&l, &e) < 0) {
		fprintf(stderr, "oomlab-oomd: %s\n", e.text);
		return EXIT_USAGE;
	}
	if (prepare(&l, &e) < 0) {
		fprintf(stderr, "oomlab-oomd: %s\n", e.text);
		return EXIT_FAILURE;
	}
	setenv("SYSTEMD_LOG_TARGET", "console", 1);
	execl(argv[optind], argv[optind], (char *)NULL);
	fprintf(stderr, "oomlab-oomd: %s: %s\n", argv[optind], strerror(errno));
	return EXIT_FAILURE;
}
