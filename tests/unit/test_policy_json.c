// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/diag.h"
#include "base/own.h"
#include "base/siphash.h"
#include "core/policy_json.h"
#include "core/transition.h"

/* One of everything; addresses from RFC 5737 and RFC 3849, MAC addresses locally administered. */
static const char full[] =
	"{\"flows\":4096,\"interfaces\":[{\"mode\":\"native\",\"name\":\"eth0\"}],\"last_backend_"
	"id\":7,"
	"\"revision\":42,\"services\":[{\"active\":\"blue\","
	"\"base\":{\"active\":\"blue\",\"pools\":[],\"revision\":40,\"seed\":\"00000000000000ff\"},"
	"\"before\":{\"active\":\"blue\",\"pools\":[{\"name\":\"green\",\"ranges\":[[0,10]]}],"
	"\"revision\":41,\"seed\":\"ffffffffffffffff\"},"
	"\"deadline_ms\":30000,"
	"\"frontends\":[{\"address\":\"192.0.2.1\",\"port\":443,\"protocol\":\"tcp\"},"
	"{\"address\":\"2001:db8::1\",\"port\":0,\"protocol\":\"udp\"}],\"name\":\"web\","
	"\"pools\":[{\"backends\":[{\"address\":\"198.51.100.1\",\"id\":1,"
	"\"mac\":\"02:00:00:00:00:12\",\"name\":\"b1\",\"state\":\"drain\",\"weight\":0,"
	"\"weight_configured\":1000}],\"name\":\"blue\",\"ranges\":[],\"version\":\"\"},"
	"{\"backends\":[{\"address\":\"2001:db8::2\",\"id\":7,\"mac\":null,\"name\":\"g1\","
	"\"state\":\"ready\",\"weight\":1,\"weight_configured\":1}],\"name\":\"green\","
	"\"ranges\":[[0,10],[65535,1]],\"version\":\"2.0\"}],\"prefix4\":32,\"prefix6\":64,"
	"\"revision\":42,\"seed\":\"0123456789abcdef\",\"udp\":\"flow\"}]}";

static void assert_refused(const json_t *root)
{
	struct policy policy = {0};
	struct diag why = {""};

	assert_int_equal(policy_from_json(root, &policy, &why), -EINVAL);
	assert_memory_equal(why.text, "not a policy: ", 14);
	assert_true(strlen(why.text) > 20);
	assert_null(policy.services);
}

static void a_policy_survives_the_round_trip_byte_for_byte(void **state)
{
	struct policy policy;
	struct diag why = {""};
	json_t *root = json_loads(full, 0, NULL);
	json_t *again;
	char *text;

	(void)state;
	assert_int_equal(policy_from_json(root, &policy, &why), 0);
	assert_int_equal(policy.services[0].seed, 0x0123456789abcdef);
	assert_int_equal(policy.services[0].pools[0].backends[0].state, BACKEND_DRAIN);
	again = policy_to_json(&policy);
	text = json_dumps(again, JSON_SORT_KEYS | JSON_COMPACT);
	assert_string_equal(text, full);
	free(text);
	json_decref(again);
	json_decref(root);
	policy_free(&policy);
}

/* Spoil every field of every object below @json in turn; @root is tried each time. */
static void spoil(const json_t *root, json_t *json)
{
	void *next;
	const char *key;
	json_t *value;
	size_t index;

	if (json_is_array(json)) {
		json_array_foreach (json, index, value) {
			json_t *kept = json_incref(value);

			assert_int_equal(json_array_set_new(json, index, json_true()), 0);
			assert_refused(root);
			assert_int_equal(json_array_set_new(json, index, kept), 0);
			spoil(root, kept);
		}
		return;
	}
	json_object_foreach_safe(json, next, key, value)
	{
		json_t *kept = json_incref(value);
		char name[32];

		(void)snprintf(name, sizeof(name), "%s", key);
		assert_int_equal(json_object_set_new(json, name, json_true()), 0);
		assert_refused(root);
		assert_int_equal(json_object_set(json, name, kept), 0);
		spoil(root, kept);
		json_decref(kept);
	}
}

static void a_field_of_the_wrong_type_is_refused(void **state)
{
	json_t *root = json_loads(full, 0, NULL);

	(void)state;
	spoil(root, root);
	json_decref(root);
}

/* Remove the @number-th field of all objects, counted depth first; false when there are fewer. */
static bool remove_field(json_t *json, size_t *number)
{
	static const char *const later[] = {"flows", "deadline_ms", "udp"};
	const char *key;
	json_t *value;
	size_t index;

	json_array_foreach (json, index, value) {
		if (remove_field(value, number))
			return true;
	}
	json_object_foreach (json, key, value) {
		bool may_be_missing = false;

		for (size_t i = 0; i < ARRAY_SIZE(later); i++)
			may_be_missing |= strcmp(key, later[i]) == 0;
		if (!may_be_missing && (*number)-- == 0)
			return json_object_del(json, key) == 0;
		if (remove_field(value, number))
			return true;
	}
	return false;
}

static void a_missing_field_is_refused(void **state)
{
	size_t removed = 0;

	(void)state;
	for (;; removed++) {
		json_t *root = json_loads(full, 0, NULL);
		size_t number = removed;
		bool is_removed = remove_field(root, &number);

		if (is_removed)
			assert_refused(root);
		json_decref(root);
		if (!is_removed)
			break;
	}
	assert_true(removed > 50);
}

