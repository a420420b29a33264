/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The status of a steerer as one JSON object, and what is shown of it: "status --json" prints
 * it, the table and the live view are drawn from it.
 */
#ifndef STEER_CTL_STATUS_H
#define STEER_CTL_STATUS_H

#include <stdio.h>

#include "ctl/commands.h"

/*
 * {"services": [...], "generation", "digest", "interfaces": [...], "locked", "undo"}; counters
 * are filled by measure_fill(). @only may be NULL = all services. NULL: memory is short.
 */
json_t *status_build(struct steerer *steerer, const struct service *only);

/* Fill what changes without a commit: "window", and "transition" and "records" of each service. */
void status_fill(json_t *status, const struct steerer *steerer);

/* How a live view shows counters: as rates since @before, which was @seconds ago. */
struct status_rates {
	const json_t *before; /* services[] of the last look; NULL: show the sums */
	double seconds;
};

struct status_sheet {
	FILE *stream;
	size_t width; /* of the terminal; 0: as it comes */
};

/* The table and the lines below it, without the undo line. */
void status_draw(const struct run *run, const json_t *status, const struct status_rates *rates,
		 const struct status_sheet *sheet);

/* watch.c: look each second until q, a signal, or for ever where stdout is no terminal. */
int status_watch(struct run *run);

#endif
