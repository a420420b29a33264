/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The configuration file: what is read from it, and what is refused with which words.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/diag.h"
#include "base/own.h"
#include "core/config.h"
#include "core/transition.h"

#define HEAD  "interfaces: [eth0]\nservices:\n  shop:\n"
#define FRONT "    frontends: [203.0.113.10:80/tcp]\n"
#define POOLS "    pools: {blue: {backends: {blue-1: 10.0.0.11}}}\n"
#define TAIL  "    active: blue\n"

static const char full[] =
	"interfaces: [eth0, {name: eth1, mode: generic}]\n"
	"limits: {flows: 5000, memory: 256M}\n"
	"services:\n"
	"  shop:\n"
	"    active: blue\n"
	"    frontends: [203.0.113.10:80/tcp, \"[2001:db8::10]:443/tcp\", 203.0.113.10:0/udp]\n"
	"    forward: dsr\n"
	"    client_prefix: {ipv4: 24, ipv6: 56}\n"
	"    affinity: flow\n"
	"    drain: {deadline: none, quiet: 15s, watch: 500ms}\n"
	"    udp: flow\n"
	"    health: {http: /healthz, port: 8080, interval: 2s, timeout: 1s, rise: 2, fall: 3}\n"
	"    pools:\n"
	"      canary: {version: \"2.4.0\", backends: {canary-1: \"2001:db8::31\"}}\n"
	"      spare: {backends: {}}\n"
	"      blue:\n"
	"        version: \"2.3.9\"\n"
	"        backends:\n"
	"          blue-1: 10.0.0.11\n"
	"          blue-2: {address: 10.0.0.12, weight: 2, mac: 02:00:00:00:00:12}\n";

static int read_bytes(const char *bytes, size_t size, struct policy *policy, struct diag *why)
{
	char path[] = "/tmp/steer-config-XXXXXX";
	auto_close int fd = mkstemp(path);
	int r;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), (ssize_t)size);
	r = config_read(path, policy, why);
	(void)unlink(path);
	return r;
}

/* @text is refused with @error, at "LINE:COL: ", in words that hold @words. */
static void refused_as(int error, const char *text, const char *place, const char *words)
{
	struct policy policy = {0};
	struct diag why = {""};
	const char *at;
	int r = read_bytes(text, strlen(text), &policy, &why);

	if (r != error)
		fail_msg("returned %d for:\n%s\n%s", r, text, why.text);
	at = strchr(why.text, ':');
	if (!at || strncmp(at + 1, place, strlen(place)) != 0 || !strstr(why.text, words))
		fail_msg("expected '%s' and '%s' in:\n%s", place, words, why.text);
	assert_null(policy.services);
}

#define refused(text, place, words) refused_as(-EINVAL, text, place ": ", words)

static void minimal_file_gets_the_defaults(void **state)
{
	struct policy policy;
	struct diag why;
	const struct service *shop;

	(void)state;
	assert_int_equal(
		read_bytes(HEAD FRONT POOLS TAIL, strlen(HEAD FRONT POOLS TAIL), &policy, &why), 0);
	assert_int_equal(policy.n_interfaces, 1);
	assert_string_equal(policy.interfaces[0].name, "eth0");
	assert_int_equal(policy.interfaces[0].mode, INTERFACE_AUTO);
	assert_int_equal(policy.n_services, 1);
	assert_int_equal(policy.revision, 0);
	shop = &policy.services[0];
	assert_int_equal(shop->prefix4, 32);
	assert_int_equal(shop->prefix6, 64);
	assert_int_equal(shop->deadline_ms, 10 * 60 * 1000);
	assert_false(shop->udp_flow);
	assert_int_equal(policy.flows, 262144);
	assert_int_equal(shop->pools[0].backends[0].weight, 1);
	assert_int_equal(shop->pools[0].backends[0].weight_configured, 1);
	assert_int_equal(shop->pools[0].backends[0].state, BACKEND_READY);
	assert_int_equal(shop->pools[0].backends[0].id, 0);
	assert_string_equal(shop->pools[0].version, "");
	policy_free(&policy);
}

