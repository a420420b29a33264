// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* steerctl: the environment, the command line, the command, the answer. */
#include <stdlib.h>
#include <string.h>

#include "ctl/commands.h"

static const char *from_environment(const char *name, const char *otherwise)
{
	const char *value = getenv(name);

	return value && value[0] ? value : otherwise;
}

/* --json holds for errors of the command line as well, wherever it stands. */
static bool wants_json(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--json") == 0)
			return true;
	return false;
}

static int run_command(struct run *run, int argc, char **argv)
{
	int result = arguments_read(run, argc, argv);

	if (result)
		return result;
	if (run->options.version)
		return diag_fail(&run->line, 0, "steerctl, ABI %d", STEER_ABI);
	return run->command->run(run);
}

int main(int argc, char **argv)
{
	static struct run run;

	run.options.config = from_environment("STEER_CONFIG", "/etc/steer/steer.yaml");
	run.options.place.instance = "default";
	run.options.place.bpffs = from_environment("STEER_BPFFS", "/sys/fs/bpf/steer");
	run.options.place.state = from_environment("STEER_STATE", "/var/lib/steer");
	run.options.run = from_environment("STEER_RUN", "/run/steer");
	run.options.timeout_ms = 5000;
	run.options.no_color = from_environment("NO_COLOR", NULL) != NULL;
	run.options.json = wants_json(argc, argv);
	run.json = json_object();
	run.changes = json_array();
	run.warnings = json_array();
	return run_finish(&run, run_command(&run, argc, argv));
}
