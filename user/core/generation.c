// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "core/generation.h"

#include <errno.h>
#include <string.h>

#include <jansson.h>

#include "base/diag.h"
#include "base/own.h"
#include "core/banks.h"
#include "core/flows.h"
#include "core/policy_json.h"

int generation_policy(const struct dataplane *dp, uint32_t bank, struct policy *ret_policy,
		      struct diag *why)
{
	auto_free void *text = NULL;
	json_error_t where;
	json_t *json;
	int error = object_read(dp, OBJECT_POLICY, bank, &text, NULL, why);

	if (error)
		return error;
	json = json_loads(text, 0, &where);
	if (!json)
		return diag_fail(why, -EPROTO, "the policy pinned with bank %u is damaged: %s",
				 bank, where.text);
	error = policy_from_json(json, ret_policy, why);
	json_decref(json);
	return error;
}

/* Services that @live's rollback concerns: those of the release that changed last. */
static bool is_in_release(const struct policy *live, const struct service *service, bool step)
{
	uint64_t newest = 0, base = 0;

	for (size_t i = 0; i < live->n_services; i++) {
		const struct service *other = &live->services[i];

		if (other->before.revision >= newest && other->before.revision) {
			newest = other->before.revision;
			base = other->base.revision;
		}
	}
	return step ? service->before.revision == newest && newest
		    : service->base.revision == base && base;
}

static int service_way_back(const struct policy *live, struct service *service, bool step,
			    bool *changed, struct diag *why)
{
	const struct shares *to = step ? &service->before : &service->base;
	bool service_changed = false;
	int error;

	if (!is_in_release(live, service, step) || to->active[0] == '\0')
		return 0;
	error = service_restore(service, to, &service_changed, why);
	if (!error && service_changed) {
		service->revision = live->revision + 1;
		/* Names the release that was last changed, but no shares: a step leads nowhere. */
		shares_free(&service->before);
		memset(&service->before, 0, sizeof(service->before));
		service->before.revision = live->revision;
		*changed = true;
	}
	return error;
}

int generation_way_back(const struct policy *live, bool step, struct policy *ret_policy,
			bool *ret_changed, struct diag *why)
{
	struct policy back = {0};
	bool changed = false;
	int error = policy_copy(live, &back);

	if (error)
		return diag_fail(why, error, "out of memory preparing the way back");
	for (size_t i = 0; i < back.n_services && !error; i++)
		error = service_way_back(live, &back.services[i], step, &changed, why);
	if (error || !changed) {
		policy_free(&back);
		*ret_changed = false;
		return error == -ENOENT ? 0 : error;
	}
	back.revision = live->revision + 1;
	*ret_policy = back;
	*ret_changed = true;
	return 0;
}

static int build_all(struct build *build, struct ways *ways, const struct install *install)
{
	int error = resident_survey(build->dp, &build->resident, build->why);

	build->running = STEER_WORD_BANK(dataplane_word(build->dp)) % STEER_BANKS;
	if (!error)
		error = generation_way_back(ways->live, false, &ways->back, &ways->has_back,
					    build->why);
	if (!error)
		error = generation_way_back(ways->live, true, &ways->undo, &ways->has_undo,
					    build->why);
	if (!error)
		error = build_frontends(build);
	if (!error)
		error = build_pages(build);
	if (!error)
		error = banks_put(build, ways, install);
	if (!error)
		error = build_publish(build);
	if (!error)
		banks_write(build, ways->live, install);
	return error;
}

int generation_install(struct dataplane *dp, const struct policy *was, const struct policy *live,
		       const struct install *install, uint32_t *ret_bank, struct diag *why)
{
	auto_free struct build *build = calloc(1, sizeof(*build));
	struct ways ways = {.live = live};
	int error;

	if (!build)
		return diag_fail(why, -ENOMEM, "out of memory building a generation");
	build->dp = dp;
	build->was = was;
	build->inventory = live;
	build->why = why;
	error = build_all(build, &ways, install);
	*ret_bank = build->planned[ROLE_LIVE].number;
	for (int role = 0; role < ROLE_COUNT; role++)
		free(build->planned[role].times);
	policy_free(&ways.back);
	policy_free(&ways.undo);
	return error;
}

int generation_select(struct dataplane *dp, const struct policy *live, uint64_t expected,
		      uint32_t bank, struct diag *why)
{
	struct steer_links *links = &dp->control->links[bank];
	bool is_timed = links->next != 0;
	int error;

	if (is_timed && links->hold_ns)
		links->due_ns = touched_now_ms() * 1000000 + links->hold_ns;
	/* Before the swap, for this process may die right after it. */
	error = is_timed ? dataplane_arm(dp, why) : 0;
	/* A way back must not fail for that: settling late is better than not going back. */
	if (!error || links->hold_ns)
		error = dataplane_swap(dp, expected, bank);
	if (error)
		return error;
	if (is_timed)
		(void)dataplane_arm(dp, NULL);
	for (size_t s = 0; s < live->n_services; s++)
		for (size_t p = 0; p < live->services[s].n_pools; p++)
			for (size_t b = 0; b < live->services[s].pools[p].n_backends; b++)
				if (live->services[s].pools[p].backends[b].state == BACKEND_MAINT)
					(void)flows_forget(
						dp, live->services[s].pools[p].backends[b].id, why);
	return 0;
}