static void full_file_is_read_completely(void **state)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 0x12};
	char buffer[ADDRESS_TEXT];
	struct policy policy;
	struct diag why;
	const struct service *shop;
	const struct backend *backend;

	(void)state;
	assert_int_equal(read_bytes(full, strlen(full), &policy, &why), 0);
	assert_int_equal(policy.interfaces[1].mode, INTERFACE_GENERIC);
	shop = &policy.services[0];
	assert_int_equal(shop->n_frontends, 3);
	assert_string_equal(address_format(&shop->frontends[1].address, buffer), "2001:db8::10");
	assert_int_equal(shop->frontends[1].port, 443);
	assert_int_equal(shop->frontends[2].port, 0);
	assert_int_equal(shop->frontends[2].protocol, IPPROTO_UDP);
	assert_int_equal(shop->prefix4, 24);
	assert_int_equal(shop->prefix6, 56);
	assert_true(shop->deadline_ms == TRANSITION_NEVER);
	assert_true(shop->udp_flow);
	assert_int_equal(policy.flows, 5000);
	assert_int_equal(shop->n_pools, 3);
	assert_int_equal(shop->active, 2);
	assert_string_equal(shop->pools[2].version, "2.3.9");
	backend = &shop->pools[2].backends[1];
	assert_string_equal(address_format(&backend->address, buffer), "10.0.0.12");
	assert_int_equal(backend->weight, 2);
	assert_true(backend->has_mac);
	assert_memory_equal(backend->mac, mac, 6);
	policy_free(&policy);
}

static void error_quotes_the_line_and_points_at_the_place(void **state)
{
	(void)state;
	refused(HEAD FRONT POOLS "    actve: blue\n", "6:5", "\n    actve: blue\n    ^");
}

static void unknown_keys_get_a_suggestion(void **state)
{
	(void)state;
	refused("interface: [eth0]\n", "1:1", "did you mean 'interfaces'?");
	refused(HEAD "    frontend: []\n", "4:5", "did you mean 'frontends'?");
	refused(HEAD "    drain: {queit: 1s}\n", "4:13", "did you mean 'quiet'?");
	refused(HEAD "    health: {htp: /}\n", "4:14", "did you mean 'http'?");
	refused("limits: {memroy: 1M}\n", "1:10", "did you mean 'memory'?");
	refused(HEAD "    pools: {blue: {backends: {b: {adress: 10.0.0.1}}}}\n", "4:35",
		"did you mean 'address'?");
}

static void yaml_extras_are_refused(void **state)
{
	(void)state;
	refused("interfaces: *all\n", "1:13", "alias");
	refused("interfaces: &all [eth0]\n", "1:13", "anchor");
	refused("interfaces: !!seq [eth0]\n", "1:13", "tag");
	refused("&key interfaces: [eth0]\n", "1:1", "anchor");
	refused("limits: {}\n---\nlimits: {}\n", "2:1", "second document");
	refused("limits: {}\nlimits: {}\n", "2:1", "twice, first in line 1");
	refused("? [a, b]\n: c\n", "1:3", "not accepted as a key");
	refused("a: [[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]\n", "1:19", "more than 16");
	refused("interfaces: [eth0\n", "2:1", "not YAML");
	refused("interfaces: [\"eth\\0\"]\n", "1:14", "control character");
	refused("interfaces:\n  - |\n    eth0\n", "2:5", "line break");
	refused("", "1:1", "empty");
	refused("# nothing\n", "1:1", "empty");
	refused("eth0\n", "1:1", "a map of keys is accepted");
}

static void byte_order_mark_is_overlooked(void **state)
{
	static const char text[] = "\xef\xbb\xbf" HEAD FRONT POOLS TAIL;
	struct policy policy = {0};
	struct diag why;

	(void)state;
	assert_int_equal(read_bytes(text, sizeof(text) - 1, &policy, &why), 0);
	policy_free(&policy);
}

