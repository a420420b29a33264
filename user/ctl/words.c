// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "base/share.h"
#include "ctl/commands.h"

static void say_share(struct diag *text, const char *between, const char *pool, uint32_t slots)
{
	char share[SHARE_TEXT];

	diag_add(text, "%s%s %s", between, pool, share_format(slots, share));
}

void say_shares(struct diag *text, const struct service *service)
{
	int count = 0;

	diag_add(text, "%s%s:", text->text[0] ? "; " : "", service->name);
	for (size_t p = 0; p < service->n_pools; p++) {
		uint32_t slots = service_pool_slots(service, &service->pools[p]);

		if (slots)
			say_share(text, count++ ? ", " : " ", service->pools[p].name, slots);
	}
}

void say_remembered(struct diag *text, const struct shares *shares)
{
	uint32_t rest = STEER_SLOTS;

	for (size_t p = 0; p < shares->n_pools; p++)
		for (size_t i = 0; i < shares->pools[p].n_ranges; i++)
			rest -= shares->pools[p].ranges[i].count;
	if (rest)
		say_share(text, "", shares->active, rest);
	for (size_t p = 0; p < shares->n_pools; p++) {
		uint32_t slots = 0;

		for (size_t i = 0; i < shares->pools[p].n_ranges; i++)
			slots += shares->pools[p].ranges[i].count;
		if (slots)
			say_share(text, p || rest ? ", " : "", shares->pools[p].name, slots);
	}
}
