// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * JSON -> policy: each field is wanted, of its type and inside its limits, and no other; those
 * that came after the first journals may be missing and then have their defaults. What
 * belongs together across objects (the active pool exists, no rank has two owners) is checked
 * per service.
 */
#include <errno.h>
#include <string.h>

#include "base/diag.h"
#include "base/own.h"
#include "core/json_place.h"
#include "core/policy_json.h"
#include "core/transition.h"

#define WEIGHT_MAX 1000

static int read_ranges(const struct json_place *place, struct range **ret_ranges, size_t *ret_n)
{
	const json_t *array;
	json_int_t first;
	json_int_t count;
	int error = PLACE_ARRAY(place, "ranges", STEER_SLOTS, *ret_ranges, *ret_n, &array);

	for (size_t i = 0; !error && i < *ret_n; i++) {
		const json_t *pair = json_array_get(array, i);

		if (json_array_size(pair) != 2 || !json_is_integer(json_array_get(pair, 0)) ||
		    !json_is_integer(json_array_get(pair, 1)))
			return place_refuse(place, "ranges",
					    "holds something other than [rank, count]");
		first = json_integer_value(json_array_get(pair, 0));
		count = json_integer_value(json_array_get(pair, 1));
		if (first < 0 || first >= STEER_SLOTS || count < 1 || count > STEER_SLOTS - first)
			return place_refuse(place, "ranges", "is outside the slots");
		(*ret_ranges)[i] = (struct range){(uint32_t)first, (uint32_t)count};
	}
	return error;
}

/* Mark the ranks of @ranges in @owned; a rank marked before has two owners. */
static int claim_ranks(const struct json_place *place, const struct range *ranges, size_t n,
		       uint8_t *owned)
{
	for (size_t i = 0; i < n; i++) {
		for (uint32_t rank = ranges[i].first; rank < ranges[i].first + ranges[i].count;
		     rank++) {
			if (owned[rank])
				return place_refuse(place, "pools", "give one rank to two owners");
			owned[rank] = 1;
		}
	}
	return 0;
}

static int read_shares(const struct json_place *from, const char *field, struct shares *shares)
{
	auto_free uint8_t *owned = calloc(STEER_SLOTS, 1);
	const json_t *array;
	struct json_place place;
	struct json_place at;
	int error;

	if (!owned)
		return diag_fail(from->why, -ENOMEM, "memory is short");
	if ((error = place_enter(from, field, -1, json_object_get(from->json, field), 4, &place)) ||
	    (error = place_number(&place, "revision", 0, INT64_MAX, &shares->revision)) ||
	    (error = place_seed(&place, "seed", &shares->seed)) ||
	    (error = place_name(&place, "active", true, shares->active)) ||
	    (error = PLACE_ARRAY(&place, "pools", STEER_BACKENDS, shares->pools, shares->n_pools,
				 &array)))
		return error;
	for (size_t i = 0; i < shares->n_pools; i++) {
		struct shares_pool *pool = &shares->pools[i];

		if ((error = place_enter(&place, "pools", (int)i, json_array_get(array, i), 2,
					 &at)) ||
		    (error = place_name(&at, "name", false, pool->name)) ||
		    (error = read_ranges(&at, &pool->ranges, &pool->n_ranges)) ||
		    (error = claim_ranks(&place, pool->ranges, pool->n_ranges, owned)))
			return error;
	}
	return 0;
}

static int read_mac(const struct json_place *place, struct backend *backend)
{
	const json_t *json = json_object_get(place->json, "mac");

	if (json_is_null(json))
		return 0;
	if (!json_is_string(json))
		return place_refuse(place, "mac", "is missing or neither a text nor null");
	if (mac_parse(json_string_value(json), backend->mac, NULL))
		return place_refuse(place, "mac", "is not a MAC address");
	backend->has_mac = true;
	return 0;
}