static void binary_bytes_are_refused(void **state)
{
	static const char nul[] = "limits:\n  a\0b: 1\n";
	struct policy policy;
	struct diag why;

	(void)state;
	assert_int_equal(read_bytes(nul, sizeof(nul) - 1, &policy, &why), -EINVAL);
	assert_non_null(strstr(why.text, ":2:4: byte 0x00"));
	assert_int_equal(read_bytes("a: \xff\n", 5, &policy, &why), -EINVAL);
	assert_non_null(strstr(why.text, "UTF-8"));
	refused("a: \x1b[31m\n", "1:4", "byte 0x1b");
}

static void too_long_file_is_refused(void **state)
{
	size_t size = CONFIG_BYTES_MAX + 1;
	auto_free char *bytes = malloc(size);
	struct policy policy;
	struct diag why;

	(void)state;
	memset(bytes, '#', size);
	assert_int_equal(read_bytes(bytes, size, &policy, &why), -E2BIG);
	assert_int_equal(read_bytes(bytes, size - 1, &policy, &why), -EINVAL);
}

static void missing_file_is_enoent(void **state)
{
	struct policy policy;
	struct diag why;

	(void)state;
	assert_int_equal(config_read("/nonexistent/steer.yaml", &policy, &why), -ENOENT);
	assert_non_null(strstr(why.text, "/nonexistent/steer.yaml"));
}

static void missing_keys_are_named(void **state)
{
	(void)state;
	refused("interfaces: [eth0]\n", "1:1", "no key 'services'");
	refused(HEAD POOLS TAIL, "3:3", "no key 'frontends'");
	refused(HEAD FRONT TAIL, "3:3", "no key 'pools'");
	refused(HEAD FRONT POOLS, "3:3", "no key 'active'");
	refused(HEAD FRONT "    pools: {blue: {version: a}}\n" TAIL, "5:13", "no key 'backends'");
	refused(HEAD "    pools: {blue: {backends: {b: {weight: 1}}}}\n", "4:31",
		"no key 'address'");
}

static void bad_interfaces_are_refused(void **state)
{
	(void)state;
	refused("interfaces: eth0\n", "1:13", "a list like [eth0]");
	refused("interfaces: []\n", "1:13", "at least one");
	refused("interfaces: [eth0, eth0]\n", "1:20", "twice");
	refused("interfaces: [eth0, {name: eth0}]\n", "1:27", "twice");
	refused("interfaces: [abcdefghijklmnop]\n", "1:14", "not an interface name");
	refused("interfaces: [a/b]\n", "1:14", "not an interface name");
	refused("interfaces: [..]\n", "1:14", "not an interface name");
	refused("interfaces: [{name: eth0, mode: natve}]\n", "1:33", "did you mean 'native'?");
	refused("interfaces: [{mode: native}]\n", "1:14", "no key 'name'");
}

static void bad_limits_are_refused(void **state)
{
	(void)state;
	refused("limits: {flows: 0}\n", "1:17", "whole number");
	refused("limits: {flows: -1}\n", "1:17", "whole number");
	refused("limits: {flows: 99999999999999999999999}\n", "1:17", "whole number");
	refused("limits: {flows: 4095}\n", "1:17", "4096 to 16777216");
	refused("limits: {flows: 16777217}\n", "1:17", "4096 to 16777216");
	refused("limits: {flows: 256K}\n", "1:17", "whole number");
	refused("limits: {flows: many}\n", "1:17", "whole number");
	refused("limits: {memory: 256}\n", "1:18", "256M");
	refused("limits: {memory: M}\n", "1:18", "256M");
}

