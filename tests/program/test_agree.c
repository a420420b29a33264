// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Three computations of the same thing: the packet path, core (what explain uses), and a walk
 * written here from the design and the SipHash paper alone. They agree on slot and backend of
 * every client, and so a share means what the operator was told.
 */
#include <libgen.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include <linux/bpf.h>

#include "base/own.h"
#include "core/loader.h"
#include "core/table.h"
#include "harness/edge.h"
#include "harness/packet.h"
#include "steer/hash.h"

#define CLIENTS	  10000
#define EXPLAINED 24
#define SEED	  20240607

#define NET4 "203.0.113." /* frontend of the n-th service, from 1 */
#define NET6 "2001:db8::"

#define POOLS(service, net)                                                                        \
	"    pools:\n"                                                                             \
	"      blue: {backends: {" service "-b1: {address: 10.0." net                              \
	".11, mac: '02:00:00:00:00:01'}, " service "-b2: {address: 10.0." net                      \
	".12, weight: 3, mac: '02:00:00:00:00:01'}, " service "-b3: {address: 10.0." net           \
	".13, weight: 2, mac: '02:00:00:00:00:01'}}}\n"                                            \
	"      green: {backends: {" service "-g1: {address: 10.0." net                             \
	".21, mac: '02:00:00:00:00:01'}, " service "-g2: {address: 10.0." net                      \
	".22, mac: '02:00:00:00:00:01'}}}\n"                                                       \
	"      canary: {backends: {" service "-c1: {address: 10.0." net                            \
	".31, mac: '02:00:00:00:00:01'}}}\n"                                                       \
	"    active: blue\n"

static const char one_service[] =
	"interfaces: [edge0]\n"
	"services:\n"
	"  one:\n"
	"    frontends: ['" NET4 "1:80/tcp', '[" NET6 "1]:80/tcp']\n" POOLS("one", "0");

/* Client prefixes that differ, one ending within a byte, one beyond /64. */
static const char three_services[] =
	"interfaces: [edge0]\n"
	"services:\n"
	"  one:\n"
	"    frontends: ['" NET4 "1:80/tcp', '[" NET6 "1]:80/tcp']\n" POOLS(
		"one", "0") "  two:\n"
			    "    frontends: ['" NET4 "2:80/tcp', '[" NET6 "2]:80/tcp']\n"
			    "    client_prefix: {ipv4: 21, ipv6: 51}\n" POOLS(
				    "two", "0") "  three:\n"
						"    frontends: ['" NET4 "3:80/tcp', '[" NET6
						"3]:80/tcp']\n"
						"    client_prefix: {ipv4: 1, ipv6: 125}\n" POOLS(
							"three", "0");

static struct edge edge;
static uint64_t random_state;

static uint32_t draw(uint32_t below)
{
	random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)((random_state >> 33) % below);
}

/* ---- the walk of its own ---------------------------------------------------------------- */

struct sip {
	uint64_t word[4]; /* v0 .. v3 of the paper */
};

static uint64_t rotl(uint64_t word, unsigned int bits)
{
	return word << bits | word >> (64 - bits);
}

/* Figure 2.1 of the paper. */
static void sip_rounds(struct sip *sip, int n)
{
	uint64_t *v = sip->word;

	while (n-- > 0) {
		v[0] += v[1], v[2] += v[3];
		v[1] = rotl(v[1], 13), v[3] = rotl(v[3], 16);
		v[1] ^= v[0], v[3] ^= v[2];
		v[0] = rotl(v[0], 32);
		v[2] += v[1], v[0] += v[3];
		v[1] = rotl(v[1], 17), v[3] = rotl(v[3], 21);
		v[1] ^= v[2], v[3] ^= v[0];
		v[2] = rotl(v[2], 32);
	}
}

static uint64_t little_endian(const uint8_t *bytes)
{
	uint64_t word = 0;

	for (int i = 7; i >= 0; i--)
		word = word << 8 | bytes[i];
	return word;
}

/* SipHash-c-d, section 2 of the paper; the message has at most 32 bytes here. */
static uint64_t siphash(int c, int d, const uint8_t key[16], const uint8_t *message, size_t size)
{
	uint64_t k0 = little_endian(key), k1 = little_endian(key + 8);
	struct sip sip = {{k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d,
			   k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573}};
	uint8_t padded[40] = {0};
	size_t words = size / 8 + 1;

	memcpy(padded, message, size);
	padded[8 * words - 1] = (uint8_t)size;
	for (size_t i = 0; i < words; i++) {
		uint64_t m = little_endian(padded + 8 * i);

		sip.word[3] ^= m;
		sip_rounds(&sip, c);
		sip.word[0] ^= m;
	}
	sip.word[2] ^= 0xff;
	sip_rounds(&sip, d);
	return sip.word[0] ^ sip.word[1] ^ sip.word[2] ^ sip.word[3];
}

