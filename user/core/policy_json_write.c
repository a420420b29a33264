// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Policy -> JSON: every field of every object is written, empty or not.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/own.h"
#include "core/policy_json.h"
#include "core/transition.h"

const char *const policy_state_names[] = {
	[BACKEND_READY] = "ready",
	[BACKEND_DRAIN] = "drain",
	[BACKEND_MAINT] = "maint",
};
_Static_assert(ARRAY_SIZE(policy_state_names) == BACKEND_STATE_COUNT, "every state has a name");

const char *const policy_mode_names[] = {
	[INTERFACE_AUTO] = "auto",
	[INTERFACE_NATIVE] = "native",
	[INTERFACE_GENERIC] = "generic",
};

const char *const policy_protocol_names[] = {"tcp", "udp"};

const char *const policy_udp_names[] = {"packet", "flow"};

static json_t *seed_to_json(uint64_t seed)
{
	char text[17];

	(void)snprintf(text, sizeof(text), "%016" PRIx64, seed);
	return json_string(text);
}

/* An array of @n elements, each made by @make from @stride bytes further on. */
static json_t *array_to_json(const void *first, size_t n, size_t stride,
			     json_t *(*make)(const void *element))
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < n; i++) {
		if (json_array_append_new(array, make((const char *)first + i * stride)) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static json_t *range_to_json(const void *element)
{
	const struct range *range = element;

	return json_pack("[I,I]", (json_int_t)range->first, (json_int_t)range->count);
}

static json_t *ranges_to_json(const struct range *ranges, size_t n)
{
	return array_to_json(ranges, n, sizeof(*ranges), range_to_json);
}

static json_t *shares_pool_to_json(const void *element)
{
	const struct shares_pool *pool = element;

	return json_pack("{s:s, s:o}", "name", pool->name, "ranges",
			 ranges_to_json(pool->ranges, pool->n_ranges));
}

static json_t *shares_to_json(const struct shares *shares)
{
	return json_pack("{s:I, s:o, s:s, s:o}", "revision", (json_int_t)shares->revision, "seed",
			 seed_to_json(shares->seed), "active", shares->active, "pools",
			 array_to_json(shares->pools, shares->n_pools, sizeof(*shares->pools),
				       shares_pool_to_json));
}

static json_t *backend_to_json(const void *element)
{
	const struct backend *backend = element;
	char address[ADDRESS_TEXT];
	char mac[MAC_TEXT];

	return json_pack("{s:s, s:s, s:s?, s:I, s:I, s:s, s:I}", "name", backend->name, "address",
			 address_format(&backend->address, address), "mac",
			 backend->has_mac ? mac_format(backend->mac, mac) : NULL, "weight",
			 (json_int_t)backend->weight, "weight_configured",
			 (json_int_t)backend->weight_configured, "state",
			 policy_state_names[backend->state], "id", (json_int_t)backend->id);
}

static json_t *pool_to_json(const void *element)
{
	const struct pool *pool = element;

	return json_pack("{s:s, s:s, s:o, s:o}", "name", pool->name, "version", pool->version,
			 "backends",
			 array_to_json(pool->backends, pool->n_backends, sizeof(*pool->backends),
				       backend_to_json),
			 "ranges", ranges_to_json(pool->ranges, pool->n_ranges));
}

static json_t *frontend_to_json(const void *element)
{
	const struct frontend *frontend = element;
	char address[ADDRESS_TEXT];

	return json_pack("{s:s, s:I, s:s}", "address", address_format(&frontend->address, address),
			 "port", (json_int_t)frontend->port, "protocol",
			 policy_protocol_names[frontend->protocol == IPPROTO_UDP]);
}

/* null: none */
static json_t *deadline_to_json(uint64_t deadline_ms)
{
	return deadline_ms == TRANSITION_NEVER ? json_null()
					       : json_integer((json_int_t)deadline_ms);
}

static json_t *service_to_json(const void *element)
{
	const struct service *service = element;

	return json_pack(
		"{s:s, s:o, s:I, s:I, s:o, s:s, s:o, s:s, s:o, s:I, s:o, s:o}", "name",
		service->name, "frontends",
		array_to_json(service->frontends, service->n_frontends, sizeof(*service->frontends),
			      frontend_to_json),
		"prefix4", (json_int_t)service->prefix4, "prefix6", (json_int_t)service->prefix6,
		"deadline_ms", deadline_to_json(service->deadline_ms), "udp",
		policy_udp_names[service->udp_flow], "pools",
		array_to_json(service->pools, service->n_pools, sizeof(*service->pools),
			      pool_to_json),
		"active", service->pools[service->active].name, "seed", seed_to_json(service->seed),
		"revision", (json_int_t)service->revision, "base", shares_to_json(&service->base),
		"before", shares_to_json(&service->before));
}

static json_t *interface_to_json(const void *element)
{
	const struct interface *interface = element;

	return json_pack("{s:s, s:s}", "name", interface->name, "mode",
			 policy_mode_names[interface->mode]);
}

json_t *policy_to_json(const struct policy *policy)
{
	return json_pack("{s:I, s:I, s:I, s:o, s:o}", "revision", (json_int_t)policy->revision,
			 "last_backend_id", (json_int_t)policy->last_backend_id, "flows",
			 (json_int_t)policy->flows, "interfaces",
			 array_to_json(policy->interfaces, policy->n_interfaces,
				       sizeof(*policy->interfaces), interface_to_json),
			 "services",
			 array_to_json(policy->services, policy->n_services,
				       sizeof(*policy->services), service_to_json));
}

int service_equal(const struct service *a, const struct service *b)
{
	json_t *one = service_to_json(a), *other = service_to_json(b);
	int equal = one && other ? json_equal(one, other) : -ENOMEM;

	json_decref(one);
	json_decref(other);
	return equal;
}
