/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What each pool really got since its service last changed: counters now, less the counters
 * noted right after that commit in RUN/INSTANCE/since.json.
 *
 * The note is a convenience. It cannot be written: no command fails. It is missing, of another
 * revision or larger than the counters (they begin anew with "up"): the actual share is unknown.
 */
#ifndef STEER_CTL_MEASURE_H
#define STEER_CTL_MEASURE_H

#include <limits.h>

#include "ctl/commands.h"

void measure_path(const struct run *run, char path[static PATH_MAX]);

/* Note the counters of services whose revision is not noted yet; of all with @anew. */
void measure_note(const struct run *run, const struct steerer *steerer, bool anew);

/* {service: {"revision": n, "counts": {backend id: [connections, packets]}}}; NULL if unknown. */
json_t *measure_read(const struct run *run);

/* The same for a view that begins: what has no note is measured from now on ("view": true). */
json_t *measure_view(const struct run *run, const struct steerer *steerer);

/*
 * Fill packets, bytes and new_connections of the backends of @services (as "status --json" has
 * them), actual_share of their pools, and "actual": {"by", "total"} of each service. Shares are
 * since @since, which may be NULL.
 */
void measure_fill(json_t *services, const struct steerer *steerer, const json_t *since);

#endif
