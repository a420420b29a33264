// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "ctl/measure.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>

#include "base/own.h"

static json_t *count_service(const struct steerer *steerer, const struct service *service)
{
	json_t *counts = json_object();
	char id[16];

	for (size_t p = 0; p < service->n_pools; p++) {
		const struct pool *pool = &service->pools[p];

		for (size_t b = 0; b < pool->n_backends; b++) {
			struct counter counter = {0};

			(void)steerer_count_backend(steerer, pool->backends[b].id, &counter);
			(void)snprintf(id, sizeof(id), "%" PRIu32, pool->backends[b].id);
			(void)json_object_set_new(counts, id,
						  json_pack("[I,I]",
							    (json_int_t)counter.connections,
							    (json_int_t)counter.packets));
		}
	}
	return json_pack("{s:I, s:o}", "revision", (json_int_t)service->revision, "counts", counts);
}

void measure_path(const struct run *run, char path[static PATH_MAX])
{
	(void)snprintf(path, PATH_MAX, "%s/%s/since.json", run->options.run,
		       run->options.place.instance);
}

json_t *measure_read(const struct run *run)
{
	char path[PATH_MAX];

	measure_path(run, path);
	return json_load_file(path, 0, NULL);
}

/* Beside, then renamed: a reader finds the old note or the new one. */
static void write_note(const struct run *run, const json_t *note)
{
	char path[PATH_MAX], beside[PATH_MAX + 32], *slash;

	measure_path(run, path);
	for (slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(path, 0755);
		*slash = '/';
	}
	(void)snprintf(beside, sizeof(beside), "%s.%ld", path, (long)getpid());
	if (json_dump_file(note, beside, JSON_COMPACT) < 0 || rename(beside, path) < 0)
		(void)unlink(beside);
}

/* The note of @service if it is of its revision. */
static json_t *find_note(const json_t *notes, const struct service *service)
{
	json_t *note = json_object_get(notes, service->name);
	json_int_t revision = json_integer_value(json_object_get(note, "revision"));

	return note && (uint64_t)revision == service->revision ? note : NULL;
}

/* The notes that hold, and new ones of where the others stand now. */
static json_t *renew(const json_t *old, const struct steerer *steerer, bool is_view)
{
	const struct policy *policy = steerer_policy(steerer);
	json_t *notes = json_object();

	for (size_t i = 0; i < policy->n_services; i++) {
		const struct service *service = &policy->services[i];
		json_t *note = find_note(old, service), *fresh;

		if (note) {
			(void)json_object_set(notes, service->name, note);
			continue;
		}
		fresh = count_service(steerer, service);
		if (is_view)
			(void)json_object_set_new(fresh, "view", json_true());
		(void)json_object_set_new(notes, service->name, fresh);
	}
	return notes;
}

void measure_note(const struct run *run, const struct steerer *steerer, bool anew)
{
	json_t *old = anew ? NULL : measure_read(run);
	json_t *notes = renew(old, steerer, false);

	write_note(run, notes);
	json_decref(notes);
	json_decref(old);
}

json_t *measure_view(const struct run *run, const struct steerer *steerer)
{
	json_t *old = measure_read(run);
	json_t *notes = renew(old, steerer, true);

	json_decref(old);
	return notes;
}

/* ---- shares ---- */

/* Read a backend's counters into its object; return what it got since @counts, -1 if unknown. */
static json_int_t fill_backend(json_t *backend, const struct steerer *steerer, const json_t *counts,
			       bool by_connections)
{
	json_int_t id = json_integer_value(json_object_get(backend, "id"));
	struct counter counter = {0};
	json_int_t now, then;
	char key[24];

	(void)steerer_count_backend(steerer, (uint32_t)id, &counter);
	(void)json_object_set_new(backend, "packets", json_integer((json_int_t)counter.packets));
	(void)json_object_set_new(backend, "bytes", json_integer((json_int_t)counter.bytes));
	(void)json_object_set_new(backend, "new_connections",
				  json_integer((json_int_t)counter.connections));
	(void)snprintf(key, sizeof(key), "%" JSON_INTEGER_FORMAT, id);
	then = json_integer_value(json_array_get(json_object_get(counts, key), !by_connections));
	now = (json_int_t)(by_connections ? counter.connections : counter.packets);
	return counts && now >= then ? now - then : -1;
}

static json_t *share_of(json_int_t part, json_int_t whole)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%.2f%%", 100.0 * (double)part / (double)whole);
	return json_string(text);
}

static bool has_tcp(const json_t *service)
{
	const json_t *frontend;
	size_t i;

	json_array_foreach (json_object_get(service, "frontends"), i, frontend) {
		const char *text = json_string_value(frontend);

		if (text && strstr(text, "/tcp"))
			return true;
	}
	return false;
}

static const json_t *note_of(const json_t *service, const json_t *since)
{
	const json_t *noted =
		json_object_get(since, json_string_value(json_object_get(service, "name")));

	return json_equal(json_object_get(noted, "revision"), json_object_get(service, "revision"))
		       ? noted
		       : NULL;
}

static void fill_service(json_t *service, const struct steerer *steerer, const json_t *since)
{
	json_t *pools = json_object_get(service, "pools"), *pool, *backend;
	auto_free json_int_t *got = calloc(json_array_size(pools) + 1, sizeof(*got));
	const json_t *note = note_of(service, since), *counts = json_object_get(note, "counts");
	bool by_connections = has_tcp(service), is_known = got && counts;
	json_int_t total = 0;
	size_t p, b;

	json_array_foreach (pools, p, pool) {
		json_array_foreach (json_object_get(pool, "backends"), b, backend) {
			json_int_t one = fill_backend(backend, steerer, counts, by_connections);

			is_known &= one >= 0;
			if (is_known)
				got[p] += one;
		}
		total += is_known ? got[p] : 0;
	}
	json_array_foreach (pools, p, pool)
		(void)json_object_set_new(pool, "actual_share",
					  is_known && total ? share_of(got[p], total)
							    : json_null());
	(void)json_object_set_new(service, "actual",
				  json_pack("{s:s, s:o}", "by",
					    by_connections ? "new_connections" : "packets", "total",
					    is_known ? json_integer(total) : json_null()));
}

void measure_fill(json_t *services, const struct steerer *steerer, const json_t *since)
{
	json_t *service;
	size_t i;

	json_array_foreach (services, i, service)
		fill_service(service, steerer, since);
}