static void bad_frontends_are_refused(void **state)
{
	(void)state;
	refused(HEAD "    frontends: 203.0.113.10:80/tcp\n", "4:16", "a list");
	refused(HEAD "    frontends: []\n", "4:16", "at least one");
	refused(HEAD "    frontends: [203.0.113.10:80]\n", "4:17", "ADDRESS:PORT/PROTOCOL");
	refused(HEAD "    frontends: [203.0.113.10/tcp]\n", "4:17", "ADDRESS:PORT/PROTOCOL");
	refused(HEAD "    frontends: [203.0.113.10:80/sctp]\n", "4:17", "tcp or udp");
	refused(HEAD "    frontends: [203.0.113.10:65536/tcp]\n", "4:17", "not a port");
	refused(HEAD "    frontends: [203.0.113.10:-1/tcp]\n", "4:17", "not a port");
	refused(HEAD "    frontends: [203.0.113:80/tcp]\n", "4:17", "not an IP address");
	refused(HEAD "    frontends: [\"2001:db8::1:80/tcp\"]\n", "4:17", "ADDRESS:PORT");
	refused(HEAD "    frontends: [\"[203.0.113.10]:80/tcp\"]\n", "4:17", "ADDRESS:PORT");
	refused(HEAD "    frontends: [\"[::ffff:1.2.3.4]:80/tcp\"]\n", "4:17",
		"write it as 1.2.3.4");
	refused(HEAD "    frontends: [0.0.0.0:80/tcp]\n", "4:17", "unicast");
	refused(HEAD "    frontends: [224.0.0.1:80/tcp]\n", "4:17", "unicast");
	refused(HEAD "    frontends: [\"[::]:80/tcp\"]\n", "4:17", "unicast");
	refused(HEAD "    frontends: [\"[ff02::1]:80/tcp\"]\n", "4:17", "unicast");
}

static void overlapping_frontends_are_refused(void **state)
{
	(void)state;
	refused(HEAD "    frontends: [1.2.3.4:80/tcp, 1.2.3.4:80/udp, 1.2.3.4:80/tcp]\n", "4:49",
		"already belongs to service 'shop'");
	refused(HEAD FRONT POOLS TAIL "  other:\n" FRONT POOLS TAIL, "8:17",
		"already belongs to service 'shop'");
	refused(HEAD "    frontends: [\"[2001:db8::1]:1/tcp\", \"[2001:DB8:0::1]:01/tcp\"]\n",
		"4:40", "already belongs");
}

static void what_is_not_yet_there_says_so(void **state)
{
	(void)state;
	refused(HEAD "    forward: ipip\n", "4:14", "not yet in this version");
	refused(HEAD "    forward: gue\n", "4:14", "not yet in this version");
	refused(HEAD "    forward: nat\n", "4:14", "not yet in this version");
	refused(HEAD "    forward: dsrr\n", "4:14", "did you mean 'dsr'?");
	refused(HEAD "    affinity: client\n", "4:15", "not yet in this version");
	refused(HEAD "    udp: flows\n", "4:10", "did you mean 'flow'?");
	refused(HEAD "    udp: [flow]\n", "4:10", "a list");
	refused(HEAD "    pools: {a: {backends: {b: {address: 10.0.0.1, port: 80}}}}\n", "4:51",
		"forward: nat");
}

static void deadlines_up_to_30_days_are_read(void **state)
{
	static const struct {
		const char *text;
		uint64_t deadline_ms;
	} rows[] = {{"1ms", 1}, {"15s", 15000}, {"10m", 600000}, {"30d", 2592000000}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct policy policy;
		struct diag why;
		char text[256];

		(void)snprintf(text, sizeof(text),
			       HEAD FRONT POOLS TAIL "    drain: {deadline: %s}\n", rows[i].text);
		assert_int_equal(read_bytes(text, strlen(text), &policy, &why), 0);
		assert_int_equal(policy.services[0].deadline_ms, rows[i].deadline_ms);
		policy_free(&policy);
	}
}

