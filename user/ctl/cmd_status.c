// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* status: what every pool should get and really got, what every backend has, the way back. */
#include <errno.h>
#include <stdio.h>

#include "ctl/measure.h"
#include "ctl/status.h"

int cmd_status(struct run *run)
{
	auto_steerer struct steerer *steerer = NULL;
	const struct status_sheet sheet = {.stream = stdout};
	const struct status_rates sums = {0};
	const struct service *only;
	json_t *status, *since;
	int result;

	if (run->options.watch)
		return status_watch(run);
	result = run_read(run, &steerer, &only);
	if (result)
		return result;
	status = status_build(steerer, only);
	if (!status)
		return diag_fail(&run->why, -ENOMEM, "memory is short");
	status_fill(status, steerer);
	since = measure_read(run);
	measure_fill(json_object_get(status, "services"), steerer, since);
	json_decref(since);
	if (run_prints(run))
		status_draw(run, status, &sums, &sheet);
	diag_add(&run->undo, "%s", json_string_value(json_object_get(status, "way_back")) ?: "");
	(void)json_object_del(status, "way_back"); /* it is the answer's undo */
	(void)json_object_update(run->json, status);
	json_decref(status);
	return 0;
}
