/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How the owners of ranks change: set, switch, restore.
 *
 * Called by the commands that move clients. Every change is made in a draft beside the service,
 * which is taken over at the end and cannot fail, so that an error leaves the service as it was.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "base/own.h"
#include "base/siphash.h"
#include "core/policy.h"

#define PERCENT(slots) ((double)(slots)*100.0 / STEER_SLOTS)

struct list {
	struct range *ranges;
	size_t n;
	uint32_t slots;
};

struct draft {
	struct list *lists; /* per pool of the service */
	uint32_t *target;   /* slots per pool, unused for the active one */
	size_t n_pools;
	uint64_t seed;
	bool is_owned[STEER_SLOTS]; /* ranks that the active pool may not give */
};

static void draft_free(struct draft **owned)
{
	struct draft *draft = *owned;

	if (!draft)
		return;
	for (size_t i = 0; draft->lists && i < draft->n_pools; i++)
		free(draft->lists[i].ranges);
	free(draft->lists);
	free(draft->target);
	free(draft);
}

#define auto_draft __attribute__((cleanup(draft_free)))

static struct draft *draft_begin(const struct service *service)
{
	auto_draft struct draft *draft = calloc(1, sizeof(*draft));

	if (!draft)
		return NULL;
	draft->n_pools = service->n_pools;
	draft->seed = service->seed;
	draft->lists = calloc(service->n_pools, sizeof(*draft->lists));
	draft->target = calloc(service->n_pools, sizeof(*draft->target));
	if (!draft->lists || !draft->target)
		return NULL;
	for (size_t i = 0; i < service->n_pools; i++) {
		const struct pool *pool = &service->pools[i];
		struct list *list = &draft->lists[i];

		if (i == service->active)
			continue;
		if (ranges_copy(pool->ranges, pool->n_ranges, &list->ranges))
			return NULL;
		list->n = pool->n_ranges;
		list->slots = draft->target[i] = service_pool_slots(service, pool);
		for (size_t r = 0; r < list->n; r++)
			memset(draft->is_owned + list->ranges[r].first, true,
			       list->ranges[r].count);
	}
	return take_ptr(draft);
}

static void draft_take_over(struct draft *draft, struct service *service)
{
	for (size_t i = 0; i < draft->n_pools; i++) {
		free(service->pools[i].ranges);
		service->pools[i].ranges = draft->lists[i].ranges;
		service->pools[i].n_ranges = draft->lists[i].n;
		draft->lists[i] = (struct list){0};
	}
	service->seed = draft->seed;
}

static int list_append(struct list *list, uint32_t rank)
{
	struct range *last = list->n ? &list->ranges[list->n - 1] : NULL;

	if (last && last->first + last->count == rank) {
		last->count++;
	} else {
		struct range *more = realloc(list->ranges, (list->n + 1) * sizeof(*more));

		if (!more)
			return -ENOMEM;
		list->ranges = more;
		list->ranges[list->n++] = (struct range){rank, 1};
	}
	list->slots++;
	return 0;
}

/* Append the lowest ranks of the active pool until the target is met or it has none left. */
static int draft_grow(struct draft *draft, size_t pool)
{
	struct list *list = &draft->lists[pool];

	for (uint32_t rank = 0; rank < STEER_SLOTS && list->slots < draft->target[pool]; rank++) {
		if (draft->is_owned[rank])
			continue;
		if (list_append(list, rank))
			return -ENOMEM;
		draft->is_owned[rank] = true;
	}
	return 0;
}

static void draft_shrink(struct draft *draft, size_t pool)
{
	struct list *list = &draft->lists[pool];

	while (list->slots > draft->target[pool]) {
		struct range *last = &list->ranges[list->n - 1];
		uint32_t excess = list->slots - draft->target[pool];
		uint32_t cut = excess < last->count ? excess : last->count;

		last->count -= cut;
		list->slots -= cut;
		memset(draft->is_owned + last->first + last->count, false, cut);
		if (!last->count)
			list->n--;
	}
}

/*
 * Growing comes first, so that a client moves from a pool that shrinks to one that grows only
 * where the active pool has no other to give.
 */
