// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "core/rails.h"

#include <string.h>

#include "base/diag.h"
#include "base/share.h"
#include "base/time_text.h"
#include "core/policy_json.h"
#include "core/table.h"

const char *const rail_names[RAIL_COUNT] = {
	[RAIL_HEALTH] = "health",
	[RAIL_LOCK] = "lock",
	[RAIL_DRIFT] = "drift",
	[RAIL_WINDOW] = "window",
};

/* Does @pool get more clients in @after than in @before, or the same with backends lost? */
static bool gets_worse(const struct service *before, const struct service *after,
		       const struct pool *pool)
{
	const struct pool *was = before ? service_pool(before, pool->name) : NULL;
	uint32_t slots = service_pool_slots(after, pool);

	if (slots == 0 || pool_has_eligible(pool))
		return false;
	return !was || pool_has_eligible(was) || service_pool_slots(before, was) < slots;
}

bool rail_health(const struct policy *before, const struct policy *after, struct diag *ret_fact)
{
	for (size_t i = 0; i < after->n_services; i++) {
		const struct service *service = &after->services[i];
		const struct service *was = policy_service(before, service->name);

		for (size_t p = 0; p < service->n_pools; p++) {
			const struct pool *pool = &service->pools[p];
			const struct backend *first = pool->n_backends ? pool->backends : NULL;
			char share[SHARE_TEXT];

			if (!gets_worse(was, service, pool))
				continue;
			(void)diag_fail(ret_fact, 0,
					"pool '%s' of %s would have %s of the clients and has no "
					"backend that is ready with weight above 0 (%s: %s, weight "
					"%u)",
					pool->name, service->name,
					share_format(service_pool_slots(service, pool), share),
					first ? first->name : "no backend",
					first ? policy_state_names[first->state] : "-",
					first ? first->weight : 0);
			return true;
		}
	}
	return false;
}

bool rail_lock(const struct journal_lock *lock, struct diag *ret_fact)
{
	char since[TIME_TEXT], until[TIME_TEXT] = "", who[NAME_TEXT];

	if (!lock)
		return false;
	if (lock->until)
		(void)time_format(lock->until, until);
	(void)diag_fail(ret_fact, 0, "%s locked it on %s%s%s: %s",
			journal_who(lock->login, lock->uid, who), time_format(lock->since, since),
			until[0] ? " until " : "", until, lock->reason);
	return true;
}

bool rail_drift(const struct steerer *steerer, struct diag *ret_fact)
{
	struct diag findings = {0}, why = {0};

	if (steerer_drift(steerer, &findings, &why))
		(void)diag_fail(ret_fact, 0, "%s", why.text);
	else if (findings.text[0]) /* the first line decides; verify tells all */
		(void)diag_fail(ret_fact, 0, "%.*s", (int)strcspn(findings.text, "\n"),
				findings.text);
	return ret_fact->text[0] != '\0';
}

bool rail_window(const struct steerer_window *window, struct diag *ret_fact)
{
	char left[DURATION_TEXT];

	if (!window->is_armed)
		return false;
	(void)diag_fail(ret_fact, 0,
			"revision %llu waits to be confirmed and undoes itself in %s (to revision "
			"%llu)",
			(unsigned long long)window->revision,
			duration_format(window->left_ms, left),
			(unsigned long long)window->fallback_revision);
	return true;
}
