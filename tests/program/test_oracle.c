// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * One packet, one generation: packets run without pause while another thread commits, and swaps
 * the word between the new generation and the one before, as a rollback would.
 *
 * Every commit changes all that a packet meets on its way: whose the frontends are, how much of
 * the client's address is its key, the table, and the records, whose MAC addresses name the
 * commit. So the MAC addresses that a packet leaves with tell from which commit its record was,
 * and that commit tells which backend it must have been. A packet of two generations ends at a
 * backend that its commit did not choose.
 *
 * Two services change with every commit. The word is read before and after a pair of packets, one
 * for each service: when it was the same, so must be the commit.
 *
 * A commit waits for several grace periods, a swap for none: STEER_ORACLE_COMMITS=1000 in the
 * environment makes it a run of minutes.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <linux/bpf.h>

#include "base/own.h"
#include "core/dataplane.h"
#include "core/table.h"
#include "harness/edge.h"
#include "harness/packet.h"
#include "steer/hash.h"

#define COMMITS_MAX   4000
#define COMMITS_USUAL 50
#define SWAPS	      20 /* of every commit, besides its own; an even number ends at the new one */
#define CLIENTS	      32 /* of each family */
#define SERVICES      2
#define POOLS	      3
#define SEED	      20240607

#define SECOND4 "203.0.113.11"
#define SECOND6 "2001:db8::11"

#define POOL(service, name, a, b)                                                                  \
	"      " name ": {backends: {" service "-" name "-1: {address: 10.0.0." a                  \
	", mac: '02:00:00:00:00:01'}, " service "-" name "-2: {address: 10.0.0." b                 \
	", mac: '02:00:00:00:00:01'}}}\n"

static const char config[] =
	"interfaces: [edge0]\n"
	"services:\n"
	"  one:\n"
	"    frontends: ['" FRONTEND4 ":80/tcp', '[" FRONTEND6 "]:80/tcp']\n"
	"    client_prefix: {ipv4: 24, ipv6: 48}\n"
	"    pools:\n" POOL("one", "red", "11", "12") POOL("one", "green", "13", "14")
		POOL("one", "violet", "15",
		     "16") "    active: red\n"
			   "  two:\n"
			   "    frontends: ['" SECOND4 ":80/tcp', '[" SECOND6 "]:80/tcp']\n"
			   "    client_prefix: {ipv4: 32, ipv6: 64}\n"
			   "    pools:\n" POOL("two", "red", "21", "22")
				   POOL("two", "green", "23", "24")
					   POOL("two", "violet", "25", "26") "    active: red\n";

/* What a commit decides, filled before it begins. */
struct decision {
	bool is_swapped; /* frontends of the first address belong to the second service */
	uint16_t backend[SERVICES][2 * CLIENTS];
};

static struct edge edge;
static struct decision decisions[COMMITS_MAX + 1];
static struct address clients[2 * CLIENTS]; /* IPv4, then IPv6 */
static struct frame frames[SERVICES][2 * CLIENTS];

struct writer {
	struct steerer *steerer;
	struct dataplane *dp;
	uint64_t random;
	uint32_t commits;
	bool is_done;
	struct diag trouble; /* empty = none; asserts belong to the main thread */
};

static uint64_t pairs_run; /* by the main thread */
static bool is_stopped;	   /* by the main thread: something is wrong already */

static uint32_t draw(uint64_t *random, uint32_t below)
{
	*random = *random * 6364136223846793005ULL + 1442695040888963407ULL; /* Knuth's MMIX */
	return (uint32_t)((*random >> 33) % below);
}

/* The number of the commit and the id of the backend, as MAC address. */
static void name_records(struct service *service, uint32_t number)
{
	for (size_t p = 0; p < service->n_pools; p++) {
		for (size_t i = 0; i < service->pools[p].n_backends; i++) {
			struct backend *backend = &service->pools[p].backends[i];
			const uint8_t mac[6] = {2,
						0,
						(uint8_t)(number >> 8),
						(uint8_t)number,
						(uint8_t)(backend->id >> 8),
						(uint8_t)backend->id};

			memcpy(backend->mac, mac, sizeof(mac));
			backend->state = BACKEND_READY;
		}
	}
}