static int read_backend(const struct json_place *place, struct backend *backend)
{
	size_t state = BACKEND_READY;
	int error;

	if ((error = place_name(place, "name", false, backend->name)) ||
	    (error = place_address(place, "address", &backend->address)) ||
	    (error = read_mac(place, backend)) ||
	    (error = place_u32(place, "weight", 0, WEIGHT_MAX, &backend->weight)) ||
	    (error = place_u32(place, "weight_configured", 0, WEIGHT_MAX,
			       &backend->weight_configured)) ||
	    (error = place_choice(place, "state", policy_state_names, BACKEND_STATE_COUNT,
				  &state)) ||
	    (error = place_u32(place, "id", 0, STEER_BACKEND_IDS - 1, &backend->id)))
		return error;
	backend->state = (enum backend_state)state;
	return 0;
}

static int read_pool(const struct json_place *place, struct pool *pool)
{
	const json_t *array;
	struct json_place at;
	int error;

	if ((error = place_name(place, "name", false, pool->name)) ||
	    (error = place_name(place, "version", true, pool->version)) ||
	    (error = read_ranges(place, &pool->ranges, &pool->n_ranges)) ||
	    (error = PLACE_ARRAY(place, "backends", STEER_BACKENDS, pool->backends,
				 pool->n_backends, &array)))
		return error;
	for (size_t i = 0; i < pool->n_backends; i++) {
		if ((error = place_enter(place, "backends", (int)i, json_array_get(array, i), 7,
					 &at)) ||
		    (error = read_backend(&at, &pool->backends[i])))
			return error;
	}
	return 0;
}

static int read_frontends(const struct json_place *place, struct service *service)
{
	const json_t *array;
	struct json_place at;
	uint32_t port;
	size_t protocol = 0;
	int error = PLACE_ARRAY(place, "frontends", STEER_FRONTENDS, service->frontends,
				service->n_frontends, &array);

	for (size_t i = 0; !error && i < service->n_frontends; i++) {
		struct frontend *frontend = &service->frontends[i];

		if ((error = place_enter(place, "frontends", (int)i, json_array_get(array, i), 3,
					 &at)) ||
		    (error = place_address(&at, "address", &frontend->address)) ||
		    (error = place_u32(&at, "port", 0, UINT16_MAX, &port)) ||
		    (error = place_choice(&at, "protocol", policy_protocol_names,
					  ARRAY_SIZE(policy_protocol_names), &protocol)))
			return error;
		frontend->port = (uint16_t)port;
		frontend->protocol = protocol ? IPPROTO_UDP : IPPROTO_TCP;
	}
	return error;
}

static int read_active(const struct json_place *place, struct service *service)
{
	const char *text;
	int error = place_text(place, "active", &text);

	if (error)
		return error;
	for (size_t i = 0; i < service->n_pools; i++) {
		if (strcmp(service->pools[i].name, text) != 0)
			continue;
		if (service->pools[i].n_ranges)
			return place_refuse(place, "active",
					    "names a pool that has ranges of its own");
		service->active = i;
		return 0;
	}
	return place_refuse(place, "active", "names no pool");
}

static int read_pools(const struct json_place *place, struct service *service)
{
	auto_free uint8_t *owned = calloc(STEER_SLOTS, 1);
	const json_t *array;
	struct json_place at;
	int error;

	if (!owned)
		return diag_fail(place->why, -ENOMEM, "memory is short");
	error = PLACE_ARRAY(place, "pools", STEER_BACKENDS, service->pools, service->n_pools,
			    &array);
	for (size_t i = 0; !error && i < service->n_pools; i++) {
		struct pool *pool = &service->pools[i];

		if ((error = place_enter(place, "pools", (int)i, json_array_get(array, i), 4,
					 &at)) ||
		    (error = read_pool(&at, pool)) ||
		    (error = claim_ranks(place, pool->ranges, pool->n_ranges, owned)))
			return error;
	}
	return error ? error : read_active(place, service);
}

static bool is_missing(const struct json_place *place, const char *field)
{
	return !json_object_get(place->json, field);
}

