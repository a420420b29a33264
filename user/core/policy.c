/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Copies, frees and look-ups of the policy. Who owns which ranks is changed in shares.c only.
 */
#include "core/policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Replace *@array, which belongs to somebody else, by a copy; NULL when it cannot be had. */
static int own_array(void *array, size_t n, size_t size)
{
	void *from, *copy = NULL;

	memcpy(&from, array, sizeof(from));
	if (n) {
		copy = calloc(n, size);
		if (copy)
			memcpy(copy, from, n * size);
	}
	memcpy(array, &copy, sizeof(copy));
	return n && !copy ? -ENOMEM : 0;
}

void shares_free(struct shares *shares)
{
	for (size_t i = 0; i < shares->n_pools; i++)
		free(shares->pools[i].ranges);
	free(shares->pools);
	memset(shares, 0, sizeof(*shares));
}

static void service_free(struct service *service)
{
	for (size_t i = 0; i < service->n_pools; i++) {
		free(service->pools[i].backends);
		free(service->pools[i].ranges);
	}
	free(service->pools);
	free(service->frontends);
	shares_free(&service->base);
	shares_free(&service->before);
}

void policy_free(struct policy *policy)
{
	for (size_t i = 0; i < policy->n_services; i++)
		service_free(&policy->services[i]);
	free(policy->services);
	free(policy->interfaces);
	memset(policy, 0, sizeof(*policy));
}

/*
 * The own_*() turn a flat copy into a deep one. On error everything inside is owned or absent,
 * so that the free function of the whole is safe.
 */
static int own_shares(struct shares *shares)
{
	int error = own_array(&shares->pools, shares->n_pools, sizeof(*shares->pools));

	if (error) {
		shares->n_pools = 0;
		return error;
	}
	for (size_t i = 0; i < shares->n_pools; i++) {
		struct shares_pool *pool = &shares->pools[i];

		error |= own_array(&pool->ranges, pool->n_ranges, sizeof(*pool->ranges));
	}
	return error ? -ENOMEM : 0;
}

int shares_copy(const struct shares *from, struct shares *ret_shares)
{
	struct shares copy = *from;
	int error = own_shares(&copy);

	if (error)
		shares_free(&copy);
	else
		*ret_shares = copy;
	return error;
}

static int own_pools(struct service *service)
{
	int error = own_array(&service->pools, service->n_pools, sizeof(*service->pools));

	if (error) {
		service->n_pools = 0;
		return error;
	}
	for (size_t i = 0; i < service->n_pools; i++) {
		struct pool *pool = &service->pools[i];

		error |= own_array(&pool->backends, pool->n_backends, sizeof(*pool->backends));
		error |= own_array(&pool->ranges, pool->n_ranges, sizeof(*pool->ranges));
	}
	return error ? -ENOMEM : 0;
}

static int own_service(struct service *service)
{
	int error =
		own_array(&service->frontends, service->n_frontends, sizeof(*service->frontends));

	error |= own_pools(service);
	error |= own_shares(&service->base);
	error |= own_shares(&service->before);
	return error ? -ENOMEM : 0;
}

int policy_copy(const struct policy *from, struct policy *ret_policy)
{
	struct policy copy = *from;
	int error = own_array(&copy.interfaces, copy.n_interfaces, sizeof(*copy.interfaces));

	if (own_array(&copy.services, copy.n_services, sizeof(*copy.services))) {
		copy.n_services = 0;
		error = -ENOMEM;
	}
	for (size_t i = 0; i < copy.n_services; i++)
		error |= own_service(&copy.services[i]);
	if (error) {
		policy_free(&copy);
		return -ENOMEM;
	}
	*ret_policy = copy;
	return 0;
}

struct service *policy_service(const struct policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->n_services; i++) {
		if (!strcmp(policy->services[i].name, name))
			return &policy->services[i];
	}
	return NULL;
}

struct pool *service_pool(const struct service *service, const char *name)
{
	for (size_t i = 0; i < service->n_pools; i++) {
		if (!strcmp(service->pools[i].name, name))
			return &service->pools[i];
	}
	return NULL;
}

struct backend *service_backend(const struct service *service, const char *name,
				struct pool **ret_pool)
{
	for (size_t i = 0; i < service->n_pools; i++) {
		struct pool *pool = &service->pools[i];

		for (size_t b = 0; b < pool->n_backends; b++) {
			if (strcmp(pool->backends[b].name, name) != 0)
				continue;
			if (ret_pool)
				*ret_pool = pool;
			return &pool->backends[b];
		}
	}
	return NULL;
}