/* Same colour and share for both services; prefixes and states are drawn for each. */
static void change_service(struct service *service, uint32_t number, uint32_t active,
			   uint32_t share, uint64_t *random)
{
	struct pool *other = &service->pools[(active + 1) % POOLS];

	name_records(service, number);
	service->prefix4 = draw(random, 2) ? 24 : 32;
	service->prefix6 = draw(random, 2) ? 48 : 64;
	for (size_t p = 0; p < service->n_pools; p++)
		service->pools[p].n_ranges = 0;
	service->active = active;
	service->seed = number;
	if (share) {
		other->ranges = realloc(other->ranges, sizeof(*other->ranges));
		other->ranges[0] =
			(struct range){.first = draw(random, STEER_SLOTS - share), .count = share};
		other->n_ranges = 1;
	}
	if (draw(random, 2))
		service->pools[active].backends[draw(random, 2)].state = BACKEND_MAINT;
}

static int decide(const struct steerer *steerer, const struct policy *policy, bool is_swapped,
		  struct decision *decision)
{
	auto_free struct steer_table *table = malloc(sizeof(*table));

	decision->is_swapped = is_swapped;
	for (size_t s = 0; s < SERVICES; s++) {
		const struct service *service = &policy->services[s];

		if (!table || table_compile(service, table) < 0)
			return -1;
		for (size_t c = 0; c < 2 * CLIENTS; c++)
			decision->backend[s][c] =
				table->backend[steerer_slot(steerer, service, &clients[c])];
	}
	return 0;
}

static int commit(struct writer *writer, uint32_t number)
{
	struct commit_note note = {.command = "test", .cut = true};
	uint32_t active = draw(&writer->random, POOLS);
	uint32_t share = draw(&writer->random, 2) ? 1 + draw(&writer->random, STEER_SLOTS / 2) : 0;
	bool is_swapped = draw(&writer->random, 2);
	struct policy next = {0};
	struct diag why = {0};
	struct frontend *first;
	int error = policy_copy(steerer_policy(writer->steerer), &next);

	if (error)
		return error;
	for (size_t s = 0; s < SERVICES; s++)
		change_service(&next.services[s], number, active, share, &writer->random);
	if (is_swapped != decisions[number - 1].is_swapped) {
		first = next.services[0].frontends;
		next.services[0].frontends = next.services[1].frontends;
		next.services[1].frontends = first;
	}
	error = decide(writer->steerer, &next, is_swapped, &decisions[number]);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!error)
		error = steerer_commit(writer->steerer, &next, &note, &why);
	policy_free(&next);
	if (error)
		(void)diag_fail(&writer->trouble, error, "commit %u: %s", number, why.text);
	return error;
}

/* Wait for a few pairs, and then for any part of one, so that a swap falls anywhere in it. */
static void wait_for_pairs(uint64_t *random)
{
	uint64_t until = __atomic_load_n(&pairs_run, __ATOMIC_RELAXED) + 1 + draw(random, 8);

	while (__atomic_load_n(&pairs_run, __ATOMIC_RELAXED) < until &&
	       !__atomic_load_n(&is_stopped, __ATOMIC_RELAXED))
		(void)sched_yield();
	for (uint32_t spins = draw(random, 4096); spins > 0; spins--)
		(void)draw(random, 2);
}

/* To the generation in @before and forth, a few pairs of packets for each. */
static void swap_to_and_fro(struct writer *writer, uint32_t before)
{
	uint32_t live = STEER_WORD_BANK(dataplane_word(writer->dp));

	for (uint32_t i = 0; i < SWAPS; i++) {
		wait_for_pairs(&writer->random);
		(void)dataplane_swap(writer->dp, dataplane_word(writer->dp), i % 2 ? live : before);
	}
}

static void *write_commits(void *argument)
{
	struct writer *writer = argument;

	for (uint32_t number = 2; number <= writer->commits; number++) {
		uint32_t before = STEER_WORD_BANK(dataplane_word(writer->dp));

		writer->steerer = edge_open(&edge, STEERER_WRITE);
		if (!commit(writer, number))
			swap_to_and_fro(writer, before);
		steerer_close(writer->steerer);
		if (writer->trouble.text[0] || __atomic_load_n(&is_stopped, __ATOMIC_RELAXED))
			break;
	}
	__atomic_store_n(&writer->is_done, true, __ATOMIC_RELEASE);
	return NULL;
}

/*
 * Run a packet of @client to the addresses that began as service @first's. @ret_number is the
 * commit that it met.
 */
