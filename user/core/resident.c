// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "core/resident.h"

#include <string.h>

#include "base/own.h"

static const uint32_t limits[OBJECT_KIND_COUNT] = {
	[OBJECT_FRONTENDS] = STEER_FRONTEND_OBJECTS,
	[OBJECT_TABLE] = STEER_TABLE_OBJECTS,
	[OBJECT_PAGE] = STEER_PAGE_OBJECTS,
	[OBJECT_TIMES] = STEER_BANKS,
	[OBJECT_POLICY] = STEER_BANKS,
};

uint32_t resident_limit(enum object_kind kind)
{
	return limits[kind];
}

static uint32_t take(bool taken[], uint32_t limit)
{
	for (uint32_t number = 1; number < limit; number++) {
		if (!taken[number]) {
			taken[number] = true;
			return number;
		}
	}
	return 0;
}

uint32_t resident_take_bank(struct resident *resident)
{
	return take(resident->bank, STEER_BANKS);
}

uint32_t resident_take(struct resident *resident, enum object_kind kind)
{
	return take(resident->object[kind], limits[kind]);
}

/* Keep the live bank and what can follow it without a compilation. */
static void keep_prepared(const struct dataplane *dp, struct resident *resident)
{
	uint32_t queue[STEER_BANKS + 1] = {STEER_WORD_BANK(dataplane_word(dp)) % STEER_BANKS};
	size_t n = queue[0] ? 1 : 0;

	dp->control->bank[queue[0]].lived = n;
	resident->bank[queue[0]] = true;
	for (size_t i = 0; i < n; i++) {
		const struct steer_links *links = &dp->control->links[queue[i]];
		const uint32_t on[] = {links->rollback, links->undo, links->settled, links->next};

		for (size_t k = 0; k < ARRAY_SIZE(on); k++) {
			uint32_t bank = on[k] % STEER_BANKS;

			if (bank == 0 || resident->bank[bank])
				continue;
			resident->bank[bank] = true;
			queue[n++] = bank;
		}
	}
}

/* Keep the newest of those that were live. */
static void keep_history(const struct dataplane *dp, struct resident *resident)
{
	const struct steer_bank *bank = dp->control->bank;

	for (int kept = 0; kept < RESIDENT_GENERATIONS; kept++) {
		uint32_t newest = 0;

		for (uint32_t n = 1; n < STEER_BANKS; n++)
			if (bank[n].generation > bank[newest].generation && bank[n].lived &&
			    !resident->bank[n])
				newest = n;
		if (newest == 0)
			return;
		resident->bank[newest] = true;
	}
}

static void keep_objects(struct resident *resident, const struct steer_bank *bank)
{
	resident->object[OBJECT_FRONTENDS][bank->frontends % STEER_FRONTEND_OBJECTS] = true;
	for (uint32_t i = 0; i < STEER_PAGES; i++)
		resident->object[OBJECT_PAGE][bank->page[i] % STEER_PAGE_OBJECTS] = true;
	for (uint32_t i = 0; i < STEER_SERVICES; i++) {
		resident->object[OBJECT_TABLE][bank->now[i] % STEER_TABLE_OBJECTS] = true;
		resident->object[OBJECT_TABLE][bank->origin[i] % STEER_TABLE_OBJECTS] = true;
	}
}

/* Unpin objects that no resident bank refers to, left by what was retired or killed. */
static int sweep(struct dataplane *dp, const struct resident *resident, enum object_kind kind,
		 struct diag *why)
{
	bool pinned[RESIDENT_NUMBERS];
	int error = object_list(dp, kind, pinned, limits[kind], why);

	for (uint32_t n = 0; !error && n < limits[kind]; n++)
		if (pinned[n] && !resident->object[kind][n])
			object_unpin(dp, kind, n);
	return error;
}

int resident_survey(struct dataplane *dp, struct resident *ret_resident, struct diag *why)
{
	struct steer_bank *bank = dp->control->bank;
	int error = 0;

	memset(ret_resident, 0, sizeof(*ret_resident));
	keep_prepared(dp, ret_resident);
	keep_history(dp, ret_resident);
	for (uint32_t n = 1; n < STEER_BANKS; n++) {
		if (bank[n].generation > ret_resident->newest)
			ret_resident->newest = bank[n].generation;
		if (ret_resident->bank[n]) {
			ret_resident->object[OBJECT_POLICY][n] = true;
			ret_resident->object[OBJECT_TIMES][n] = true;
			keep_objects(ret_resident, &bank[n]);
		} else {
			bank[n].generation = 0;
		}
	}
	for (int kind = 0; kind < OBJECT_KIND_COUNT && !error; kind++)
		error = sweep(dp, ret_resident, (enum object_kind)kind, why);
	return error;
}