/*
 * Client key -> slot, as steer/hash.h describes it: byte by byte of the masked address, each a
 * SipHash-1-3 of its position and value. An IPv6 key of up to 64 bits has 8 bytes.
 */
static uint32_t own_slot(const struct service *service, const struct address *client,
			 const uint64_t key_words[2])
{
	bool is_ipv4 = address_is_ipv4(client);
	unsigned int prefix = is_ipv4 ? service->prefix4 : service->prefix6;
	const uint8_t *from = client->bytes + (is_ipv4 ? 12 : 0);
	size_t size = is_ipv4 ? 4 : prefix > 64 ? 16 : 8;
	uint8_t masked[16] = {0}, key[16];
	uint64_t slot = 0;

	for (unsigned int bit = 0; bit < prefix; bit++)
		masked[bit / 8] |= from[bit / 8] & (0x80 >> bit % 8);
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(key_words[i / 8] >> 8 * (i % 8));
	for (size_t i = 0; i < size; i++) {
		const uint8_t message[2] = {(uint8_t)i, masked[i]};

		slot ^= siphash(1, 3, key, message, sizeof(message));
	}
	return (uint32_t)(slot % STEER_SLOTS);
}

/* Slot -> rank by the permutation that core/cohort.h describes. */
static void own_ranks(uint64_t seed, uint16_t *ret_rank)
{
	static uint32_t list[STEER_SLOTS];
	uint8_t key[16] = {0}, bytes[8] = {0};

	for (size_t i = 0; i < 8; i++)
		key[i] = (uint8_t)(seed >> 8 * i);
	for (uint32_t i = 0; i < STEER_SLOTS; i++)
		list[i] = i;
	for (uint32_t i = STEER_SLOTS - 1; i > 0; i--) {
		uint32_t moved = list[i], j;

		bytes[0] = (uint8_t)i;
		bytes[1] = (uint8_t)(i >> 8);
		j = (uint32_t)((unsigned __int128)siphash(1, 3, key, bytes, 8) * (i + 1) >> 64);
		list[i] = list[j];
		list[j] = moved;
	}
	for (uint32_t i = 0; i < STEER_SLOTS; i++)
		ret_rank[list[i]] = (uint16_t)i;
}

/* Colours first: the pool that owns the slot's rank, then that pool's own table. */
static void own_table(const struct service *service, uint32_t *ret_id)
{
	static uint16_t rank[STEER_SLOTS], index[8][STEER_SLOTS];

	own_ranks(service->seed, rank);
	for (size_t p = 0; p < service->n_pools; p++)
		assert_int_equal(pool_table(&service->pools[p], index[p]), 0);
	for (uint32_t slot = 0; slot < STEER_SLOTS; slot++) {
		size_t owner = service->active;

		for (size_t p = 0; p < service->n_pools; p++)
			for (size_t r = 0; r < service->pools[p].n_ranges; r++)
				if (rank[slot] >= service->pools[p].ranges[r].first &&
				    rank[slot] < service->pools[p].ranges[r].first +
							 service->pools[p].ranges[r].count)
					owner = p;
		ret_id[slot] = service->pools[owner].backends[index[owner][slot]].id;
	}
}

/* ---- clients and what becomes of them ---------------------------------------------------- */

static struct address draw_client(bool is_ipv6)
{
	struct address client = {.bytes = {[10] = 0xff, [11] = 0xff}};

	for (size_t i = is_ipv6 ? 0 : 12; i < 16; i++)
		client.bytes[i] = (uint8_t)draw(256);
	if (is_ipv6)
		client.bytes[0] = 0x20; /* 2000::/8, of the global unicast addresses */
	return client;
}

/* Backend id that the packet path chose: its MAC address carries it. */
static uint32_t kernel_backend(size_t service, const struct address *client)
{
	char from[ADDRESS_TEXT], to[ADDRESS_TEXT];
	struct packet packet = {.from = address_format(client, from), .to = to};
	struct frame frame;
	struct sent sent;

	(void)snprintf(to, sizeof(to), address_is_ipv4(client) ? NET4 "%zu" : NET6 "%zu",
		       service + 1);
	packet_build(&packet, &frame);
	edge_send(&edge, frame.bytes, frame.size, &sent);
	assert_int_equal(sent.action, XDP_TX);
	return (uint32_t)sent.bytes[4] << 8 | sent.bytes[5];
}

static void agree_on_service(struct steerer *steerer, const struct policy *policy, size_t number)
{
	static uint32_t own[STEER_SLOTS];
	static struct steer_table core, kernel;
	const struct service *service = &policy->services[number];
	const uint64_t *key = steerer_hash_key(steerer);

	own_table(service, own);
	assert_int_equal(table_compile(service, &core), 0);
	edge_table(&edge, (uint32_t)number, &kernel);
	for (uint32_t slot = 0; slot < STEER_SLOTS; slot++)
		assert_true(own[slot] == core.backend[slot] && own[slot] == kernel.backend[slot]);
	for (uint32_t i = 0; i < CLIENTS; i++) {
		struct address client = draw_client(i % 2);
		uint32_t slot = own_slot(service, &client, key);

		assert_int_equal(steerer_slot(steerer, service, &client), slot);
		assert_int_equal(kernel_backend(number, &client), own[slot]);
	}
}

