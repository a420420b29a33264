// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* weight: how much of its pool a backend carries. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "ctl/commands.h"

static int find_backend(struct run *run, const struct policy *policy, const char *name,
			struct backend **ret_backend)
{
	struct suggestion near = {.wanted = name};
	struct service *service;
	struct backend *found = NULL;
	char text[SUGGEST_TEXT];
	int result = run_service(run, policy, &service);

	for (size_t i = 0; !result && i < policy->n_services; i++) {
		struct pool *pool;
		struct backend *backend = service_backend(&policy->services[i], name, &pool);

		if (!run_means(run, &policy->services[i]))
			continue;
		if (backend && found)
			return diag_fail(&run->why, STATUS_USAGE,
					 "several services have backend '%s': say -s SERVICE",
					 name);
		if (backend)
			(void)snprintf(run->service, sizeof(run->service), "%s",
				       policy->services[i].name);
		found = backend ? backend : found;
		for (size_t p = 0; p < policy->services[i].n_pools; p++)
			for (size_t b = 0; b < policy->services[i].pools[p].n_backends; b++)
				suggest_offer(&near, policy->services[i].pools[p].backends[b].name);
	}
	*ret_backend = found;
	if (result || found)
		return result;
	return diag_fail(&run->why, STATUS_UNKNOWN_NAME, "there is no backend '%s'%s", name,
			 suggest_text(&near, text));
}

int cmd_weight(struct run *run)
{
	auto_steerer struct steerer *steerer = NULL;
	auto_policy struct policy next = {0};
	struct diag ignored;
	struct backend *backend;
	const char *text = run->arguments[1];
	char *end;
	unsigned long weight = strtoul(text, &end, 10);
	int result;

	if (text[0] < '0' || text[0] > '9' || *end || weight > 1000)
		return diag_fail(&run->why, STATUS_USAGE,
				 "weight '%s' is not a whole number from 0 to 1000", text);
	result = run_write(run, &steerer, &next);
	if (!result)
		result = find_backend(run, &next, run->arguments[0], &backend);
	if (result)
		return result;
	if (backend->weight == weight)
		return diag_fail(&run->line, 0, "%s has weight %lu already", backend->name, weight);
	diag_add(&run->line, "%s: weight %lu, was %u", backend->name, weight, backend->weight);
	diag_add(&run->undo, "weight %s %u -s %s", backend->name, backend->weight, run->service);
	json_add(run->changes, json_pack("{s:s, s:s, s:s, s:I, s:I}", "service", run->service,
					 "backend", backend->name, "key", "weight", "from",
					 (json_int_t)backend->weight, "to", (json_int_t)weight));
	backend->weight = (uint32_t)weight;
	/* A way back that a rail would refuse says so beforehand. */
	if (rail_health(&next, steerer_policy(steerer), &ignored))
		diag_add(&run->undo, " --override %s", rail_names[RAIL_HEALTH]);
	return run_commit(run, steerer, &next);
}
