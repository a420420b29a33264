// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Policy <-> JSON. The writer emits every field of every object; the reader wants each of them,
 * of its type and inside its limits, and no other. What belongs together across objects (the
 * active pool exists, no rank has two owners) is checked per service.
 */
#include "core/policy_json.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/diag.h"
#include "base/own.h"

#define WEIGHT_MAX 1000

static const char *const state_names[] = {
	[BACKEND_READY] = "ready",
	[BACKEND_DRAIN] = "drain",
	[BACKEND_MAINT] = "maint",
};
_Static_assert(ARRAY_SIZE(state_names) == BACKEND_STATE_COUNT, "every state has a name");

static const char *const mode_names[] = {
	[INTERFACE_AUTO] = "auto",
	[INTERFACE_NATIVE] = "native",
	[INTERFACE_GENERIC] = "generic",
};

static const char *const protocol_names[] = {"tcp", "udp"};

/* ---- policy -> JSON -------------------------------------------------------------------------- */

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
			 state_names[backend->state], "id", (json_int_t)backend->id);
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
			 protocol_names[frontend->protocol == IPPROTO_UDP]);
}

static json_t *service_to_json(const void *element)
{
	const struct service *service = element;

	return json_pack("{s:s, s:o, s:I, s:I, s:o, s:s, s:o, s:I, s:o, s:o}", "name",
			 service->name, "frontends",
			 array_to_json(service->frontends, service->n_frontends,
				       sizeof(*service->frontends), frontend_to_json),
			 "prefix4", (json_int_t)service->prefix4, "prefix6",
			 (json_int_t)service->prefix6, "pools",
			 array_to_json(service->pools, service->n_pools, sizeof(*service->pools),
				       pool_to_json),
			 "active", service->pools[service->active].name, "seed",
			 seed_to_json(service->seed), "revision", (json_int_t)service->revision,
			 "base", shares_to_json(&service->base), "before",
			 shares_to_json(&service->before));
}

static json_t *interface_to_json(const void *element)
{
	const struct interface *interface = element;

	return json_pack("{s:s, s:s}", "name", interface->name, "mode",
			 mode_names[interface->mode]);
}

