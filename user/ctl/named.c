// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "ctl/named.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/suggest.h"

void named_free(struct named *named)
{
	free(named->backends);
	*named = (struct named){0};
}

int named_add(struct named *named, const struct service *service, const struct pool *pool,
	      const struct backend *backend)
{
	struct named_backend *more = reallocarray(named->backends, named->count + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	named->backends = more;
	more += named->count++;
	(void)snprintf(more->service, sizeof(more->service), "%s", service->name);
	(void)snprintf(more->pool, sizeof(more->pool), "%s", pool->name);
	(void)snprintf(more->name, sizeof(more->name), "%s", backend->name);
	more->id = backend->id;
	return 0;
}

struct backend *named_in(const struct policy *policy, const struct named_backend *backend)
{
	const struct service *service = policy_service(policy, backend->service);
	struct pool *pool = service ? service_pool(service, backend->pool) : NULL;

	for (size_t i = 0; pool && i < pool->n_backends; i++)
		if (pool->backends[i].id == backend->id)
			return &pool->backends[i];
	return NULL;
}

static int add_of_service(struct run *run, const struct service *service, const char *name,
			  struct named *named)
{
	const struct pool *pool = service_pool(service, name);
	struct pool *owner;
	const struct backend *backend = service_backend(service, name, &owner);
	int result = 0;

	if (pool && backend)
		return diag_fail(&run->why, STATUS_USAGE,
				 "'%s' is a pool of %s and a backend of %s: name the backends",
				 name, service->name, owner->name);
	if (backend)
		return named_add(named, service, owner, backend);
	for (size_t i = 0; pool && !result && i < pool->n_backends; i++)
		result = named_add(named, service, pool, &pool->backends[i]);
	return result;
}

static int unknown_name(struct run *run, const struct policy *policy, const char *name)
{
	struct suggestion near = {.wanted = name};
	char text[SUGGEST_TEXT];

	for (size_t i = 0; i < policy->n_services; i++) {
		const struct service *service = &policy->services[i];

		for (size_t p = 0; p < service->n_pools && run_means(run, service); p++) {
			suggest_offer(&near, service->pools[p].name);
			for (size_t b = 0; b < service->pools[p].n_backends; b++)
				suggest_offer(&near, service->pools[p].backends[b].name);
		}
	}
	return diag_fail(&run->why, STATUS_UNKNOWN_NAME, "there is no backend or pool '%s'%s", name,
			 suggest_text(&near, text));
}

int named_find(struct run *run, const struct policy *policy, const char *name,
	       struct named *ret_named)
{
	struct diag names = {0};
	struct service *only;
	size_t services = 0;
	int result = run_service(run, policy, &only);

	for (size_t i = 0; !result && i < policy->n_services; i++) {
		const struct service *service = &policy->services[i];
		size_t before = ret_named->count;

		if (!run_means(run, service))
			continue;
		result = add_of_service(run, service, name, ret_named);
		if (ret_named->count == before)
			continue;
		(void)snprintf(run->service, sizeof(run->service), "%s", service->name);
		diag_add(&names, "%s%s", services++ ? ", " : "", service->name);
	}
	if (result)
		return result;
	if (ret_named->count == 0)
		return unknown_name(run, policy, name);
	if (services == 1)
		return 0;
	run->service[0] = '\0';
	if (run->options.all)
		return 0;
	return diag_fail(&run->why, STATUS_USAGE,
			 "several services have '%s': %.1500s; say -s SERVICE, or --all", name,
			 names.text);
}