static int draft_meet_targets(struct draft *draft)
{
	for (size_t i = 0; i < draft->n_pools; i++) {
		if (draft_grow(draft, i))
			return -ENOMEM;
	}
	for (size_t i = 0; i < draft->n_pools; i++)
		draft_shrink(draft, i);
	for (size_t i = 0; i < draft->n_pools; i++) {
		if (draft_grow(draft, i))
			return -ENOMEM;
	}
	return 0;
}

static bool has_one_owner(const struct service *service)
{
	for (size_t i = 0; i < service->n_pools; i++) {
		if (service_pool_slots(service, &service->pools[i]) == STEER_SLOTS)
			return true;
	}
	return false;
}

static uint64_t draw_seed(const struct service *service, const struct pool *pool,
			  const uint64_t key[2])
{
	char text[3 * NAME_TEXT] = {0};

	memcpy(text, service->name, strnlen(service->name, NAME_TEXT - 1));
	memcpy(text + NAME_TEXT, pool->name, strnlen(pool->name, NAME_TEXT - 1));
	memcpy(text + 2 * NAME_TEXT, pool->version, strnlen(pool->version, NAME_TEXT - 1));
	return siphash13(key, text, sizeof(text));
}

/* Put the owners in force into before, and into base when a release begins. */
static int remember(struct service *service, uint64_t revision)
{
	struct shares before = {0}, base = {0};
	bool begins = has_one_owner(service);

	if (service_shares(service, revision, &before))
		return -ENOMEM;
	if (begins && service_shares(service, revision, &base)) {
		shares_free(&before);
		return -ENOMEM;
	}
	shares_free(&service->before);
	service->before = before;
	if (begins) {
		shares_free(&service->base);
		service->base = base;
	}
	return 0;
}

static int fail_memory(const struct service *service, struct diag *why)
{
	return diag_fail(why, -ENOMEM, "no memory for the shares of service '%s'", service->name);
}

/* One request into the draft's targets. */
static int read_request(const struct service *service, const struct share_request *requests,
			size_t at, struct draft *draft, struct diag *why)
{
	const struct share_request *request = &requests[at];
	const struct pool *pool = service_pool(service, request->pool);

	if (!pool)
		return diag_fail(why, -ENOENT, "service '%s' has no pool '%s'", service->name,
				 request->pool);
	if (request->slots > STEER_SLOTS)
		return diag_fail(why, -ERANGE, "%.2f%% for pool '%s' exceeds 100%%",
				 PERCENT(request->slots), pool->name);
	for (size_t i = 0; i < at; i++) {
		if (!strcmp(requests[i].pool, request->pool))
			return diag_fail(why, -EINVAL, "pool '%s' is given two shares", pool->name);
	}
	draft->target[pool - service->pools] = request->slots;
	return 0;
}

/* Check that the targets fit into 100% and that a share for the active pool is what is left. */
static int check_targets(const struct service *service, const struct share_request *requests,
			 size_t n_requests, const struct draft *draft, struct diag *why)
{
	const struct pool *active = &service->pools[service->active];
	uint64_t others = 0;

	for (size_t i = 0; i < draft->n_pools; i++)
		others += i == service->active ? 0 : draft->target[i];
	if (others > STEER_SLOTS)
		return diag_fail(why, -ERANGE, "the shares of service '%s' would sum to %.2f%%",
				 service->name, PERCENT(others));
	for (size_t i = 0; i < n_requests; i++) {
		int64_t off = (int64_t)requests[i].slots - (int64_t)(STEER_SLOTS - others);

		/* Each share was rounded to slots by itself: one slot per pool is no error. */
		if (strcmp(requests[i].pool, active->name) != 0 ||
		    llabs(off) <= (int64_t)draft->n_pools)
			continue;
		return diag_fail(
			why, -EINVAL,
			"pool '%s' is active and gets what the others leave: %.2f%%, not %.2f%%",
			active->name, PERCENT(STEER_SLOTS - others), PERCENT(requests[i].slots));
	}
	return 0;
}