static void fields_that_older_journals_lack_have_their_defaults(void **state)
{
	json_t *root = json_loads(full, 0, NULL);
	json_t *service = json_array_get(json_object_get(root, "services"), 0);
	struct policy policy;
	struct diag why = {""};

	(void)state;
	assert_int_equal(json_object_del(root, "flows"), 0);
	assert_int_equal(json_object_del(service, "deadline_ms"), 0);
	assert_int_equal(json_object_del(service, "udp"), 0);
	assert_int_equal(policy_from_json(root, &policy, &why), 0);
	assert_int_equal(policy.flows, 262144);
	assert_int_equal(policy.services[0].deadline_ms, 10 * 60 * 1000);
	assert_false(policy.services[0].udp_flow);
	policy_free(&policy);
	json_decref(root);
}

static void no_deadline_survives_the_round_trip(void **state)
{
	json_t *root = json_loads(full, 0, NULL);
	json_t *service = json_array_get(json_object_get(root, "services"), 0);
	struct policy policy;
	struct diag why = {""};
	json_t *again;

	(void)state;
	assert_int_equal(json_object_set_new(service, "deadline_ms", json_null()), 0);
	assert_int_equal(policy_from_json(root, &policy, &why), 0);
	assert_true(policy.services[0].deadline_ms == TRANSITION_NEVER);
	again = policy_to_json(&policy);
	assert_true(json_equal(again, root));
	json_decref(again);
	json_decref(root);
	policy_free(&policy);
}

static void services_with_other_deadlines_or_other_udp_differ(void **state)
{
	json_t *root = json_loads(full, 0, NULL);
	struct policy policy;
	struct diag why = {""};
	struct service other;

	(void)state;
	assert_int_equal(policy_from_json(root, &policy, &why), 0);
	other = policy.services[0];
	assert_int_equal(service_equal(&policy.services[0], &other), 1);
	other.deadline_ms++;
	assert_int_equal(service_equal(&policy.services[0], &other), 0);
	other = policy.services[0];
	other.udp_flow = !other.udp_flow;
	assert_int_equal(service_equal(&policy.services[0], &other), 0);
	json_decref(root);
	policy_free(&policy);
}

static void what_does_not_fit_together_is_refused(void **state)
{
	static const struct {
		const char *from;
		const char *to;
	} changes[] = {
		{"\"active\":\"blue\",\"base\"", "\"active\":\"red\",\"base\""},
		{"\"active\":\"blue\",\"base\"", "\"active\":\"green\",\"base\""},
		{"[65535,1]", "[65535,2]"},
		{"[65535,1]", "[9,1]"},
		{"[65535,1]", "[65535,0]"},
		{"[65535,1]", "[65535]"},
		{"\"port\":443", "\"port\":65536"},
		{"\"port\":443", "\"port\":-1"},
		{"\"prefix4\":32", "\"prefix4\":33"},
		{"\"weight\":0", "\"weight\":1001"},
		{"\"flows\":4096", "\"flows\":4095"},
		{"\"flows\":4096", "\"flows\":16777217"},
		{"\"flows\":4096", "\"flows\":null"},
		{"\"deadline_ms\":30000", "\"deadline_ms\":0"},
		{"\"deadline_ms\":30000", "\"deadline_ms\":2592000001"},
		{"\"udp\":\"flow\"", "\"udp\":\"both\""},
		{"\"id\":7", "\"id\":65536"},
		{"192.0.2.1", "192.0.2.256"},
		{"02:00:00:00:00:12", "01:00:00:00:00:12"},
		{"0123456789abcdef", "123456789abcdef"},
		{"\"name\":\"web\"", "\"name\":\"we b\""},
		{"\"name\":\"web\"", "\"name\":\"\""},
		{"\"revision\":40,", "\"revision\":40,\"more\":1,"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		const char *at = strstr(full, changes[i].from);
		char text[sizeof(full) + 64];
		json_t *root;

		assert_non_null(at);
		(void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - full), full,
			       changes[i].to, at + strlen(changes[i].from));
		root = json_loads(text, 0, NULL);
		assert_non_null(root);
		assert_refused(root);
		json_decref(root);
	}
	assert_refused(NULL);
}

/* Key 00..0f, input 00..: values of the Rust standard library's tests of SipHash-1-3. */
static void siphash_agrees_with_the_published_vectors(void **state)
{
	const uint64_t key[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
	const uint8_t bytes[1] = {0};

	(void)state;
	assert_int_equal(siphash13(key, bytes, 0), 0xabac0158050fc4dc);
	assert_int_equal(siphash13(key, bytes, 1), 0xc9f49bf37d57ca93);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_policy_survives_the_round_trip_byte_for_byte),
		cmocka_unit_test(a_field_of_the_wrong_type_is_refused),
		cmocka_unit_test(a_missing_field_is_refused),
		cmocka_unit_test(fields_that_older_journals_lack_have_their_defaults),
		cmocka_unit_test(no_deadline_survives_the_round_trip),
		cmocka_unit_test(services_with_other_deadlines_or_other_udp_differ),
		cmocka_unit_test(what_does_not_fit_together_is_refused),
		cmocka_unit_test(siphash_agrees_with_the_published_vectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
