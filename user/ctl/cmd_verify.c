// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* verify: does the kernel hold what was intended? */
#include <inttypes.h>
#include <string.h>

#include "ctl/commands.h"

int cmd_verify(struct run *run)
{
	auto_steerer struct steerer *steerer = NULL;
	struct diag findings = {0};
	char *rest = findings.text, *part;
	json_t *list;
	int result = run_open(run, STEERER_READ, &steerer);

	if (!result)
		result = steerer_verify(steerer, &findings, &run->why);
	if (result)
		return result;
	list = json_array();
	if (findings.text[0])
		(void)diag_fail(&run->why, 0, "the kernel is not what was intended:\n%.1900s",
				findings.text);
	while (findings.text[0] && (part = strsep(&rest, "\n")))
		if (part[0])
			json_add(list, json_string(part));
	(void)json_object_set_new(run->json, "findings", list);
	if (json_array_size(list))
		return STATUS_FAILED;
	diag_add(&run->line, "the kernel holds revision %" PRIu64 " as intended", run->after);
	return 0;
}