/* First requested pool whose share changes, NULL if there is none. */
static const struct pool *find_changed(const struct service *service,
				       const struct share_request *requests, size_t n_requests,
				       const struct draft *draft)
{
	for (size_t i = 0; i < n_requests; i++) {
		const struct pool *pool = service_pool(service, requests[i].pool);
		size_t index = (size_t)(pool - service->pools);

		if (index != service->active && draft->target[index] != draft->lists[index].slots)
			return pool;
	}
	return NULL;
}

int service_set(struct service *service, const struct share_request *requests, size_t n_requests,
		uint64_t revision, const uint64_t key[2], bool *ret_changed, struct diag *why)
{
	auto_draft struct draft *draft = draft_begin(service);
	const struct pool *changed;
	int error;

	if (!draft)
		return fail_memory(service, why);
	for (size_t i = 0; i < n_requests; i++) {
		error = read_request(service, requests, i, draft, why);
		if (error)
			return error;
	}
	error = check_targets(service, requests, n_requests, draft, why);
	if (error)
		return error;
	draft->target[service->active] = 0; /* its list stays empty: it owns the rest */
	changed = find_changed(service, requests, n_requests, draft);
	if (changed) {
		if (has_one_owner(service))
			draft->seed = draw_seed(service, changed, key);
		if (draft_meet_targets(draft) || remember(service, revision))
			return fail_memory(service, why);
		draft_take_over(draft, service);
	}
	*ret_changed = changed;
	return 0;
}

int service_switch(struct service *service, const char *pool_name, uint64_t revision,
		   const uint64_t key[2], bool *ret_changed, struct diag *why)
{
	struct pool *pool = service_pool(service, pool_name);
	struct pool *active = &service->pools[service->active];
	uint64_t seed = service->seed;

	if (!pool)
		return diag_fail(why, -ENOENT, "service '%s' has no pool '%s'", service->name,
				 pool_name);
	if (pool == active) {
		*ret_changed = false;
		return 0;
	}
	/* When the former active pool owns nothing, no client moves and no release begins. */
	if (service_pool_slots(service, active)) {
		if (has_one_owner(service))
			seed = draw_seed(service, pool, key);
		if (remember(service, revision))
			return fail_memory(service, why);
	}
	free(pool->ranges);
	pool->ranges = NULL;
	pool->n_ranges = 0;
	service->active = (size_t)(pool - service->pools);
	service->seed = seed;
	*ret_changed = true;
	return 0;
}

/* The part of @to that still has a pool. */
static int draft_restore(struct draft *draft, const struct service *service,
			 const struct shares *to, size_t active)
{
	for (size_t i = 0; i < draft->n_pools; i++) {
		free(draft->lists[i].ranges);
		draft->lists[i] = (struct list){0};
	}
	draft->seed = to->seed;
	for (size_t i = 0; i < to->n_pools; i++) {
		const struct shares_pool *from = &to->pools[i];
		const struct pool *pool = service_pool(service, from->name);
		size_t index;

		if (!pool)
			continue;
		index = (size_t)(pool - service->pools);
		if (index == active)
			continue;
		if (ranges_copy(from->ranges, from->n_ranges, &draft->lists[index].ranges))
			return -ENOMEM;
		draft->lists[index].n = from->n_ranges;
	}
	return 0;
}

int service_restore(struct service *service, const struct shares *to, bool *ret_changed,
		    struct diag *why)
{
	auto_draft struct draft *draft = draft_begin(service);
	const struct pool *active = service_pool(service, to->active);
	struct shares former = {0}, restored = {0};
	size_t former_active = service->active;

	if (!draft)
		return fail_memory(service, why);
	if (!active)
		return diag_fail(why, -ENOENT, "service '%s' has no pool '%s' any more",
				 service->name, to->active);
	if (draft_restore(draft, service, to, (size_t)(active - service->pools)) ||
	    service_shares(service, 0, &former))
		return fail_memory(service, why);
	draft_take_over(draft, service);
	service->active = (size_t)(active - service->pools);
	/* Without memory to compare, "changed" is the safe answer. */
	*ret_changed = service_shares(service, 0, &restored) || service->active != former_active ||
		       !shares_equal(&former, &restored);
	shares_free(&former);
	shares_free(&restored);
	return 0;
}