json_t *policy_to_json(const struct policy *policy)
{
	return json_pack("{s:I, s:I, s:o, s:o}", "revision", (json_int_t)policy->revision,
			 "last_backend_id", (json_int_t)policy->last_backend_id, "interfaces",
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

/* ---- JSON -> policy -------------------------------------------------------------------------- */

/* An object being read and the way to it. */
struct place {
	const json_t *json;
	char path[192]; /* "services[0].pools[1]", "" at the top */
	struct diag *why;
};

static int(refuse)(const struct place *place, const char *field, const char *wanted)
{
	(void)diag_fail(place->why, -EINVAL, "not a policy: '%s%s%s' %s", place->path,
			*place->path && *field ? "." : "", field, wanted);
	return -EINVAL;
}

/* The analyzer gives up following calls at some depth: tell it the result (see diag.h). */
#ifdef __clang_analyzer__
#define refuse(place, field, wanted) ((void)(refuse)(place, field, wanted), -EINVAL)
#endif

/* Step to @json, found as @field of @from, and @index of it if not negative. */
static int enter(const struct place *from, const char *field, int index, const json_t *json,
		 size_t n_fields, struct place *ret_place)
{
	const char *dot = *from->path ? "." : "";

	ret_place->json = json;
	ret_place->why = from->why;
	if (index < 0)
		(void)snprintf(ret_place->path, sizeof(ret_place->path), "%.120s%s%s", from->path,
			       dot, field);
	else
		(void)snprintf(ret_place->path, sizeof(ret_place->path), "%.120s%s%s[%d]",
			       from->path, dot, field, index);
	if (!json_is_object(json))
		return refuse(ret_place, "", "is missing or not an object");
	if (json_object_size(json) > n_fields)
		return refuse(ret_place, "", "has a field that this version does not know");
	return 0;
}

static int read_number(const struct place *place, const char *field, uint64_t least, uint64_t most,
		       uint64_t *ret_number)
{
	const json_t *json = json_object_get(place->json, field);
	json_int_t value = json_integer_value(json);

	if (!json_is_integer(json))
		return refuse(place, field, "is missing or not a whole number");
	if (value < 0 || (uint64_t)value < least || (uint64_t)value > most)
		return refuse(place, field, "is outside its limits");
	*ret_number = (uint64_t)value;
	return 0;
}

static int read_u32(const struct place *place, const char *field, uint32_t least, uint32_t most,
		    uint32_t *ret_number)
{
	uint64_t number;
	int error = read_number(place, field, least, most, &number);

	if (!error)
		*ret_number = (uint32_t)number;
	return error;
}

static int read_text(const struct place *place, const char *field, const char **ret_text)
{
	const json_t *json = json_object_get(place->json, field);

	if (!json_is_string(json))
		return refuse(place, field, "is missing or not a text");
	*ret_text = json_string_value(json);
	return 0;
}

static int read_name(const struct place *place, const char *field, bool may_be_empty,
		     char ret_name[static NAME_TEXT])
{
	static const char first[] =
		"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	static const char rest[] =
		"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-";
	const char *text;
	int error = read_text(place, field, &text);

	if (error)
		return error;
	if (!*text && !may_be_empty)
		return refuse(place, field, "is empty");
	if (strlen(text) >= NAME_TEXT || text[strspn(text, rest)] ||
	    (*text && !strchr(first, *text)))
		return refuse(place, field, "is not a name");
	memcpy(ret_name, text, strlen(text) + 1);
	return 0;
}

static int read_seed(const struct place *place, const char *field, uint64_t *ret_seed)
{
	const char *text;
	int error = read_text(place, field, &text);

	if (error)
		return error;
	if (strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16)
		return refuse(place, field, "is not 16 hexadecimal digits");
	*ret_seed = strtoull(text, NULL, 16);
	return 0;
}

static int read_choice(const struct place *place, const char *field, const char *const *names,
		       size_t n_names, size_t *ret_choice)
{
	const char *text;
	int error = read_text(place, field, &text);

	if (error)
		return error;
	for (size_t i = 0; i < n_names; i++) {
		if (strcmp(text, names[i]) == 0) {
			*ret_choice = i;
			return 0;
		}
	}
	return refuse(place, field, "is none of the words known");
}

static int read_address(const struct place *place, const char *field, struct address *ret_address)
{
	const char *text;
	int error = read_text(place, field, &text);

	if (!error && address_parse(text, ret_address, NULL))
		return refuse(place, field, "is not an IP address");
	return error;
}

/* Find an array and make room for its elements; *@ret_n is set with the memory, so it is freed. */
static int read_array(const struct place *place, const char *field, size_t most, size_t stride,
		      void **ret_elements, size_t *ret_n, const json_t **ret_array)
{
	const json_t *array = json_object_get(place->json, field);
	void *elements;

	if (!json_is_array(array))
		return refuse(place, field, "is missing or not a list");
	if (json_array_size(array) > most)
		return refuse(place, field, "is longer than its limit");
	*ret_array = array;
	*ret_elements = NULL;
	*ret_n = 0;
	if (json_array_size(array) == 0)
		return 0;
	elements = calloc(json_array_size(array), stride);
	if (!elements)
		return diag_fail(place->why, -ENOMEM, "memory is short");
	*ret_elements = elements;
	*ret_n = json_array_size(array);
	return 0;
}

#define READ_ARRAY(place, field, most, elements, n, ret_array)                                     \
	({                                                                                         \
		void *read_memory = NULL;                                                          \
		int read_error = read_array(place, field, most, sizeof(*(elements)), &read_memory, \
					    &(n), ret_array);                                      \
		(elements) = read_memory;                                                          \
		read_error;                                                                        \
	})

static int read_ranges(const struct place *place, struct range **ret_ranges, size_t *ret_n)
{
	const json_t *array;
	json_int_t first;
	json_int_t count;
	int error = READ_ARRAY(place, "ranges", STEER_SLOTS, *ret_ranges, *ret_n, &array);

	for (size_t i = 0; !error && i < *ret_n; i++) {
		const json_t *pair = json_array_get(array, i);

		if (json_array_size(pair) != 2 || !json_is_integer(json_array_get(pair, 0)) ||
		    !json_is_integer(json_array_get(pair, 1)))
			return refuse(place, "ranges", "holds something other than [rank, count]");
		first = json_integer_value(json_array_get(pair, 0));
		count = json_integer_value(json_array_get(pair, 1));
		if (first < 0 || first >= STEER_SLOTS || count < 1 || count > STEER_SLOTS - first)
			return refuse(place, "ranges", "is outside the slots");
		(*ret_ranges)[i] = (struct range){(uint32_t)first, (uint32_t)count};
	}
	return error;
}

/* Mark the ranks of @ranges in @owned; a rank marked before has two owners. */
static int claim_ranks(const struct place *place, const struct range *ranges, size_t n,
		       uint8_t *owned)
{
	for (size_t i = 0; i < n; i++) {
		for (uint32_t rank = ranges[i].first; rank < ranges[i].first + ranges[i].count;
		     rank++) {
			if (owned[rank])
				return refuse(place, "pools", "give one rank to two owners");
			owned[rank] = 1;
		}
	}
	return 0;
}

static int read_shares(const struct place *from, const char *field, struct shares *shares)
{
	auto_free uint8_t *owned = calloc(STEER_SLOTS, 1);
	const json_t *array;
	struct place place;
	struct place at;
	int error;

	if (!owned)
		return diag_fail(from->why, -ENOMEM, "memory is short");
	if ((error = enter(from, field, -1, json_object_get(from->json, field), 4, &place)) ||
	    (error = read_number(&place, "revision", 0, INT64_MAX, &shares->revision)) ||
	    (error = read_seed(&place, "seed", &shares->seed)) ||
	    (error = read_name(&place, "active", true, shares->active)) ||
	    (error = READ_ARRAY(&place, "pools", STEER_BACKENDS, shares->pools, shares->n_pools,
				&array)))
		return error;
	for (size_t i = 0; i < shares->n_pools; i++) {
		struct shares_pool *pool = &shares->pools[i];

		if ((error = enter(&place, "pools", (int)i, json_array_get(array, i), 2, &at)) ||
		    (error = read_name(&at, "name", false, pool->name)) ||
		    (error = read_ranges(&at, &pool->ranges, &pool->n_ranges)) ||
		    (error = claim_ranks(&place, pool->ranges, pool->n_ranges, owned)))
			return error;
	}
	return 0;
}

static int read_mac(const struct place *place, struct backend *backend)
{
	const json_t *json = json_object_get(place->json, "mac");

	if (json_is_null(json))
		return 0;
	if (!json_is_string(json))
		return refuse(place, "mac", "is missing or neither a text nor null");
	if (mac_parse(json_string_value(json), backend->mac, NULL))
		return refuse(place, "mac", "is not a MAC address");
	backend->has_mac = true;
	return 0;
}

static int read_backend(const struct place *place, struct backend *backend)
{
	size_t state = BACKEND_READY;
	int error;

	if ((error = read_name(place, "name", false, backend->name)) ||
	    (error = read_address(place, "address", &backend->address)) ||
	    (error = read_mac(place, backend)) ||
	    (error = read_u32(place, "weight", 0, WEIGHT_MAX, &backend->weight)) ||
	    (error = read_u32(place, "weight_configured", 0, WEIGHT_MAX,
			      &backend->weight_configured)) ||
	    (error = read_choice(place, "state", state_names, BACKEND_STATE_COUNT, &state)) ||
	    (error = read_u32(place, "id", 0, STEER_BACKEND_IDS - 1, &backend->id)))
		return error;
	backend->state = (enum backend_state)state;
	return 0;
}

static int read_pool(const struct place *place, struct pool *pool)
{
	const json_t *array;
	struct place at;
	int error;

	if ((error = read_name(place, "name", false, pool->name)) ||
	    (error = read_name(place, "version", true, pool->version)) ||
	    (error = read_ranges(place, &pool->ranges, &pool->n_ranges)) ||
	    (error = READ_ARRAY(place, "backends", STEER_BACKENDS, pool->backends, pool->n_backends,
				&array)))
		return error;
	for (size_t i = 0; i < pool->n_backends; i++) {
		if ((error = enter(place, "backends", (int)i, json_array_get(array, i), 7, &at)) ||
		    (error = read_backend(&at, &pool->backends[i])))
			return error;
	}
	return 0;
}

static int read_frontends(const struct place *place, struct service *service)
{
	const json_t *array;
	struct place at;
	uint32_t port;
	size_t protocol = 0;
	int error = READ_ARRAY(place, "frontends", STEER_FRONTENDS, service->frontends,
			       service->n_frontends, &array);

	for (size_t i = 0; !error && i < service->n_frontends; i++) {
		struct frontend *frontend = &service->frontends[i];

		if ((error = enter(place, "frontends", (int)i, json_array_get(array, i), 3, &at)) ||
		    (error = read_address(&at, "address", &frontend->address)) ||
		    (error = read_u32(&at, "port", 0, UINT16_MAX, &port)) ||
		    (error = read_choice(&at, "protocol", protocol_names,
					 ARRAY_SIZE(protocol_names), &protocol)))
			return error;
		frontend->port = (uint16_t)port;
		frontend->protocol = protocol ? IPPROTO_UDP : IPPROTO_TCP;
	}
	return error;
}

static int read_active(const struct place *place, struct service *service)
{
	const char *text;
	int error = read_text(place, "active", &text);

	if (error)
		return error;
	for (size_t i = 0; i < service->n_pools; i++) {
		if (strcmp(service->pools[i].name, text) != 0)
			continue;
		if (service->pools[i].n_ranges)
			return refuse(place, "active", "names a pool that has ranges of its own");
		service->active = i;
		return 0;
	}
	return refuse(place, "active", "names no pool");
}

static int read_pools(const struct place *place, struct service *service)
{
	auto_free uint8_t *owned = calloc(STEER_SLOTS, 1);
	const json_t *array;
	struct place at;
	int error;

	if (!owned)
		return diag_fail(place->why, -ENOMEM, "memory is short");
	error = READ_ARRAY(place, "pools", STEER_BACKENDS, service->pools, service->n_pools,
			   &array);
	for (size_t i = 0; !error && i < service->n_pools; i++) {
		struct pool *pool = &service->pools[i];

		if ((error = enter(place, "pools", (int)i, json_array_get(array, i), 4, &at)) ||
		    (error = read_pool(&at, pool)) ||
		    (error = claim_ranks(place, pool->ranges, pool->n_ranges, owned)))
			return error;
	}
	return error ? error : read_active(place, service);
}

static int read_service(const struct place *place, struct service *service)
{
	uint32_t prefix4;
	uint32_t prefix6;
	int error;

	if ((error = read_name(place, "name", false, service->name)) ||
	    (error = read_frontends(place, service)) ||
	    (error = read_u32(place, "prefix4", 1, 32, &prefix4)) ||
	    (error = read_u32(place, "prefix6", 1, 128, &prefix6)) ||
	    (error = read_pools(place, service)) ||
	    (error = read_seed(place, "seed", &service->seed)) ||
	    (error = read_number(place, "revision", 0, INT64_MAX, &service->revision)) ||
	    (error = read_shares(place, "base", &service->base)) ||
	    (error = read_shares(place, "before", &service->before)))
		return error;
	service->prefix4 = (uint8_t)prefix4;
	service->prefix6 = (uint8_t)prefix6;
	return 0;
}

static int read_interfaces(const struct place *place, struct policy *policy)
{
	const json_t *array;
	struct place at;
	const char *name;
	size_t mode = INTERFACE_AUTO;
	int error = READ_ARRAY(place, "interfaces", 4096, policy->interfaces, policy->n_interfaces,
			       &array);

	for (size_t i = 0; !error && i < policy->n_interfaces; i++) {
		struct interface *interface = &policy->interfaces[i];

		if ((error = enter(place, "interfaces", (int)i, json_array_get(array, i), 2,
				   &at)) ||
		    (error = read_text(&at, "name", &name)) ||
		    (error = read_choice(&at, "mode", mode_names, ARRAY_SIZE(mode_names), &mode)))
			return error;
		if (!*name || strlen(name) >= sizeof(interface->name))
			return refuse(&at, "name", "is not an interface name");
		memcpy(interface->name, name, strlen(name) + 1);
		interface->mode = (uint8_t)mode;
	}
	return error;
}

static int read_policy(const struct place *place, struct policy *policy)
{
	const json_t *array;
	struct place at;
	int error;

	if ((error = read_number(place, "revision", 0, INT64_MAX, &policy->revision)) ||
	    (error = read_u32(place, "last_backend_id", 0, UINT32_MAX, &policy->last_backend_id)) ||
	    (error = read_interfaces(place, policy)) ||
	    (error = READ_ARRAY(place, "services", STEER_SERVICES, policy->services,
				policy->n_services, &array)))
		return error;
	for (size_t i = 0; i < policy->n_services; i++) {
		if ((error = enter(place, "services", (int)i, json_array_get(array, i), 10, &at)) ||
		    (error = read_service(&at, &policy->services[i])))
			return error;
	}
	return 0;
}

int policy_from_json(const json_t *json, struct policy *ret_policy, struct diag *why)
{
	struct place place = {.json = json, .why = why};
	struct policy policy = {0};
	int error;

	if (!json_is_object(json))
		return diag_fail(why, -EINVAL, "not a policy: not an object");
	if (json_object_size(json) > 4)
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