static int run_packet(size_t first, size_t client, uint32_t *ret_number, struct diag *why)
{
	const struct frame *frame = &frames[first][client];
	uint32_t number, backend, want, service;
	struct sent sent;

	edge_send(&edge, frame->bytes, frame->size, &sent);
	if (sent.action != XDP_TX)
		return diag_fail(why, -1, "client %zu: action %u", client, sent.action);
	number = (uint32_t)sent.bytes[2] << 8 | sent.bytes[3];
	backend = (uint32_t)sent.bytes[4] << 8 | sent.bytes[5];
	if (number == 0 || number > COMMITS_MAX)
		return diag_fail(why, -1, "client %zu: a record of commit %u", client, number);
	service = (uint32_t)first ^ decisions[number].is_swapped;
	want = decisions[number].backend[service][client];
	if (backend != want)
		return diag_fail(why, -1,
				 "client %zu, service %u: the record is backend %u of commit %u, "
				 "which chose %u: two generations in one packet",
				 client, service, backend, number, want);
	*ret_number = number;
	return 0;
}

static void make_clients(uint64_t *random)
{
	char text[2 * CLIENTS][ADDRESS_TEXT];

	for (size_t c = 0; c < 2 * CLIENTS; c++) {
		if (c < CLIENTS)
			(void)snprintf(text[c], ADDRESS_TEXT, "198.51.%u.%u", draw(random, 256),
				       draw(random, 256));
		else
			(void)snprintf(text[c], ADDRESS_TEXT, "2001:db8:%x:%x::%x",
				       draw(random, 65536), draw(random, 65536),
				       draw(random, 65536));
		assert_int_equal(address_parse(text[c], &clients[c], NULL), 0);
		for (size_t s = 0; s < SERVICES; s++) {
			static const char *const to[2][SERVICES] = {{FRONTEND4, SECOND4},
								    {FRONTEND6, SECOND6}};
			struct packet packet = {.from = text[c], .to = to[c >= CLIENTS][s]};

			packet_build(&packet, &frames[s][c]);
		}
	}
}

struct watch {
	uint64_t same;	  /* pairs during which the word did not change */
	uint64_t changed; /* pairs that met two commits, the word having changed */
	struct diag trouble;
};

static int run_pair(const struct dataplane *dp, size_t client, struct watch *watch)
{
	uint64_t word = dataplane_word(dp);
	uint32_t one, two;

	if (run_packet(0, client, &one, &watch->trouble) ||
	    run_packet(1, client, &two, &watch->trouble))
		return -1;
	watch->changed += one != two;
	if (dataplane_word(dp) != word)
		return 0;
	watch->same++;
	if (one != two)
		return diag_fail(&watch->trouble, -1,
				 "under one word the first service was at commit %u, the second "
				 "at %u",
				 one, two);
	return 0;
}

static uint32_t commits_wanted(void)
{
	const char *text = getenv("STEER_ORACLE_COMMITS");
	unsigned long wanted = text ? strtoul(text, NULL, 10) : 0;

	return wanted > 1 && wanted <= COMMITS_MAX ? (uint32_t)wanted : COMMITS_USUAL;
}

static void watch_packets(struct writer *writer, struct watch *watch)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, write_commits, writer), 0);
	while (!__atomic_load_n(&writer->is_done, __ATOMIC_ACQUIRE)) {
		if (run_pair(writer->dp, pairs_run % (2 * CLIENTS), watch))
			break;
		__atomic_store_n(&pairs_run, pairs_run + 1, __ATOMIC_RELAXED);
	}
	__atomic_store_n(&is_stopped, true, __ATOMIC_RELAXED);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void no_packet_sees_two_generations(void **state)
{
	struct dataplane dp;
	struct writer writer = {.dp = &dp, .random = SEED, .commits = commits_wanted()};
	struct watch watch = {0};
	struct diag why;
	char path[192];

	(void)state;
	make_clients(&writer.random);
	edge_pins(&edge, path);
	assert_int_equal(dataplane_open(path, true, &dp, &why), 0);
	writer.steerer = edge_open(&edge, STEERER_WRITE);
	assert_int_equal(commit(&writer, 1), 0);
	steerer_close(writer.steerer);
	watch_packets(&writer, &watch);
	dataplane_close(&dp);
	assert_string_equal(writer.trouble.text, "");
	assert_string_equal(watch.trouble.text, "");
	print_message("# %u commits, %u swaps besides; %lu pairs of packets, %lu under one word, "
		      "%lu met two commits\n",
		      writer.commits, (writer.commits - 1) * SWAPS, pairs_run, watch.same,
		      watch.changed);
	assert_true(watch.same > SWAPS * writer.commits / 2);
	assert_true(watch.changed > 0);
}

static int up(void **state)
{
	(void)state;
	edge_up(&edge, config);
	return 0;
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
		cmocka_unit_test(no_packet_sees_two_generations),
	};

	return cmocka_run_group_tests(tests, up, down);
}