/* The policy is read from the journal, as somebody would who has nothing but the disk. */
static void kernel_core_and_paper_agree_on_every_client(void **state)
{
	struct steerer *steerer = edge_open(&edge, STEERER_READ);
	struct journal *journal = steerer_journal(steerer);
	struct policy policy;
	struct diag why;

	(void)state;
	assert_int_equal(journal_policy(journal, journal_head(journal), &policy, &why), 0);
	for (size_t i = 0; i < policy.n_services; i++)
		agree_on_service(steerer, &policy, i);
	policy_free(&policy);
	steerer_close(steerer);
}

/* Vector of the paper, appendix A, whose variant differs from ours by its numbers of rounds. */
static void the_hash_written_here_is_that_of_the_paper(void **state)
{
	uint8_t key[16], message[15];

	(void)state;
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	memcpy(message, key, sizeof(message));
	assert_true(siphash(2, 4, key, message, sizeof(message)) == 0xa129ca6149be45e5);
}

static json_t *explain(const char *service, const char *client)
{
	char program[256] = {0}, command[1024];
	json_t *answer;
	FILE *pipe;

	assert_true(readlink("/proc/self/exe", program, sizeof(program) - 1) > 0);
	(void)snprintf(command, sizeof(command),
		       "STEER_STATE=%s '%s/../../steerctl' --instance %s -s %s explain %s --json",
		       edge.folder, dirname(program), edge.instance, service, client);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	answer = json_loadf(pipe, 0, NULL);
	assert_int_equal(pclose(pipe), 0);
	assert_non_null(answer);
	return answer;
}

static void explain_names_the_backend_that_the_kernel_chose(void **state)
{
	struct steerer *steerer = edge_open(&edge, STEERER_READ);
	const struct policy *policy = steerer_policy(steerer);

	(void)state;
	for (uint32_t i = 0; i < EXPLAINED; i++) {
		size_t number = i % policy->n_services;
		const struct service *service = &policy->services[number];
		struct address client = draw_client(draw(2));
		char text[ADDRESS_TEXT];
		json_t *answer = explain(service->name, address_format(&client, text));
		const char *name = json_string_value(json_object_get(answer, "backend"));

		assert_int_equal(json_integer_value(json_object_get(answer, "slot")),
				 own_slot(service, &client, steerer_hash_key(steerer)));
		assert_int_equal(edge_backend(&edge, name), kernel_backend(number, &client));
		json_decref(answer);
	}
	steerer_close(steerer);
}

/* Uneven shares, a weight of its own, a backend away; MAC addresses that carry the id. */
static void change_policy(struct policy *policy, const uint64_t *key)
{
	for (size_t s = 0; s < policy->n_services; s++) {
		struct service *service = &policy->services[s];
		const struct share_request requests[] = {{"canary", 3277}, {"green", 12345}};
		struct diag why = {0};
		bool changed;

		if (service_set(service, requests, 2, policy->revision, key, &changed, &why) < 0)
			fail_msg("%s", why.text);
		service_pool(service, "blue")->backends[1].state = BACKEND_MAINT;
		for (size_t p = 0; p < service->n_pools; p++)
			for (size_t i = 0; i < service->pools[p].n_backends; i++) {
				struct backend *backend = &service->pools[p].backends[i];

				backend->mac[4] = (uint8_t)(backend->id >> 8);
				backend->mac[5] = (uint8_t)backend->id;
			}
	}
}

static int up(const char *config)
{
	struct steerer *steerer;
	struct policy next;

	random_state = SEED;
	edge_up(&edge, config);
	steerer = edge_open(&edge, STEERER_WRITE);
	assert_int_equal(policy_copy(steerer_policy(steerer), &next), 0);
	change_policy(&next, steerer_hash_key(steerer));
	edge_commit(steerer, &next);
	policy_free(&next);
	steerer_close(steerer);
	return 0;
}

static int up_one(void **state)
{
	(void)state;
	return up(one_service);
}

static int up_three(void **state)
{
	(void)state;
	return up(three_services);
}

static int down(void **state)
{
	(void)state;
	edge_down(&edge);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_hash_written_here_is_that_of_the_paper),
		cmocka_unit_test(kernel_core_and_paper_agree_on_every_client),
		cmocka_unit_test(explain_names_the_backend_that_the_kernel_chose),
	};
	int failed = cmocka_run_group_tests_name("one prefix", tests, up_one, down);

	return failed + cmocka_run_group_tests_name("many prefixes", tests, up_three, down);
}