static void bad_options_are_refused(void **state)
{
	(void)state;
	refused(HEAD "    client_prefix: {ipv4: 33}\n", "4:27", "1 to 32");
	refused(HEAD "    client_prefix: {ipv6: 0}\n", "4:27", "1 to 128");
	refused(HEAD "    drain: {deadline: never}\n", "4:23", "none or a duration");
	refused(HEAD "    drain: {deadline: 0}\n", "4:23", "--cut");
	refused(HEAD "    drain: {deadline: 0s}\n", "4:23", "--cut");
	refused(HEAD "    drain: {deadline: -5s}\n", "4:23", "none or a duration");
	refused(HEAD "    drain: {deadline: 10}\n", "4:23", "none or a duration");
	refused(HEAD "    drain: {deadline: [10m]}\n", "4:23", "none or a duration");
	refused(HEAD "    drain: {deadline: 31d}\n", "4:23", "up to 30d");
	refused(HEAD "    drain: {deadline: 2592000001ms}\n", "4:23", "up to 30d");
	refused(HEAD "    drain: {quiet: none}\n", "4:20", "a duration");
	refused(HEAD "    drain: {watch: 15}\n", "4:20", "a duration");
	refused(HEAD "    health: {http: healthz}\n", "4:20", "a path");
	refused(HEAD "    health: {port: 0}\n", "4:20", "1 to 65535");
	refused(HEAD "    health: {rise: many}\n", "4:20", "whole number");
}

static void bad_pools_are_refused(void **state)
{
	(void)state;
	refused(HEAD "    pools: {}\n", "4:12", "at least one");
	refused(HEAD "    pools: {-a: {backends: {}}}\n", "4:13", "not a name for a pool");
	refused(HEAD FRONT POOLS "    active: bleu\n", "6:13", "did you mean 'blue'?");
	refused(HEAD FRONT POOLS "    active: canary\n", "6:13", "has no pool 'canary'");
	refused(HEAD FRONT "    pools: {blue: {backends: {}}}\n" TAIL, "6:13", "no backends");
	refused(HEAD "    pools: {a: {backends: {}, version: \"\"}}\n", "4:40", "version has 0");
	refused("interfaces: [eth0]\nservices: {}\n", "2:11", "at least one");
	refused("interfaces: [eth0]\nservices: {a b: {}}\n", "2:12", "not a name for a service");
}

static void bad_backends_are_refused(void **state)
{
	(void)state;
	refused(HEAD "    pools: {a: {backends: {b: 10.0.0.1, b: 10.0.0.2}}}\n", "4:41", "twice");
	refused(HEAD "    pools: {a: {backends: {b: 10.0.0.1}}, c: {backends: {b: 10.0.0.2}}}\n",
		"4:58", "also in pool 'a'");
	refused(HEAD "    pools: {a: {backends: [10.0.0.1]}}\n", "4:27", "a map from name");
	refused(HEAD "    pools: {a: {backends: {b: }}}\n", "4:31", "not an IP address");
	refused(HEAD "    pools: {a: {backends: {b: 10.0.0.256}}}\n", "4:31", "not an IP address");
	refused(HEAD "    pools: {a: {backends: {_b: 10.0.0.1}}}\n", "4:28", "not a name");
	refused(HEAD "    pools: {a: {backends: {b: {address: 10.0.0.1, weight: 0}}}}\n", "4:59",
		"1 to 1000");
	refused(HEAD "    pools: {a: {backends: {b: {address: 10.0.0.1, weight: 1001}}}}\n", "4:59",
		"1 to 1000");
	refused(HEAD "    pools: {a: {backends: {b: {mac: 01:00:00:00:00:12}}}}\n", "4:37",
		"multicast");
	refused(HEAD "    pools: {a: {backends: {b: {mac: 00:00:00:00:00:00}}}}\n", "4:37",
		"all zero");
	refused(HEAD "    pools: {a: {backends: {b: {mac: 02-00-00-00-00-12}}}}\n", "4:37",
		"not a MAC address");
}

static void names_have_at_most_63_characters(void **state)
{
	char text[256];

	(void)state;
	(void)snprintf(text, sizeof(text), "interfaces: [eth0]\nservices: {%063d: 1}\n", 1);
	refused(text, "2:77", "a map of keys");
	(void)snprintf(text, sizeof(text), "interfaces: [eth0]\nservices: {%064d: 1}\n", 1);
	refused(text, "2:12", "not a name");
}