/* Fields that came later: how a service's transitions go. */
static int read_transitions(const struct json_place *place, struct service *service)
{
	size_t udp = 0;
	int error = 0;

	service->deadline_ms = POLICY_DEADLINE_MS;
	if (json_is_null(json_object_get(place->json, "deadline_ms")))
		service->deadline_ms = TRANSITION_NEVER;
	else if (!is_missing(place, "deadline_ms"))
		error = place_number(place, "deadline_ms", 1, POLICY_DEADLINE_MOST_MS,
				     &service->deadline_ms);
	if (!error && !is_missing(place, "udp"))
		error = place_choice(place, "udp", policy_udp_names, ARRAY_SIZE(policy_udp_names),
				     &udp);
	service->udp_flow = udp == 1;
	return error;
}

static int read_service(const struct json_place *place, struct service *service)
{
	uint32_t prefix4;
	uint32_t prefix6;
	int error;

	if ((error = place_name(place, "name", false, service->name)) ||
	    (error = read_frontends(place, service)) ||
	    (error = place_u32(place, "prefix4", 1, 32, &prefix4)) ||
	    (error = place_u32(place, "prefix6", 1, 128, &prefix6)) ||
	    (error = read_transitions(place, service)) || (error = read_pools(place, service)) ||
	    (error = place_seed(place, "seed", &service->seed)) ||
	    (error = place_number(place, "revision", 0, INT64_MAX, &service->revision)) ||
	    (error = read_shares(place, "base", &service->base)) ||
	    (error = read_shares(place, "before", &service->before)))
		return error;
	service->prefix4 = (uint8_t)prefix4;
	service->prefix6 = (uint8_t)prefix6;
	return 0;
}

static int read_interfaces(const struct json_place *place, struct policy *policy)
{
	const json_t *array;
	struct json_place at;
	const char *name;
	size_t mode = INTERFACE_AUTO;
	int error = PLACE_ARRAY(place, "interfaces", 4096, policy->interfaces, policy->n_interfaces,
				&array);

	for (size_t i = 0; !error && i < policy->n_interfaces; i++) {
		struct interface *interface = &policy->interfaces[i];

		if ((error = place_enter(place, "interfaces", (int)i, json_array_get(array, i), 2,
					 &at)) ||
		    (error = place_text(&at, "name", &name)) ||
		    (error = place_choice(&at, "mode", policy_mode_names,
					  ARRAY_SIZE(policy_mode_names), &mode)))
			return error;
		if (!*name || strlen(name) >= sizeof(interface->name))
			return place_refuse(&at, "name", "is not an interface name");
		memcpy(interface->name, name, strlen(name) + 1);
		interface->mode = (uint8_t)mode;
	}
	return error;
}

static int read_policy(const struct json_place *place, struct policy *policy)
{
	const json_t *array;
	struct json_place at;
	int error;

	policy->flows = POLICY_FLOWS;
	if (!is_missing(place, "flows") && (error = place_u32(place, "flows", POLICY_FLOWS_LEAST,
							      POLICY_FLOWS_MOST, &policy->flows)))
		return error;
	if ((error = place_number(place, "revision", 0, INT64_MAX, &policy->revision)) ||
	    (error = place_u32(place, "last_backend_id", 0, UINT32_MAX,
			       &policy->last_backend_id)) ||
	    (error = read_interfaces(place, policy)) ||
	    (error = PLACE_ARRAY(place, "services", STEER_SERVICES, policy->services,
				 policy->n_services, &array)))
		return error;
	for (size_t i = 0; i < policy->n_services; i++) {
		if ((error = place_enter(place, "services", (int)i, json_array_get(array, i), 12,
					 &at)) ||
		    (error = read_service(&at, &policy->services[i])))
			return error;
	}
	return 0;
}

int policy_from_json(const json_t *json, struct policy *ret_policy, struct diag *why)
{
	struct json_place place = {.json = json, .why = why};
	struct policy policy = {0};
	int error;

	if (!json_is_object(json))
		return diag_fail(why, -EINVAL, "not a policy: not an object");
	if (json_object_size(json) > 5)
		return diag_fail(why, -EINVAL,
				 "not a policy: it has a field that this version does not know");
	error = read_policy(&place, &policy);
	if (error) {
		policy_free(&policy);
		return error;
	}
	*ret_policy = policy;
	return 0;
}
