// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "core/touched.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/diag.h"
#include "base/own.h"

uint64_t touched_now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void join(const struct steer_table *origins, const struct times *times,
		 struct transition *transition)
{
	transition->era = origins->era;
	transition->until_ms = times->until_ms;
	memcpy(transition->class_ms, times->class_ms, sizeof(transition->class_ms));
	memcpy(transition->class, times->class, sizeof(transition->class));
	memcpy(transition->origin, origins->backend, sizeof(transition->origin));
	for (uint32_t slot = 0; slot < STEER_SLOTS; slot++)
		transition->touched += transition->origin[slot] != 0;
}

int touched_read(const struct dataplane *dp, const struct steer_bank *bank, uint32_t number,
		 uint32_t service, struct transition *ret_transition, struct diag *why)
{
	auto_free void *origins = NULL;
	auto_free void *value = NULL;
	const struct times *times;
	size_t origin_bytes, bytes;
	int error;

	memset(ret_transition, 0, sizeof(*ret_transition));
	if (bank->origin[service] == 0)
		return 0;
	error = object_read(dp, OBJECT_TABLE, bank->origin[service], &origins, &origin_bytes, why);
	if (!error)
		error = object_read(dp, OBJECT_TIMES, number, &value, &bytes, why);
	if (error)
		return error;
	times = value;
	for (size_t i = 0; i < bytes / sizeof(*times); i++) {
		if (times[i].service != service || origin_bytes != sizeof(struct steer_table))
			continue;
		join(origins, &times[i], ret_transition);
		return 0;
	}
	return diag_fail(why, -EPROTO, "bank %u has no times for service %u", number, service);
}

void touched_split(const struct transition *transition, uint32_t service,
		   struct steer_table *ret_origins, struct times *ret_times)
{
	memset(ret_origins, 0, sizeof(*ret_origins));
	memset(ret_times, 0, sizeof(*ret_times));
	ret_origins->era = transition->era;
	memcpy(ret_origins->backend, transition->origin, sizeof(ret_origins->backend));
	ret_times->service = service;
	ret_times->until_ms = transition->until_ms;
	memcpy(ret_times->class_ms, transition->class_ms, sizeof(ret_times->class_ms));
	memcpy(ret_times->class, transition->class, sizeof(ret_times->class));
}