/* A file with @count frontends, backends or services (@kind) between @before and @after. */
static char *repeat(const char *before, const char *kind, size_t count, const char *after)
{
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	(void)fputs(before, out);
	for (size_t i = 0; i < count; i++) {
		if (*kind == 'f')
			(void)fprintf(out, "    - 1.2.3.4:%zu/tcp\n", i);
		else if (*kind == 'b')
			(void)fprintf(out, "          b%zu: 10.0.0.1\n", i);
		else
			(void)fprintf(out,
				      "  s%zu: {frontends: [1.2.3.4:%zu/tcp], active: a, "
				      "pools: {a: {backends: {b: 10.0.0.1}}}}\n",
				      i, i);
	}
	(void)fputs(after, out);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void limits_of_the_abi_are_the_limits_of_the_file(void **state)
{
	static const struct {
		const char *before, *kind, *after, *place;
		size_t most;
	} rows[] = {
		{HEAD "    frontends:\n", "f", POOLS TAIL, "4:5", STEER_FRONTENDS},
		{HEAD FRONT TAIL "    pools:\n      blue:\n        backends:\n", "b", "", "8:9",
		 STEER_BACKENDS},
		{"interfaces: [eth0]\nservices:\n", "s", "", "2:1", STEER_SERVICES},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_free char *fits =
			repeat(rows[i].before, rows[i].kind, rows[i].most, rows[i].after);
		auto_free char *exceeds =
			repeat(rows[i].before, rows[i].kind, rows[i].most + 1, rows[i].after);
		struct policy policy;
		struct diag why;

		if (read_bytes(fits, strlen(fits), &policy, &why) != 0)
			fail_msg("%s", why.text);
		policy_free(&policy);
		refused_as(-E2BIG, exceeds, rows[i].place, "are accepted");
	}
}

static void long_lines_are_quoted_around_the_place(void **state)
{
	auto_free char *text = NULL;
	struct policy policy;
	struct diag why;

	(void)state;
	assert_true(asprintf(&text, "interfaces: [eth0, %*s eth0]\n", 5000, "") > 0);
	assert_int_equal(read_bytes(text, strlen(text), &policy, &why), -EINVAL);
	assert_true(strlen(why.text) < 500);
	assert_int_equal(why.text[strlen(why.text) - 1], '^');
	assert_non_null(strstr(why.text, " eth0]\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(minimal_file_gets_the_defaults),
		cmocka_unit_test(full_file_is_read_completely),
		cmocka_unit_test(error_quotes_the_line_and_points_at_the_place),
		cmocka_unit_test(unknown_keys_get_a_suggestion),
		cmocka_unit_test(yaml_extras_are_refused),
		cmocka_unit_test(byte_order_mark_is_overlooked),
		cmocka_unit_test(binary_bytes_are_refused),
		cmocka_unit_test(too_long_file_is_refused),
		cmocka_unit_test(missing_file_is_enoent),
		cmocka_unit_test(missing_keys_are_named),
		cmocka_unit_test(bad_interfaces_are_refused),
		cmocka_unit_test(bad_limits_are_refused),
		cmocka_unit_test(bad_frontends_are_refused),
		cmocka_unit_test(overlapping_frontends_are_refused),
		cmocka_unit_test(what_is_not_yet_there_says_so),
		cmocka_unit_test(deadlines_up_to_30_days_are_read),
		cmocka_unit_test(bad_options_are_refused),
		cmocka_unit_test(bad_pools_are_refused),
		cmocka_unit_test(bad_backends_are_refused),
		cmocka_unit_test(names_have_at_most_63_characters),
		cmocka_unit_test(limits_of_the_abi_are_the_limits_of_the_file),
		cmocka_unit_test(long_lines_are_quoted_around_the_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
